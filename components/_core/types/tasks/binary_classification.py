"""Binary classification: two classes, of which one is the positive one; the score is its probability."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from components._core.suggestions import listed
from components._core.types.label_order import order_labels
from components._core.types.tasks.classification import Classification, too_many_values
from components._core.types.tasks.contract import Formulas, LabelProfile, LabelViolation, Output
from components._core.types.tasks.metric import ACCURACY, AUC, CALIBRATION_ERROR, LOG_LOSS, Metric

if TYPE_CHECKING:
    from components._core.types.metrics.row_sums import Array, Numbers

_YES = ("1", "yes", "y", "true", "t", "positive", "pos", "si", "sí", "oui", "ja", "예")
_NO = ("0", "no", "n", "false", "f", "negative", "neg", "non", "nein", "아니오")


@dataclass(frozen=True, eq=False)
class BinaryClassification(Classification):
    """The probability of the positive one of two classes.

    Attributes:
        threshold: Probability from which a row counts as positive; None: 0.5.
    """

    name: str = "binary_classification"
    outputs: tuple[Output, ...] = (Output("probability", "float32"),)
    metrics: tuple[Metric, ...] = (
        AUC,
        Metric("pr_auc", "PR-AUC"),
        ACCURACY,
        Metric("precision"),
        Metric("recall", "Recall (sensitivity)"),
        Metric("specificity"),
        Metric("npv", "NPV"),
        Metric("f1", "F1"),
        Metric("fpr", "False positive rate", lower_is_better=True),
        LOG_LOSS,
        Metric("brier", "Brier score", lower_is_better=True),
        CALIBRATION_ERROR,
    )
    primary: str = "auc"
    headline: tuple[str, ...] = ("auc", "accuracy", "log_loss", "f1")
    figures: tuple[str, ...] = ("roc", "precision_recall", "calibration", "scores_by_class", "confusion_by_threshold")
    loss: str = "binary_crossentropy"
    training_metrics: Mapping[str, str] = field(default_factory=lambda: {"auc": "AUC", "accuracy": "BinaryAccuracy"})
    activation: str | None = "sigmoid"
    answer: str = "a probability"
    takes_positive: bool = True
    threshold_metrics: tuple[str, ...] = ("f1", "balanced_accuracy", "accuracy")
    threshold: float | None = None

    def with_threshold(self, threshold: float | None) -> BinaryClassification:
        return self if threshold is None else replace(self, threshold=threshold)

    @property
    def decides_from(self) -> float:
        """Probability from which a row counts as positive."""
        from components._core.types.metrics.binary import THRESHOLD

        return THRESHOLD if self.threshold is None else self.threshold

    @property
    def formulas(self) -> Formulas:
        from components._core.types.metrics import binary

        if self.threshold is None:
            return binary
        return binary.ThresholdFormulas(self.threshold)

    def predicted_classes(self, scores: Array) -> Array:
        from components._core.types.metrics.binary import call_positive

        return call_positive(scores, self.decides_from).astype("int64")

    def confusion(self, labels: Array, scores: Array) -> list[list[int]]:
        from components._core.types.metrics.binary import confusion

        return confusion(labels, scores, self.decides_from)

    def order_classes(self, values: Collection[str], positive: str | None) -> list[str]:
        ordered = order_labels(values)
        last = ordered[-1] if positive is None else positive
        return [value for value in ordered if value != last] + [last]

    def find_class_violation(
        self,
        values: Collection[str],
        positive: str | None,
        label: str,
        *,
        elsewhere: Collection[str] = (),
        row: str = "row",
    ) -> LabelViolation | None:
        if found := super().find_class_violation(values, positive, label, elsewhere=elsewhere, row=row):
            return found
        if len(every := {*values, *elsewhere}) > 2:
            remedy = "a binary classification needs two; set task: multiclass_classification in project.yaml"
            return LabelViolation(too_many_values(every), remedy)
        if positive is not None and positive not in values:
            return unknown_positive(positive, label, order_labels(values))
        return None

    def recognise(self, label: LabelProfile) -> str:
        return "two values" if label.distinct == 2 else ""

    def suggest_positive(self, label: LabelProfile) -> tuple[str, str]:
        rarer, other = sorted(label.counts, key=lambda value: (label.counts[value], value))
        pairs = ((rarer, other), (other, rarer))
        yes = next((value for value, no in pairs if _plain(value) in _YES and _plain(no) in _NO), None)
        positive = yes or rarer
        reason = (
            f"{'it says yes' if yes else 'the rarer one'}; in {label.counts[positive] / label.rows:.1%} of the rows"
        )
        return positive, reason

    def _score_of_shares(self, share: Numbers) -> Array:
        import numpy as np

        return np.asarray(share[1])

    def describe_answer(self, classes: Sequence[str]) -> str:
        return f"the probability of {classes[1]!r}"

    def describe_score(self, label: str, classes: Sequence[str], chosen: str) -> str:
        return f"probability of {label} = {classes[1]}"


def unknown_positive(positive: object, label: str, values: Sequence[str]) -> LabelViolation:
    """Return the violation that the project's positive value is not a value of the label."""
    message = f"{positive!r} is not a value of the label {label!r}, which has {listed(values)}"
    return LabelViolation(message, "name one of them in project.yaml", is_positive=True)


def _plain(text: str) -> str:
    return text.strip().lower()
