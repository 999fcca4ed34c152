"""The other tasks, and column names as people write them, from raw rows to answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components._core.project.project_file import Project
from components._core.setting_names import STORE
from components._core.stage.user_code import pack_code
from components._core.types.signature import to_arrays
from components._frameworks.table import load_model
from components.train.train import train_model
from components.transform.transform import transform_examples
from components.tune.tune import tune_hyperparameters
from tests.components.small_flights import write_schema, write_split

NAMES = [
    "sepal length (cm)",
    "a/b.c",
    "1st",
    "naïve 'q\"",
    "class",
    "x",
    "X",
    "self",
    "inputs",
    "with a\nnewline",
    "_row",
    "row",
    "python3",
    "n" * 200,
]
PREPROCESSING = """
import tensorflow as tf
import tensorflow_transform as tft

def preprocessing_fn(inputs):
    numbers = {name: tft.scale_to_z_score(values) for name, values in inputs.items() if values.dtype != tf.string}
    colour = tft.compute_and_apply_vocabulary(inputs["which colour?"], vocab_filename="colours")
    return {**numbers, "colour": tf.one_hot(colour, 3), "bucket": tft.bucketize(inputs["x"], 4)}
"""
MODEL = """
import keras

def build_model(inputs, transform, hyperparameters):
    assert transform.vocabulary_size_by_name("colours") == 3
    parts = [keras.layers.Embedding(4, 2)(inputs["bucket"])]
    parts += [inputs[name] for name in inputs if name != "bucket"]
    last = {"activation": "softmax", "units": hyperparameters["classes"]} if "classes" in hyperparameters else {"units": 1}
    return keras.Model(inputs, keras.layers.Dense(**last)(keras.layers.Concatenate()(parts)))
"""


def run(folder: Path, task: str, rows: pa.Table) -> Path:
    """Transform, tune and train; returns the model."""
    raw = {"name": "odd", "task": task, "label": "label", "data": {"source": "t.csv"}, "train": {"epochs": 2}}
    project = Project.model_validate(raw)
    for split, start in (("train", 0), ("eval", 300), ("test", 350)):
        write_split(folder / "examples", split, rows.slice(start, 300 if split == "train" else 50))
    write_schema(folder / "schema", rows.schema)
    (folder / "source").mkdir()
    (folder / "source" / "preprocessing.py").write_text(PREPROCESSING, encoding="utf-8")
    (folder / "source" / "model.py").write_text(MODEL, encoding="utf-8")
    pack_code(folder / "source", project, folder / "code.zip")
    made = {name: folder / name for name in ("transform_graph", "transformed", "hyperparameters", "model", "history")}
    for path in made.values():
        path.mkdir()
    code = {"code": folder / "code.zip"}
    given = {name: folder / name for name in ("examples", "schema")}
    ready = {name: made[name] for name in ("transform_graph", "transformed")}
    transform_examples(project, **code, **given, **ready, blocked="")
    tune_hyperparameters(project, **code, **ready, hyperparameters=made["hyperparameters"])
    train_model(
        project,
        **code,
        **ready,
        schema=folder / "schema",
        **{name: made[name] for name in ("hyperparameters", "model", "history")},
    )
    return made["model"]


def table(label: list[object]) -> pa.Table:
    random = np.random.default_rng(0)
    columns = {name: random.normal(size=len(label)).astype(np.float32) for name in NAMES}
    return pa.table({**columns, "which colour?": ["red", "grün", "blue"] * (len(label) // 3) + ["red"], "label": label})


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))


@pytest.mark.slow
def test_many_classes_are_answered_by_their_names_whatever_the_columns_are_called(tmp_path: Path):
    rows = table(["u", "v", "wé", "x"] * 100)
    loaded = load_model(run(tmp_path, "multiclass_classification", rows))
    answer = loaded.predict(to_arrays(rows.slice(0, 7), loaded.signature.inputs))
    assert loaded.signature.classes == ("u", "v", "wé", "x")
    np.testing.assert_allclose(answer["probabilities"].sum(axis=1), np.ones(7), atol=1e-5)
    best = answer["probabilities"].argmax(axis=1)
    assert answer["class"].tolist() == [loaded.signature.classes[place] for place in best]


def test_a_regression_answers_with_a_number_per_row(tmp_path: Path):
    rows = table([float(number % 11) for number in range(400)])
    rows = rows.set_column(rows.column_names.index("label"), "label", rows["label"].cast(pa.float32()))
    loaded = load_model(run(tmp_path, "regression", rows))
    answer = loaded.predict(to_arrays(rows.slice(0, 7), loaded.signature.inputs))["prediction"]
    assert answer.shape == (7,) and answer.dtype == np.float32
