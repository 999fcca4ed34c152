"""Keras: building, fitting, exporting and calling a model (`framework.py` is the entrance)."""

import components._frameworks.saved_models  # noqa: F401  (configures TensorFlow before a module here imports it)
