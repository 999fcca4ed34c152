"""The stage feedback, as a recurring run of a cluster calls it: it joins what the command joins, and waits for what is not there yet."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import DataError
from components._core.examples.artifact import Manifest
from components._core.files import read_json
from components._core.project.project_file import Project, parse_project
from components._core.setting_names import STORE
from components._core.store.ledger import Deployment, append_deployment
from components.feedback.component import feedback
from components.feedback.join_labels import join_labels
from components.ingest.ingest import ingest_examples
from tests.components.feedback.made import SIGNATURE, request

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)


@dataclass
class Artifact:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def project(store: Path) -> Project:
    """A project as its recurring run has it: every location is in the store."""
    raw = {
        "name": "tiny",
        "task": "binary_classification",
        "label": "late",
        "data": {"source": f"{store}/tiny/feedback/spans/{{span}}/rows.parquet"},
        "serve": {"request_log": {}},
        "feedback": {"min_rows": 50, "labels": {"source": f"{store}/labels", "id": "request", "label": "outcome"}},
    }
    return parse_project(raw)


@pytest.fixture
def champion(store: Path) -> None:
    """A champion that answered 200 rows."""
    model = store / "tiny" / "models" / "1" / "model"
    model.mkdir(parents=True)
    SIGNATURE.save(model)
    columns = {"delay": "int64", "month": "int64", "carrier": "string", "late": "bool"}
    Manifest("f", columns, {"train": 1}, [1], []).save(model.parent)
    append_deployment(str(store), "tiny", Deployment("3", str(model), "", "", {}, "f", "r", "t", "me", "w"))
    log = store / "tiny" / "requests" / f"{HOUR:dt=%Y-%m-%d/hour=%H}"
    log.mkdir(parents=True)
    (log / "pod-1.jsonl").write_text("".join(json.dumps(request(number, HOUR)) + "\n" for number in range(200)))


def write_labels(store: Path, numbers: range, name: str = "a") -> None:
    (store / "labels").mkdir(exist_ok=True)
    rows = "".join(f"r{number},{('false', 'true')[number % 2]}\n" for number in numbers)
    (store / "labels" / f"{name}.csv").write_text(f"request,outcome\n{rows}")


def run(project: Project, folder: Path) -> Any:
    (folder / "joined").mkdir(parents=True)
    return join_labels(project, joined=folder / "joined", page=folder / "page.html")


@pytest.mark.usefixtures("champion")
def test_its_component_writes_the_span_that_the_next_training_run_reads_and_says_what_it_found(
    project: Project, store: Path, tmp_path: Path
) -> None:
    write_labels(store, range(120))
    joined, page = Artifact(str(tmp_path / "out" / "joined")), Artifact(str(tmp_path / "out" / "page.html"))
    feedback.python_func(project=project.to_json(), joined=joined, page=page)
    assert joined.metadata["stage"] == "feedback" and joined.metadata["reason"].startswith("span 1: 120 rows")
    shown = Path(page.path).read_text()
    for part in ("selective labels", "own influence", "120 rows, 0 corrections of earlier spans"):
        assert part in shown
    for name in ("examples", "quarantine"):
        (tmp_path / name).mkdir()
    ingest_examples(project, examples=tmp_path / "examples", quarantine=tmp_path / "quarantine")
    manifest = Manifest.load(tmp_path / "examples")
    assert manifest.spans == [1] and sum(manifest.rows.values()) == 120


@pytest.mark.usefixtures("champion")
def test_runs_without_enough_new_labels_write_nothing_and_the_next_one_reads_the_same_again(
    project: Project, store: Path, tmp_path: Path
) -> None:
    write_labels(store, range(20))
    assert run(project, tmp_path / "first").verdict == "skipped"
    write_labels(store, range(20, 60), "b")
    assert "span 1: 60 rows" in run(project, tmp_path / "second").reason
    last = run(project, tmp_path / "third")
    assert last.verdict == "skipped" and "0 labelled rows wait" in last.reason


def test_before_the_first_champion_and_before_the_first_label_it_waits(
    project: Project, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert "no version is deployed yet" in run(project, tmp_path / "first").reason
    request.getfixturevalue("champion")
    found = run(project, tmp_path / "second")
    assert found.verdict == "skipped" and "no label has come yet" in found.reason
    assert "looks again" in (tmp_path / "second" / "page.html").read_text()


@pytest.mark.usefixtures("champion")
def test_label_files_of_which_two_are_one_span_are_no_reason_to_wait(
    project: Project, store: Path, tmp_path: Path
) -> None:
    write_labels(store, range(20), "d-1")
    write_labels(store, range(20), "d-01")
    labels = project.feedback.labels.model_copy(update={"source": str(store / "labels" / "d-{span}.csv")})  # type: ignore[union-attr]
    section = project.feedback.model_copy(update={"labels": labels})  # type: ignore[union-attr]
    with pytest.raises(DataError, match="span 1"):
        run(project.model_copy(update={"feedback": section}), tmp_path / "first")


@pytest.mark.usefixtures("champion")
def test_labels_that_are_gone_after_a_span_are_an_error(project: Project, store: Path, tmp_path: Path) -> None:
    write_labels(store, range(60))
    run(project, tmp_path / "first")
    (store / "labels" / "a.csv").unlink()
    with pytest.raises(DataError, match=r"feedback\.labels\.source"):
        run(project, tmp_path / "second")


@pytest.mark.usefixtures("champion")
def test_labels_that_cannot_be_used_are_a_warning_with_their_number(
    project: Project, store: Path, tmp_path: Path
) -> None:
    write_labels(store, range(60))
    with (store / "labels" / "a.csv").open("a") as file:
        file.write("r70,perhaps\nr71,maybe\n")
    found = run(project, tmp_path / "first")
    assert found.verdict == "warn"
    (check,) = [check for check in found.checks if check.name == "labels that cannot be used"]
    assert (check.status, check.measured) == ("warn", 2.0)
    assert read_json(tmp_path / "first" / "joined" / "outcome.json")["verdict"] == "warn"
