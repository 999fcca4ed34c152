"""The joins of a project: batches of rows get the columns of the second tables, as of each row's time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.errors import ConfigError, DataError
from components._core.project.data_config import Data
from components._core.types.column_types import type_of_arrow
from components._data.formats.bad_rows import BadRow
from components._data.formats.rows import Rows, cells_as_text
from components._data.joins.as_of import NONE, AsOfIndex, Moments
from components._data.joins.comparable import (
    as_kind,
    check_time_type,
    common_kind,
    is_number,
    parse_moments,
    round_moments,
)
from components._data.joins.joined_columns import join_path
from components._data.joins.second_table import SecondTable, read_second_table
from components._data.rules.repeated_keys import hash_keys

Mask = NDArray[np.bool_]


@dataclass
class MatchCount:
    """Rows of the table, counted by what a join found for them.

    Attributes:
        rows: Number of rows.
        unmatched: Number of them without a match.
        timeless: Number of those without a time that can be read.
        too_old: Number of those whose newest match is older than `within`.
    """

    rows: int = 0
    unmatched: int = 0
    timeless: int = 0
    too_old: int = 0

    def add(self, other: MatchCount) -> None:
        """Add the rows of another count."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


class TableJoin:
    """One join.

    Attributes:
        second: The second table.
        types: Arrow type of each column that it brings, by its name in the table.
        unusable: Number of rows of the second table without a key, or without a time that can be read.
        definition: All that decides which values a row gets, besides the second table's content; as JSON.
    """

    def __init__(self, data: Data, number: int, types: Mapping[str, pa.DataType], second: SecondTable) -> None:
        """Sort the second table by key and time.

        Args:
            data: The project's `data` section.
            number: Index of the join.
            types: Arrow type of the table's columns, with those of earlier joins.
            second: The second table.

        Raises:
            ConfigError: When keys or times of the two tables cannot be compared.
            DataError: When no row can be used, or two rows with one key and time have different values.
        """
        self._join, self._path, self.second = data.join[number], join_path(number), second
        rows, brought = second.rows, second.columns.brought
        self._values = {name: rows[own] for own, name in brought.items()}
        self.types = {name: column.type for name, column in self._values.items()}
        self._kinds = {
            own: common_kind(types[own], rows[other].type, (own, other), f"{self._path}.on", self._remedy(own, other))
            for own, other in self._join.on.items()
        }
        self._keys = pa.RecordBatch.from_arrays(
            [as_kind(rows[other], self._kinds[own]) for own, other in self._join.on.items()],
            names=[*self._join.on],
        )
        self._row_time_type = types.get(second.columns.row_time)
        hashes, lacks_key = hash_keys(self._keys, self._keys.schema.names)
        self._times, has_time = self._read_times(rows)
        usable = ~lacks_key & has_time
        self.unusable = int((~usable).sum())
        if not usable.any():
            what = "key" if lacks_key.all() else f"key and a time in {self._join.time!r} that can be read"
            remedy = f"check the export, or say in {self._path}.readings how its cells are read"
            raise DataError(f"no row has a {what}", where=second.files[0].path, remedy=remedy)
        self._usable = np.flatnonzero(usable)
        self._index = AsOfIndex(hashes[usable], self._comparable(self._times[usable], up=True))
        self._check_repeated(hashes[usable])
        self._has_read_a_time = False
        self.definition: list[Any] = [
            self._join.model_dump(mode="json", exclude={"source", "allow", "severity"}),
            second.columns.row_time,
            [[name, str(kind)] for name, kind in self.types.items()],
            [*self._kinds.values()],
            second.options,
            data.odd_cells,
        ]

    def apply(self, rows: Rows) -> tuple[Rows, MatchCount]:
        """Return rows with the columns that the join brings, and the count of those without a match.

        Raises:
            DataError: When no time of the table's first rows can be read.
        """
        examples = rows.examples
        keys = pa.RecordBatch.from_arrays(
            [as_kind(examples[own], kind) for own, kind in self._kinds.items()], names=[*self._kinds]
        )
        hashes, lacks_key = hash_keys(keys, keys.schema.names)
        times, has_time = self._read_row_times(examples)
        places = self._index.find(hashes, self._comparable(times, up=False))
        found = (places != NONE) & ~lacks_key & has_time
        chosen = np.where(found, self._usable[places], 0)
        for one, other in zip(keys.columns, self._keys.columns, strict=True):  # two keys may share a hash
            found &= np.asarray(pc.equal(one, other.take(pa.array(chosen))).fill_null(False))
        count = MatchCount(examples.num_rows, timeless=int((~has_time).sum()))
        if self._join.longest_age is not None:
            old = found & (times - self._times[chosen] > self._join.longest_age)
            count.too_old = int(old.sum())
            found &= ~old
        count.unmatched = int((~found).sum())
        take = pa.array(chosen, mask=~found)
        columns = [*examples.columns, *(values.take(take) for values in self._values.values())]
        joined = pa.RecordBatch.from_arrays(columns, names=[*examples.schema.names, *self._values])
        return Rows(joined, rows.cells, rows.lines), count

    def _remedy(self, own: str, other: str) -> str:
        return (
            f"give both the same type: data.columns.{own} and {self._path}.readings.{other}, as in {{type: category}}, say how their "
            "cells are read"
        )

    def _read_times(self, rows: pa.RecordBatch) -> tuple[Moments, Mask]:
        """Read the times of the second table; without times, all rows have the same one."""
        if not self._join.time or self._row_time_type is None:
            return np.zeros(rows.num_rows, np.int64), np.ones(rows.num_rows, np.bool_)
        column, row_time = rows[self._join.time], self.second.columns.row_time
        check_time_type(column.type, self._join.time, self.second.files[0].path)
        check_time_type(self._row_time_type, row_time, f"{self._path}.row_time")
        numbers = is_number(column.type), is_number(self._row_time_type)
        if numbers[0] != numbers[1]:
            kinds = [
                f"{name!r} has {'numbers' if number else 'dates'}"
                for name, number in zip((self._join.time, row_time), numbers, strict=True)
            ]
            remedy = f"make both dates or both numbers: {self._path}.readings and data.columns say how their cells are read, as in {{type: date}}"
            raise ConfigError(
                f"{kinds[0]} and {kinds[1]}, which cannot be compared", where=f"{self._path}.time", remedy=remedy
            )
        if self._join.within is not None and isinstance(self._join.within, str) == numbers[0]:
            allowed = "a number in their unit" if numbers[0] else "a number with a unit, as in 3h"
            message = f"found {self._join.within!r}, and the times are {'numbers' if numbers[0] else 'dates'}; allowed: {allowed}"
            raise ConfigError(message, where=f"{self._path}.within", remedy="correct project.yaml")
        return parse_moments(column)

    def _read_row_times(self, examples: pa.RecordBatch) -> tuple[Moments, Mask]:
        if self._row_time_type is None:
            return np.zeros(examples.num_rows, np.int64), np.ones(examples.num_rows, np.bool_)
        column = examples[self.second.columns.row_time]
        times, has_time = parse_moments(column)
        self._has_read_a_time = self._has_read_a_time or bool(has_time.any())
        if not self._has_read_a_time and column.null_count < len(column):
            example = cells_as_text(column.drop_null().slice(0, 1))[0]
            name = self.second.columns.row_time
            message = f"column {name!r} has no time that can be read, such as {example[:40]!r}"
            remedy = f"write ISO text, such as 2013-05-01T10:00, or set data.columns.{name}: {{type: date}}"
            raise DataError(message, where=f"{self._path}.row_time", remedy=remedy)
        return times, has_time

    @cached_property
    def _has_real_times(self) -> bool:
        """Whether the times of both tables are real numbers; otherwise they are compared as whole ones."""
        return self._times.dtype.kind == "f" and pa.types.is_floating(self._row_time_type)

    def _comparable(self, times: Moments, *, up: bool) -> Moments:
        return times if self._has_real_times else round_moments(times, up=up)

    def _check_repeated(self, hashes: NDArray[np.uint64]) -> None:
        """Refuse rows with one key and time that have different values: which of them is right is not known."""
        order = self._index.order
        times = self._comparable(self._times[self._usable], up=True)
        same = (np.diff(hashes[order]) == 0) & (np.diff(times[order]) == 0)
        at = np.flatnonzero(same)
        before, after = (pa.array(self._usable[order[at + step]]) for step in (0, 1))
        differ = ~_all_equal(self._values.values(), before, after) & _all_equal(self._keys.columns, before, after)
        if not differ.any():
            return
        row = int(np.flatnonzero(differ)[0])
        first = self.second.rows.slice(before[row].as_py(), 1)
        named = [name for name in [*self._join.on.values(), self._join.time] if name]
        example = ", ".join(f"{name} {cells_as_text(first[name])[0]!r}" for name in named)
        count = int(differ.sum())
        rows = "1 row has" if count == 1 else f"{count:,} rows have"
        what = "the key and time" if self._join.time else "the key"
        message = f"{rows} {what} of another row and other values; the first: {example}"
        remedy = "keep one of them in the source"
        if not self._join.time:
            remedy += f", or name the column with their time in {self._path}.time"
        raise DataError(message, where=self.second.files[0].path, remedy=remedy)


