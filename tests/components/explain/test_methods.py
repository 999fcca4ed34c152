"""Each method against what is known of a tiny model: its formula is in tiny_models.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from components._core.types.tasks import TASKS
from components._frameworks.contract import Model
from components._frameworks.permutation import Importance, permutation_importance, shares
from components._frameworks.sampled_rows import Sample, draw_sample, take, typical_row
from components.explain.attribution import chosen_classes
from components.explain.dependence import partial_dependence
from components.explain.gradients import integrated_gradients
from components.explain.leaks import find_telling, leak_check, powers, rank_correlation
from components.explain.shapley import shapley_values
from tests.components.tiny_models import PUSH

Make = Callable[..., Path]
Load = Callable[..., Model]


def _sample(loaded: Load, examples: Make, task: str = "binary_classification") -> Sample:
    return draw_sample(loaded(task).signature, examples(task), "y", seed=7, repeats=5)


def _alone(values: np.ndarray, labels: np.ndarray, task: str = "binary_classification") -> float:
    return powers(TASKS[task], Sample({"x": values}, labels, len(labels)))["x"]


def test_of_a_linear_model_both_attributions_are_weight_times_distance(loaded: Load, examples: Make) -> None:
    sample = _sample(loaded, examples, "regression")
    baseline = typical_row(loaded("regression").signature, sample.arrays)
    arrays = take(sample.arrays, np.flatnonzero(~np.isnan(sample.arrays["delay"]))[:20])
    expected = {
        "delay": 0.1 * (arrays["delay"] - baseline["delay"]),
        "month": 0.05 * (arrays["month"] - baseline["month"]),
        "noise": np.zeros(20),
        "carrier": np.array([PUSH[name] - PUSH[baseline["carrier"][0]] for name in arrays["carrier"]]),
    }
    shapley = shapley_values(loaded("regression"), arrays, baseline, None, seed=7).values
    gradients = integrated_gradients(loaded("regression"), arrays, baseline, None).values
    assert set(gradients) == {"delay", "month", "noise"}
    for name, values in expected.items():
        assert shapley[name] == pytest.approx(values, abs=1e-5)
        assert name not in gradients or gradients[name] == pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification"])
def test_attributions_add_up_to_the_way_of_the_score(loaded: Load, examples: Make, task: str) -> None:
    sample = _sample(loaded, examples, task)
    arrays = take(sample.arrays, np.arange(40))
    baseline, classes = typical_row(loaded(task).signature, sample.arrays), chosen_classes(loaded(task), arrays)
    assert shapley_values(loaded(task), arrays, baseline, classes, seed=7).completeness_error() < 1e-5
    assert integrated_gradients(loaded(task), arrays, baseline, classes).completeness_error() < 0.02


def test_a_missing_number_has_a_shapley_value_and_no_gradient(loaded: Load, examples: Make) -> None:
    sample = _sample(loaded, examples)
    missing = take(sample.arrays, np.flatnonzero(np.isnan(sample.arrays["delay"]))[:5])
    baseline = {**typical_row(loaded().signature, sample.arrays), "delay": np.array([30], np.float32)}
    assert (integrated_gradients(loaded(), missing, baseline, None).values["delay"] == 0).all()
    assert (shapley_values(loaded(), missing, baseline, None, seed=7).values["delay"] < -0.1).all()


def test_permuting_an_unused_feature_changes_no_prediction(loaded: Load, examples: Make) -> None:
    found = permutation_importance(
        TASKS["binary_classification"],
        TASKS["binary_classification"].metric(),
        loaded(),
        _sample(loaded, examples),
        seed=7,
    )
    assert not found["noise"].changes and found["noise"].drop == 0
    assert found["delay"].changes and 0 < found["delay"].low <= found["delay"].drop <= found["delay"].high


def test_permuting_raises_an_error_and_counts_as_a_loss(loaded: Load, examples: Make) -> None:
    sample = _sample(loaded, examples, "regression")
    assert (
        permutation_importance(TASKS["regression"], TASKS["regression"].metric(), loaded("regression"), sample, seed=7)[
            "delay"
        ].drop
        > 0
    )


def test_shares_leave_out_what_is_only_noise() -> None:
    found = {name: Importance(drop, drop, drop, True) for name, drop in (("a", 0.3), ("b", 0.1), ("c", -0.05))}
    assert shares(found) == pytest.approx({"a": 0.75, "b": 0.25, "c": 0.0})
    assert shares({"c": found["c"]}) == {}


def test_partial_dependence_follows_the_formula(loaded: Load, examples: Make) -> None:
    sample = _sample(loaded, examples, "regression")
    by_name = partial_dependence(loaded("regression"), sample.arrays, "carrier", None)
    assert list(by_name) == ["AA", "BB", "CC"]
    assert by_name["CC"] - by_name["AA"] == pytest.approx(PUSH["CC"] - PUSH["AA"], abs=1e-4)
    by_number = partial_dependence(loaded("regression"), sample.arrays, "month", None)
    assert by_number[12] - by_number[1] == pytest.approx(0.55, abs=1e-4)


def test_equal_seeds_draw_equal_rows(loaded: Load, examples: Make) -> None:
    first, again = _sample(loaded, examples), _sample(loaded, examples)
    assert first.rows == 1_200 and (first.arrays["month"] == again.arrays["month"]).all()


def test_a_copy_of_the_label_is_a_leak_in_numbers_texts_and_either_direction() -> None:
    labels = np.arange(400) % 2
    assert _alone(labels.astype(np.float32), labels) == 1
    assert _alone(-labels.astype(np.float32), labels) == 1
    assert _alone(np.array(["no", "yes"], dtype=object)[labels], labels) == 1
    assert _alone(np.where(labels, np.nan, 5.0).astype(np.float32), labels) == 1


def test_a_text_that_is_different_in_every_row_tells_nothing() -> None:
    labels = np.random.default_rng(0).integers(0, 2, 2_000)
    names = np.array([f"id{number}" for number in range(2_000)], dtype=object)
    assert _alone(names, labels) < 0.6


def test_one_class_of_many_that_is_given_away_is_enough() -> None:
    labels = np.random.default_rng(0).integers(0, 4, 2_000)
    assert _alone((labels == 2).astype(np.float32), labels, "multiclass_classification") == 1


def test_a_number_that_orders_the_target_is_a_leak() -> None:
    target = np.random.default_rng(0).normal(size=500)
    assert _alone(np.exp(target).astype(np.float32), target, "regression") > 0.99
    assert _alone(np.full(500, 3, dtype=np.int64), target, "regression") == 0


def test_suspects_are_named_with_the_question_to_ask() -> None:
    check = leak_check({"paid": 0.995, "age": 0.6}, {"paid": 0.5, "age": 0.3, "city": 0.2}, rows=10)
    assert check.status == "warn" and "paid alone" in check.reason and "data.exclude" in check.reason
    assert leak_check({"age": 0.6}, {"age": 0.96, "a": 0.03, "b": 0.01}, rows=10).status == "warn"
    assert leak_check({"age": 0.6}, {"age": 0.8, "a": 0.1, "b": 0.1}, rows=10).status == "pass"


def test_rank_correlation_is_that_of_scipy() -> None:
    random = np.random.default_rng(0)
    left, right = random.integers(0, 9, 100), random.normal(size=100)
    assert rank_correlation(left, right) == pytest.approx(spearmanr(left, right).statistic)


def _telling(values: np.ndarray, labels: np.ndarray, task: str) -> bool:
    sample = Sample({"x": values}, labels, len(labels))
    return "x" in find_telling(TASKS[task], sample, powers(TASKS[task], sample))


RANDOM = np.random.default_rng(5)
TWO, THREE = RANDOM.integers(0, 2, 400), RANDOM.integers(0, 3, 400)
REAL = RANDOM.normal(size=400)
MANY = RANDOM.normal(size=2_000)
LEAKS = {
    "a copy": (TWO.astype(np.float32), TWO, "binary_classification"),
    "the opposite": (-TWO, TWO, "binary_classification"),
    "a code without an order": (np.where(TWO == 1, 2.0, RANDOM.choice([1.0, 3.0], 400)), TWO, "binary_classification"),
    "a text": (np.array(["no", "yes"], dtype=object)[TWO], TWO, "binary_classification"),
    "filled only where true": (np.where(TWO == 1, RANDOM.random(400), np.nan), TWO, "binary_classification"),
    "a date only where true": (np.array([f"2024-{n}" if t else "" for n, t in enumerate(TWO)], dtype=object), TWO, "binary_classification"),
    "a code of three classes": (THREE, THREE, "multiclass_classification"),
    "a number behind three classes": (MANY, np.digitize(MANY, [-0.5, 0.5]), "multiclass_classification"),
    "another unit": (REAL * 1.8 + 32, REAL, "regression"),
}  # fmt: skip
HONEST = {
    "noise": (RANDOM.normal(size=400), TWO, "binary_classification"),
    "an identifier": (np.arange(400), TWO, "binary_classification"),
    "a text of its own in each row": (np.array([f"t{n}" for n in range(400)], dtype=object), TWO, "binary_classification"),
    "a strong feature": (TWO + RANDOM.normal(size=400) * 0.5, TWO, "binary_classification"),
    "one class of three apart": (np.where(THREE == 0, -9, RANDOM.normal(size=400)), THREE, "multiclass_classification"),
    "always the same": (np.zeros(400), THREE, "multiclass_classification"),
    "a strong number": (REAL + RANDOM.normal(size=400) * 0.3, REAL, "regression"),
    "too few rows to say": (TWO[:20], TWO[:20], "binary_classification"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEAKS)
def test_a_feature_that_alone_tells_the_label_is_found(kind: str) -> None:
    assert _telling(*LEAKS[kind])


@pytest.mark.parametrize("kind", HONEST)
def test_a_feature_that_only_helps_is_not(kind: str) -> None:
    assert not _telling(*HONEST[kind])


def test_only_a_feature_that_blocks_fails_the_check_and_a_high_share_warns() -> None:
    shares_of = {"x": 0.98, "y": 0.01, "z": 0.01}
    assert leak_check({"x": 0.8}, shares_of, 100).status == "warn"
    assert leak_check({"x": 1.0}, shares_of, 100).status == "warn"
    failed = leak_check({"x": 1.0}, shares_of, 100, {"x": 1.0})
    assert failed.status == "fail"
    assert "x alone predicts the label (1.000 of 1)" in failed.reason and "gates.model.leaks: warn" in failed.reason
