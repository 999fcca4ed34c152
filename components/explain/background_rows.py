"""Training rows that a row is compared with: a seeded sample of the training split, as model inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components._core.errors import DataError
from components._core.examples.artifact import read_rows, row_count
from components._core.types.signature import Feature, to_arrays
from components._frameworks.sampled_rows import Arrays

_SPLIT = "train"


def draw_background(features: tuple[Feature, ...], examples: Path, seed: int, rows: int) -> Arrays:
    """Draw training rows uniformly at random, in the order of the split.

    Args:
        features: Inputs of the model.
        examples: The examples artifact.
        seed: Equal seeds draw equal rows.
        rows: How many; fewer when the split has fewer.

    Raises:
        DataError: When the split is empty, or a value is missing that a feature requires.
    """
    total = row_count(examples, _SPLIT)
    if not total:
        raise DataError("has no rows to compare with", where=f"split {_SPLIT}", remedy="read more spans")
    chosen = np.sort(np.random.default_rng([seed, total, 3]).choice(total, min(total, rows), replace=False))
    names = [feature.name for feature in features]
    return to_arrays(read_rows(examples, _SPLIT, chosen, names), features)
