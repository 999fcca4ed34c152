"""Transform: run the project's preprocessing_fn over the training rows once, and apply its graph to all of them."""

import components._frameworks.keras  # noqa: F401  (tells TensorFlow how to behave, before a module here imports it)
