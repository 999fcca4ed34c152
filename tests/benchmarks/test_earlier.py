"""The lifecycle beside an earlier commit's: its ratio, and results that are added to those of the other parts."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.data_results import add_results
from benchmarks.earlier import compare
from benchmarks.process_watch import Watched


def _took(*seconds: float) -> list[Watched]:
    return [Watched(0.0, each, each, 0.0, 0, []) for each in seconds]


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    assert compare({"now": _took(44.0, 20.0, 30.0), "before": _took(40.0, 20.0, 10.0)}) == 1.1


def test_results_are_added_to_those_of_the_other_parts(tmp_path: Path) -> None:
    file = tmp_path / "results" / "data.json"
    add_results({"csv_of_bare": 0.5, "rows": 10}, file)
    add_results({"lifecycle_of_before": 1.0, "rows": 20}, file)
    found = json.loads(file.read_text())
    assert (found["csv_of_bare"], found["lifecycle_of_before"], found["rows"]) == (0.5, 1.0, 20)
    assert found["machine"]["cores"] >= 1
