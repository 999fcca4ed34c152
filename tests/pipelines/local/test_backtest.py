"""Which models `naru backtest` trains, and what it says; a whole backtest is in tests/local/test_backtest.py."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from components._core.errors import ConfigError
from components.evaluate.staleness import AgeLoss, Judged, Schedule
from pipelines.local.backtest import Backtest, choose_cutoffs
from pipelines.local.backtest_session import result_lines

FOUND = Backtest(
    run="run-1",
    metric="auc",
    window=0,
    cutoffs=[3, 4, 5],
    judged=[Judged(1, 4, 0.9, 100)],
    losses=[AgeLoss(1, 3, 0.9, 0.0, None), AgeLoss(2, 3, 0.88, 0.02, (0.01, 0.03))],
    margin=0.004,
    schedule=Schedule(1, 2, 2),
    drop=0.0424,
    retrained=0.9,
    never=0.87,
    labels={3: "2024-03", 4: "2024-04", 5: "2024-05"},
)


@pytest.mark.parametrize(
    ("models", "window", "expected"),
    [(6, 0, [2, 3, 4, 5]), (2, 0, [4, 5]), (6, 4, [4, 5]), (1, 2, [5])],
)
def test_the_newest_spans_that_have_a_later_one_end_the_training_rows(
    models: int, window: int, expected: list[int]
) -> None:
    assert choose_cutoffs([1, 2, 3, 4, 5, 6], models, window) == expected


@pytest.mark.parametrize(("spans", "window", "needed"), [([1], 0, 4), ([1, 2, 3], 0, 4), ([1, 2, 3, 4], 3, 5)])
def test_too_few_spans_are_refused_with_the_number_that_is_needed(spans: list[int], window: int, needed: int) -> None:
    with pytest.raises(ConfigError, match=f"a backtest needs {needed}") as refused:
        choose_cutoffs(spans, 6, window)
    assert "--spans all" in refused.value.remedy


@pytest.mark.parametrize(
    ("schedule", "line"),
    [
        (Schedule(1, 2, 2), "Retrain after every span: at age 2 the loss is above the margin of 0.0040."),
        (Schedule(2, 3, 3), "Retrain after every 2 spans: at age 3 the loss is above the margin of 0.0040."),
        (Schedule(3, None, 3), "Up to age 3 the loss is below the margin of 0.0040:"),
        (Schedule(2, 5, 6), "The loss is below the margin of 0.0040 up to age 2, from age 5 above it;"),
        (Schedule(1, None, 1), "Not decided how often to retrain"),
    ],
)
def test_what_follows_is_said(schedule: Schedule, line: str) -> None:
    lines = result_lines(replace(FOUND, schedule=schedule))
    assert any(found.startswith(line) for found in lines) and max(map(len, lines)) <= 80
    assert "1    3      0.9000" in lines and "2    3      0.8800     +0.0200  +0.0100 to +0.0300" in lines
    assert lines[-1] == "Nothing was registered or changed."


def test_a_span_without_a_metric_is_null_in_json() -> None:
    judged = [*FOUND.judged, Judged(1, 5, math.nan, 100)]
    found = json.loads(json.dumps(replace(FOUND, judged=judged).to_dict(), allow_nan=False))
    assert [one["value"] for one in found["judged"]] == [0.9, None]


def test_json_has_the_curve_and_the_policies() -> None:
    found = FOUND.to_dict()
    assert found["cutoffs"] == ["2024-03", "2024-04", "2024-05"]
    assert found["ages"][1] == {"age": 2, "spans": 3, "value": 0.88, "loss": 0.02, "interval": [0.01, 0.03]}
    assert found["policies"] == {"every span": {"value": 0.9, "runs": 3}, "never": {"value": 0.87, "runs": 1}}
