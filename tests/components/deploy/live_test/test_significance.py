"""The statistics of live tests, against SciPy and against repeated draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from components.deploy.live_test.significance import (
    compare_arms,
    compare_pairs,
    estimate_distinct,
    sample_size,
    sign_test,
)


def test_the_number_of_rows_is_the_textbooks_and_grows_as_the_share_leaves_the_half() -> None:
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert sample_size(0.02, 0.5, 0.05, 0.8, 0.5, two_sided=True) == math.ceil(4 * (z * 0.5 / 0.02) ** 2)
    one_sided = stats.norm.ppf(0.95) + stats.norm.ppf(0.9)
    expected = math.ceil((one_sided * 2.0 / 0.3) ** 2 * (1 / 0.1 + 1 / 0.9))
    assert sample_size(0.3, 2.0, 0.05, 0.9, 0.1, two_sided=False) == expected


@pytest.mark.parametrize(("effect", "least", "most"), [(0.06, 0.8, 0.9), (0.0, 0.035, 0.065)])
def test_with_that_many_rows_a_difference_is_found_with_the_stated_power_and_none_with_the_stated_error(
    effect: float, least: float, most: float
) -> None:
    """2,000 draws of both arms with 80 % hits: the power is 80 %, and 5 % are found where there is none."""
    rows = sample_size(0.06, math.sqrt(0.8 * 0.2), 0.05, 0.8, 0.5, two_sided=True) // 2
    random, found = np.random.default_rng(7), 0
    for _ in range(2_000):
        new = (random.random(rows) < 0.8 + effect).astype(float)
        old = (random.random(rows) < 0.8).astype(float)
        units = np.arange(rows)
        result = compare_arms(new, old, (units, units), 0.05, two_sided=True)
        found += result is not None and result.p < 0.05
    # a hit of 86 % varies less than one of 80 %, for which the rows are counted
    assert least <= found / 2_000 <= most


def test_values_that_were_not_seen_are_estimated_from_those_that_were_seen_once_or_twice() -> None:
    assert estimate_distinct([5, 5, 7]) == 3 and estimate_distinct([]) == 0
    assert estimate_distinct([1] * 10 + [2] * 4 + [5]) == 15 + 10 * 9 / (2 * 5)
    random = np.random.default_rng(5)
    found = [estimate_distinct(np.unique(random.integers(200, size=300), return_counts=True)[1]) for _ in range(200)]
    assert np.mean(found) == pytest.approx(200, rel=0.03)


def test_two_arms_of_single_rows_are_compared_as_welch_does() -> None:
    random = np.random.default_rng(1)
    new, old = random.normal(0.3, 2.0, 4_000), random.normal(0.2, 1.0, 9_000)
    found = compare_arms(new, old, (np.arange(4_000), np.arange(9_000)), 0.05, two_sided=True)
    expected = stats.ttest_ind(new, old, equal_var=False)
    assert found is not None
    assert found.value / found.error == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-2), "with thousands of rows t is normal"
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    one_sided = compare_arms(new, old, (np.arange(4_000), np.arange(9_000)), 0.05, two_sided=False)
    assert one_sided is not None
    expected_one = stats.ttest_ind(new, old, equal_var=False, alternative="greater").pvalue
    assert one_sided.p == pytest.approx(expected_one, rel=1e-2)


@pytest.mark.parametrize(("rows", "hits"), [((30, 270), 0.95), ((30, 30), 0.8), ((30, 120), 0.9)])
def test_equal_versions_differ_no_more_often_than_stated_however_small_the_share(
    rows: tuple[int, int], hits: float
) -> None:
    """All numbers of hits that both arms can have, with their probabilities: with 30 rows all of them are often hits."""
    found = 0.0
    for one in range(rows[0] + 1):
        for other in range(rows[1] + 1):
            weight = float(stats.binom.pmf(one, rows[0], hits) * stats.binom.pmf(other, rows[1], hits))
            if weight < 1e-5:
                continue
            new, old = np.arange(rows[0]) < one, np.arange(rows[1]) < other
            units = np.arange(rows[0]), np.arange(rows[1])
            result = compare_arms(new.astype(float), old.astype(float), units, 0.05, two_sided=True)
            found += weight if result is not None and result.p < 0.05 else 0.0
    assert found < 0.065


def test_pairs_of_one_request_are_not_counted_as_independent() -> None:
    random, found, naive = np.random.default_rng(11), 0, 0
    units = np.repeat(np.arange(60), 20)
    for _ in range(400):
        differences = np.repeat(random.normal(0, 1, 60), 20) + random.normal(0, 0.5, 1_200)
        by_request, by_row = compare_pairs(differences, units, 0.05), compare_pairs(differences, np.arange(1_200), 0.05)
        assert by_request is not None and by_row is not None
        found, naive = found + (by_request.p < 0.05), naive + (by_row.p < 0.05)
    assert found < 0.09 * 400 and naive > 0.4 * 400


def test_rows_of_one_customer_are_not_counted_as_independent() -> None:
    """Draws of customers with 1 to 20 rows each, who resemble themselves: the stated error is that of repeated draws."""
    random = np.random.default_rng(3)
    means, errors, naive = [], [], []
    for _ in range(300):
        rows = random.integers(1, 21, 200)
        own = np.repeat(random.normal(0, 1, 200), rows)
        values = own + random.normal(0, 0.5, len(own))
        units = np.repeat(np.arange(200), rows)
        other = random.normal(0, 1e-6, 6_000)
        found = compare_arms(values, other, (units, np.arange(6_000)), 0.05, two_sided=True)
        assert found is not None
        means.append(found.value)
        errors.append(found.error)
        naive.append(values.std() / math.sqrt(len(values)))
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.12)
    assert np.mean(naive) < 0.5 * np.std(means), "rows as independent would find differences that are not there"


def test_pairs_are_compared_by_their_differences() -> None:
    random = np.random.default_rng(5)
    differences = random.normal(0.008, 0.4, 5_000)
    found, expected = compare_pairs(differences, np.arange(5_000), 0.05), stats.ttest_1samp(differences, 0.0)
    assert found is not None
    assert found.value / found.error == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=2e-2)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (3, 9), (12, 2), (400, 460), (5_000, 5_200)])
def test_the_sign_test_is_the_exact_binomial_one(wins: int, losses: int) -> None:
    expected = stats.binomtest(losses, wins + losses, 0.5, alternative="greater").pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-6)


def test_too_few_rows_and_rows_without_variation_have_an_answer() -> None:
    few, enough = np.ones(29), np.ones(30)
    for arms in ((few, enough), (enough, few)):
        assert compare_arms(*arms, (np.arange(len(arms[0])), np.arange(len(arms[1]))), 0.05, two_sided=True) is None
    assert compare_pairs(few, np.arange(29), 0.05) is None
    assert compare_pairs(np.ones(300), np.arange(300) % 29, 0.05) is None, "of 29 requests"
    same = compare_arms(enough, enough, (np.arange(30), np.arange(30)), 0.05, two_sided=True)
    assert same is not None and (same.value, same.p) == (0.0, 1.0)