class TableJoins:
    """All joins of a project, in their order; a join may use the columns of those before it.

    Attributes:
        joins: The joins.
        types: Arrow type by column of the rows with what the joins bring.
        counts: What was found for the rows so far, by join.
    """

    def __init__(self, data: Data, types: Mapping[str, pa.DataType], set_aside: Callable[[BadRow], None]) -> None:
        """Read the second tables.

        Args:
            data: The project's `data` section.
            types: Arrow type by column of the table itself.
            set_aside: Called with every row of a second table that cannot be read.

        Raises:
            ConfigError: When a join does not fit the tables.
            DataError: When a second table cannot be read or used.
        """
        self.joins: list[TableJoin] = []
        self.types = dict(types)
        for number in range(len(data.join)):
            second = read_second_table(data, number, list(self.types), set_aside)
            join = TableJoin(data, number, self.types, second)
            self.joins.append(join)
            self.types |= join.types
        self.counts = self.start_counts()

    @property
    def column_types(self) -> dict[str, str]:
        """Name of the type in examples by column."""
        return {name: type_of_arrow(kind, name).name for name, kind in self.types.items()}

    @property
    def definitions(self) -> list[Any]:
        """All that decides which values a row gets, as JSON: of each join its definition and the digests of its files."""
        return [[join.definition, [file.sha256 for file in join.second.files]] for join in self.joins]

    def apply(self, rows: Rows, counts: Sequence[MatchCount]) -> Rows:
        """Return rows with the columns that the joins bring, and add them to the counts by join.

        Raises:
            DataError: When no time of the table's first rows can be read.
        """
        for join, count in zip(self.joins, counts, strict=True):
            rows, found = join.apply(rows)
            count.add(found)
        return rows

    def start_counts(self) -> list[MatchCount]:
        """Return a count of no rows for each join."""
        return [MatchCount() for _ in self.joins]

    def add_counts(self, counts: Sequence[MatchCount]) -> None:
        """Add the rows of a file to `counts`."""
        for total, count in zip(self.counts, counts, strict=True):
            total.add(count)


def _all_equal(columns: Any, one: pa.Array, other: pa.Array) -> Mask:
    """Return where the rows at some places equal those at others in all columns; missing values are equal."""
    equal = np.ones(len(one), np.bool_)
    for column in columns:
        left, right = column.take(one), column.take(other)
        both_missing = np.asarray(left.is_null()) & np.asarray(right.is_null())
        equal &= np.asarray(pc.equal(left, right).fill_null(False)) | both_missing
    return equal
