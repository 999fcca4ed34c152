"""The cost of staleness: losses within spans, their intervals, and what follows for a schedule."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components._core.types.tasks.metric import AUC, LOG_LOSS
from components.evaluate.staleness import (
    AgeLoss,
    Judged,
    Schedule,
    interval_of_mean,
    loss_by_age,
    propose_schedule,
    usual_drop,
)


def _judged(values: dict[tuple[int, int], float]) -> list[Judged]:
    return [Judged(age, span, value, 100) for (age, span), value in values.items()]


def test_a_loss_is_taken_within_a_span_so_that_a_hard_span_costs_no_age() -> None:
    hard = {2: 0.9, 3: 0.6, 4: 0.9, 5: 0.7}  # the freshest model's metric: spans differ by far more than ages
    values = {(1, span): value for span, value in hard.items()} | {(2, span): hard[span] - 0.02 for span in (3, 4, 5)}
    first, second = loss_by_age(AUC, _judged(values))
    assert (first.age, first.spans, first.loss, first.interval) == (1, 4, 0.0, None)
    assert second.spans == 3 and second.loss == pytest.approx(0.02)
    assert second.interval == pytest.approx((0.02, 0.02))
    assert second.value == pytest.approx(np.mean([0.58, 0.88, 0.68]))


def test_where_less_is_better_a_loss_is_still_positive() -> None:
    values = {(1, 2): 0.3, (1, 3): 0.3, (2, 3): 0.35}
    assert loss_by_age(LOG_LOSS, _judged(values))[1].loss == pytest.approx(0.05)


def test_a_span_without_a_metric_is_left_out_of_both_sides() -> None:
    values = {(1, 2): 0.8, (1, 3): math.nan, (2, 3): 0.7, (2, 4): 0.6, (1, 4): 0.65}
    found = loss_by_age(AUC, _judged(values))
    assert [(one.age, one.spans) for one in found] == [(1, 2), (2, 1)]


def test_the_interval_of_a_mean_is_that_of_students_t() -> None:
    values = np.array([0.01, 0.03, 0.02, 0.04])
    half = 3.182446 * values.std(ddof=1) / 2  # the 97.5 % point of t with 3 degrees of freedom, from tables
    low, high = interval_of_mean(values) or (0.0, 0.0)
    assert (low, high) == pytest.approx((0.025 - half, 0.025 + half), rel=0.03)
    assert interval_of_mean(values[:2]) is None


def test_the_interval_holds_the_true_mean_in_95_of_100_draws() -> None:
    drawn = np.random.default_rng(5).normal(0.5, 2.0, (400, 5))
    held = sum(low <= 0.5 <= high for low, high in (interval_of_mean(row) or (1.0, 0.0) for row in drawn))
    assert 0.92 <= held / 400 <= 0.98


def _losses(*intervals: tuple[float, float] | None) -> list[AgeLoss]:
    return [AgeLoss(age, 5, 0.8, 0.0, interval) for age, interval in enumerate(intervals, 1)]


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ((None, (-0.01, 0.005), (-0.01, 0.008)), Schedule(3, None, 3)),
        ((None, (-0.01, 0.005), (0.0, 0.02), (0.02, 0.03)), Schedule(2, 4, 4)),
        ((None, (0.02, 0.03)), Schedule(1, 2, 2)),
        ((None, (0.0, 0.02), (-0.01, 0.005)), Schedule(1, None, 3)),
        ((None, None), Schedule(1, None, 1)),
    ],
)
def test_an_age_is_safe_while_every_interval_up_to_it_is_below_the_margin(
    intervals: tuple[tuple[float, float] | None, ...], expected: Schedule
) -> None:
    assert propose_schedule(_losses(*intervals), 0.01) == expected


def test_the_usual_drop_is_the_largest_of_the_fresh_models_and_never_negative() -> None:
    assert usual_drop(AUC, [0.9, 0.9, 0.9], [0.88, 0.85, 0.91]) == pytest.approx(0.05)
    assert usual_drop(LOG_LOSS, [0.3, 0.3, 0.3], [0.2, 0.25, 0.28]) == 0.0
    assert usual_drop(AUC, [0.9, 0.9], [0.8, 0.8]) is None
