"""A project that is watched, and runs that take no time: the real request, lock and record, with another training."""

import sys
from pathlib import Path

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
