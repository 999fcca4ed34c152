"""The statistic between days that differ, and what a feature is matched by."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from components._core.monitoring.feature_bins import TextBins
from components._core.monitoring.reference import Column
from components._core.monitoring.tail_probabilities import chi_square_tail
from components.monitor.calibration import Calibration, Season, effective_blocks, fitting_season, season_keys
from components.monitor.wald_statistic import Spread, jensen_shannon_distance, wald_statistic

BINS = TextBins(("a", "b"))  # with other known, unseen, missing, wrong type: six cells
FIRST = date(2025, 1, 1).toordinal()


def test_without_a_spread_it_is_pearsons_chi_square():
    before, now = np.array([900.0, 1_100.0, 500.0]), np.array([80.0, 60.0, 60.0])
    both = before + now
    expected = [both * part.sum() / both.sum() for part in (before, now)]
    pearson = sum(((part - due) ** 2 / due).sum() for part, due in zip((before, now), expected, strict=True))
    statistic, degrees = wald_statistic(before, now)
    assert degrees == 2 and statistic == pytest.approx(pearson)


def test_with_a_spread_it_is_the_quadratic_form_of_the_covariance():
    random = np.random.default_rng(3)
    before, now = np.array([900.0, 1_100.0, 500.0, 700.0]), np.array([80.0, 60.0, 60.0, 90.0])
    shares = (before + now) / (before + now).sum()
    of_one_row = np.diag(shares) - np.outer(shares, shares)
    noise, factor, blocks, blocks_before, blocks_now = 0.002, 1.05, 40, 25.0, 3.0
    root = of_one_row @ random.normal(size=(4, 4)) * 0.02
    between = root @ root.T
    # shrunk as far as it is uncertain, to the covariance of one row of the same size: the trace in units of that
    size = np.trace(between @ np.linalg.pinv(of_one_row)) / 3
    shrinkage = 3 / (3 + blocks)
    shrunk = (1 - shrinkage) * between + shrinkage * size * of_one_row
    covariance = (1 / before.sum() + 1 / now.sum()) * of_one_row + (1 / blocks_before + 1 / blocks_now) * shrunk
    difference = now / now.sum() - before / before.sum()
    expected = difference @ np.linalg.pinv(covariance) @ difference
    spread = Spread(noise * of_one_row + factor * between, *map(np.asarray, (noise, factor, float(blocks))))
    statistic, degrees = wald_statistic(before, now, spread, blocks_before, blocks_now)
    assert degrees == 3 and statistic == pytest.approx(expected, rel=1e-6)


def test_small_equal_samples_are_rejected_as_often_as_it_says():
    random, shares = np.random.default_rng(5), np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    pairs = [(random.multinomial(2_000, shares), random.multinomial(100, shares)) for _ in range(4_000)]
    before, now = np.array(pairs, np.float64).swapaxes(0, 1)
    found = zip(*wald_statistic(before, now), strict=True)
    share = float(np.mean([chi_square_tail(float(value), int(degrees)) < 0.01 for value, degrees in found]))
    assert 0.006 <= share <= 0.014


def test_rare_cells_are_pooled_also_with_a_frequent_one():
    before, now = np.array([1_000.0, 3.0, 2.0, 1_000.0]), np.array([100.0, 1.0, 0.0, 100.0])
    assert wald_statistic(before, now)[1] == 1
    assert wald_statistic(np.array([1_000.0, 30.0, 30.0, 1_000.0]), np.array([100.0, 3.0, 3.0, 100.0]))[1] == 2
    assert wald_statistic(np.array([1_000.0, 3.0]), np.array([100.0, 0.0]))[1] == 0
    assert wald_statistic(np.zeros(3), np.array([100.0, 0.0, 50.0])) == (0.0, 0)


def test_a_stack_has_the_statistics_of_its_comparisons_each_with_cells_of_its_own():
    random = np.random.default_rng(8)
    before = random.integers(0, 2, (30, 6)) * random.integers(0, 400, (30, 6)) * 1.0
    now = random.integers(0, 2, (30, 6)) * random.integers(0, 60, (30, 6)) * 1.0
    root = random.normal(size=(30, 6, 6)) * 0.01
    moments = root @ root.transpose(0, 2, 1)
    spread = Spread(moments, np.full(30, 0.001), np.full(30, 1.1), np.full(30, 20.0))
    statistics, degrees = wald_statistic(before, now, spread, np.full(30, 9.0), np.full(30, 2.0))
    for at in range(30):
        own = Spread(moments[at], spread.noise[at], spread.factor[at], spread.blocks[at])
        statistic, degree = wald_statistic(before[at], now[at], own, 9.0, 2.0)
        assert (statistics[at], degrees[at]) == (pytest.approx(float(statistic)), degree)
    assert len(set(degrees.tolist())) > 2


def test_the_distance_is_zero_for_equal_and_one_for_disjoint_counts():
    assert jensen_shannon_distance(np.array([3.0, 1.0]), np.array([30.0, 10.0])) == 0.0
    assert jensen_shannon_distance(np.array([1.0, 0.0]), np.array([0.0, 9.0])) == 1.0


def test_unequal_blocks_are_worth_fewer_equal_ones():
    assert effective_blocks(np.array([100.0, 100.0])) == 2.0
    assert effective_blocks(np.array([1_000.0, 1.0])) == pytest.approx(1.002, abs=1e-3)


def column(share_of_a: list[float], rows: int = 500, seed: int = 0) -> Column:
    counts = np.random.default_rng(seed).binomial(rows, share_of_a)
    blocks = np.zeros((len(counts), BINS.size), dtype=np.int64)
    blocks[:, 0], blocks[:, 1] = counts, rows - counts
    return Column(BINS, blocks)


@pytest.mark.parametrize(
    ("days", "share", "expected"),
    [
        (120, lambda at: 0.7 if at.weekday() >= 5 else 0.4, "weekday"),
        (120, lambda at: 0.3 + 0.1 * at.month, "month"),
        (18, lambda at: 0.7 if at.weekday() >= 5 else 0.4, "none"),  # of a weekday there are two
    ],
)
def test_a_feature_is_matched_by_what_makes_its_days_most_alike(days: int, share, expected: Season):
    every = tuple(FIRST + day for day in range(days))
    found = column([share(date.fromordinal(day)) for day in every])
    assert fitting_season(found, every, "auto") == expected
    assert fitting_season(found, every, "none") == "none" == fitting_season(found, (), "auto")


def test_a_month_that_training_does_not_have_is_held_against_all_days():
    every = tuple(FIRST + day for day in range(90))
    shares = [0.3 + 0.15 * date.fromordinal(day).month for day in every]
    calibration = Calibration(column(shares), season_keys(every, "month"), are_days=True)
    assert calibration.fitted_to({2: 10.0}) is calibration
    other = calibration.fitted_to({4: 10.0})
    now = np.array([300.0, 200.0, 0, 0, 0, 0])  # as in February
    for mix, expected in (({2: 500.0}, 1e-2), ({4: 500.0}, 0.3)):
        fitted = calibration.fitted_to(mix)
        before, blocks = fitted.expected(mix)
        assert fitted.p_value(before, now, blocks, 1.0) > expected
    assert other.expected({4: 10.0})[1] == pytest.approx(90)


def test_days_that_do_not_drift_are_rejected_no_more_often_than_it_says():
    """Days with a random share, of which the reference has forty; each reference sees forty other days and ten weeks."""
    rejected = {1: 0, 7: 0}
    for seed in range(60):
        random = np.random.default_rng(seed)
        shares = 1 / (1 + np.exp(-random.normal(0, 0.3, 150)))
        table = column(list(shares), seed=seed + 1_000)
        reference = Column(BINS, table.blocks[:40])
        calibration = Calibration(reference, np.zeros(40, np.int64), are_days=True)
        before, blocks = calibration.expected({0: 1.0})
        for length in (1, 7):
            for start in range(40, 40 + 10 * length, length):
                now = table.blocks[start : start + length].sum(axis=0).astype(float)
                rejected[length] += calibration.p_value(before, now, blocks, float(length)) < 0.01
    assert rejected[1] <= 6 and rejected[7] <= 6  # of 600


def test_the_days_of_a_reference_are_found_by_their_dates():
    first = date(2025, 12, 29)
    days = tuple((first + timedelta(days=number)).toordinal() for number in range(4))
    assert season_keys(days, "month").tolist() == [12, 12, 12, 1]
    assert season_keys(days, "weekday").tolist() == [0, 1, 2, 3]
