"""Regression: the label is a number; the score is the predicted number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components._core.types.tasks.contract import Formulas, LabelProfile, LabelViolation, Output, Task
from components._core.types.tasks.metric import Metric

if TYPE_CHECKING:
    import pyarrow as pa

    from components._core.types.metrics.row_sums import Array


@dataclass(frozen=True, eq=False)
class Regression(Task):
    """A number in the label's unit."""

    name: str = "regression"
    outputs: tuple[Output, ...] = (Output("prediction", "float32"),)
    metrics: tuple[Metric, ...] = (
        Metric("rmse", "RMSE", lower_is_better=True),
        Metric("mae", "MAE", lower_is_better=True),
        Metric("mse", "MSE", lower_is_better=True),
        Metric("r2", "R²"),
    )
    primary: str = "rmse"
    headline: tuple[str, ...] = ("rmse", "mae", "r2")
    figures: tuple[str, ...] = ("predicted_against_actual", "residuals")
    loss: str = "mean_squared_error"
    training_metrics: Mapping[str, str] = field(default_factory=lambda: {"mae": "MeanAbsoluteError"})
    activation: str | None = None
    answer: str = "a number"
    has_classes: bool = False

    @property
    def formulas(self) -> Formulas:
        from components._core.types.metrics import regression

        return regression

    def row_losses(self, labels: Array, scores: Array) -> Array:
        """Compute the squared error, float64 [rows]."""
        errors: Array = scores.astype("float64") - labels
        return errors**2

    def label_values(self, column: pa.Array | pa.ChunkedArray, classes: Sequence[str]) -> Array:
        from components._core.types.label_values import targets

        return targets(column)

    def is_known(self, labels: Array) -> Array:
        import numpy as np

        return ~np.isnan(labels)

    def training_labels(self, column: pa.Array | pa.ChunkedArray, classes: Sequence[str]) -> Array:
        return self.label_values(column, classes).astype("float32")

    def find_type_violation(self, *, is_text: bool) -> LabelViolation | None:
        if not is_text:
            return None
        remedy = "name a numeric label, or set task to a classification; of a list of numbers each needs a column and a project of its own"
        return LabelViolation("is text, and a regression needs a number", remedy)

    def recognise(self, label: LabelProfile) -> str:
        return "" if label.is_text else f"a number with {label.distinct:,} different values"

    def fit_baseline(self, labels: Iterable[Array], classes: Sequence[str]) -> tuple[str, Array]:
        import numpy as np

        total, rows = 0.0, 0
        for part in labels:
            total, rows = total + float(part.sum()), rows + len(part)
        mean = total / max(rows, 1)
        return f"always the mean of the training rows ({mean:.4g})", np.asarray(mean)

    def describe_answer(self, classes: Sequence[str]) -> str:
        return "the predicted value"

    def describe_score(self, label: str, classes: Sequence[str], chosen: str) -> str:
        return f"predicted {label}"

    def describe_mean_label(self, label: str) -> str:
        return f"mean {label}"
