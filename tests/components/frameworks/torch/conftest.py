"""PyTorch, where there is one; small tables of transformed rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._frameworks.contract import ModelCode, TrainingData
from components._frameworks.transformed_rows import TransformedRows, TransformedWriter
from tests.components.debian_torch import import_torch

import_torch()  # before the modules of this folder are collected, which are skipped without it

Write = Callable[..., TrainingData]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write arrays by feature as training rows, and a fifth of them as eval rows."""

    def write(features: dict[str, Any], labels: Any, **options: Any) -> TrainingData:
        rows = []
        for split, part in (("train", slice(None)), ("eval", slice(None, None, 5))):
            file = tmp_path / f"{split}.parquet"
            with TransformedWriter(file) as writer:
                writer.write({name: np.asarray(values)[part] for name, values in features.items()}, labels[part])
            rows.append(TransformedRows(file))
        return TrainingData(rows[0], rows[1], tmp_path / "graph", **options)

    return write


@pytest.fixture
def code(tmp_path: Path) -> ModelCode:
    """Where build_model comes from."""
    return ModelCode(tmp_path, "model.py")
