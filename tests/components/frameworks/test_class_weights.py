"""Weights of classes from `train.class_weight`: compared with scikit-learn's, and what cannot be a class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from components._core.errors import ConfigError
from components._core.project.train_config import Train
from components._frameworks import transformed_rows
from components._frameworks.class_weights import weigh_classes
from components._frameworks.transformed_rows import TransformedRows, TransformedWriter


def _rows(folder: Path, labels: Any) -> TransformedRows:
    with TransformedWriter(folder / "train.parquet") as writer:
        writer.write({"x": np.zeros(len(labels), np.float32)}, np.asarray(labels, np.int64))
    return TransformedRows(folder / "train.parquet")


@pytest.mark.parametrize("classes", [["no", "yes"], ["a", "b", "c"]])
def test_balanced_weights_are_those_of_scikit_learn(
    classes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformed_rows, "GROUP_ROWS", 100)  # several groups
    labels = np.random.default_rng(0).choice(
        len(classes), 1_000, p=[0.01, *[0.99 / (len(classes) - 1)] * (len(classes) - 1)]
    )
    found = weigh_classes(Train(class_weight="balanced"), classes, _rows(tmp_path, labels))
    assert found is not None and found.dtype == np.float32
    expected = compute_class_weight("balanced", classes=np.arange(len(classes)), y=labels)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found[labels].mean() == pytest.approx(1, rel=1e-5)


def test_a_class_without_a_training_row_leaves_the_others_balanced(tmp_path: Path) -> None:
    found = weigh_classes(Train(class_weight="balanced"), ["a", "b", "c"], _rows(tmp_path, [0, 0, 0, 2]))
    assert found is not None and found.tolist() == pytest.approx([4 / 6, 1, 2])


def test_a_class_that_the_mapping_does_not_name_counts_as_it_is(tmp_path: Path) -> None:
    found = weigh_classes(Train(class_weight={"yes": 20}), ["no", "yes"], _rows(tmp_path, [0, 1]))
    assert found is not None and found.tolist() == [1, 20]


def test_without_the_key_there_are_no_weights(tmp_path: Path) -> None:
    assert weigh_classes(Train(), ["no", "yes"], _rows(tmp_path, [0, 1])) is None


def test_a_name_that_is_not_a_class_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"train.class_weight: 'yess' is not a class of the label; did you mean 'yes'"
    ):
        weigh_classes(Train(class_weight={"yess": 20}), ["no", "yes"], _rows(tmp_path, [0, 1]))
