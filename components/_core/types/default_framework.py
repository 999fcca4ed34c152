"""The framework of a project and of a model that name none, and the word of a project whose framework a search finds.

Alone in their module, so that the project file imports no more than names.
"""

DEFAULT_FRAMEWORK = "keras"
"""Projects and models of Keras name none: `signature.json`, and the project that stages are given, are what they were in earlier releases."""
AUTO_FRAMEWORK = "auto"
"""A project that has no model of its own: `tune` finds the kind, and the model's signature names the framework of that."""
