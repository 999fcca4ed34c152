"""How rows were split. This is kept in the manifest of the examples, and its fingerprint in the deployment ledger.

A later run can thus tell whether the champion was trained on the rows that it would be trained on now, and if not, on which.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from components._core.files import fingerprint_of


@dataclass(frozen=True)
class SplitDefinition:
    """Everything that a row's place depends on besides the row.

    Attributes:
        rule: Version of the rule by which rows are hashed.
        columns: Columns that are hashed: those of `data.split.by`, else every feature. In rule 1 their order counts.
        grouped: Whether `data.split.by` named them.
        train: Share of train.
        eval: Share of eval.
        test: Share of test.
    """

    rule: int
    columns: tuple[str, ...]
    grouped: bool
    train: float
    eval: float
    test: float

    @property
    def fingerprint(self) -> str:
        """Equal for definitions that put every row into the same split."""
        columns = self.columns if self.rule == 1 else sorted(self.columns)
        return fingerprint_of([json.dumps([self.rule, columns, self.train, self.eval, self.test])])

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> SplitDefinition:
        """From what a manifest holds."""
        return cls(**{field.name: raw[field.name] for field in fields(cls)} | {"columns": tuple(raw["columns"])})
