"""The rows for explanations: a seeded sample of the test split, as model inputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.errors import DataError
from components._core.examples.artifact import read_rows, row_count
from components._core.types.feature_types import FeatureType
from components._core.types.signature import Signature, to_arrays
from components._core.types.tasks import TASKS

Array = NDArray[Any]
Arrays = dict[str, Array]
MOST_ROWS = 5_000
MOST_PICTURES = 300
"""Rows of a sample with pictures: a model takes milliseconds for each, and every method passes it hundreds of samples."""
_CELLS = 200_000_000
"""Maximum number of values that permutation passes to the model; a very wide table gets a smaller sample."""


@dataclass(frozen=True)
class Sample:
    """Rows of the test split.

    Attributes:
        arrays: One vector [rows] per feature, as model inputs.
        labels: Class index or target, shape [rows].
        total: Rows of the split that the sample was drawn from.
    """

    arrays: Arrays
    labels: Array
    total: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.labels)


def draw_sample(
    signature: Signature, examples: Path, label: str, seed: int, repeats: int, split: str = "test"
) -> Sample:
    """Draw rows uniformly at random, in the order of the split; only the drawn rows stay in memory.

    Args:
        signature: Signature of the model.
        examples: The examples artifact.
        label: The label's column.
        seed: Random seed; equal seeds draw equal rows.
        repeats: How often each feature will be permuted; bounds the sample of a very wide table.
        split: The split to draw from.

    Raises:
        DataError: When no drawn row has a label that the model knows.
    """
    total, width = row_count(examples, split), max(len(signature.inputs), 1)
    most = MOST_PICTURES if signature.picture_names else MOST_ROWS
    size = min(total, most, max(200, _CELLS // (width * width * repeats)))
    chosen = np.sort(np.random.default_rng([seed, total]).choice(total, size, replace=False))
    columns = [feature.name for feature in signature.inputs]
    table = read_rows(examples, split, chosen, sorted({*columns, label}))
    return _labelled(table, signature, label, total, split)


def _labelled(table: pa.Table, signature: Signature, label: str, total: int, split: str) -> Sample:
    if not table.num_rows:
        raise DataError("has no rows to explain", where=f"split {split}", remedy="give data.split a larger share of it")
    task = TASKS[signature.task]
    labels = task.label_values(table[label], signature.classes)
    known = task.is_known(labels)
    if not known.any():
        raise DataError("has no row with a label", where=f"split {split}", remedy="correct the label's column")
    kept = table.filter(pa.array(known))
    return Sample(to_arrays(kept, signature.inputs), labels[known], total)


def take(arrays: Arrays, rows: Array) -> Arrays:
    """Select some rows of every feature."""
    return {name: values[rows] for name, values in arrays.items()}


def typical_row(signature: Signature, arrays: Arrays) -> Arrays:
    """Return a neutral row: medians of numbers (without NaN), the most frequent text; shape [1] each."""
    return {feature.name: _typical(arrays[feature.name], feature.type) for feature in signature.inputs}


def _typical(values: Array, kind: FeatureType) -> Array:
    if kind.is_text:
        counts = Counter(map(str, values))  # an array of texts would have the longest one's size for each
        name, _ = min(counts.items(), key=lambda item: (-item[1], item[0]))
        return np.array([name], dtype=kind.numpy)
    known = values[~np.isnan(values)] if kind.is_real else values
    middle = np.quantile(known, 0.5, method="nearest") if len(known) else np.nan
    return np.array([middle], dtype=values.dtype)
