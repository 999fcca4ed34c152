"""Weights of classes in the fit of a Keras model: in the loss of the training rows and in that of the eval rows."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from components._core.project.train_config import Train
from components._core.types.tasks import TASKS
from components._frameworks.contract import Progress
from components._frameworks.keras.build_model import build
from components._frameworks.keras.fit import fit
from components._frameworks.transformed_rows import TransformedRows, TransformedWriter

BINARY = TASKS["binary_classification"]
ROWS, POSITIVES = 1_000, 20


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> TransformedRows:
    """Rows of which 2 % are positive, and a feature that says nothing."""
    file = tmp_path_factory.mktemp("rows") / "train.parquet"
    labels = (np.arange(ROWS) % (ROWS // POSITIVES) == 0).astype(np.int64)
    with TransformedWriter(file) as writer:
        writer.write({"x": np.zeros(ROWS, np.float32)}, labels)
    return TransformedRows(file)


def _fit(rows: TransformedRows, weights: list[float] | None, folder: Path) -> tuple[Progress, float]:
    """Fit a constant; returns the progress and the constant."""

    def build_model(inputs: dict[str, keras.KerasTensor], transform: object, given: object) -> keras.KerasTensor:
        return keras.layers.Dense(1, activation="sigmoid")(inputs["x"])

    values = {"learning_rate": 0.1}
    model = build(build_model, folder, "model.py", rows.columns, None, values, task=BINARY, classes=["n", "y"], seed=1)
    settings = Train(epochs=3, batch_size=33, patience=0)
    given = None if weights is None else np.array(weights, np.float32)
    progress = fit(model, rows, rows, settings, task=BINARY, class_weights=given)
    return progress, float(np.asarray(model({"x": np.zeros((1, 1), np.float32)}))[0, 0])


@pytest.mark.slow
def test_a_weighted_class_counts_as_often_as_its_weight_says(rows: TransformedRows, tmp_path: Path) -> None:
    _, plain = _fit(rows, None, tmp_path)
    progress, weighted = _fit(rows, [1.0, (ROWS - POSITIVES) / POSITIVES], tmp_path)
    assert plain < 0.06
    assert weighted == pytest.approx(0.5, abs=0.05)
    mean_weight = 2 * (ROWS - POSITIVES) / ROWS
    assert progress.epochs[progress.best_epoch]["eval_loss"] == pytest.approx(mean_weight * np.log(2), rel=0.01)
