"""The reading of columns, for every format: two calls.

A format whose files declare their types ends its schema inference with `with_readings`, reads each column in its type of
`TableSchema.cell_types`, and passes its rows through `apply_readings` before anything else looks at them:

    schema = with_readings(TableSchema(types), self.data, label)
    rows = apply_readings(rows, schema, file, reject, tally, unit="row")

A format of text decides the types by the cells (`columns/survey.py`) and then does the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pyarrow as pa

from components._core.project.column_config import ColumnReading
from components._core.project.data_config import Data
from components._data.columns.numbers import FLOAT32_MAX, parse_numbers
from components._data.columns.reading import LABEL_READING, Reading
from components._data.formats.bad_rows import NOT_FINITE, WRONG_TYPE, BadRow
from components._data.formats.contract import TableSchema
from components._data.formats.rows import FileTally, Rows, cells_as_text, row_as_text
from components._data.sources.contract import SpanFile

_NAMES = {"number": "a number", "date": "a date", "time": "a time of day", "text": "a text"}


def with_readings(schema: TableSchema, data: Data, label: str) -> TableSchema:
    """Add the readings that the project file names, and that of a label of texts.

    Args:
        schema: The types in which cells are read, and readings that were inferred.
        data: The project's `data` section.
        label: The label's column.
    """
    types, readings, raw = dict(schema.types), dict(schema.readings), dict(schema.raw_types)
    for name, column in data.columns.items():
        if name not in types:
            continue
        kind = _type_of(column, types[name])
        reading = Reading.of(column, data.odd_cells)
        cells = schema.cell_types[name]
        if cells != kind or reading.missing or reading.kind in ("date", "time"):
            readings[name], raw[name] = reading, cells
        types[name] = kind
    if label in readings and readings[label].kind != "text":
        readings[label] = replace(readings[label], odd_cells="quarantine")  # a row without its label is of no use
    if label not in data.columns and types.get(label) == pa.string():
        readings[label], raw[label] = LABEL_READING, pa.string()
    return replace(schema, types=types, readings=readings, raw_types=raw)


def _type_of(column: ColumnReading, found: pa.DataType) -> pa.DataType:
    """Return the type of a column's examples by its entry in the project file and the type that was found."""
    if column.type == "number":
        is_number = pa.types.is_integer(found) or pa.types.is_floating(found)
        return found if is_number else pa.float64()
    return pa.float64() if column.type == "time" else pa.string()


def apply_readings(
    rows: Rows,
    schema: TableSchema,
    file: SpanFile,
    reject: Callable[[BadRow], None],
    tally: FileTally | None = None,
    unit: Literal["line", "row"] = "line",
) -> Rows:
    """Convert the columns that have a reading; an odd cell becomes missing, or its row is set aside.

    Args:
        rows: Rows whose cells have the types of `schema.cell_types`.
        schema: The table's schema.
        file: File of the rows.
        reject: Called with every row that is set aside.
        tally: Counts the cells that became missing.
        unit: Unit of the rows' places in the file.
    """
    if tally is not None:
        _count_orders(rows, schema, file, tally, unit)
    if not schema.readings:
        return rows
    examples = dict(zip(rows.examples.schema.names, rows.examples.columns, strict=True))
    cells = dict(zip(rows.cells.schema.names, rows.cells.columns, strict=True))
    bad: dict[int, tuple[str, str]] = {}
    for name, reading in schema.readings.items():
        converted = reading.convert(examples[name], schema.types[name])
        is_fit = reading.odd_cells == "missing" and (file.name, name) not in schema.unfit
        if tally is not None:
            tally.missing.add(name, converted.missing)
            tally.odd.add(name, converted.odd if is_fit else {})
            if reading.kind != "text":
                tally.fitting[name] += len(converted.values) - converted.values.null_count
        for row in map(int, () if is_fit else np.flatnonzero(converted.is_odd)):
            found = cells_as_text(examples[name].slice(row, 1))[0]
            code, problem = _describe_odd(found, reading)
            bad.setdefault(row, (f"column {name!r}: {problem}", code))
        examples[name] = converted.values
        if name in cells:
            cells[name] = converted.values  # a row's split depends on the value, as its examples have it
    read = Rows(_batch(examples), _batch(cells), rows.lines)
    return _set_aside(read, rows, bad, file, reject, unit)


def _count_orders(
    rows: Rows, schema: TableSchema, file: SpanFile, tally: FileTally, unit: Literal["line", "row"]
) -> None:
    """Count the dates of columns of texts by the orders of day and month in which they can be read."""
    for name, cells in zip(rows.examples.schema.names, rows.examples.columns, strict=True):
        reading = schema.readings.get(name)
        if pa.types.is_string(cells.type) and (reading is None or reading.kind in ("date", "text")):
            order = reading.order if reading is not None and reading.kind == "date" else None
            tally.orders.add(name, cells, order, lambda row: f"{file.name}, {unit} {int(rows.lines()[row])}")


def _describe_odd(found: str, reading: Reading) -> tuple[str, str]:
    """Return the code of an odd cell (`BadRow.code`), and what is wrong with it."""
    plain = parse_numbers(pa.array([found.strip()]), reading.decimal).plain[0].as_py()
    if reading.kind == "number" and plain and abs(float(plain)) > FLOAT32_MAX:
        return NOT_FINITE, f"{found!r} is infinite or too large (|x| <= {FLOAT32_MAX:.3g} is allowed)"
    return WRONG_TYPE, f"{found!r} is not {_NAMES[reading.kind]}"


def _batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _set_aside(
    read: Rows,
    rows: Rows,
    bad: dict[int, tuple[str, str]],
    file: SpanFile,
    reject: Callable[[BadRow], None],
    unit: Literal["line", "row"],
) -> Rows:
    if not bad:
        return read
    lines = rows.lines()
    for row, (reason, code) in sorted(bad.items()):
        reject(BadRow(file.name, int(lines[row]), reason, row_as_text(rows.examples, row), unit=unit, code=code))
    kept = np.ones(rows.examples.num_rows, bool)
    kept[list(bad)] = False
    return read.filter(kept)
