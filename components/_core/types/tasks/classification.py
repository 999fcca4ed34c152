"""The common part of binary and multiclass classification: classes, their order and their rules."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components._core.suggestions import listed
from components._core.types.label_order import order_labels
from components._core.types.several_labels import SEVERAL_LABELS, find_list
from components._core.types.tasks.contract import LabelViolation, Task
from components._core.types.texts import shorten

if TYPE_CHECKING:
    import pyarrow as pa

    from components._core.types.metrics.row_sums import Array, Numbers


@dataclass(frozen=True, eq=False)
class Classification(Task):
    """A task whose label is one of a few classes."""

    has_classes: bool = True

    def row_losses(self, labels: Array, scores: Array) -> Array:
        """Compute minus the logarithm of the probability of the row's class, float64 [rows]."""
        import numpy as np

        by_class = scores if self.scores_by_class else np.stack([1 - scores, scores], axis=1)
        own = by_class[np.arange(len(labels)), labels].astype(np.float64)
        losses: Array = -np.log(np.clip(own, float(np.finfo(np.float32).eps), 1.0))
        return losses

    def label_values(self, column: pa.Array | pa.ChunkedArray, classes: Sequence[str]) -> Array:
        from components._core.types.label_values import class_indices

        return class_indices(column, tuple(classes))

    def is_known(self, labels: Array) -> Array:
        from components._core.types.label_values import UNKNOWN

        known: Array = labels != UNKNOWN
        return known

    def training_labels(self, column: pa.Array | pa.ChunkedArray, classes: Sequence[str]) -> Array:
        return self.label_values(column, classes)

    def order_classes(self, values: Collection[str], positive: str | None) -> list[str]:
        return order_labels(values)

    def find_class_violation(
        self,
        values: Collection[str],
        positive: str | None,
        label: str,
        *,
        elsewhere: Collection[str] = (),
        row: str = "row",
    ) -> LabelViolation | None:
        if nested := find_list(values):
            return LabelViolation(f"has a list in each {row}, such as {shorten(nested)!r}", SEVERAL_LABELS)
        if len(values) > 1:
            return None
        message = f"has the value {next(iter(values))!r} in every {row}" if values else "has no values"
        return LabelViolation(message, "a classification needs at least two values; check data.source")

    def fit_baseline(self, labels: Iterable[Array], classes: Sequence[str]) -> tuple[str, Array]:
        import numpy as np

        rows = np.zeros(len(classes))
        for part in labels:
            rows += np.bincount(part, minlength=len(rows))
        share = rows / max(rows.sum(), 1)
        most = classes[int(rows.argmax())]
        return f"always {most} ({share.max():.0%} of the training rows)", self._score_of_shares(share)

    @abstractmethod
    def _score_of_shares(self, share: Numbers) -> Array:
        """Return the score that predicts each class's share for every row."""

    def describe_mean_label(self, label: str) -> str:
        return "share of positives"


def too_many_values(values: Collection[str]) -> str:
    """Describe values that are too many for the task, for a message."""
    return f"has {len(values)} values ({listed(order_labels(values))})"
