"""Reads a source as ingest does."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from components._core.project.data_config import Data
from components._data.formats.bad_rows import BadRow
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally
from components._data.sources.registry import open_source


def read(source: str, label: str, spans: str = "all", **data: Any) -> dict[int, pa.Table]:
    """The rows of each span, as examples.

    Args:
        source: The source's location.
        label: The label's column.
        spans: Spans to read.
        **data: More of the `data` section, such as `sql`.
    """
    settings = Data.model_validate({"source": source, **data})
    files = open_source(source, settings.missing_spans, settings.sql).list_files(spans)
    table = open_format(settings, files[0])
    schema = table.infer_schema(files, label)
    rejected: list[BadRow] = []
    tables = {}
    for file in files:
        tally = FileTally()
        batches = [rows.examples for rows in table.read_rows(file, schema, label, rejected.append, tally=tally)]
        tables[file.span] = pa.Table.from_batches(batches, pa.schema(list(schema.types.items())))
        assert tally.bytes, "the content is tallied for the manifest"
    assert not rejected
    return tables


def fingerprint(source: str, spans: str = "all", **data: Any) -> str:
    settings = Data.model_validate({"source": source, **data})
    return open_source(source, settings.missing_spans, settings.sql).fingerprint(spans)
