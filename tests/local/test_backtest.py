"""`naru backtest` on a small project: a relation that turns is seen as staleness, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components._core.files import files_below, hash_file
from tests.local.conftest import answer_of, run_naru

pytestmark = pytest.mark.slow

PROJECT = """
name: turning
task: binary_classification
label: y
data: {source: "rows-{span}.csv", spans: all}
train: {epochs: 30, batch_size: 64, hyperparameters: {learning_rate: 0.05}}
gates: {model: {metric: auc}, serving: {p95_ms: 10000}}
"""
PREPROCESSING = """
def preprocessing_fn(inputs):
    return {name: inputs[name] for name in ("a", "b")}
"""
MODEL = """
import keras


def build_model(inputs, transform, hyperparameters):
    joined = keras.layers.Concatenate()([inputs[name] for name in ("a", "b")])
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(joined))
"""
SPANS = 7


def _rows(span: int) -> str:
    """Make 400 rows whose line between the classes turns by 15 degrees a span."""
    made = np.random.default_rng(span)
    a, b = made.normal(size=(2, 400))
    angle = np.radians(15 * span)
    labels = np.where(a * np.cos(angle) + b * np.sin(angle) + made.normal(0, 0.3, 400) > 0, "yes", "no")
    rows = [f"{x:.4f},{y:.4f},{label}\n" for x, y, label in zip(a, b, labels, strict=True)]
    return "a,b,y\n" + "".join(rows)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("turning")
    (folder / "project.yaml").write_text(PROJECT)
    (folder / "preprocessing.py").write_text(PREPROCESSING)
    (folder / "model.py").write_text(MODEL)
    for span in range(1, SPANS + 1):
        (folder / f"rows-{span}.csv").write_text(_rows(span))
    ran = run_naru(str(folder))
    assert ran.code == 0, ran.errors
    return folder


def test_a_relation_that_turns_costs_more_by_each_span_and_nothing_but_the_answer_is_left(project: Path) -> None:
    before = {path: hash_file(path) for path in files_below(project)}
    found = answer_of("backtest", str(project), "--window", "2", "--models", "5")
    assert found["cutoffs"] == ["2", "3", "4", "5", "6"] and found["window"] == 2
    losses = [one["loss"] for one in found["ages"]]
    assert losses == sorted(losses) and losses[0] == 0 < 0.05 < losses[-1]
    # the line of a model is 22 degrees behind at age 1 (its two spans are 1 and 2 behind), and 82 at age 5
    assert found["ages"][0]["value"] > 0.85 and found["ages"][-1]["value"] < 0.7
    assert found["safe_age"] == 1 and found["harmful_age"] in (2, 3)
    policies = found["policies"]
    assert policies["every span"]["value"] > policies["never"]["value"] + 0.05
    assert {path: hash_file(path) for path in files_below(project)} == before


def test_equal_calls_give_equal_answers_and_all_spans_before_are_the_default(project: Path) -> None:
    first, again = (answer_of("backtest", str(project), "--models", "2", "--margin", "0.5") for _ in range(2))
    assert first == again and first["cutoffs"] == ["5", "6"] and first["margin"] == 0.5
