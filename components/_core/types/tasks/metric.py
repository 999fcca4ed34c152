"""A metric by name, title and direction, without the arithmetic; and the metrics that several tasks have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

Number = TypeVar("Number")
"""A number, or a NumPy array of numbers."""


@dataclass(frozen=True)
class Metric:
    """A metric of a task.

    Attributes:
        name: Name in project.yaml, records and JSON files.
        title: Title on pages; empty: the name in words.
        lower_is_better: Whether a smaller value is the better one.
    """

    name: str
    title: str = ""
    lower_is_better: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.name.replace("_", " ").capitalize())

    def gain(self, value: Number, other: Number) -> Number:
        """Return by how much a value is better than another: positive is better, whatever the metric's direction."""
        difference: Number = other - value if self.lower_is_better else value - other  # type: ignore[operator]
        return difference


ACCURACY = Metric("accuracy")
AUC = Metric("auc", "AUC")
LOG_LOSS = Metric("log_loss", lower_is_better=True)
CALIBRATION_ERROR = Metric("ece", "Calibration error (ECE)", lower_is_better=True)
