"""The tiny models that the servers are tested with."""

from tests.components.serve.conftest import model

__all__ = ["model"]
