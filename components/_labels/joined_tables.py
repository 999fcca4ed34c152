"""Rows of several work lists as one table: columns that some do not have are empty there, whole and real numbers become real ones."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from components._core.errors import DataError


def join_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables, with the columns of all in the order in which they appear first.

    Raises:
        DataError: When a column has types that do not go together.
    """
    types: dict[str, pa.DataType] = {}
    for table in tables:
        for field in table.schema:
            types[field.name] = _common(field.name, types.get(field.name, pa.null()), field.type)
    parts = [
        pa.table(
            {
                name: table[name].cast(kind) if name in table.column_names else pa.nulls(table.num_rows, kind)
                for name, kind in types.items()
            }
        )
        for table in tables
    ]
    return pa.concat_tables(parts) if parts else pa.table({})


def _common(name: str, one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    numbers = [pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in (one, other)]
    if all(numbers):
        return pa.float64()
    message = f"has the type {one} in one work list and {other} in another"
    remedy = "give it one type with data.columns and export the rows again; the annotations are kept"
    raise DataError(message, where=f"column {name!r} of the labelled rows", remedy=remedy)
