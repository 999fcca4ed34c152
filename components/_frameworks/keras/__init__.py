"""Keras: building, fitting, exporting and calling a model (`framework.py` is the entrance)."""

import components._frameworks.saved_models  # noqa: F401  (tells TensorFlow how to behave, before a module here imports it)
