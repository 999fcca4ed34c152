"""What a module is given: a tensor for each feature, by its name.

float32 scalar      [rows, 1]    ready to be concatenated
int64 scalar        [rows]       an index: nn.Embedding makes it [rows, size]
vector of k         [rows, k]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from components._core.errors import ConfigError
from components._core.suggestions import listed
from components._frameworks.transformed_rows import Column

Inputs = dict[str, torch.Tensor]


def check_columns(columns: Iterable[Column]) -> None:
    """Refuse columns of text, which no tensor holds.

    Raises:
        ConfigError: With their names.
    """
    if texts := [column.name for column in columns if column.is_text]:
        raise ConfigError(
            f"PyTorch takes numbers only, and columns of text reach the model: {listed(texts)}",
            where="code.preprocessing",
            remedy="make numbers of them in a preprocessing_fn and name its file (code.preprocessing: preprocessing.py), "
            "or list them under data.exclude",
        )


def is_index(column: Column) -> bool:
    """Whether a feature is one whole number per row, which the module gets as [rows]."""
    return column.is_whole and not column.shape


def as_inputs(features: Mapping[str, NDArray[Any]], columns: Iterable[Column], device: torch.device) -> Inputs:
    """Return arrays [rows] or [rows, k] by name as the module takes them."""
    made: Inputs = {}
    for column in columns:
        tensor = as_tensor(features[column.name]).to(device)
        made[column.name] = tensor if column.shape or is_index(column) else tensor[:, None]
    return made


def as_tensor(values: NDArray[Any]) -> torch.Tensor:
    """Return a tensor with a copy of the values: a module may write into what it is given, and the rows are read again."""
    return torch.from_numpy(np.array(values))
