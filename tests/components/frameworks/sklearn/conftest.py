"""The penguins, carried through transform and train once for all tests that need them."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.setting_names import STORE
from tests.components.small_penguins import Penguins, make_penguins


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of their own."""
    return str(tmp_path_factory.mktemp("store"))


@pytest.fixture(autouse=True)
def _in_that_store(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each test here, and in no later one of the process: a setting that stays leads their runs to a wrong store."""
    monkeypatch.setenv(STORE, store)


@pytest.fixture(scope="session")
def penguins(store: str, tmp_path_factory: pytest.TempPathFactory) -> Penguins:
    """Three classes by name, transformed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, store)
        return make_penguins(tmp_path_factory.mktemp("penguins"))


@pytest.fixture(scope="session")
def model(store: str, penguins: Penguins) -> Path:
    """The model that train makes of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, store)
        return penguins.train()
