"""Selecting rows: the parts and their sizes, known probabilities, and estimates that stay unbiased where the plain mean does not."""

from __future__ import annotations

import numpy as np
import pytest

from components._core.project.label_config import NextRows
from components._labels.selection import Selection, estimate_mean, measure_uncertainty, select_rows

PARTS = NextRows()
ROWS = 400


def _pool(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A pool in which labels depend on uncertainty and drift: its truth, uncertainty and drifted rows."""
    generator = np.random.default_rng(seed)
    uncertainty, drifted = generator.random(ROWS), generator.random(ROWS) < 0.2
    truth = (generator.random(ROWS) < np.clip(0.1 + 0.6 * uncertainty + 0.3 * drifted, 0, 1)).astype(float)
    return truth, uncertainty, drifted


def _estimate(truth: np.ndarray, selection: Selection) -> float:
    return float((truth[selection.places] / selection.shares).sum() / ROWS)


def test_half_is_uncertain_some_drifted_and_the_rest_drawn_at_random() -> None:
    _, uncertainty, drifted = _pool()

    selection = select_rows(uncertainty, drifted, 100, PARTS, seed=1)

    taken = dict(zip(selection.places.tolist(), selection.strata, strict=True))
    assert {name: part["selected"] for name, part in selection.sizes.items()} == {
        "uncertain": 50,
        "drifted": 30,
        "random": 20,
    }
    assert {place for place, part in taken.items() if part == "uncertain"} == set(
        np.argsort(-uncertainty)[:50].tolist()
    )
    assert all(drifted[place] for place, part in taken.items() if part == "drifted")
    assert not any(drifted[place] for place, part in taken.items() if part == "random")
    assert sum(part["rows"] for part in selection.sizes.values()) == ROWS
    assert len(set(taken)) == 100


def test_each_rows_probability_is_how_often_it_is_selected() -> None:
    _, uncertainty, drifted = _pool()
    draws = [select_rows(uncertainty, drifted, 100, PARTS, seed) for seed in range(400)]
    often = np.zeros(ROWS)
    for draw in draws:
        often[draw.places] += 1
    shares = np.full(ROWS, np.nan)
    for draw in draws:
        shares[draw.places] = draw.shares

    known = ~np.isnan(shares)
    noise = 4.5 * np.sqrt(shares[known] * (1 - shares[known]) / 400)  # of 400 rows the largest is within it
    assert (np.abs(often[known] / 400 - shares[known]) <= noise + 1e-9).all()


def test_the_weighted_estimate_is_unbiased_and_the_plain_mean_is_not() -> None:
    truth, uncertainty, drifted = _pool(3)
    draws = [select_rows(uncertainty, drifted, 60, PARTS, seed) for seed in range(600)]
    weighted = np.array([_estimate(truth, draw) for draw in draws])
    plain = np.array([truth[draw.places].mean() for draw in draws])

    assert abs(weighted.mean() - truth.mean()) < 3 * weighted.std() / np.sqrt(len(draws))
    assert plain.mean() - truth.mean() > 0.15  # 10 standard errors and more


def test_the_standard_error_is_that_of_repeated_draws() -> None:
    truth, uncertainty, drifted = _pool(5)
    draws = [select_rows(uncertainty, drifted, 80, PARTS, seed) for seed in range(400)]
    found = [estimate_mean(truth[draw.places], draw.strata, draw.sizes) for draw in draws]
    values = np.array([each.value for each in found if each])
    errors = np.array([each.error for each in found if each and each.error is not None])

    assert values[0] == pytest.approx(_estimate(truth, draws[0]))
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.15)


def test_labels_that_are_still_missing_widen_the_weights_of_the_others() -> None:
    sizes = {"uncertain": {"rows": 10, "selected": 10}, "random": {"rows": 90, "selected": 9}}

    found = estimate_mean(np.array([1.0, 1.0, 0.0, 0.0]), ["uncertain", "uncertain", "random", "random"], sizes)

    assert found is not None
    assert (found.value, found.plain, found.rows, found.population) == (pytest.approx(0.1), 0.5, 4, 100)
    assert estimate_mean(np.array([1.0]), ["uncertain"], sizes) is None


def test_without_scores_and_drift_all_rows_are_drawn_at_random() -> None:
    selection = select_rows(np.full(50, np.nan), np.zeros(50, bool), 10, PARTS, seed=2)

    assert selection.sizes == {"random": {"rows": 50, "selected": 10}}
    assert set(selection.shares) == {0.2}


def test_a_pool_smaller_than_the_list_is_taken_whole() -> None:
    selection = select_rows(np.linspace(0, 1, 7), np.zeros(7, bool), 100, PARTS, seed=2)

    assert selection.places.tolist() == list(range(7))
    assert set(selection.shares) == {1.0}


@pytest.mark.parametrize("rows", range(1, 8))
def test_a_short_list_has_a_random_part_all_the_same(rows: int) -> None:
    _, uncertainty, drifted = _pool()

    selection = select_rows(uncertainty, drifted, rows, PARTS, seed=0)

    assert len(selection.places) == rows
    assert selection.sizes["random"]["selected"] >= 1


def test_an_empty_pool_gives_an_empty_list() -> None:
    assert len(select_rows(np.zeros(0), np.zeros(0, bool), 5, PARTS, seed=0).places) == 0


@pytest.mark.parametrize("measure", ["margin", "entropy"])
def test_uncertainty_is_from_0_to_1_and_greatest_where_classes_are_equally_likely(measure: str) -> None:
    chances = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3]])

    found = measure_uncertainty(chances, measure)

    assert found[0] == pytest.approx(0)
    assert found[2] == pytest.approx(1)
    assert 0 < found[1] < 1
    assert measure_uncertainty(np.array([0.5, 0.9]), measure)[0] == pytest.approx(1)


def test_margin_and_entropy_are_their_formulas() -> None:
    chances = np.array([[0.5, 0.3, 0.2]])

    assert measure_uncertainty(chances, "margin")[0] == pytest.approx(0.8)
    entropy = -(0.5 * np.log(0.5) + 0.3 * np.log(0.3) + 0.2 * np.log(0.2)) / np.log(3)
    assert measure_uncertainty(chances, "entropy")[0] == pytest.approx(entropy)
