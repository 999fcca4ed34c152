"""`data.pin`: a project reads exactly one dataset, and a source that gives another ends the run with what differs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import Manifest
from components._core.project.project_file import parse_project
from components._core.setting_names import STORE
from components._core.store.ledger import Deployment, append_deployment
from components.ingest.ingest import ingest_examples

Ingest = Callable[..., Any]


@pytest.fixture
def ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))
    for span in (1, 2):
        (tmp_path / f"t-{span}.csv").write_text("x,y\n" + "".join(f"{n * span},{n}\n" for n in range(60)))

    def run(name: str, **data: Any) -> tuple[Any, Manifest]:
        raw = {"name": "p", "task": "regression", "label": "y"}
        project = parse_project({**raw, "data": {"source": str(tmp_path / "t-{span}.csv"), **data}})
        folders = {part: tmp_path / name / part for part in ("examples", "quarantine")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        return ingest_examples(project, **folders), Manifest.load(folders["examples"])

    return run


def register(folder: Path, run: str) -> str:
    """Make the dataset of a run that of version 1; returns its fingerprint."""
    store = folder / "store"
    (store / "p" / "model").mkdir(parents=True)
    shutil.copy(folder / run / "examples" / "manifest.json", store / "p" / "manifest.json")
    fingerprint = Manifest.load(folder / run / "examples").fingerprint
    append_deployment(
        str(store), "p", Deployment("1", str(store / "p" / "model"), "", "", {}, fingerprint, "r", "t", "me", "w")
    )
    return fingerprint


def test_the_pinned_dataset_is_read_and_that_is_a_check(ingest: Ingest) -> None:
    _, free = ingest("a")
    outcome, pinned = ingest("b", pin=free.fingerprint[:16])
    assert pinned.fingerprint == free.fingerprint and "pinned dataset" in [check.name for check in outcome.checks]


def test_a_changed_and_a_new_file_are_named(ingest: Ingest, tmp_path: Path) -> None:
    ingest("a")
    pin = register(tmp_path, "a")[:16]
    (tmp_path / "t-3.csv").write_text("x,y\n1,2\n")
    with pytest.raises(
        DataError, match=rf"and {pin} is pinned: new 't-3.csv'; data.spans: 1-2 reads the pinned spans alone"
    ):
        ingest("b", pin=pin)
    ingest("c", pin=pin, spans="1-2")
    (tmp_path / "t-1.csv").write_text("x,y\n1,2\n")
    (tmp_path / "t-2.csv").unlink()
    with pytest.raises(DataError, match=r"pinned: changed 't-1.csv'; new 't-3.csv'; missing 't-2.csv'"):
        ingest("d", pin=pin)
    assert not (tmp_path / "d" / "examples" / "manifest.json").exists()


def test_other_settings_and_a_dataset_without_a_version_are_refused_with_that_reason(
    ingest: Ingest, tmp_path: Path
) -> None:
    ingest("a")
    with pytest.raises(DataError, match="the store has no version with that one's manifest"):
        ingest("b", pin="0123456789abcdef")
    with pytest.raises(DataError, match="the files are the same, and settings under data or the label differ"):
        ingest("c", pin=register(tmp_path, "a")[:8], split={"train": 0.6, "eval": 0.2, "test": 0.2})


@pytest.mark.parametrize("pin", ["v1", "ABCDEF01", "0123", "0" * 33])
def test_a_pin_is_a_fingerprint(pin: str, ingest: Ingest) -> None:
    with pytest.raises(ConfigError, match=r"data.pin: found"):
        ingest("a", pin=pin)
