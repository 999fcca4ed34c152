"""A project that is watched, and runs that take no time: the real request, lock and record, with another training."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components._core.store.ledger import read_deployments
from components.watch.records import History, open_records, read_history
from pipelines.local.watch import LocalWatcher

FAKE_RUN = (sys.executable, str(Path(__file__).with_name("fake_run.py")))
PROJECT = """name: p
task: regression
label: y
data: {source: "data/t-{span}.csv"}
triggers:
  limits: {cooldown: 0s, per_day: 100, concurrent: 1}
  on:
    - {name: data, new_data: {settle: 0s}, parameters: {epochs: 3}}
    - {name: asked, demand: {}}
"""


class ForkedRun:
    """What `subprocess.Popen` is for a fake run: a process of its own, but no interpreter of its own, which takes half a second."""

    def __init__(self, server: subprocess.Popen[str], request: str) -> None:
        assert server.stdin is not None
        self._server = server
        server.stdin.write(json.dumps({"request": request, "environment": dict(os.environ)}) + "\n")
        server.stdin.flush()

    def __enter__(self) -> "ForkedRun":
        return self

    def __exit__(self, *_: object) -> None:
        """It has ended: `wait` was called."""

    def wait(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())


@contextmanager
def forking() -> Iterator[Any]:
    """A `subprocess.Popen` that forks fake runs off one process and starts all else as usual."""
    popen = subprocess.Popen
    with popen(FAKE_RUN, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:

        def start(command: Sequence[str], **options: Any) -> Any:
            is_run = tuple(command[:-1]) == FAKE_RUN
            return ForkedRun(server, command[-1]) if is_run else popen(command, **options)

        yield start
        server.communicate()


def make_project(folder: Path, triggers: str = "") -> Path:
    """A project with one span."""
    (folder / "data").mkdir(parents=True)
    (folder / "project.yaml").write_text(PROJECT.partition("triggers:")[0] + triggers if triggers else PROJECT)
    add_span(folder, 1)
    return folder


def add_span(project: Path, number: int) -> None:
    (project / "data" / f"t-{number}.csv").write_text("x,y\n1,2\n")


def watcher(project: Path) -> tuple[LocalWatcher, list[str]]:
    """A watcher with what it said."""
    said: list[str] = []
    return LocalWatcher(project, said.append, FAKE_RUN), said


def history_of(project: Path, store: str = "") -> History:
    return read_history(open_records(store or str(project / ".naru" / "store"), "p"))


def promoted(project: Path, store: str = "") -> list[str]:
    """The runs that promoted a version."""
    return [line.run for line in read_deployments(store or str(project / ".naru" / "store"), "p")]
