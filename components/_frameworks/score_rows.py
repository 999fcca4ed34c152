"""Score the rows of a split with one or more models, in batches: only labels, scores and a few columns stay in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.errors import DataError, ModelError
from components._core.examples.artifact import read_batches
from components._core.types.signature import Signature, to_arrays
from components._core.types.tasks import TASKS
from components._frameworks.contract import Model

Array = NDArray[Any]


@dataclass(frozen=True)
class Scored:
    """The rows of a split that have a label, as models see them.

    Attributes:
        labels: Class index (int64) or target (float64), shape [rows].
        scores: By model, in the order of the split: [rows], or [rows, classes] where scores are by class.
        columns: The requested columns, for the same rows.
        left_out: Rows left out because their label is missing or is none of the classes.
        places: Place in the split of each row that was not left out, from 0.
    """

    labels: Array
    scores: dict[str, Array]
    columns: pa.Table
    left_out: int
    places: Array


def score_split(
    models: Mapping[str, Model],
    judged: Signature,
    examples: Path,
    split: str,
    label: str,
    columns: list[str],
    spans: list[int] | None = None,
) -> Scored:
    """Score a split; every model sees the same rows.

    Args:
        models: The models by name; of each batch of rows they are asked in this order.
        judged: The signature whose classes the labels are; models must have the same classes in the same order.
        examples: The examples artifact.
        split: `train`, `eval` or `test`.
        label: The label's column.
        columns: Columns to keep.
        spans: Spans to read; None: all.

    Raises:
        DataError: When the split has no row with a label of the model's.
        ModelError: When a model cannot take the rows or answers in another shape.
    """
    task = TASKS[judged.task]
    needed = {feature.name for model in models.values() for feature in model.signature.inputs}
    wanted = sorted(needed | {label} | set(columns))
    labels, kept, places, seen = [], [], [], 0
    scores: dict[str, list[Array]] = {name: [] for name in models}
    for batch in read_batches(examples, split, wanted, spans):
        found = task.label_values(batch[label], judged.classes)
        known = task.is_known(found)
        places.append(seen + np.flatnonzero(known))
        seen += len(known)
        labels.append(found[known])
        kept.append(pa.Table.from_batches([batch]).select(columns).filter(pa.array(known)))
        for name, model in models.items():
            scores[name].append(scores_of(model, _inputs(batch, model.signature))[known])
    left_out = seen - sum(map(len, labels))
    if left_out == seen:
        raise DataError(
            f"has no row with a label, so nothing can be judged ({left_out} rows without one)",
            where=f"split {split}",
            remedy="give data.split more to it, read more spans, or correct the label's column",
        )
    joined = {name: np.concatenate(parts) for name, parts in scores.items()}
    return Scored(np.concatenate(labels), joined, pa.concat_tables(kept), left_out, np.concatenate(places))


def _inputs(batch: pa.RecordBatch, signature: Signature) -> dict[str, Array]:
    try:
        return to_arrays(batch, signature.inputs)
    except pa.ArrowException as error:
        raise ModelError(
            f"the rows do not fit the model's signature: {error}",
            where="examples",
            remedy="train the model on these examples",
        ) from error


def scores_of(model: Model, arrays: dict[str, Array]) -> Array:
    """What a model is judged by, for the rows given: [rows], or [rows, classes] where scores are by class.

    Raises:
        ModelError: When the model fails or answers in another shape.
    """
    task = TASKS[model.signature.task]
    found = model.predict(arrays)[task.score]
    expected = task.score_shape(len(next(iter(arrays.values()))), model.signature.classes)
    if found.shape != expected:
        raise ModelError(
            f"has shape {list(found.shape)}, must be {list(expected)}",
            where=f"output {task.score}",
            remedy="correct what build_model returns",
        )
    return found
