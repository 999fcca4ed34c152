"""Tiny versions that are loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from components.predict import predict
from components.predict.versions import ModelVersion
from tests.components.loaded_once import loading_once
from tests.components.predict.made import version

Versions = Callable[..., ModelVersion]


@pytest.fixture(scope="session", autouse=True)
def loaded_once() -> Iterator[None]:
    """A model is loaded once, not for each batch that it answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "load", loading_once(predict.load))
        yield


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """Versions by task."""
    return cache(
        lambda task="binary_classification", number="7": version(tmp_path_factory.mktemp("model"), task, number)
    )
