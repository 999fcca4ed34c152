"""Rows of formats with typed columns: converted to the table's types, with the rows set aside that cannot be converted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.examples.artifact import BATCH_ROWS
from components._data.columns.numbers import FLOAT32_MAX
from components._data.formats.bad_rows import NOT_FINITE, BadRow
from components._data.formats.column_readings import apply_readings
from components._data.formats.contract import TableSchema
from components._data.formats.rows import FileTally, Rows, as_examples, row_as_text, set_unlabelled_aside
from components._data.formats.typed_columns import Converted, are_ordinary, convert, flatten_columns, readable_type
from components._data.sources.contract import SpanFile

_BATCH_CELLS = 1 << 20
"""Maximum number of cells in a batch: fewer rows of a wide table are read at a time."""


def batch_rows(columns: int) -> int:
    """Return the number of rows read at a time."""
    return min(max(_BATCH_CELLS // max(columns, 1), 1_024), BATCH_ROWS)


@dataclass(frozen=True)
class TypedRows:
    """Converts the batches of one file.

    Attributes:
        file: The file.
        schema: The table's schema.
        label: The label's column; a row without it is set aside.
        reject: Called with every row that is set aside.
        cells: Columns whose cells are returned, too.
        unit: Unit of a row's location in its file.
        tally: Counts the cells that became missing.
    """

    file: SpanFile
    schema: TableSchema
    label: str
    reject: Callable[[BadRow], None]
    cells: Collection[str] = ()
    unit: Literal["line", "row"] = "row"
    tally: FileTally | None = None

    def convert(self, batch: pa.RecordBatch, lines: Callable[[], NDArray[np.int64]] | int) -> Rows:
        """Convert a batch; its columns are in the table's order then.

        Args:
            batch: Columns of types that `readable_type` allows; structs are flattened, a column that it lacks is missing.
            lines: Returns the location of each row (int64 [rows]), or the number of the first row.

        Raises:
            pyarrow.ArrowInvalid: When a text is not UTF-8.
        """
        flat, rows = flatten_columns(batch), batch.num_rows
        found = {name: _convert_column(flat.get(name), kind, rows) for name, kind in self.schema.cell_types.items()}
        columns = {name: converted.values for name, converted in found.items()}
        raw = {name: columns[name] for name in self.cells} or {"": pa.nulls(rows)}
        converted = Rows(
            pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)),
            pa.RecordBatch.from_arrays(list(raw.values()), names=list(raw)),
            (lambda: np.arange(lines, lines + rows, dtype=np.int64)) if isinstance(lines, int) else lines,
        )
        kept = self._set_wrong_aside(converted, found, flat)
        kept = apply_readings(kept, self.schema, self.file, self.reject, self.tally, self.unit)
        kept = Rows(as_examples(kept.examples), kept.cells, kept.lines)
        return set_unlabelled_aside(kept, self.file, self.label, self.reject, self.unit)

    def _set_wrong_aside(self, rows: Rows, found: dict[str, Converted], raw: dict[str, pa.Array]) -> Rows:
        """Keep the rows whose values all fit their types; reject the others."""
        bad = np.zeros(rows.examples.num_rows, dtype=bool)
        for name, converted in found.items():
            wrong, reason, values = converted.wrong, converted.reason, raw.get(name)
            if pa.types.is_floating(converted.values.type) and name not in self.schema.unbounded:
                large = _too_large(converted.values)
                if large is not None:
                    limit = f"is infinite or too large (|x| <= {FLOAT32_MAX:.3g} is allowed)"
                    self._reject(rows, np.flatnonzero(large & ~bad), name, limit, converted.values)
                    bad |= large
            if wrong is not None and values is not None:
                self._reject(rows, np.flatnonzero(wrong & ~bad), name, reason, values)
                bad |= wrong
        return rows.filter(~bad) if bad.any() else rows

    def _reject(self, rows: Rows, places: NDArray[np.intp], name: str, reason: str, values: pa.Array) -> None:
        lines = rows.lines() if len(places) else np.empty(0, np.int64)
        for row in map(int, places):
            message = f"column {name!r}: {values[row].as_py()!r} {reason}"
            text = row_as_text(rows.examples, row)
            self.reject(BadRow(self.file.name, int(lines[row]), message, text, unit=self.unit, code=NOT_FINITE))


def _convert_column(column: pa.Array | None, kind: pa.DataType, rows: int) -> Converted:
    if column is None or readable_type(column.type) is None:  # unsupported types are excluded columns
        return Converted(pa.nulls(rows, kind))
    return convert(column, kind)


def _too_large(reals: pa.Array) -> NDArray[np.bool_] | None:
    """Return which real numbers are infinite or do not fit a float32; None: all fit."""
    if are_ordinary(reals):
        return None
    extremes = pc.min_max(reals)
    least, most = extremes["min"].as_py(), extremes["max"].as_py()
    if most is None or (least >= -FLOAT32_MAX and most <= FLOAT32_MAX):
        return None
    large: NDArray[np.bool_] = np.abs(reals.fill_null(0).to_numpy(zero_copy_only=False)) > FLOAT32_MAX
    return large
