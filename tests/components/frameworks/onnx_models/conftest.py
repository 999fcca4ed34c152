"""The penguins' model of scikit-learn, which is an ONNX file as any other."""

from tests.components.frameworks.sklearn.conftest import _in_that_store, model, penguins, store

__all__ = ["_in_that_store", "model", "penguins", "store"]
