"""Columns of text, for every format: decoded, masked, bounded in length, and with what is measured of them beside them.

A column of bytes has a text each in any encoding, as the files of a folder may be in several. A text that is too long sets its row aside before anything looks at it. Texts are masked before they are measured, so the examples,
the quarantine and the split know masked texts only. The groups of near duplicates are found over all files in their order: the
files must be read from the first one on, each once; reading the first one begins anew.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from components._core.errors import ConfigError, DataError
from components._core.project.column_config import ColumnReading
from components._core.project.data_config import Data
from components._core.project.named_columns import check_columns_exist
from components._core.types.file_columns import PATH_COLUMN
from components._core.types.measured_columns import CHARACTERS, GROUP, LANGUAGE, measured_column
from components._data.formats.contract import Format, Preview, TableSchema
from components._data.formats.decode_text import decode_text
from components._data.formats.wrapped import WrappedFormat
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from components._core.texts.near_groups import NearGroups, Sketches
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows

_SHOWN = 1_000
"""Characters of a row that is set aside: the quarantine need not hold what is too long for the examples."""
_RULE = 1
"""Increased when the same texts would give other measures, so that fingerprints differ."""
_COLUMNS = "data.texts.columns"
_UNTYPED = ("csv", "jsonl", "xlsx")
"""Formats in which a column's type is inferred from its cells."""
_MOST_CORES = 8
_MOST_BYTES = 4
"""Bytes of a character in UTF-8 and UTF-32: text with more of them than this for each allowed character need not be decoded."""


def read_as_texts(data: Data, kind: str) -> Data:
    """Return a `data` section in which the cells of texts are read as they are written, also where all look like numbers.

    Args:
        data: The project's section.
        kind: Name of the table's format; one whose files declare their types needs no such reading.
    """
    added = {name: ColumnReading(type="text") for name in data.texts.columns if name not in data.columns}
    return data.model_copy(update={"columns": {**data.columns, **added}}) if added and kind in _UNTYPED else data


