"""A KFP server with nothing in it, a store in memory, and a project that was compiled once."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest

from components._kfp.connection import Connection
from components._kfp.kfp_client import KfpClient
from components._kfp.server_state import Server
from pipelines.graphs.pipelines import PIPELINES, TRAINING, Pipeline
from pipelines.kfp.desired_state import DesiredPipeline, read_desired_pipelines
from tests.components.kfp.kfp_server import KfpServer, named_by_environment
from tests.pipelines.kfp.made import nightly, scheduled

ROOT = Path(__file__).resolve().parents[3]
SOURCE = "memory://data/flights-{span}.csv"
LOOP = """
monitor: {window: 24h}
feedback: {labels: {source: labels/, id: request}}
triggers:
  schedules: [{name: nightly, cron: "0 30 3 * * *"}]
  on: [{name: data, new_data: {settle: 0s}}]
"""


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[KfpServer]:
    """What the server holds; the environment names it."""
    with named_by_environment(monkeypatch) as held:
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
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DesiredPipeline]:
    """The training pipeline of the example as a cluster would have it: its data lies where a cluster can read it."""
    with _compiling(tmp_path_factory.mktemp("flights"), "", (TRAINING,)) as pipelines:
        yield pipelines[0]


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[DesiredPipeline]]:
    """All pipelines of the example with a log of requests, labels and a trigger."""
    with _compiling(tmp_path_factory.mktemp("loop"), LOOP, tuple(PIPELINES.values())) as pipelines:
        yield pipelines


@contextmanager
def _compiling(folder: Path, more: str, kinds: tuple[Pipeline, ...]) -> Iterator[list[DesiredPipeline]]:
    for name in ("project.yaml", "preprocessing.py", "model.py"):
        shutil.copy(ROOT / "examples" / "flights" / name, folder)
    file = folder / "project.yaml"
    text = file.read_text().replace("data/flights-{span}.csv", SOURCE).replace("1-11", "all")
    file.write_text(text + more)
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # of this alone: other tests of this process have no store
            patch.setenv("NARU_STORE", "memory://store")
            patch.setenv("NARU_OWNER", "github.com/team/models")
            patch.setenv("NARU_FINAL_TAGS", "1")  # no registry can be reached for digests
            pipelines = stack.enter_context(read_desired_pipelines([folder], Connection("http://nowhere"), kinds))
        yield pipelines


@pytest.fixture
def desired(compiled: DesiredPipeline) -> DesiredPipeline:
    return scheduled(compiled, nightly())


@pytest.fixture
def server(held: KfpServer) -> Server:
    return Server(KfpClient(Connection.from_environment()))
