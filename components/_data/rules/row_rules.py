"""Leave out rows as a project says (`data.rows`), and count them by rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from components._core.errors import DataError
from components._core.project.check_config import DropRule, RowRules
from components._core.project.named_columns import check_columns_exist
from components._core.suggestions import listed
from components._data.formats.rows import Rows
from components._data.rules.conditions import Condition, Mask, compares, is_missing, is_one_of, matches
from components._data.rules.repeated_keys import SeenKeys, hash_keys

MOST_KEYS = 1 << 26
"""Different rows that `dedupe` can tell apart: 512 MiB."""


class RowFilter:
    """Applies the rules to the rows of one pass over a table.

    Attributes:
        dropped: Number of rows left out by rule, in the order of the rules; a rule without any is there with 0.
    """

    def __init__(self, rules: RowRules, types: Mapping[str, str]) -> None:
        """Bind the rules to a table's columns.

        Args:
            rules: `data.rows` of the project.
            types: Name of the type in examples by column.

        Raises:
            ConfigError: When a column does not exist, or has a type that a condition is not for.
        """
        check_columns_exist(rules.named_columns, list(types))
        self._rules: dict[str, Callable[[pa.RecordBatch], Mask]] = {}
        for number, rule in enumerate(rules.drop):
            name, bound = _bind(rule, types[rule.column], f"data.rows.drop.{number}")
            # two long lists of values may have one name
            self._rules[f"{name} (rule {number + 1})" if name in self._rules else name] = bound
        if rules.dedupe:
            name, key = _key(rules.dedupe)
            self._rules[name] = _Repeats(key, list(types))
        self.dropped = dict.fromkeys(self._rules, 0)

    @property
    def total(self) -> int:
        """Number of rows left out."""
        return sum(self.dropped.values())

    def apply(self, rows: Rows) -> Rows:
        """Return the rows that are kept; a row counts for the first rule that it meets.

        Raises:
            DataError: When there are more different rows than `dedupe` can tell apart.
        """
        for name, rule in self._rules.items():
            dropped = rule(rows.examples)
            if count := int(dropped.sum()):
                self.dropped[name] += count
                rows = rows.filter(~dropped)
        return rows

    def add_dropped(self, dropped: Mapping[str, int]) -> None:
        """Count rows by rule that were left out when rows that are kept were read."""
        for name, count in dropped.items():
            self.dropped[name] += count

    def describe(self) -> str:
        """Describe what was left out: `12 rows left out (fare below 0: 10, equal rows: 2)`; empty without rules."""
        return describe_dropped(self.dropped)


def describe_dropped(dropped: Mapping[str, int]) -> str:
    """Describe rows left out, as `RowFilter.describe` does."""
    if not dropped:
        return ""
    total = sum(dropped.values())
    by_rule = ", ".join(f"{name}: {count:,}" for name, count in dropped.items())
    return f"{total:,} {'row' if total == 1 else 'rows'} left out by data.rows ({by_rule})"


def _bind(rule: DropRule, kind: str, where: str) -> tuple[str, Callable[[pa.RecordBatch], Mask]]:
    """Return the name of a rule, and the rule."""
    condition: Condition = is_missing
    text = "missing"
    if rule.below is not None:
        text, condition = f"below {rule.below}", compares("<", rule.below, kind, f"{where}.below")
    elif rule.above is not None:
        text, condition = f"above {rule.above}", compares(">", rule.above, kind, f"{where}.above")
    elif rule.one_of is not None:
        text = f"in {listed([str(value) for value in rule.one_of])}"
        condition = is_one_of(rule.one_of, kind, f"{where}.in")
    elif rule.pattern is not None:
        text, condition = f"matches {rule.pattern!r}", matches(rule.pattern, kind, f"{where}.pattern")
    return f"{rule.column} {text}", lambda batch: condition(batch.column(batch.schema.get_field_index(rule.column)))


def _key(dedupe: bool | list[str]) -> tuple[str, list[str]]:
    return (f"equal {', '.join(dedupe)}", dedupe) if isinstance(dedupe, list) else ("equal rows", [])


class _Repeats:
    """The rule of rows that equal an earlier one, in some columns or in all."""

    def __init__(self, key: list[str], columns: list[str]) -> None:
        self._key, self._columns = key, key or columns
        self._seen = SeenKeys(MOST_KEYS)

    def __call__(self, batch: pa.RecordBatch) -> Mask:
        hashes, missing = hash_keys(batch, self._columns)
        compared = ~missing if self._key else np.ones(batch.num_rows, dtype=np.bool_)
        repeated = np.zeros(batch.num_rows, dtype=np.bool_)
        repeated[compared] = self._seen.add(hashes[compared])
        if self._seen.is_full:
            message = f"the table has more than {self._seen.most:,} different rows, as many as it can compare"
            raise DataError(message, where="data.rows.dedupe", remedy="remove repeated rows in the source")
        return repeated
