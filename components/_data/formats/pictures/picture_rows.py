"""Decode, measure and rewrite the pictures of some rows, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.pictures.canonical import canonical_bytes
from components._core.pictures.decode import Limits, PictureError, open_picture
from components._core.pictures.measures import TYPES, Measures, Reduced, measure_all, reduce_picture
from components._core.pictures.near_groups import NearGroups
from components._core.project.picture_config import Pictures
from components._core.types.binary_arrays import binary_array
from components._core.types.file_columns import PATH_COLUMN
from components._core.types.measured_columns import GROUP, measured_column
from components._core.types.texts import shorten
from components._data.formats.bad_rows import BadRow
from components._data.formats.pictures.picture_files import PictureFiles
from components._data.formats.rows import FileTally, Rows
from components._data.sources.contract import SpanFile

_MOST_ROWS = 256
_MOST_BYTES = 16 << 20
"""Bounds on the rows in memory at a time."""
_ID_DIGITS = 16

_AT_ONCE = 32
"""Pictures that a thread reads before it is asked again: to hand over one costs as much as to decode a small one."""

Read = tuple[bytes | None, Measures] | PictureError
"""The canonical bytes and the measures of a picture; no bytes where those of the row are canonical. Or why it cannot be read."""


@dataclass(frozen=True)
class Begun:
    """Rows whose pictures are being read.

    Attributes:
        rows: The rows.
        names: Name of each picture's file; empty: it has none.
        found: What is read, in parts.
    """

    rows: Rows
    names: list[str]
    found: list[Future[list[Read]]]


def chunks(rows: Rows, column: str) -> Iterator[Rows]:
    """Cut rows into runs of bounded size.

    Args:
        rows: The rows.
        column: The column of pictures, or of their paths.
    """
    values = rows.examples.column(rows.examples.schema.get_field_index(column))
    sizes = np.cumsum(np.asarray(pc.fill_null(pc.binary_length(values), 0), dtype=np.int64))
    first = 0
    while first < rows.examples.num_rows:
        before = sizes[first - 1] if first else 0
        end = max(first + 1, min(first + _MOST_ROWS, int(np.searchsorted(sizes, before + _MOST_BYTES))))
        yield _slice(rows, first, min(end, rows.examples.num_rows))
        first = end


def _slice(rows: Rows, first: int, end: int) -> Rows:
    lines = rows.lines
    return Rows(
        rows.examples.slice(first, end - first), rows.cells.slice(first, end - first), lambda: lines()[first:end]
    )


@dataclass(frozen=True)
class PictureRows:
    """Reads the pictures of one file's rows.

    Attributes:
        file: The file.
        pictures: The project's section.
        groups: The near-duplicate groups so far; None: each picture is a group with its equals.
        is_path: Whether the column has paths.
        unit: Unit of a row's location.
        reject: Called with every row that is set aside.
        tally: What is read counts in it: the content of files that rows name.
        pool: Threads, one for each core: Pillow decodes without Python's lock.
    """

    file: SpanFile
    pictures: Pictures
    groups: NearGroups | None
    is_path: bool
    unit: Literal["line", "row"]
    reject: Callable[[BadRow], None]
    tally: FileTally | None
    pool: ThreadPoolExecutor

    def begin(self, rows: Rows) -> Begun:
        """Begin to read the pictures of some rows of the file."""
        column = self.pictures.column
        values = rows.examples.column(rows.examples.schema.get_field_index(column)).to_pylist()
        names = self._names(rows, values)
        parts = [slice(first, first + _AT_ONCE) for first in range(0, len(values), _AT_ONCE)]
        return Begun(rows, names, [self.pool.submit(self._read_all, values[part], names[part]) for part in parts])

    def finish(self, begun: Begun, cells: Collection[str]) -> Rows:
        """Return the rows whose pictures can be read, with their measures; reject the others.

        Args:
            begun: What `begin` returned.
            cells: Columns whose raw cells are returned, too.
        """
        rows, names = begun.rows, begun.names
        found = [each for part in begun.found for each in part.result()]
        kept = np.array([not isinstance(each, PictureError) for each in found], dtype=bool)
        if not kept.all():
            self._reject(rows, names, found)
            rows = rows.filter(kept)
        good = [each for each in found if not isinstance(each, PictureError)]
        if self.is_path and self.tally is not None:
            for _, measures in good:
                self.tally.sha256.update(measures.sha256.encode())
                self.tally.bytes += measures.size
        return self._with_measures(rows, good, cells)

    @cached_property
    def limits(self) -> Limits:
        """The bounds on a picture."""
        return Limits(self.pictures.max_pixels, self.pictures.max_bytes)

    @cached_property
    def files(self) -> PictureFiles:
        """The files that rows name."""
        return PictureFiles.of_table(self.file, self.pictures.folder, self.limits.max_bytes)

    def _names(self, rows: Rows, values: list[str | bytes | None]) -> list[str]:
        """Return the name of each picture's file, as far as the rows have it."""
        if self.is_path:
            return [str(value or "") for value in values]
        place = rows.examples.schema.get_field_index(PATH_COLUMN)
        if place < 0 or not pa.types.is_string(rows.examples.column(place).type):
            return [""] * len(values)
        return [value or "" for value in rows.examples.column(place).to_pylist()]

    def _read_all(self, values: list[str | bytes | None], names: list[str]) -> list[Read]:
        read = [self._read(value, name) for value, name in zip(values, names, strict=True)]
        measures = iter(measure_all([each[1] for each in read if not isinstance(each, PictureError)]))
        return [each if isinstance(each, PictureError) else (each[0], next(measures)) for each in read]

    def _read(self, value: str | bytes | None, name: str) -> tuple[bytes | None, Reduced] | PictureError:
        try:
            if not value:
                raise PictureError("is missing")
            data = self.files.read(value) if isinstance(value, str) else value
            decoded = open_picture(data, self.limits)
            canonical = canonical_bytes(data, decoded)
            return None if canonical is value else canonical, reduce_picture(data, decoded, name)
        except PictureError as error:
            return error

    def _reject(self, rows: Rows, names: list[str], found: list[Read]) -> None:
        lines, column = rows.lines(), self.pictures.column
        others = [name for name in rows.examples.schema.names if name != column]
        for place, (name, each) in enumerate(zip(names, found, strict=True)):
            if isinstance(each, PictureError):
                which = f"column {column!r}" + (f", {shorten(name, 200)!r}" if name else "")
                row = rows.examples.slice(place, 1)
                text = ",".join(str(row.column(row.schema.get_field_index(other))[0].as_py()) for other in others)
                self.reject(BadRow(self.file.name, int(lines[place]), f"{which}: {each}", text, unit=self.unit))

    def _with_measures(self, rows: Rows, good: list[tuple[bytes | None, Measures]], cells: Collection[str]) -> Rows:
        column, measures = self.pictures.column, [each for _, each in good]
        columns = dict(zip(rows.examples.schema.names, rows.examples.columns, strict=True))
        if any(data is not None for data, _ in good):  # else the row's own bytes stay, without a copy
            own = columns[column]
            every = [own[place].as_py() if data is None else data for place, (data, _) in enumerate(good)]
            columns[column] = binary_array(every, pa.binary())
        groups = self._group(measures)
        for name, kind in TYPES.items():
            values = groups if name == GROUP else [getattr(each, name) for each in measures]
            columns[measured_column(column, name)] = pa.array(values, kind)
        known = {**columns, **dict(zip(rows.cells.schema.names, rows.cells.columns, strict=True))}
        raw = {name: known[name] for name in cells} or {"": pa.nulls(rows.examples.num_rows)}
        return replace(rows, examples=_batch(columns), cells=_batch(raw))

    def _group(self, measures: list[Measures]) -> list[str]:
        digests = [each.sha256 for each in measures]
        if self.groups is None or not measures:
            return [digest[:_ID_DIGITS] for digest in digests]
        return self.groups.assign(np.stack([each.sketch for each in measures]), digests)


def _batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
