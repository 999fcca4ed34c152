"""Training rows that a row is compared with: a seeded sample of the training split, as model inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from components._core.errors import DataError
from components._core.examples.artifact import read_batches, row_count
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
    parts, seen = [], 0
    for batch in read_batches(examples, _SPLIT, [feature.name for feature in features]):
        inside = chosen[(chosen >= seen) & (chosen < seen + batch.num_rows)] - seen
        seen += batch.num_rows
        if len(inside):
            parts.append(pa.Table.from_batches([batch]).take(pa.array(inside)))
    return to_arrays(pa.concat_tables(parts), features)
