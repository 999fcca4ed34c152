"""Spans in ingest: by date, of several files, missing ones, and what the manifest says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components._core.checks import Check, Outcome
from components._core.errors import DataError
from components._core.examples.artifact import Manifest, read_batches, split_files
from components._core.project.project_file import parse_project
from components.ingest.ingest import ingest_examples


def write(folder: Path, *names: str, rows: int = 100, bad: int = 0) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{1_000 * number + row},{row % 2}" for row in range(rows)] + ["1,2,3"] * bad
        (folder / name).write_text("\n".join(["x,y", *lines]) + "\n")


def ingest(folder: Path, source: str, **data: Any) -> tuple[Outcome, Manifest, Path]:
    out = folder / "out" / str(len(list((folder / "out").glob("*"))))
    for name in ("examples", "quarantine"):
        (out / name).mkdir(parents=True)
    raw = {"source": str(folder / source), "quarantine_limit": 0.5, **data}
    project = parse_project({"name": "p", "task": "binary_classification", "label": "y", "data": raw})
    outcome = ingest_examples(project, examples=out / "examples", quarantine=out / "quarantine")
    return outcome, Manifest.load(out / "examples"), out


def check_of(outcome: Outcome, name: str) -> Check:
    (found,) = [check for check in outcome.checks if check.name == name]
    return found


def test_partitions_by_date_are_spans_of_several_files(tmp_path: Path) -> None:
    names = [f"date=2024-06-0{day}/part-{part}.csv" for day in (1, 2) for part in (0, 1)]
    write(tmp_path, *names, bad=1)
    outcome, manifest, out = ingest(tmp_path, "date={YYYY}-{MM}-{DD}/")
    assert (manifest.spans, manifest.span_unit) == ([20240601, 20240602], "day")
    assert [file.path for file in manifest.files] == names
    assert [(file.rows, file.quarantined) for file in manifest.files] == [(100, 1)] * 4
    assert [path.name for path in split_files(out / "examples", "train")] == [
        "span-20240601.parquet",
        "span-20240602.parquet",
    ]
    assert (
        sum(batch.num_rows for split in ("train", "eval", "test") for batch in read_batches(out / "examples", split))
        == 400
    )
    rejected = [json.loads(line)["file"] for line in (out / "quarantine" / "rows.jsonl").read_text().splitlines()]
    assert rejected == names
    assert "400 rows, 2 columns, 2 spans" in outcome.reason and check_of(outcome, "missing spans").status == "pass"


def test_a_corrected_span_has_another_fingerprint_and_the_others_keep_theirs(tmp_path: Path) -> None:
    write(tmp_path, "2024-01.csv", "2024-02.csv")
    before = ingest(tmp_path, "{YYYY}-{MM}.csv")[1].span_fingerprints()
    write(tmp_path, "2024-02.csv", rows=99)
    after = ingest(tmp_path, "{YYYY}-{MM}.csv")[1].span_fingerprints()
    assert before[202401] == after[202401] and before[202402] != after[202402]


@pytest.mark.parametrize(
    ("policy", "spans", "status", "reason"),
    [
        ("warn", "2024-01..2024-04", "warn", "no span 2024-02..2024-03 in the source; 2 months read"),
        ("skip", "2024-01..2024-04", "skipped", "missing_spans: skip"),
        ("fail", "2024-01,2024-04", "pass", "2 months read, none missing"),
    ],
)
def test_missing_spans_are_reported_as_configured(
    policy: str, spans: str, status: str, reason: str, tmp_path: Path
) -> None:
    write(tmp_path, "2024-01.csv", "2024-04.csv")
    outcome = ingest(tmp_path, "{YYYY}-{MM}.csv", spans=spans, missing_spans=policy)[0]
    check = check_of(outcome, "missing spans")
    assert (check.status, check.n) == (status, 2) and reason in check.reason
    assert check.measured == (0.0 if status == "pass" else 2.0)


def test_a_named_span_that_is_missing_ends_the_run_by_default(tmp_path: Path) -> None:
    write(tmp_path, "2024-01.csv", "2024-04.csv")
    with pytest.raises(DataError, match=r"no span 2024-02\.\.2024-03"):
        ingest(tmp_path, "{YYYY}-{MM}.csv", spans="2024-01..2024-04")


def test_a_gap_between_all_spans_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "t-1.csv", "t-2.csv", "t-4.csv")
    outcome = ingest(tmp_path, "t-{span}.csv")[0]
    assert check_of(outcome, "missing spans").reason.startswith("no span 3 in the source")
    assert "no span 3" in outcome.reason


def test_spans_of_many_digits_are_read_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, "t-99999.csv", "t-100000.csv")
    _, manifest, out = ingest(tmp_path, "t-{span}.csv")
    assert manifest.spans == [99_999, 100_000]
    assert [path.name for path in split_files(out / "examples", "train")] == [
        "span-99999.parquet",
        "span-100000.parquet",
    ]
