"""Multiclass classification: two classes or more; the score is a probability for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components._core.types.tasks.classification import Classification
from components._core.types.tasks.contract import Formulas, LabelProfile, Output
from components._core.types.tasks.metric import ACCURACY, AUC, CALIBRATION_ERROR, LOG_LOSS, Metric

if TYPE_CHECKING:
    from components._core.types.metrics.row_sums import Array, Numbers

MOST_TEXTS = 100
"""Maximum number of distinct texts that `naru new` treats as classes."""
_MOST_NUMBERS = 20
"""Maximum number of distinct whole numbers that `naru new` treats as classes."""


@dataclass(frozen=True, eq=False)
class MulticlassClassification(Classification):
    """A probability for each class, and the class with the greatest one."""

    name: str = "multiclass_classification"
    outputs: tuple[Output, ...] = (Output("probabilities", "float32", by_class=True), Output("class", "string"))
    metrics: tuple[Metric, ...] = (
        ACCURACY,
        Metric("precision_macro"),
        Metric("recall_macro"),
        Metric("f1_macro"),
        Metric("precision_weighted"),
        Metric("recall_weighted"),
        Metric("f1_weighted"),
        AUC,
        LOG_LOSS,
        CALIBRATION_ERROR,
    )
    primary: str = "accuracy"
    headline: tuple[str, ...] = ("auc", "accuracy", "log_loss")
    figures: tuple[str, ...] = ("classes", "confusion", "calibration_of_predicted_class")
    loss: str = "sparse_categorical_crossentropy"
    training_metrics: Mapping[str, str] = field(default_factory=lambda: {"accuracy": "SparseCategoricalAccuracy"})
    activation: str | None = "softmax"
    answer: str = "a probability for each class"

    @property
    def formulas(self) -> Formulas:
        from components._core.types.metrics import multiclass

        return multiclass

    def predicted_classes(self, scores: Array) -> Array:
        predicted: Array = scores.argmax(axis=1)
        return predicted

    def confusion(self, labels: Array, scores: Array) -> list[list[int]]:
        from components._core.types.metrics.multiclass import confusion

        return confusion(labels, scores)

    def recognise(self, label: LabelProfile) -> str:
        if label.is_text:
            few = label.distinct <= MOST_TEXTS and label.distinct_share <= 0.5
            return f"{label.distinct} different values" if few else ""
        few = label.distinct <= _MOST_NUMBERS and label.distinct_share <= 0.1
        if not few or not all(value.removeprefix("-").isdigit() for value in label.counts):
            return ""
        return f"{label.distinct} different whole numbers; if their distances matter, make it a regression"

    def _score_of_shares(self, share: Numbers) -> Array:
        return share

    def describe_answer(self, classes: Sequence[str]) -> str:
        return f"the class and the probabilities of {', '.join(classes)}"

    def describe_score(self, label: str, classes: Sequence[str], chosen: str) -> str:
        return f"probability of {chosen}"
