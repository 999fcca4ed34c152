"""Each tail is held against a sum or an integral that is computed the slow way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components._core.monitoring.tail_probabilities import (
    binomial_tail,
    binomial_upper_bound,
    chi_square_tail,
    gamma_tail,
    log_student_tail,
    student_tail,
)


@pytest.mark.parametrize(
    ("successes", "trials", "share"), [(1, 10, 0.01), (5, 100, 0.02), (60, 100, 0.5), (3, 7, 0.9), (12, 900, 0.004)]
)
def test_a_binomial_tail_is_the_sum_of_its_terms(successes: int, trials: int, share: float):
    terms = [
        math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(successes, min(trials, 800) + 1)
    ]
    assert binomial_tail(successes, trials, share) == pytest.approx(math.fsum(terms), rel=1e-9)


def test_a_binomial_tail_has_no_surprise_at_its_ends():
    assert binomial_tail(0, 10, 0.1) == 1.0
    assert binomial_tail(11, 10, 0.1) == 0.0
    assert binomial_tail(1, 10, 0.0) == 0.0
    assert binomial_tail(10, 10, 1.0) == 1.0


@pytest.mark.parametrize(("successes", "trials"), [(0, 100), (3, 1_000), (50, 100)])
def test_at_the_upper_bound_so_few_successes_have_one_percent(successes: int, trials: int):
    bound = binomial_upper_bound(successes, trials)
    assert 1 - binomial_tail(successes + 1, trials, bound) == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("degrees", [2, 4, 10, 40])
@pytest.mark.parametrize("value", [0.1, 3.0, 20.0, 90.0])
def test_an_even_chi_square_tail_is_a_poisson_sum(degrees: int, value: float):
    terms = [math.exp(-value / 2) * (value / 2) ** k / math.factorial(k) for k in range(degrees // 2)]
    assert chi_square_tail(value, degrees) == pytest.approx(math.fsum(terms), rel=1e-10)


@pytest.mark.parametrize(("mean", "variance"), [(1.0, 0.2), (13.0, 90.0), (3.0, 40.0)])
def test_gamma_and_lognormal_tails_have_the_moments_they_are_given(mean: float, variance: float):
    for tail in (gamma_tail, lambda *given: log_student_tail(*given, samples=1e5)):
        points = np.concatenate([np.linspace(1e-6, 1, 5_000), np.geomspace(1.0001, 1e5, 15_000)])
        tails = np.array([tail(point, mean, variance) for point in points])
        assert _area(tails, points) == pytest.approx(mean, rel=2e-3)
        assert 2 * _area(points * tails, points) - mean**2 == pytest.approx(variance, rel=2e-2)


@pytest.mark.parametrize("value", [-2.0, 0.0, 0.3, 4.0, 40.0])
def test_students_tails_are_their_closed_forms(value: float):
    assert student_tail(value, 1) == pytest.approx(0.5 - math.atan(value) / math.pi, rel=1e-9)
    assert student_tail(value, 2) == pytest.approx(0.5 - value / (2 * math.sqrt(2 + value**2)), rel=1e-7)


def test_a_prediction_from_few_values_is_as_often_wrong_as_it_says():
    random = np.random.default_rng(4)
    values = np.exp(random.normal(0, 0.1, (20_000, 6)))
    known, new = values[:, :5], values[:, 5]
    tails = [log_student_tail(x, k.mean(), k.var(ddof=1), 5) for x, k in zip(new, known, strict=True)]
    assert np.mean(np.array(tails) < 0.02) == pytest.approx(0.02, abs=0.004)
    assert log_student_tail(0.0, 1.0, 1.0, 5) == 1.0


def test_a_tail_too_small_for_a_number_is_zero_and_no_error():
    assert gamma_tail(1e9, 1.0, 0.1) == 0.0
    assert chi_square_tail(1e7, 3) == 0.0


def _area(heights: np.ndarray, points: np.ndarray) -> float:
    return float((np.diff(points) * (heights[1:] + heights[:-1]) / 2).sum())
