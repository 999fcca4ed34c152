"""`data.rows` in ingest: rows are left out before the splits, counted in manifest, checks and reason, and part of the fingerprint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.project.project_file import parse_project
from components.ingest.ingest import ingest_examples

TEXT = "id,x,day,y\n" + "".join(f"{n % 90},{n % 90 - 3},2024-01-{n % 28 + 1:02d},{n % 90 % 7}\n" for n in range(100))
DROP = {"column": "x", "below": 0}


def ingest(folder: Path, text: str = TEXT, **data: Any) -> tuple[Outcome, Manifest, list[dict[str, Any]]]:
    folder.mkdir(exist_ok=True)
    (folder / "t.csv").write_text(text)
    raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": str(folder / "t.csv"), **data}}
    examples, quarantine = folder / "examples", folder / "quarantine"
    for made in (examples, quarantine):
        made.mkdir()
    outcome = ingest_examples(parse_project(raw), examples=examples, quarantine=quarantine)
    rows = [row for split in SPLITS for batch in read_batches(examples, split) for row in batch.to_pylist()]
    return outcome, Manifest.load(examples), rows


def test_rows_left_out_are_counted_and_the_others_are_examples(tmp_path: Path) -> None:
    outcome, manifest, rows = ingest(tmp_path, rows={"drop": [DROP], "dedupe": ["id"]})
    assert manifest.dropped == {"x below 0": 6, "equal id": 7}
    assert sorted(row["id"] for row in rows) == list(range(3, 90))
    assert "13 rows left out by data.rows (x below 0: 6, equal id: 7)" in outcome.reason
    assert outcome.metrics["dropped"] == 13 and outcome.verdict == "ok"
    assert {check.name: (check.measured, check.n) for check in outcome.checks if "left out" in check.name} == {
        "rows left out: x below 0": (6, 100),
        "rows left out: equal id": (7, 100),
    }


def test_rules_are_part_of_the_fingerprint_and_their_absence_is_not(tmp_path: Path) -> None:
    without = ingest(tmp_path / "a")
    assert "dropped" not in json.loads((tmp_path / "a" / "examples" / "manifest.json").read_text())
    assert "dropped" not in without[0].metrics
    others = [
        ingest(tmp_path / name, rows=rows) for name, rows in {"b": {"drop": [DROP]}, "c": {"dedupe": True}}.items()
    ]
    assert len({without[1].fingerprint, *(manifest.fingerprint for _, manifest, _ in others)}) == 3


@pytest.mark.parametrize("split", [{"method": "time", "by": "day"}, {"method": "group", "by": "id"}, {}])
def test_a_split_is_fitted_over_the_rows_that_are_kept(split: dict[str, Any], tmp_path: Path) -> None:
    rules = {"dedupe": True, "drop": [{"column": "day", "above": "2024-01-10"}]}
    kept = [line for line in dict.fromkeys(TEXT.splitlines()) if line[-4:-2] <= "10" or line.startswith("id")]
    one = ingest(tmp_path / "a", rows=rules, split=split)
    other = ingest(tmp_path / "b", text="\n".join(kept) + "\n", split=split)
    assert one[1].rows == other[1].rows and sum(one[1].rows.values()) + sum(one[1].dropped.values()) == 100


def test_the_share_of_rows_set_aside_is_of_all_rows_that_were_read(tmp_path: Path) -> None:
    text = TEXT + "1,2,3\n"
    with pytest.raises(DataError, match="1 of 101 rows cannot be read"):
        ingest(tmp_path / "a", text, rows={"drop": [{"column": "x", "above": 0}]})
    outcome, _, _ = ingest(tmp_path / "b", text, rows={"drop": [DROP]}, quarantine_limit=0.01)
    assert outcome.checks[0].n == 101


def test_no_row_left_and_an_unknown_column_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"data.rows: no row is left: 100 rows left out by data.rows \(x above -100: 100\)"
    ):
        ingest(tmp_path / "a", rows={"drop": [{"column": "x", "above": -100}]})
    with pytest.raises(ConfigError, match=r"data.rows.drop: there is no column 'z'"):
        ingest(tmp_path / "b", rows={"drop": [{"column": "z", "above": 0}]})
