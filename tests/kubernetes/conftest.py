"""A cluster whose clock stands still, and a client of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components._cluster.kubernetes_client import Cluster
from tests.kubernetes.api_server import ApiServer, serving
from tests.kubernetes.clock import Clock


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with serving(tmp_path / "config", Clock(0)) as held:
        held.put("/api/v1/namespaces/models")
        yield held


@pytest.fixture
def cluster(server: ApiServer) -> Cluster:
    return Cluster()
