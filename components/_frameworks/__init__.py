"""Frameworks of models: building, fitting, exporting, loading and calling a model."""
