"""The framework of a project and of a model that name none. Alone in its module, so that the project file imports no more than a name."""

DEFAULT_FRAMEWORK = "keras"
"""Projects and models of Keras name none: `signature.json`, and the project that stages are given, are what they were in earlier releases."""
