"""Columns that give the label away."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from components._core.types.tasks import TASKS
from pipelines.scaffold.leak_suspects import score_columns

RANDOM = np.random.default_rng(1)
ROWS = 2_000


def test_a_copy_of_the_label_in_other_words_scores_one() -> None:
    label = RANDOM.integers(0, 2, ROWS)
    words = np.where(label == 1, "late", "on time")
    assert score_columns(pa.table({"words": words, "y": label}), "y", TASKS["binary_classification"]) == {"words": 1.0}


def test_a_number_that_the_classes_were_cut_from_is_found_though_the_link_is_not_monotone() -> None:
    score = RANDOM.normal(size=ROWS)
    label = np.where(np.abs(score) < 0.5, "inner", "outer")
    assert (
        score_columns(pa.table({"score": score, "y": label}), "y", TASKS["multiclass_classification"])["score"] > 0.99
    )


def test_a_good_feature_is_no_leak() -> None:
    label = RANDOM.integers(0, 2, ROWS)
    good = label + RANDOM.normal(scale=0.4, size=ROWS)
    assert 0.7 < score_columns(pa.table({"good": good, "y": label}), "y", TASKS["binary_classification"])["good"] < 0.95


def test_a_rare_class_does_not_make_every_column_look_perfect() -> None:
    label = (np.arange(ROWS) % 200 == 0).astype(np.int64)
    noise = RANDOM.normal(size=ROWS)
    assert score_columns(pa.table({"noise": noise, "y": label}), "y", TASKS["binary_classification"])["noise"] < 0.7


def test_a_regression_label_in_another_unit_is_found_and_a_noisy_one_is_not() -> None:
    celsius = RANDOM.normal(20, 5, ROWS)
    sample = pa.table({"fahrenheit": celsius * 1.8 + 32, "near": celsius + RANDOM.normal(0, 3, ROWS), "y": celsius})
    scores = score_columns(sample, "y", TASKS["regression"])
    assert scores["fahrenheit"] > 0.99
    assert scores["near"] < 0.9


def test_that_a_value_is_missing_can_give_the_label_away() -> None:
    label = RANDOM.integers(0, 2, ROWS)
    reason = pa.array([None if late == 0 else "weather" for late in label], pa.string())
    assert score_columns(pa.table({"reason": reason, "y": label}), "y", TASKS["binary_classification"])["reason"] == 1.0


def test_too_few_rows_tell_nothing() -> None:
    assert score_columns(pa.table({"x": [1, 2], "y": [1, 2]}), "y", TASKS["regression"]) == {"x": 0.0}
