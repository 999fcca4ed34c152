"""Score how well each column alone predicts the label: an almost perfect one is a suspected leak, not a feature.

Each sampled row's label is predicted from the other rows: those with the same value where values repeat, the nearest one
where they do not. No form of the relation is assumed, so a grade computed from a score is found as well as a copy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.types.identifier_columns import to_words
from components._core.types.label_values import as_text
from components._core.types.leak_rules import FEWEST_OF_A_CLASS, FEWEST_ROWS
from components._core.types.tasks.contract import Task

_BY_CHANCE = 1e-6
"""Probability below which it is not chance that a column is filled in rows of one class only."""
_THRESHOLD, _COMMON_WORD = 0.97, 0.9
"""Balanced accuracy of one threshold from which the label seems to be made from the column: in general, and when they have a word in common."""
_ALIKE = 3
"""Letters at the beginning by which two words are alike."""


def score_columns(sample: pa.Table, label: str, task: Task) -> dict[str, float]:
    """Score how well each column alone predicts the label, by name, without the label itself.

    Returns:
        Balanced accuracy (of classes) or R² (of numbers), at most 1; 0 when there are too few rows to tell.
    """
    if sample.num_rows < FEWEST_ROWS:
        return {name: 0.0 for name in sample.column_names if name != label}
    target = _target(sample[label], task)
    return {name: _score(sample[name], target, task) for name in sample.column_names if name != label}


def find_derived(sample: pa.Table, label: str, task: Task) -> dict[str, str]:
    """Find the columns that seem to be made after the label or the label from them: the reason of each, by name.

    Such a column has values for one class only, or one threshold on it gives the label: nearly, or less nearly when
    both have a word in common.
    """
    if sample.num_rows < FEWEST_ROWS or not task.has_classes:
        return {}
    encoded = as_text(sample[label]).combine_chunks().dictionary_encode()
    classes, target = encoded.dictionary.to_pylist(), np.asarray(encoded.indices)
    found = {}
    for name in sample.column_names:
        if name == label:
            continue
        reason = _filled_for_one_class(sample[name], target, classes, label)
        if not reason and len(classes) == 2 and not pa.types.is_string(sample[name].type):
            reason = _threshold(sample[name], target, _share_a_word(name, label))
        if reason:
            found[name] = reason
    return found


def _filled_for_one_class(column: pa.ChunkedArray, target: NDArray[Any], classes: list[str], label: str) -> str:
    filled = np.asarray(column.combine_chunks().is_valid())
    counts = np.bincount(target[filled], minlength=len(classes))
    most = int(counts.argmax())
    share = float((target == most).mean())
    is_chance = not 0 < share < 1 or counts[most] * math.log(share) > math.log(_BY_CHANCE)
    if filled.all() or counts[most] < counts.sum() or is_chance:
        return ""
    return f"filled only where {label} is {classes[most]}, in {counts[most]:,} sampled rows: known only afterwards?"


def _threshold(column: pa.ChunkedArray, target: NDArray[Any], has_common_word: bool) -> str:
    """Describe the threshold that separates two classes; empty when none does well enough."""
    numbers = np.asarray(column.to_numpy(), dtype=np.float64)
    known = np.isfinite(numbers)
    values, ones = numbers[known], target[known]
    order = np.argsort(values, kind="stable")
    values, ones = values[order], ones[order]
    positives, negatives = int(ones.sum()), int(len(ones) - ones.sum())
    borders = np.flatnonzero(values[1:] > values[:-1])
    if min(positives, negatives) < FEWEST_OF_A_CLASS or not len(borders):
        return ""
    above = (positives - np.cumsum(ones)[borders]) / positives
    below = np.cumsum(1 - ones)[borders] / negatives
    balanced = (above + below) / 2
    best = int(np.argmax(np.maximum(balanced, 1 - balanced)))
    accuracy = float(max(balanced[best], 1 - balanced[best]))
    if accuracy < (_COMMON_WORD if has_common_word else _THRESHOLD):
        return ""
    return f"the label may be made from it: one threshold, {values[borders[best]]:g}, predicts {accuracy:.1%} of it"


def _share_a_word(name: str, label: str) -> bool:
    """Return whether two names have words that begin alike, as `tips` and `big tipper` do."""
    starts = [{word[:_ALIKE] for word in to_words(text).split() if len(word) >= _ALIKE} for text in (name, label)]
    return bool(starts[0] & starts[1])


def _target(labels: pa.ChunkedArray, task: Task) -> NDArray[Any]:
    return _codes(labels) if task.has_classes else np.asarray(labels.to_numpy(), dtype=np.float64)


def _codes(column: pa.ChunkedArray) -> NDArray[Any]:
    """Encode each distinct value as a number, missing included."""
    encoded = column.combine_chunks().dictionary_encode()
    encoded = encoded if isinstance(encoded, pa.Array) else encoded.combine_chunks()
    return np.asarray(encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False))


def _score(column: pa.ChunkedArray, target: NDArray[Any], task: Task) -> float:
    codes = _codes(column)
    repeats = pa.types.is_string(column.type) or len(np.unique(codes)) * 10 <= len(codes)
    if not task.has_classes:
        predicted = _mean_of_others(codes, target) if repeats else _nearest(column, target)
        spread = float(((target - target.mean()) ** 2).mean())
        return max(1.0 - float(((target - predicted) ** 2).mean()) / spread, 0.0) if spread else 0.0
    return _balanced_accuracy(target, _mode_of_others(codes, target) if repeats else _nearest(column, target))


def _nearest(column: pa.ChunkedArray, target: NDArray[Any]) -> NDArray[Any]:
    """Predict the label of the previous row in the column's order."""
    numbers = np.asarray(column.to_numpy(), dtype=np.float64)
    order = np.argsort(numbers, kind="stable")
    predicted = np.empty_like(target)
    predicted[order[1:]] = target[order[:-1]]
    predicted[order[0]] = target[order[1]]
    return predicted


def _mean_of_others(codes: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    count, total = np.bincount(codes)[codes], np.bincount(codes, weights=target)[codes]
    return np.where(count > 1, (total - target) / np.maximum(count - 1, 1), target.mean())


def _mode_of_others(codes: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    classes = int(target.max()) + 1
    pairs = np.bincount(codes.astype(np.int64) * classes + target, minlength=(int(codes.max()) + 1) * classes)
    others = pairs.reshape(-1, classes)[codes]
    others[np.arange(len(codes)), target] -= 1
    return np.where(others.max(axis=1) > 0, others.argmax(axis=1), np.bincount(target).argmax())


def _balanced_accuracy(target: NDArray[Any], predicted: NDArray[Any]) -> float:
    counts = np.bincount(target)
    classes = [label for label, count in enumerate(counts) if count >= FEWEST_OF_A_CLASS]
    if len(classes) < 2:
        return 0.0
    return float(np.mean([(predicted[target == label] == label).mean() for label in classes]))
