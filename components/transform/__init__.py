"""Transform: prepare the rows that a model is fitted on, with the project's preprocessing_fn if the framework has one."""

import components._frameworks.saved_models  # noqa: F401  (configures TensorFlow before a module here imports it)
