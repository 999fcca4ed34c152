"""The rows of a live test as arrays: what each version answered, and the labels that have come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.request_log.live_test_lines import LiveAnswer, LiveRequest
from components._core.types.tasks.row_metrics import row_values
from components.deploy.live_test.contract import TestedVersion
from components.deploy.live_test.significance import Values


@dataclass(frozen=True)
class Labels:
    """The labels of a project by the answer that they name.

    Attributes:
        values: The labels.
        places: Place in `values` by id and row.
    """

    values: pa.Array
    places: dict[tuple[str, int], int]

    @classmethod
    def of(cls, table: pa.Table | None) -> Labels:
        """Make them from a table with `id`, `row` and `label`."""
        if table is None:
            return cls(pa.nulls(0), {})
        keys = zip(table["id"].to_pylist(), table["row"].to_pylist(), strict=True)
        return cls(table["label"].combine_chunks(), {key: place for place, key in enumerate(keys)})

    def find(
        self, ids: Iterable[tuple[str, int]], version: TestedVersion, other: TestedVersion
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the labels of some rows as the task's values, and the places of these rows.

        A class that only one of the versions knows is in neither's rows: it would be missed by the other, whose own rows did not have it.

        Args:
            ids: Id and row of each.
            version: The version whose classes number the labels.
            other: The other one.
        """
        found = [(place, at) for place, key in enumerate(ids) if (at := self.places.get(key)) is not None]
        rows = np.array([place for place, _ in found], np.int64)
        taken = self.values.take(pa.array([at for _, at in found], pa.int64()))
        labels = version.task.label_values(taken, version.signature.classes)
        theirs = other.task.label_values(taken, other.signature.classes)
        known = np.asarray(version.task.is_known(labels), np.bool_) & np.asarray(other.task.is_known(theirs), np.bool_)
        return labels[known], rows[known]


def scores_of(answer: LiveAnswer, version: TestedVersion) -> NDArray[np.float64] | None:
    """Return the scores of an answer, shape [rows] or [rows, classes]; None when they have another shape, or one is missing."""
    try:
        scores = np.array(answer.outputs[version.task.score], np.float64)
    except (LookupError, ValueError, TypeError):
        return None
    fits = scores.ndim > 0 and scores.shape == version.task.score_shape(len(scores), version.signature.classes)
    return scores if fits and np.isfinite(scores).all() else None


def count_labelled(requests: Iterable[LiveRequest], labels: Labels) -> int:
    """Count the rows of requests that have a label."""
    return sum((request.id, row) in labels.places for request in requests for row in range(rows_of(request)))


def rows_of(request: LiveRequest) -> int:
    """Return the number of a request's rows."""
    answer = request.champion or request.challenger
    return len(next(iter(answer.outputs.values()), [])) if answer else 0


def metric_values(version: TestedVersion, metric: str, labels: NDArray[Any], scores: NDArray[np.float64]) -> Values:
    """Return the metric's value of each row as a gain: larger is better, whatever the metric's direction."""
    values = np.asarray(row_values(version.task, metric, labels, scores), np.float64)
    return -values if version.task.metric(metric).lower_is_better else values
