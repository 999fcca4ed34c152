"""A cluster that KUBECONFIG points at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.api_server import ApiServer, serving


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """An empty cluster with the namespace of KFP."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with serving(tmp_path / "config") as held:
        yield held
