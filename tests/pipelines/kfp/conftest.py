"""A KFP server with nothing in it, a store in memory, and a project that was compiled once."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pipelines.kfp.connection import Connection
from pipelines.kfp.desired_state import DesiredProject, read_desired_projects
from pipelines.kfp.kfp_client import KfpClient
from pipelines.kfp.server_state import Server
from tests.pipelines.kfp.kfp_server import KfpServer, serving
from tests.pipelines.kfp.made import nightly, scheduled

ROOT = Path(__file__).resolve().parents[3]
SOURCE = "memory://data/flights-{span}.csv"
_VARIABLES = ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT", "KF_PIPELINES_SA_TOKEN_PATH", "SSL_CERT_FILE",
              "NARU_KFP_TOKEN", "NARU_KFP_CA", "NARU_KFP_NAMESPACE", "NARU_KFP_TIMEZONE")  # fmt: skip


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[KfpServer]:
    """What the server holds; the environment names it."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with serving() as held:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", held.endpoint)
        yield held


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The object store and the data, in memory."""
    monkeypatch.setenv("NARU_STORE", "memory://store")
    monkeypatch.setenv("NARU_OWNER", "github.com/team/models")
    files = fsspec.filesystem("memory")
    files.pipe_file("/data/flights-1.csv", b"late\n1\n")
    yield files
    files.store.clear()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DesiredProject]:
    """The example as a cluster would have it: its data lies where a cluster can read it."""
    folder = tmp_path_factory.mktemp("flights")
    for name in ("project.yaml", "preprocessing.py", "model.py"):
        shutil.copy(ROOT / "examples" / "flights" / name, folder)
    file = folder / "project.yaml"
    file.write_text(file.read_text().replace("data/flights-{span}.csv", SOURCE).replace("1-11", "all"))
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # of this alone: other tests of this process have no store
            patch.setenv("NARU_STORE", "memory://store")
            patch.setenv("NARU_OWNER", "github.com/team/models")
            patch.setenv("NARU_FINAL_TAGS", "1")  # no registry can be reached for digests
            project = stack.enter_context(read_desired_projects([folder], Connection("http://nowhere")))[0]
        yield project


@pytest.fixture
def desired(compiled: DesiredProject) -> DesiredProject:
    return scheduled(compiled, nightly())


@pytest.fixture
def server(held: KfpServer) -> Server:
    return Server(KfpClient(Connection.from_environment()))
