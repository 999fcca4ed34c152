"""The definition of a split. It is kept in the manifest of the examples, and its fingerprint in the deployment ledger.

From it, a later run can determine on which rows the champion was trained.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from components._core.files import fingerprint_of


@dataclass(frozen=True)
class HashSplit:
    """A split by the hash of a row: everything that a row's place depends on besides the row.

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
        """Fingerprint, equal for definitions that put every row into the same split."""
        columns = self.columns if self.rule == 1 else sorted(self.columns)
        return fingerprint_of([json.dumps([self.rule, columns, self.train, self.eval, self.test])])

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> HashSplit:
        """Restore the definition from a manifest."""
        return cls(**{field.name: raw[field.name] for field in fields(cls)} | {"columns": tuple(raw["columns"])})


@dataclass(frozen=True)
class TimeSplit:
    """A split by time: the newest rows are test, those before them eval, the oldest and those without a time train.

    Attributes:
        column: The column with the time of a row.
        eval_from: Time of the oldest eval row: a number, or ISO text.
        test_from: Time of the oldest test row, written alike.
        train: Configured share of train.
        eval: Share of eval.
        test: Share of test.
        kind: Marks a split by time; a manifest has no kind for a split by hash.
    """

    column: str
    eval_from: float | str
    test_from: float | str
    train: float
    eval: float
    test: float
    kind: Literal["time"] = "time"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide a row's place."""
        return (self.column,)

    @property
    def grouped(self) -> bool:
        """Whether rows that are equal in some columns are kept together: not in a split by time."""
        return False

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the borders, not of the shares: equal for definitions that put every row into the same split."""
        return fingerprint_of([json.dumps([self.kind, self.column, self.eval_from, self.test_from])])

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> TimeSplit:
        """Restore the definition from a manifest."""
        for border in (raw["eval_from"], raw["test_from"]):
            if isinstance(border, str):
                datetime.fromisoformat(border)
        return cls(**{field.name: raw[field.name] for field in fields(cls)})


SplitDefinition = HashSplit | TimeSplit
_KINDS: dict[str, type[HashSplit] | type[TimeSplit]] = {"hash": HashSplit, "time": TimeSplit}
"""Definitions by `kind`; a manifest of a split by hash has none, since hash was once the only way."""


def load_definition(raw: dict[str, Any]) -> SplitDefinition:
    """Load the definition in a manifest.

    Raises:
        KeyError: When a field is missing, or the kind is unknown to this version of Naru.
        ValueError: When a border is not a time.
    """
    return _KINDS[raw.get("kind", "hash")].from_json(raw)