class MeasuredTexts(WrappedFormat):
    """A format with the measured columns of its texts."""

    def __init__(self, inner: Format) -> None:
        """Wrap the format of the files."""
        super().__init__(inner)
        self._texts = inner.data.texts
        self._encoded: frozenset[str] = frozenset()
        self._encodings: dict[str, tuple[int, str]] = {}
        self._order: dict[str, int] = {}
        self._last = -1
        self._groups: dict[str, NearGroups] = {}

    @property
    def options(self) -> dict[str, Any]:
        """See `Format`."""
        return {
            **self._inner.options,
            "texts": {"rule": _RULE, **self._texts.model_dump(mode="json", exclude={"language"})},
        }

    def describe(self) -> str:
        """See `Format`; also the encodings of files that are texts, and whether the memory for near duplicates is full."""
        full = [column for column, groups in self._groups.items() if groups.is_full]
        notes = [
            f"near duplicates of {column}: only the first {self._groups[column].remembered:,} texts are compared"
            for column in full
        ]
        return "; ".join(filter(None, [self._inner.describe(), self._describe_encodings(), *notes]))

    def _describe_encodings(self) -> str:
        if set(self._encodings) <= {"utf-8"}:
            return ""
        return ", ".join(f"{name} in {count:,} texts ({place})" for name, (count, place) in self._encodings.items())

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        return [*self._inner.column_names(file), *self._texts.measured]

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`; what is measured is empty."""
        found = self._inner.preview(file)
        if found is None:
            return None
        measured = list(self._texts.measured)
        return Preview([*found.columns, *measured], [[*row, *([""] * len(measured))] for row in found.rows])

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`.

        Raises:
            ConfigError: Also when `data.texts.columns` names a column that does not exist, or the label.
            DataError: Also when such a column does not hold texts, or the table has a column with the name of a measured one.
        """
        import pyarrow as pa

        schema = self._inner.infer_schema(files, label)
        check_columns_exist({_COLUMNS: self._texts.columns}, list(schema.types))
        if label in self._texts.columns:
            raise ConfigError(
                f"{label!r} is the label", where=_COLUMNS, remedy="leave it out: it is not masked or measured"
            )
        for name in self._texts.columns:
            if not pa.types.is_string(schema.types[name]) and not pa.types.is_binary(schema.types[name]):
                message = f"column {name!r} of {_COLUMNS} has values of type {schema.types[name]}, not texts"
                raise DataError(message, where=files[0].name, remedy="correct data.texts.columns, or data.columns")
        if taken := [name for name in self._texts.measured if name in schema.types]:
            message = f"has a column {taken[0]!r}, which is the name of a measured one"
            raise DataError(
                message, where=files[0].name, remedy="rename it, or leave its text out of data.texts.columns"
            )
        self._order = {file.path: place for place, file in enumerate(files)}
        self._encoded = frozenset(name for name in self._texts.columns if pa.types.is_binary(schema.types[name]))
        kinds = {CHARACTERS: pa.int64(), LANGUAGE: pa.string(), GROUP: pa.string()}
        types = {name: kinds[name.rpartition(".")[2]] for name in self._texts.measured}
        return replace(schema, types={**schema.types, **dict.fromkeys(self._encoded, pa.string()), **types})

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`; a row with a text that is too long is set aside."""
        import pyarrow as pa

        measured = set(self._texts.measured)
        types = {name: kind for name, kind in schema.types.items() if name not in measured}
        inner = replace(schema, types={**types, **dict.fromkeys(self._encoded, pa.binary())})
        own = [name for name in cells if name not in measured]
        self._begin(file)

        def reject_masked(row: BadRow) -> None:
            reject(replace(row, text=_shorten_masked(row.text, self._texts.mask)))

        read = self._inner.read_rows(file, inner, label, reject_masked, own, tally)
        for rows in _ahead(read, lambda rows: self._measure(rows, file)):
            for row in rows.bad:
                reject_masked(row)
            for name, (count, place) in rows.encodings.items():
                known = self._encodings.get(name, (0, place))
                self._encodings[name] = (known[0] + count, known[1])
            yield self._with_columns(rows, cells)

    def _begin(self, file: SpanFile) -> None:
        from components._core.texts.near_groups import NearGroups

        place = self._order.get(file.path, 0)
        if place <= self._last or not self._groups:
            self._groups = {column: NearGroups(self._texts.near) for column in self._texts.columns if self._texts.near}
        self._last = place

    def _measure(self, rows: Rows, file: SpanFile) -> _Measured:
        """Do what needs no other rows."""
        encodings: dict[str, tuple[int, str]] = {}
        rows, bad = self._decode(rows, file, encodings) if self._encoded else (rows, [])
        rows, too_long = self._bound(rows, file)
        examples = dict(zip(rows.examples.schema.names, rows.examples.columns, strict=True))
        cells = dict(zip(rows.cells.schema.names, rows.cells.columns, strict=True))
        added: dict[str, pa.Array] = {}
        sketches: dict[str, list[Sketches]] = {}
        for name in self._texts.columns:
            masked, columns = _measure_column(
                examples[name], self._texts.mask, sketches.setdefault(name, []) if self._texts.near else None
            )
            if masked is not examples[name]:
                examples[name] = masked
                if name in cells:
                    cells[name] = masked
            added |= {measured_column(name, kind): column for kind, column in columns.items()}
        return _Measured(
            replace(rows, examples=_batch(examples), cells=_batch(cells)), [*bad, *too_long], added, sketches, encodings
        )

    def _decode(self, rows: Rows, file: SpanFile, encodings: dict[str, tuple[int, str]]) -> tuple[Rows, list[BadRow]]:
        """Decode the columns of bytes; rows that are not text are set aside."""
        import pyarrow as pa

        examples = dict(zip(rows.examples.schema.names, rows.examples.columns, strict=True))
        cells = dict(zip(rows.cells.schema.names, rows.cells.columns, strict=True))
        reasons: dict[int, str] = {}
        for name in self._texts.columns:
            if name in self._encoded:
                places = (
                    examples[PATH_COLUMN]
                    if PATH_COLUMN in examples and pa.types.is_string(examples[PATH_COLUMN].type)
                    else None
                )
                decoded = [
                    self._decode_cell(cell, reasons, row, places, encodings)
                    for row, cell in enumerate(examples[name].to_pylist())
                ]
                examples[name] = pa.array(decoded, pa.string())
                if name in cells:
                    cells[name] = examples[name]
        read = replace(rows, examples=_batch(examples), cells=_batch(cells))
        return _set_aside(read, reasons, file, self.unit)

    def _decode_cell(
        self,
        cell: bytes | None,
        reasons: dict[int, str],
        row: int,
        places: pa.Array | None,
        encodings: dict[str, tuple[int, str]],
    ) -> str | None:
        if not cell:
            return None
        where = f"row {row + 1}" if places is None else str(places[row])
        if len(cell) > _MOST_BYTES * self._texts.max_characters:
            limit = f"data.texts.max_characters is {self._texts.max_characters:,}"
            reasons.setdefault(row, f"{where} has {len(cell):,} bytes; {limit}")
            return None
        try:
            text, encoding = decode_text(cell, where)
        except DataError as error:
            reasons.setdefault(row, f"{where}: {error.message}")
            return None
        count, place = encodings.get(encoding, (0, where))
        encodings[encoding] = (count + 1, place)
        return text

    def _bound(self, rows: Rows, file: SpanFile) -> tuple[Rows, list[BadRow]]:
        """Set the rows aside that have a text that is too long."""
        import numpy as np
        import pyarrow.compute as pc

        reasons: dict[int, str] = {}
        for name in self._texts.columns:
            column = rows.examples.column(rows.examples.schema.get_field_index(name))
            if not len(column) or (pc.max(pc.binary_length(column)).as_py() or 0) <= self._texts.max_characters:
                continue
            lengths = np.asarray(pc.utf8_length(column).fill_null(0))
            for row in np.flatnonzero(lengths > self._texts.max_characters).tolist():
                message = f"column {name!r} has {lengths[row]:,} characters; data.texts.max_characters is {self._texts.max_characters:,}"
                reasons.setdefault(row, message)
        return _set_aside(rows, reasons, file, self.unit)

    def _with_columns(self, measured: _Measured, cells: Collection[str]) -> Rows:
        """Add the measured columns to rows, with their groups, which depend on all texts before."""
        rows, added = measured.rows, dict(measured.added)
        names = rows.examples.schema.names
        for name, groups in self._groups.items():
            added[measured_column(name, GROUP)] = _groups_of(groups, measured.sketches[name], rows.examples, name)
        ordered = {name: added[name] for name in self._texts.measured}
        examples = _batch({**dict(zip(names, rows.examples.columns, strict=True)), **ordered})
        known = {**dict(zip(rows.cells.schema.names, rows.cells.columns, strict=True)), **ordered}
        return replace(rows, examples=examples, cells=_batch({name: known[name] for name in cells} or {"": known[""]}))


