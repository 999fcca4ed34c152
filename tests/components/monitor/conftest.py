"""A champion of the small model in a store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.monitoring.reference import MonitoringReference
from tests.components.monitor.request_lines import deploy, make_reference


@pytest.fixture(scope="module")
def reference() -> MonitoringReference:
    return make_reference()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: MonitoringReference) -> Path:
    monkeypatch.setenv("NARU_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    deploy(tmp_path / "store", reference, "1")
    return tmp_path / "store"
