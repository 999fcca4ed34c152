"""Tune: search for hyperparameters, or pass the project's defaults through."""

import components._frameworks.keras  # noqa: F401  (tells TensorFlow how to behave, before a module here imports it)
