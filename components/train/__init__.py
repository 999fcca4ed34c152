"""Train: fit the project's model and save it so that it takes raw, named, typed features."""

import components._frameworks.keras  # noqa: F401  (tells TensorFlow how to behave, before a module here imports it)
