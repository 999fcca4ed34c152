"""Every test here has a store of its own, which train asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.setting_names import STORE


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))
