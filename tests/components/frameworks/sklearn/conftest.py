"""The penguins, carried through transform and train once for all tests that need them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components._core.setting_names import STORE
from tests.components.small_penguins import Penguins, make_penguins


@pytest.fixture(scope="session", autouse=True)
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, str(tmp_path_factory.mktemp("store")))
        yield


@pytest.fixture(scope="session")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Penguins:
    """Three classes by name, transformed."""
    return make_penguins(tmp_path_factory.mktemp("penguins"))


@pytest.fixture(scope="session")
def model(penguins: Penguins) -> Path:
    """The model that train makes of them."""
    return penguins.train()
