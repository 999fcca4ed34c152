"""Check a table against what a project expects of it (`data.checks`), in one pass over its batches and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from components._core.checks import Check, Status
from components._core.project.check_config import Checks, CheckSeverity, ColumnCheck
from components._core.project.named_columns import check_columns_exist
from components._core.suggestions import listed
from components._core.types.column_types import to_text
from components._data.rules.conditions import (
    Mask,
    check_comparable,
    compare_columns,
    compares,
    is_missing,
    is_one_of,
    matches,
    negate,
)
from components._data.rules.repeated_keys import SeenKeys, hash_keys

NAME = "data check"
"""Beginning of the name of each check, before a colon."""
MOST_KEYS = 1 << 24
"""Different keys that are kept for one `unique`: 128 MiB. Those beyond are not compared, and the check says so."""
_SHOWN = 3
_LONGEST = 40

Place = Callable[[int], str]
"""Returns the place of a row of a batch, as in `t.csv, line 17`."""


@dataclass
class _Expectation:
    """One expectation of rows, and what has broken it so far.

    Attributes:
        name: Name of the check: the columns and the key.
        problem: What is wrong with a row that breaks it, as in `fare is below 0`.
        columns: The columns that it is about.
        breaks: Returns which rows of a batch break it.
        allow: Share of the rows that may break it.
        severity: What follows when more do.
        keys: The keys seen so far, where it is about repeated ones.
    """

    name: str
    problem: str
    columns: list[str]
    breaks: Callable[[pa.RecordBatch], Mask]
    allow: float
    severity: CheckSeverity
    keys: SeenKeys | None = None
    broken: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch, place: Place) -> None:
        """Count the rows of a batch that break it."""
        wrong = np.flatnonzero(self.breaks(batch))
        self.broken += len(wrong)
        for row in wrong[: _SHOWN - len(self.first)].tolist():
            values = [_show_cell(_column(batch, name).slice(row, 1)) for name in self.columns]
            self.first.append(f"{', '.join(values)} ({place(row)})" if any(values) else place(row))

    def check(self, rows: int) -> Check:
        """Judge it over all rows."""
        share = self.broken / rows if rows else 0.0
        status: Status = self.severity if share > self.allow else "pass"
        reason = f"in none of {rows:,} rows: {self.problem}"
        if self.broken:
            shares = f"{100 * share:.3g}%; allowed {100 * self.allow:.3g}%"
            reason = f"{self.problem} in {self.broken:,} of {rows:,} rows ({shares})"
            reason += f": {', '.join(self.first)}" + (", ..." if self.broken > len(self.first) else "")
        if self.keys is not None and self.keys.is_full:
            reason += f"; the first {self.keys.kept:,} different values were compared"
        return Check(f"{NAME}: {self.name}", status, round(share, 6), self.allow, n=rows, reason=reason)


class TableChecks:
    """The checks of one table.

    Attributes:
        rows: Rows added so far.
    """

    def __init__(self, checks: Checks, types: Mapping[str, str]) -> None:
        """Bind the checks to a table's columns.

        Args:
            checks: `data.checks` of the project.
            types: Name of the type in examples by column.

        Raises:
            ConfigError: When a column does not exist, or has a type that an expectation is not for.
        """
        check_columns_exist(checks.named_columns, list(types))
        self.rows = 0
        self._checks = checks
        self._expectations = [*_of_columns(checks, types), *_of_keys(checks), *_of_orders(checks, types)]

    @property
    def columns(self) -> list[str]:
        """The columns that are needed, each once."""
        return list(dict.fromkeys(name for expectation in self._expectations for name in expectation.columns))

    def add(self, batch: pa.RecordBatch, place: Place) -> None:
        """Check some rows, in the types of examples."""
        self.rows += batch.num_rows
        for expectation in self._expectations:
            expectation.add(batch, place)

    def to_checks(self) -> list[Check]:
        """Return a check for each expectation: those that fail first, then those that warn."""
        checks = [*self._check_rows(), *(expectation.check(self.rows) for expectation in self._expectations)]
        return sorted(checks, key=lambda check: ("fail", "warn", "pass").index(check.status))

    def _check_rows(self) -> Iterator[Check]:
        expected = self._checks.rows
        for key, bound, is_broken in (
            ("min", expected.min, expected.min is not None and self.rows < expected.min),
            ("max", expected.max, expected.max is not None and self.rows > expected.max),
        ):
            if bound is not None:
                status: Status = expected.severity if is_broken else "pass"
                reason = f"the table has {self.rows:,} rows; {'at least' if key == 'min' else 'at most'} {bound:,} are expected"
                yield Check(f"{NAME}: rows {key}", status, float(self.rows), float(bound), n=self.rows, reason=reason)


def _of_columns(checks: Checks, types: Mapping[str, str]) -> Iterator[_Expectation]:
    for name, column in checks.columns.items():
        for key, problem, condition in _conditions(name, column, types[name]):
            allow = column.missing if key == "missing" else column.allow
            yield _Expectation(
                f"{name} {key}",
                problem,
                [name],
                lambda batch, name=name, condition=condition: condition(_column(batch, name)),  # type: ignore[misc]
                allow or 0.0,
                column.severity,
            )
        if column.unique:
            yield _unique([name], f"{name} repeats an earlier value", column.allow, column.severity)


def _conditions(name: str, column: ColumnCheck, kind: str) -> Iterator[tuple[str, str, Callable[[pa.Array], Mask]]]:
    """Yield the key, the problem and the condition of cells that break it, for each key that is given."""
    where = f"data.checks.columns.{name}"
    if column.min is not None:
        yield "min", f"{name} is below {column.min}", compares("<", column.min, kind, f"{where}.min")
    if column.max is not None:
        yield "max", f"{name} is above {column.max}", compares(">", column.max, kind, f"{where}.max")
    if column.missing is not None:
        yield "missing", f"{name} is missing", is_missing
    if column.one_of is not None:
        allowed = listed([str(value) for value in column.one_of])
        yield "in", f"{name} is not one of {allowed}", negate(is_one_of(column.one_of, kind, f"{where}.in"))
    if column.pattern is not None:
        problem = f"{name} does not match {column.pattern!r}"
        yield "pattern", problem, negate(matches(column.pattern, kind, f"{where}.pattern"))


def _of_keys(checks: Checks) -> Iterator[_Expectation]:
    for key in checks.unique:
        names = ", ".join(key.columns)
        yield _unique(key.columns, f"{names} repeat those of an earlier row", key.allow, key.severity)


def _unique(columns: list[str], problem: str, allow: float, severity: CheckSeverity) -> _Expectation:
    """Expect each key once; a row without a value in one of its columns has no key."""
    seen = SeenKeys(MOST_KEYS)

    def breaks(batch: pa.RecordBatch) -> Mask:
        hashes, missing = hash_keys(batch, columns)
        repeated = np.zeros(batch.num_rows, dtype=np.bool_)
        repeated[~missing] = seen.add(hashes[~missing])
        return repeated

    return _Expectation(f"{', '.join(columns)} unique", problem, columns, breaks, allow, severity, seen)


def _of_orders(checks: Checks, types: Mapping[str, str]) -> Iterator[_Expectation]:
    for order in checks.order:
        one, operator, other = order.parts
        check_comparable([types[one], types[other]], "data.checks.order")

        def breaks(batch: pa.RecordBatch, one: str = one, operator: str = operator, other: str = other) -> Mask:
            left, right = _column(batch, one), _column(batch, other)
            return ~compare_columns(operator, left, right) & ~is_missing(left) & ~is_missing(right)

        yield _Expectation(order.rule, f"{order.rule} does not hold", [one, other], breaks, order.allow, order.severity)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    return batch.column(batch.schema.get_field_index(name))


def _show_cell(cell: pa.Array) -> str:
    """Format a value for a message; empty where it is missing."""
    if cell.null_count:
        return ""
    is_number = pa.types.is_integer(cell.type) or pa.types.is_floating(cell.type)
    text = repr(cell[0].as_py()) if is_number else repr(to_text(cell)[0].as_py())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
