"""The small flights data, made once for all tests."""

from __future__ import annotations

import pytest

from tests.components.small_flights import Small, transformed_flights


@pytest.fixture(scope="session")
def small() -> Small:
    """Artifacts by their names in the pipeline."""
    return transformed_flights()
