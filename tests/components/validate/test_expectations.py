"""`data.checks` in validate: over the rows of all splits, and what fails blocks the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from components._core.examples.artifact import Manifest
from components._core.project.check_config import Checks
from components.validate.expectations import check_expectations


def test_an_expectation_that_fails_blocks_and_one_that_warns_does_not(
    validate: Callable[..., Any], three: Callable[..., Path], project: Callable[..., Any]
) -> None:
    checks = {
        "columns": {
            "distance": {"max": 1000},
            "carrier": {"in": ["AA", "B6"], "severity": "warn"},
            "late": {"missing": 0},
        }
    }
    done = validate(three(), project(data__checks=checks))
    assert done.outcome.verdict == "blocked" and done.outcome.reason.startswith("distance is above 1000 in ")
    assert "`naru data check` names the lines" in done.outcome.reason
    assert done.check("data check: carrier in").status == "warn"
    assert done.check("data check: late missing").n == 420
    assert [check.name for check in done.outcome.checks[:3]] == [
        "data check: distance max",
        "data check: carrier in",
        "data check: late missing",
    ]
    assert "distance max" in (done.folder / "page.html").read_text()


def test_rows_are_counted_over_splits_and_spans_and_named_by_them(write: Callable[..., Path]) -> None:
    part = {1: {"n": [1, 2]}, 2: {"n": [3]}}
    examples = write({"train": part, "eval": {"n": [3]}, "test": {2: {"n": [1, 9]}}})
    checks = Checks.model_validate({"columns": {"n": {"unique": True, "max": 8}}, "rows": {"min": 7}})
    rows, unique, most = sorted(
        check_expectations(checks, examples, Manifest.load(examples)), key=lambda c: c.name[12:], reverse=True
    )
    assert most.n == 6 and "9 (test, span 2, row 2)" in most.reason
    assert "3 (eval, span 1, row 1), 1 (test, span 2, row 1)" in unique.reason
    assert rows.reason.startswith("the table has 6 rows; at least 7 are expected")


def test_rows_that_were_left_out_are_on_the_page(validate: Callable[..., Any], three: Callable[..., Path]) -> None:
    examples = three()
    raw = Manifest.load(examples)
    Manifest(raw.fingerprint, raw.columns, raw.rows, raw.spans, [], dropped={"fare below 0": 80}).save(examples)
    page = (validate(examples).folder / "page.html").read_text()
    assert "Rows left out" in page and "fare below 0" in page
