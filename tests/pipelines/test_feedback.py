"""`naru feedback`: counts, a span, and what must change where there is none."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import Manifest, read_batches
from components._core.project.project_file import load_project
from components._core.store.ledger import Deployment, append_deployment
from components.ingest.ingest import ingest_examples
from pipelines.__main__ import app
from pipelines.feedback import wrap_lines
from tests.components.feedback.made import SIGNATURE, request

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
PROJECT = """
name: tiny
task: binary_classification
label: late
data: {source: '.naru/store/tiny/feedback/spans/{span}/rows.parquet'}
serve: {request_log: {}}
feedback:
  min_rows: 50
  labels: {source: labels, id: request, label: outcome}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose champion answered 200 rows."""
    monkeypatch.delenv("NARU_STORE", raising=False)
    (tmp_path / "project.yaml").write_text(PROJECT)
    store = tmp_path / ".naru" / "store"
    (store / "tiny" / "models" / "1" / "model").mkdir(parents=True)
    SIGNATURE.save(store / "tiny" / "models" / "1" / "model")
    columns = {"delay": "int64", "month": "int64", "carrier": "string", "late": "bool"}
    manifest = Manifest("f", columns, {"train": 1}, [1], [])
    manifest.save(store / "tiny" / "models" / "1")
    line = Deployment("3", str(store / "tiny" / "models" / "1" / "model"), "", "", {}, "f", "r", "t", "me", "w")
    append_deployment(str(store), "tiny", line)
    log = store / "tiny" / "requests" / f"{HOUR:dt=%Y-%m-%d/hour=%H}"
    log.mkdir(parents=True)
    lines = [request(number, HOUR) for number in range(200)]
    lines += [{"dropped": 3, "version": "3", "log": 2}, {"refused": {"wrong_type": 2}, "version": "3", "log": 2}]  # type: ignore[list-item]
    (log / "pod-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def write_labels(project: Path, numbers: range, name: str = "a", prefix: str = "r") -> None:
    (project / "labels").mkdir(exist_ok=True)
    rows = "".join(f"{prefix}{number},{('false', 'true')[number % 2]}\n" for number in numbers)
    (project / "labels" / f"{name}.csv").write_text(f"request,outcome\n{rows}")


def naru(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["feedback", str(project), *arguments], catch_exceptions=False)


def test_the_counts_are_shown_and_the_last_line_says_what_was_written(project: Path) -> None:
    write_labels(project, range(120))
    lines = naru(project).stdout.splitlines()
    assert lines[0] == "answered    about 203 rows, in 1 new object of the log"
    assert lines[1] == "logged      200 rows, 3 requests dropped by the log"
    assert "joined      120 rows, 0 corrections of earlier spans, 0 closed without a label" in lines
    assert "open        80 rows wait for a label" in lines
    text = "\n".join(lines)
    for part in ("selective labels:", "own influence:", "version 3 120", "120 rows with a share of 1", "wrong_type 2"):
        assert part in text
    assert lines[-1] == "span 1: 120 rows, not final: no answer is older than feedback.wait"
    assert lines[-2].startswith("written     file://") and lines[-2].endswith("/feedback/spans/000001/rows.parquet")


def test_lines_fit_a_terminal_and_an_address_stays_whole() -> None:
    address = "file://" + "/folder" * 20
    long = "            3 unreadable, the first: a.csv, line 7: column 'late': 'perhaps' is not a number"
    found = wrap_lines(["open        1 row", long, f"written     {address}"], 80)
    assert found[0] == "open        1 row" and found[-1] == f"            {address}"
    assert max(map(len, found[:-1])) <= 80 and all(part.startswith(" " * 12) for part in found[1:3])
    assert " ".join("".join(f"{part} " for part in found).split()) == " ".join(
        f"open 1 row {long} written {address}".split()
    )


def test_ingest_reads_spans_of_feedback_as_any_other(project: Path, tmp_path: Path) -> None:
    write_labels(project, range(100))
    naru(project)
    write_labels(project, range(100, 200), "b")
    naru(project)
    schema = pq.read_schema(project / ".naru/store/tiny/feedback/spans/000002/rows.parquet")
    assert schema.field("late").type == pa.bool_() and schema.field("delay").type == pa.int64()
    loaded = load_project(
        project, {"data.source": str(project / ".naru/store/tiny/feedback/spans/{span}/rows.parquet")}
    )
    (tmp_path / "examples").mkdir()
    (tmp_path / "quarantine").mkdir()
    ingest_examples(loaded, examples=tmp_path / "examples", quarantine=tmp_path / "quarantine")
    manifest = Manifest.load(tmp_path / "examples")
    assert manifest.spans == [1, 2] and sum(manifest.rows.values()) == 200
    found = [
        row
        for split in manifest.rows
        for batch in read_batches(tmp_path / "examples", split)
        for row in batch.to_pylist()
    ]
    assert sorted(row["delay"] for row in found) == [float(number) for number in range(200)]
    assert all(row["late"] == bool(row["delay"] % 2) for row in found)


def test_too_few_rows_are_no_error(project: Path) -> None:
    write_labels(project, range(20))
    result = naru(project)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "no span: 20 labelled rows wait; feedback.min_rows is 50"
    assert not (project / ".naru/store/tiny/feedback").exists()


def test_a_dry_run_writes_nothing(project: Path) -> None:
    write_labels(project, range(120))
    assert (
        naru(project, "--dry-run").stdout.splitlines()[-1].startswith("no span: 120 labelled rows are enough for one")
    )
    assert not (project / ".naru/store/tiny/feedback").exists()


def test_a_wrong_column_ends_with_examples(project: Path) -> None:
    write_labels(project, range(100), prefix="flight-")
    with pytest.raises(DataError, match="100 of 100 labels have an id that no logged answer has") as error:
        naru(project)
    assert "'flight-0'" in error.value.message and "'r0'" in error.value.message and error.value.exit_code == 4


def test_what_is_missing_is_named(project: Path) -> None:
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(text.partition("feedback:")[0])
    with pytest.raises(ConfigError, match="has no section feedback"):
        naru(project)
    (project / "project.yaml").write_text(text.replace("min_rows: 50", "columns: {id: month}"))
    write_labels(project, range(100))
    with pytest.raises(ConfigError, match="names 'month', which is a feature of the model"):
        naru(project)
    (project / "project.yaml").write_text(text)
    shutil.rmtree(project / ".naru" / "store" / "tiny" / "deployments")
    with pytest.raises(ConfigError, match="has no champion, whose answers could get labels"):
        naru(project)


def test_a_dropped_request_stands_for_as_many_as_a_logged_one(project: Path) -> None:
    (file,) = (project / ".naru" / "store" / "tiny" / "requests").glob("*/*/*.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps({**line, "share": 0.5} if "id" in line else line) + "\n" for line in lines))
    write_labels(project, range(1))
    assert naru(project).stdout.startswith("answered    about 406 rows")