@dataclass(frozen=True)
class _Measured:
    """Rows with what is measured of them, but the groups.

    Attributes:
        rows: The rows, masked.
        bad: Rows that were set aside.
        added: Measured columns by name.
        sketches: Signatures of the texts, by column, in parts.
        encodings: Number of texts of bytes, and where one is, by encoding.
    """

    rows: Rows
    bad: list[BadRow]
    added: dict[str, pa.Array]
    sketches: dict[str, list[Sketches]]
    encodings: dict[str, tuple[int, str]]


def _set_aside(
    rows: Rows, reasons: dict[int, str], file: SpanFile, unit: Literal["line", "row"]
) -> tuple[Rows, list[BadRow]]:
    """Return the rows without those that have a reason, and these."""
    import numpy as np

    from components._data.formats.bad_rows import BadRow

    if not reasons:
        return rows, []
    kept = np.ones(rows.examples.num_rows, bool)
    kept[list(reasons)] = False
    lines = rows.lines()
    bad = [
        BadRow(file.name, int(lines[row]), reason, _begin_of_row(rows.examples, row), unit=unit)
        for row, reason in sorted(reasons.items())
    ]
    return rows.filter(kept), bad


def _measure_column(
    column: pa.Array, mask: Sequence[str], sketches: list[Sketches] | None
) -> tuple[pa.Array, dict[str, pa.Array]]:
    """Mask a column, and measure length and language; signatures are added to `sketches`."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from components._core.texts import language, near_groups, personal_data
    from components._core.texts.code_points import read_column

    masked, _ = personal_data.mask_column(column, mask)
    codes: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for _, texts in read_column(masked):
        codes.append(language.guess(texts))
        if sketches is not None:
            sketches.append(near_groups.sketch(texts))
    names = pa.array(language.CODES, pa.string()).take(pa.array(np.concatenate(codes)))
    languages = pc.if_else(masked.is_valid(), names, pa.scalar(None, pa.string()))
    return masked, {CHARACTERS: pc.utf8_length(masked).cast(pa.int64()), LANGUAGE: languages}


def _groups_of(groups: NearGroups, sketches: Sequence[Sketches], examples: pa.RecordBatch, name: str) -> pa.Array:
    """Return the group of each text; a row whose text has no letters is alone, by what it has."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from components._core.examples.row_hash import hash_rows

    found = [groups.add_sketches(part) for part in sketches]
    column = pa.chunked_array(found, pa.string()).combine_chunks() if found else pa.array([], pa.string())
    if not column.null_count:
        return column
    missing = np.asarray(column.is_null())
    alone = hash_rows(examples.filter(pa.array(missing)), examples.schema.names)
    names = pa.array([f"{value:016x}" for value in alone.tolist()], pa.string())
    return pc.replace_with_mask(column, pa.array(missing), names)


def _batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _begin_of_row(batch: pa.RecordBatch, row: int) -> str:
    """Format a row for the quarantine, of each text its beginning."""
    cells = [column[row].as_py() for column in batch.columns]
    return ",".join("" if cell is None else str(cell)[:_SHOWN] for cell in cells)


def _shorten_masked(text: str, mask: Sequence[str]) -> str:
    from components._core.texts.personal_data import mask as mask_text

    beginning = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return mask_text(beginning, mask)


def _ahead(read: Iterator[Rows], measure: Callable[[Rows], _Measured]) -> Iterator[_Measured]:
    """Measure the next batches on other cores while earlier ones are used, in order; at most two batches a core are waiting."""
    cores = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, _MOST_CORES)
    if cores < 2:
        yield from map(measure, read)
        return
    waiting: deque[Future[_Measured]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for rows in read:
                waiting.append(pool.submit(measure, rows))
                if len(waiting) > cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()
