"""Weights of classes in the fit of a pipeline: those of its last step, as scikit-learn has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from components._core.errors import UserCodeError
from components._core.project.train_config import Train
from components._core.types.tasks import TASKS
from components._frameworks.contract import TrainingData
from components._frameworks.sklearn.trainable_model import SklearnModel
from components._frameworks.transformed_rows import TransformedRows, TransformedWriter

WEIGHTS = np.array([1, 30], np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    """Rows of which few are positive, with the weights of both classes."""
    folder = tmp_path_factory.mktemp("rows")
    random = np.random.default_rng(0)
    x = random.normal(size=2_000).astype(np.float32)
    labels = (random.random(2_000) < 0.03 + 0.02 * x).astype(np.int64)
    with TransformedWriter(folder / "train.parquet") as writer:
        writer.write({"x": x}, labels)
    rows = TransformedRows(folder / "train.parquet")
    return TrainingData(rows, rows, folder, WEIGHTS)


def _model(last: Any) -> tuple[SklearnModel, Pipeline]:
    pipeline = Pipeline([("scale", StandardScaler()), ("last", last)])
    return SklearnModel(pipeline, TASKS["binary_classification"], ["no", "yes"]), pipeline


def test_the_last_step_is_fitted_as_with_its_own_class_weight(data: TrainingData, tmp_path: Path) -> None:
    model, pipeline = _model(LogisticRegression())
    progress = model.fit(data, Train())
    features, labels = data.train.head(2_000)
    frame = pd.DataFrame(features)
    own = Pipeline([("scale", StandardScaler()), ("last", LogisticRegression(class_weight={0: 1, 1: 30}))])
    expected = own.fit(frame, labels).predict_proba(frame)[:, 1]
    found = pipeline.predict_proba(frame)[:, 1]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    row_weights = WEIGHTS[labels]
    loss = -np.average(np.log(np.where(labels == 1, found, 1 - found)), weights=row_weights)
    assert progress.epochs[0]["eval_loss"] == pytest.approx(loss)


def test_a_last_step_that_takes_no_weights_is_refused_by_name(data: TrainingData) -> None:
    model, _ = _model(KNeighborsClassifier())
    with pytest.raises(UserCodeError, match=r"train.class_weight: KNeighborsClassifier, the last step") as caught:
        model.fit(data, Train())
    assert "serve.threshold" in str(caught.value)
