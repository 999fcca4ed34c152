"""Read one file or several as ingest does: inference, then rows; shared by the tests of formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from components._core.project.data_config import Data
from components._data.formats.bad_rows import BadRow
from components._data.formats.contract import TableSchema
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally
from components._data.sources.registry import open_source


def read_table(source: Path | str, label: str = "y", **data: Any) -> tuple[pa.Table, list[BadRow]]:
    """Return all rows of a source, and those set aside."""
    files = open_source(str(source)).list_files("all")
    table = open_format(Data.model_validate({"source": str(source), **data}), files[0])
    schema = table.infer_schema(files, label)
    rejected: list[BadRow] = []
    batches = [
        rows.examples
        for file in files
        for rows in table.read_rows(file, schema, label, rejected.append, (), FileTally())
    ]
    return pa.Table.from_batches(batches, schema_of(schema)), rejected


def schema_of(schema: TableSchema) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in schema.types.items()])
