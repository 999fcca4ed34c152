"""SavedModels of TensorFlow: their names, canonical form, checks and calls, for Keras and for a preprocessing_fn in front of any model.

Importing this package sets the environment of TensorFlow, which is imported only after it.
"""

import logging as _logging
import os as _os

# TensorFlow reads these once, while it is imported, so they cannot wait for a function to be called.
# Its own log is chatter about devices; whatever fails is raised as an exception besides, and that is kept.
_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow Transform would otherwise turn `tf.keras` into Keras 2 for every module that imports it: one Keras in one process.
_os.environ.setdefault("TF_USE_LEGACY_KERAS", "0")
# It warns of that: it means its own Keras layer, which Naru does not use.
_logging.getLogger("absl").addFilter(lambda record: "TF_USE_LEGACY_KERAS" not in str(record.msg))
_os.environ.setdefault("KERAS_BACKEND", "tensorflow")
