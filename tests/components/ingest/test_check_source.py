"""A source is checked as a run reads it, without a run: every format, rows set aside, rules of rows, the place in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import DataError
from components._core.project.project_file import parse_project
from components.ingest.check_source import check_source

ROWS = [{"id": n, "x": n - 2, "kind": "ab"[n % 2], "y": n % 3} for n in range(20)]


def write(folder: Path, kind: str) -> Path:
    file = folder / f"t.{kind}"
    if kind == "csv":
        lines = [",".join(map(str, row.values())) for row in ROWS]
        file.write_text("\n".join(["# exported today", "id,x,kind,y", *lines[:1], "", *lines[1:]]) + "\n")
    elif kind == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), file, row_group_size=3)
    return file


def check(source: Path, checks: dict[str, Any], **data: Any) -> Any:
    raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": str(source), "checks": checks, **data}}
    return check_source(parse_project(raw))


@pytest.mark.parametrize(
    ("kind", "place"), [("csv", "t.csv, line 8"), ("jsonl", "t.jsonl, line 5"), ("parquet", "t.parquet, row 5")]
)
def test_a_row_is_named_by_its_place_in_the_file(kind: str, place: str, tmp_path: Path) -> None:
    outcome = check(write(tmp_path, kind), {"columns": {"x": {"in": [*range(-2, 2), *range(3, 20)]}}})
    assert outcome.verdict == "blocked"
    assert outcome.checks[0].reason.endswith(f" in 1 of 20 rows (5%; allowed 0%): 2 ({place})")


def test_places_and_counts_are_those_of_the_rows_that_are_kept(tmp_path: Path) -> None:
    rules = {"drop": [{"column": "kind", "in": ["b"]}]}
    outcome = check(write(tmp_path, "csv"), {"columns": {"x": {"max": 3}}, "rows": {"max": 10}}, rows=rules)
    failed, *others = outcome.checks
    assert failed.reason.endswith(
        "in 7 of 10 rows (70%; allowed 0%): 4 (t.csv, line 10), 6 (t.csv, line 12), 8 (t.csv, line 14), ..."
    )
    assert [found.status for found in others] == ["pass"] * len(others)
    assert {found.name: found.reason for found in others}["rows left out: kind in 'b'"] == "10 of 20 rows"


def test_files_of_several_spans_are_one_table(tmp_path: Path) -> None:
    for span in (1, 2):
        (tmp_path / f"t-{span}.csv").write_text("id,y\n" + "".join(f"{n + span},{n}\n" for n in range(5)))
    outcome = check(tmp_path / "t-{span}.csv", {"columns": {"id": {"unique": True}}})
    assert "in 4 of 10 rows (40%; allowed 0%): 2 (t-2.csv, line 2)" in outcome.checks[0].reason
    assert check(tmp_path / "t-{span}.csv", {"columns": {"id": {"unique": True}}}, spans="2").verdict != "blocked"


def test_rows_that_cannot_be_read_are_judged_as_in_a_run(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,1\n2\n3,1\n")
    with pytest.raises(DataError, match="1 of 3 rows cannot be read"):
        check(tmp_path / "t.csv", {})
    outcome = check(tmp_path / "t.csv", {}, quarantine_limit=0.5)
    assert outcome.verdict == "warn" and outcome.checks[0].reason.startswith("1 rows set aside")
