"""The comparison of automatic model choice: its scale and who counts as ahead."""

from __future__ import annotations

import pytest

from benchmarks.auto.comparison import Comparison, compare, summarise


def test_the_constant_model_is_zero_and_the_best_one_whichever_way_the_metric_points() -> None:
    by_auc = compare(
        "binary_classification",
        {"constant": [0.5, 0.5], "naru": [0.8, 0.9], "lightgbm": [0.7, 0.8], "hist_gradient_boosting": [0.6, 0.6]},
    )
    assert by_auc.means == pytest.approx({"naru": 1.0, "lightgbm": 0.25 / 0.35, "hist_gradient_boosting": 0.1 / 0.35})
    by_error = compare("regression", {"constant": [10.0, 10.0], "naru": [6.0, 6.0], "autogluon": [5.0, 5.0]})
    assert by_error.means == pytest.approx({"naru": 0.8, "autogluon": 1.0}) and by_error.ahead == {"autogluon": 0.0}


@pytest.mark.parametrize(
    ("theirs", "share"),
    [([0.70, 0.71, 0.72], 1.0), ([0.79, 0.80, 0.81], 0.0), ([0.74, 0.75, 0.765], 0.5), ([0.75, 0.75, 0.75], 0.5)],
)
def test_a_difference_within_one_standard_error_counts_half(theirs: list[float], share: float) -> None:
    found = compare("binary_classification", {"constant": [0.5] * 3, "naru": [0.75, 0.75, 0.75], "lightgbm": theirs})
    assert found.ahead == {"lightgbm": share}


def test_the_gap_is_to_the_best_peer_over_all_tables_and_tables_far_behind_are_named() -> None:
    tables = {
        "a": Comparison({"naru": 1.0, "lightgbm": 0.9, "autogluon": 0.8}, {"lightgbm": 1.0, "autogluon": 1.0}),
        "b": Comparison({"naru": 0.9, "lightgbm": 0.8, "autogluon": 1.0}, {"lightgbm": 0.5, "autogluon": 0.0}),
    }
    found = summarise(tables)
    assert found["tables"] == 2 and found["means"] == pytest.approx({"naru": 0.95, "lightgbm": 0.85, "autogluon": 0.9})
    assert found["gap_to_best"] == pytest.approx(-0.05)
    assert found["behind_by_half_percent"] == ["b"]
    assert found["ahead_of_lightgbm"] == 1.5 and found["ahead_of_autogluon"] == 1.0
