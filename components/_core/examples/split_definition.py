"""The definition of a split. It is kept in the manifest of the examples, and its fingerprint in the deployment ledger.

From it, a later run can determine on which rows the champion was trained.
"""

from __future__ import annotations

import json
from collections.abc import Callable
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


@dataclass(frozen=True)
class StratifiedSplit:
    """A split by the hash of a row, with borders of its own for each class of the label that has few rows.

    Attributes:
        rule: Version of the rule by which rows are hashed.
        hashed: Columns that are hashed: every feature.
        label: The column with the class.
        borders: Where eval and test begin, as fractions of the hash, by the text of a class; other classes have the shares.
        train: Share of train.
        eval: Share of eval.
        test: Share of test.
        kind: Marks a stratified split.
    """

    rule: int
    hashed: tuple[str, ...]
    label: str
    borders: dict[str, tuple[float, float]]
    train: float
    eval: float
    test: float
    kind: Literal["stratified"] = "stratified"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide a row's place."""
        return (*self.hashed, self.label)

    @property
    def grouped(self) -> bool:
        """Whether the project names columns whose equal rows are kept together: it does not."""
        return False

    @property
    def fingerprint(self) -> str:
        """Fingerprint, equal for definitions that put every row into the same split."""
        how = [self.kind, self.rule, self.hashed, self.label, self.borders, self.train, self.eval]
        return fingerprint_of([json.dumps(how, sort_keys=True)])

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> StratifiedSplit:
        """Restore the definition from a manifest."""
        borders = {name: (float(first), float(second)) for name, (first, second) in raw["borders"].items()}
        return cls(
            **{field.name: raw[field.name] for field in fields(cls)}
            | {"hashed": tuple(raw["hashed"]), "borders": borders}
        )


@dataclass(frozen=True)
class GivenSplit:
    """A split that the source gives, in a column or by where a file is.

    Attributes:
        column: The column that names a row's split; empty: its file's folder or name does.
        values: Split by the text that names it, in lower case.
        hashed: Columns that are hashed to take eval rows out of train; none where the source gives eval rows.
        eval_share: Share of the given train rows that become eval rows; 0 where the source gives eval rows.
        rule: Version of the rule by which rows are hashed.
        kind: Marks a given split.
    """

    column: str
    values: dict[str, str]
    hashed: tuple[str, ...]
    eval_share: float
    rule: int
    kind: Literal["given"] = "given"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide a row's place."""
        return (*((self.column,) if self.column else ()), *self.hashed)

    @property
    def grouped(self) -> bool:
        """Whether the project names columns whose equal rows are kept together: it does not."""
        return False

    @property
    def fingerprint(self) -> str:
        """Fingerprint, equal for definitions that put every row into the same split."""
        how = [self.kind, self.column, self.values, self.hashed, self.eval_share, self.rule]
        return fingerprint_of([json.dumps(how, sort_keys=True)])

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> GivenSplit:
        """Restore the definition from a manifest."""
        return cls(**{field.name: raw[field.name] for field in fields(cls)} | {"hashed": tuple(raw["hashed"])})


SplitDefinition = HashSplit | TimeSplit | StratifiedSplit | GivenSplit
_KINDS: dict[str, Callable[[dict[str, Any]], SplitDefinition]] = {
    "hash": HashSplit.from_json,
    "time": TimeSplit.from_json,
    "stratified": StratifiedSplit.from_json,
    "given": GivenSplit.from_json,
}
"""Readers of definitions by `kind`; a manifest of a split by hash has none, since hash was once the only way."""


def load_definition(raw: dict[str, Any]) -> SplitDefinition:
    """Load the definition in a manifest.

    Raises:
        KeyError: When a field is missing, or the kind is unknown to this version of Naru.
        ValueError: When a border is not a time.
    """
    return _KINDS[raw.get("kind", "hash")](raw)
