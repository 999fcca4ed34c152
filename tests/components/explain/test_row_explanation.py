"""The explanation of one row, against Shapley's own sum over all orders of the features."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from components._frameworks.contract import Arrays, Model
from components.explain.background_rows import draw_background
from components.explain.rank_agreement import compare_parts, kendall
from components.explain.row_explanation import explain_one
from components.explain.row_shapley import attribute_row, worth_without

CLASSES = {"binary_classification": ("no", "yes"), "multiclass_classification": ("a", "b", "c"), "regression": ()}


class Formula(Model):
    """A model whose formula is known: `a`, `b` and `c` multiply, a text adds, a missing `c` counts as 2, `d` does nothing."""

    def __init__(self, task: str = "regression", more: int = 0) -> None:
        names = {"a": "float32", "b": "int64", "text": "string", "c": "float32", "d": "float32"}
        names |= {f"x{number}": "float32" for number in range(more)}
        features = tuple(Feature(name, dtype, True) for name, dtype in names.items())
        self.signature = Signature(task, features, TASKS[task].output_types, CLASSES[task])
        self.rows = 0

    def predict(self, arrays: Arrays) -> Arrays:
        known = np.where(np.isnan(arrays["c"]), 2.0, arrays["c"])
        value = arrays["a"] * arrays["b"] * known + np.where(arrays["text"] == "Seoul", 1.5, 0.0) + known
        for name in arrays:
            if name.startswith("x"):
                value = value + 0.1 * arrays[name] * arrays["a"]
        self.rows += len(value)
        if self.signature.task == "regression":
            return {"prediction": value}
        if self.signature.task == "binary_classification":
            return {"probability": 1 / (1 + np.exp(-value))}
        powers = np.exp(np.stack([-value, np.zeros_like(value), value], axis=1))
        return {"probabilities": powers / powers.sum(axis=1, keepdims=True)}


def some_rows(model: Model, rows: int, seed: int) -> Arrays:
    random = np.random.default_rng(seed)
    made: dict[str, Any] = {}
    for feature in model.signature.inputs:
        if feature.dtype == "string":
            made[feature.name] = random.choice(["Seoul", "Busan"], rows).astype(object)
        elif feature.dtype == "int64":
            made[feature.name] = random.integers(-2, 3, rows)
        else:
            made[feature.name] = random.normal(0, 1, rows).astype(np.float32)
    made["c"][0] = np.nan
    return made


def brute_force(model: Model, row: Arrays, background: Arrays, score: Callable[[Arrays], Any]) -> dict[str, float]:
    """The mean over all orders of the features of what each adds, one row of the model at a time."""
    names, rows = list(row), len(background["a"])

    def worth(known: frozenset[str]) -> float:
        mixed = [
            {name: row[name] if name in known else background[name][[each]] for name in names} for each in range(rows)
        ]
        return float(np.mean([score(model.predict(one))[0] for one in mixed]))

    values, known_worth = dict.fromkeys(names, 0.0), {}
    for order in permutations(names):
        for place, name in enumerate(order):
            before, after = frozenset(order[:place]), frozenset(order[: place + 1])
            for each in (before, after):
                if each not in known_worth:
                    known_worth[each] = worth(each)
            values[name] += (known_worth[after] - known_worth[before]) / math.factorial(len(names))
    return values


@pytest.mark.parametrize(
    ("task", "class_index"), [("regression", None), ("binary_classification", None), ("multiclass_classification", 2)]
)
def test_values_are_the_mean_over_all_orders(task: str, class_index: int | None) -> None:
    model = Formula(task)
    row, background = some_rows(model, 1, 1), some_rows(model, 7, 2)
    output = TASKS[task].score
    expected = brute_force(
        model,
        row,
        background,
        lambda outputs: outputs[output] if class_index is None else outputs[output][:, class_index],
    )
    found = attribute_row(model, row, background, class_index, seed=3)
    assert found.is_exact and found.values == pytest.approx(expected, abs=1e-6)
    assert sum(found.values.values()) == pytest.approx(found.score - found.base, abs=1e-9)
    assert found.values["d"] == 0 and set(found.errors.values()) == {0.0}


def test_orders_that_are_drawn_add_up_and_stay_within_their_error() -> None:
    model = Formula(more=3)
    row, background = some_rows(model, 1, 1), some_rows(model, 20, 2)
    exact = attribute_row(model, row, background, None, seed=3)
    drawn = attribute_row(model, row, background, None, seed=3, exact=2)
    assert exact.is_exact and not drawn.is_exact
    assert sum(drawn.values.values()) == pytest.approx(exact.score - exact.base, abs=1e-5)
    for name, value in drawn.values.items():
        assert abs(value - exact.values[name]) <= 4 * drawn.errors[name] + 1e-6, name
    assert drawn.errors["d"] == 0 < drawn.errors["a"] < 0.05
    assert attribute_row(model, row, background, None, seed=3, exact=2) == drawn, "equal seeds, equal values"


def test_a_wide_table_scores_a_bounded_number_of_rows() -> None:
    model = Formula(more=995)
    row, background = some_rows(model, 1, 1), some_rows(model, 100, 2)
    found = attribute_row(model, row, background, None, seed=3)
    assert model.rows <= 25_000 and found.rows < 100
    assert sum(found.values.values()) == pytest.approx(found.score - found.base, abs=1e-2)
    assert all(math.isfinite(error) for error in found.errors.values())


def test_a_feature_replaced_alone_takes_away_what_it_brings() -> None:
    model = Formula()
    row, background = some_rows(model, 1, 1), some_rows(model, 9, 2)
    found = worth_without(model, row, background, None)
    assert found["a"] == pytest.approx(float((row["a"] - background["a"]).mean() * row["b"][0] * 2), abs=1e-6)
    assert found["d"] == 0


def test_without_gradients_or_a_structure_the_second_method_replaces_each_feature_alone() -> None:
    model = Formula()
    found = explain_one(model, some_rows(model, 1, 1), some_rows(model, 9, 2), seed=3)
    assert found.second.name == "replaced alone" and not found.second.adds_up
    assert found.agreement.features == 5


def test_the_class_that_is_predicted_is_explained() -> None:
    model = Formula("multiclass_classification")
    row = some_rows(model, 1, 1) | {"c": np.array([9.0], np.float32)}
    found = explain_one(model, row, some_rows(model, 9, 2), seed=3)
    assert found.class_index == 2


def test_integrated_gradients_of_a_served_model_add_up_for_the_row(
    loaded: Callable[..., Model], examples: Callable[..., Path]
) -> None:
    model = loaded("regression")
    background = draw_background(model.signature.inputs, examples("regression"), seed=7, rows=40)
    row = {
        "delay": np.array([30.0], np.float32),
        "month": np.array([12]),
        "carrier": np.array(["CC"], dtype=object),
        "noise": np.array([0.5], np.float32),
    }
    found = explain_one(model, row, background, seed=7)
    assert found.second.name == "integrated gradients" and set(found.second.values) == {"delay", "month", "noise"}
    assert sum(found.second.values.values()) == pytest.approx(found.second.difference, abs=1e-3)
    known = ~np.isnan(background["delay"])
    expected = 0.1 * float((30.0 - background["delay"][known]).sum()) / len(known)
    assert found.second.values["delay"] == pytest.approx(expected, abs=1e-3), "a missing number has no way to go"
    assert found.shapley.values["month"] == pytest.approx(0.05 * float((12 - background["month"]).mean()), abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlations_are_those_of_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    one, other = random.integers(-4, 5, 9).astype(float), random.integers(-4, 5, 9).astype(float)
    assert kendall(one, other) == pytest.approx(kendalltau(one, other).statistic)
    names = [f"f{number}" for number in range(9)]
    found = compare_parts(dict(zip(names, one, strict=True)), dict(zip(names, other, strict=True)))
    assert found.spearman == pytest.approx(spearmanr(abs(one), abs(other)).statistic)
    assert found.kendall == pytest.approx(kendalltau(abs(one), abs(other)).statistic)
    assert found.same_sign == int((np.sign(one) * np.sign(other) >= 0).sum())


def test_methods_that_share_one_feature_have_no_order_to_compare() -> None:
    found = compare_parts({"a": 1.0, "b": 2.0}, {"a": 3.0})
    assert found.features == 1 and math.isnan(found.spearman) and math.isnan(found.kendall)


def test_background_rows_are_drawn_from_the_training_rows(
    examples: Callable[..., Path], loaded: Callable[..., Model]
) -> None:
    features = loaded().signature.inputs
    first, again = (draw_background(features, examples(), seed=7, rows=50) for _ in range(2))
    assert len(first["month"]) == 50 and (first["noise"] == again["noise"]).all()
    assert len(set(first["noise"].tolist())) == 50
