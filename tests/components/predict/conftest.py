"""Tiny versions that are loaded once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from components.predict.versions import ModelVersion
from tests.components.predict.made import version

Versions = Callable[..., ModelVersion]


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """Versions by task."""
    return cache(
        lambda task="binary_classification", number="7": version(tmp_path_factory.mktemp("model"), task, number)
    )
