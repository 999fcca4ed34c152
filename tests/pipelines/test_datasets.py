"""`naru data`: datasets of runs and versions are listed, shown, compared by spans, columns and rows, and verified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import Manifest
from components._core.project.project_file import load_project
from components._core.store.ledger import Deployment, append_deployment
from components.ingest.ingest import ingest_examples
from pipelines.__main__ import app

Naru = Callable[..., Result]


def write_span(folder: Path, span: int, first: int = 0, extra: str = "") -> None:
    rows = [f"{1_000 * span + row},{(row + first) % 17},{row % 2}" for row in range(100)]
    (folder / f"t-{span}.csv").write_text("\n".join(["id,x,y", *rows, *filter(None, [extra])]) + "\n")


def ingest(folder: Path, run: str) -> Path:
    """Ingest as a run of this machine does, and leave its record."""
    home = folder / ".naru" / "runs" / run
    for name in ("examples", "quarantine"):
        (home / name).mkdir(parents=True)
    project = load_project(folder, {"data.source": str(folder / "t-{span}.csv")})
    ingest_examples(project, examples=home / "examples", quarantine=home / "quarantine")
    (home / "run.json").write_text(json.dumps({"run": run, "artifacts": {"examples": str(home / "examples")}}))
    return home / "examples"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two runs, the second of which read a new and a corrected span; the first is version 1."""
    monkeypatch.delenv("NARU_STORE", raising=False)
    text = "{name: p, task: binary_classification, label: y, data: {source: 't-{span}.csv', exclude: [id]}}"
    (tmp_path / "project.yaml").write_text(text)
    for span in (1, 2):
        write_span(tmp_path, span)
    examples = ingest(tmp_path, "20240101-000000-aaaa")
    store = tmp_path / ".naru" / "store"
    (store / "p" / "model").mkdir(parents=True)
    shutil.copy(examples / "manifest.json", store / "p" / "manifest.json")
    line = Deployment(
        "1", str(store / "p" / "model"), "", "", {}, Manifest.load(examples).fingerprint, "r", "t", "me", "w"
    )
    append_deployment(str(store), "p", line)
    write_span(tmp_path, 2, first=1)
    write_span(tmp_path, 3)
    ingest(tmp_path, "20240201-000000-bbbb")
    return tmp_path


@pytest.fixture
def naru(project: Path) -> Naru:
    def run(command: str, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["data", command, str(project), *arguments], catch_exceptions=False)

    return run


def test_runs_and_versions_are_listed(naru: Naru) -> None:
    lines = naru("ls").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["20240101-000000-aaaa", "20240201-000000-bbbb", "v1"]
    assert lines[2].split()[1] == "300" and lines[2].endswith("1-3") and lines[3].endswith("1-2")


@pytest.mark.parametrize("name", ["last", "bbbb", "20240201"])
def test_a_dataset_is_shown_with_its_files(name: str, naru: Naru) -> None:
    shown = naru("show", name).stdout
    assert "columns  id int64, x int64, y int64" in shown and "t-3.csv  100 rows" in shown and "split    hash" in shown


def test_two_datasets_differ_in_spans_and_rows(naru: Naru) -> None:
    shown = naru("diff", "1", "last", "--key", "id").stdout
    for line in (
        "rows     200 -> 300",
        "spans    new: 3",
        "spans    corrected: 2",
        "spans    unchanged: 1",
        "by key   100 added, 0 removed, 100 changed, 100 equal",
    ):
        assert line in shown


def test_a_key_that_is_no_key_and_names_of_nothing_are_refused(naru: Naru) -> None:
    with pytest.raises(DataError, match="183 of 200 rows of v1 have a key that another row has"):
        naru("diff", "1", "last", "--key", "x")
    with pytest.raises(ConfigError, match="there is no column 'nr'"):
        naru("diff", "1", "last", "--key", "nr")
    with pytest.raises(ConfigError, match="there is no dataset '7'"):
        naru("show", "7")
    with pytest.raises(ConfigError, match="matches 2 datasets"):
        naru("show", "2024")


def test_files_that_are_not_as_they_were_read_are_named(naru: Naru, project: Path) -> None:
    assert "3 files are as 20240201-000000-bbbb read them" in naru("verify", "last").stdout
    (project / "t-3.csv").unlink()
    with pytest.raises(DataError, match="files are not as") as refused:
        naru("verify", "v1")
    assert "1 of 2 files are not as v1 read them" in str(refused.value)
    with pytest.raises(DataError, match="1 of 3 files"):
        naru("verify", "last")
