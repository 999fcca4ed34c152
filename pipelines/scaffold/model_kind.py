"""Which kind of model a new project gets, and what follows from it: who prepares the columns, and the hyperparameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from components._core.project.column_config import ColumnReading
from pipelines.scaffold.choices import Kind
from pipelines.scaffold.decisions import Decision

_NEEDS_FUNCTION = ("date", "text")
"""Roles of columns that no step of a served pipeline can prepare: TensorFlow Transform does."""
_LOGARITHM = "logarithm (a few are very large), "
_FLAG = ", and whether it is"
_USES = {
    "linear": {
        ": embedding": ": a coefficient for each",
        ": hashed": ": a coefficient for each",
        _LOGARITHM: "",
        "the mean where missing": "the median where missing",
        _FLAG: "",
    },
    "boosted": {
        ": embedding": ": a category in the trees",
        ": hashed": ": the most frequent are categories in the trees",
        "missing is one of them": "missing has a way of its own",
        _LOGARITHM: "",
        "z-score": "as it is",
        "the mean where missing": "missing has a way of its own",
        _FLAG: "",
    },
}
"""What a kind of model does with a column, for what Keras would do; a linear model behind a preprocessing_fn scales as Keras does."""
_NETWORKS = ("keras", "torch")
_FEW_ROWS = 2_000


@dataclass(frozen=True)
class ModelPlan:
    """The kind of model, and how it gets its columns.

    Attributes:
        kind: The kind.
        prepared: Whether a preprocessing_fn prepares the columns; otherwise the model takes them as they are.
    """

    kind: Kind
    prepared: bool

    @classmethod
    def make(cls, kind: Kind, decisions: Iterable[Decision]) -> ModelPlan:
        """Plan a kind of model for a table: a network needs a preprocessing_fn, others only for dates and texts."""
        return cls(kind, kind in _NETWORKS or any(decision.role in _NEEDS_FUNCTION for decision in decisions))

    @property
    def framework(self) -> str:
        """The framework, as project.yaml names it."""
        return self.kind if self.is_network else "sklearn"

    @property
    def is_network(self) -> bool:
        """Whether it is a neural network, which is fitted in epochs."""
        return self.kind in _NETWORKS

    @property
    def takes_missing(self) -> bool:
        """Whether numbers are not scaled and missing ones stay missing."""
        return self.kind == "boosted"

    def adapt(self, decisions: list[Decision]) -> list[Decision]:
        """Return the decisions on the columns as this kind of model uses them."""
        return [self._adapt(decision) for decision in decisions]

    def _adapt(self, decision: Decision) -> Decision:
        is_category = decision.role in ("category", "hashed")
        as_keras = self.is_network or (self.kind == "linear" and self.prepared and not is_category)
        if as_keras or not (is_category or decision.role == "number"):
            return decision
        reason = decision.reason
        for before, after in _USES[self.kind].items():
            reason = reason.replace(before, after)
        is_number = is_category and not decision.column.type.is_text and decision.reading is None
        reading = ColumnReading(type="category") if is_number and not self.prepared else decision.reading
        return replace(decision, reason=reason, reading=reading)

    def hyperparameters(self, rows: int, has_classes: bool) -> dict[str, Any]:
        """Return the values of a new project of `linear` or `boosted`; those of a network are in `Fitting`.

        Args:
            rows: Rows of the table.
            has_classes: Whether the label is a class.
        """
        if self.kind == "linear":
            return {"C": 1.0} if has_classes else {"alpha": 1.0}
        return {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 15 if rows < _FEW_ROWS else 31}
