"""Train: fit the project's model and save it so that it takes raw, named, typed features."""
