"""Register: make the model a version in the registry, with everything that made it."""
