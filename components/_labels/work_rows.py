"""Rows that may be labelled: read from a table in the types of examples, each with its identity."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import ConfigError, DataError
from components._core.project.data_config import Data
from components._core.suggestions import suggest
from components._core.types.column_types import BYTES, to_text
from components._data.formats.bad_rows import BadRow
from components._data.formats.registry import open_format
from components._data.sources.registry import open_source
from components._labels.exchange.contract import WorkItem
from components._labels.label_schema import ITEM, RESERVED, LabelSchema
from components._labels.label_store import REQUEST, ROW

_DIGITS = 20


@dataclass
class RowCounts:
    """What was read of a table.

    Attributes:
        rows: Rows without a label, each counted once.
        labelled: Rows that have a label in the table.
        repeated: Rows that repeat an earlier one's identity.
        unreadable: Rows that cannot be read.
    """

    rows: int = 0
    labelled: int = 0
    repeated: int = 0
    unreadable: list[BadRow] = field(default_factory=list)


def read_unlabelled(data: Data, schema: LabelSchema, counts: RowCounts) -> Iterator[pa.Table]:
    """Yield the rows of a table that have no label, with the columns `naru_item`, `naru_request` and `naru_row` in front.

    Args:
        data: The project's section, with the table as an absolute location.
        schema: The label schema.
        counts: Counts what is read.

    Raises:
        ConfigError: When a column is named as one of a work list, or `labels.id` or `labels.show` name one that is not there.
        DataError: When the table cannot be read, or two different rows have one id.
    """
    files = open_source(data.source, data.missing_spans, data.sql).list_files(data.spans)
    table = open_format(data, files[0])
    types = table.infer_schema(files, "")
    check_columns(schema, list(types.types))
    seen = dict[str, str]()
    for file in files:
        for rows in table.read_rows(file, types, "", counts.unreadable.append):
            batch = pa.Table.from_batches([rows.examples])
            if schema.label in batch.column_names:
                has_label = batch[schema.label].is_valid()
                counts.labelled += pc.sum(has_label).as_py() or 0
                batch = batch.filter(pc.invert(has_label)).select(
                    [name for name in batch.column_names if name != schema.label]
                )
            yield _with_identity(batch, schema, seen, counts)


def check_columns(schema: LabelSchema, columns: Sequence[str]) -> None:
    """Refuse a table whose columns do not fit the section `labels`.

    Raises:
        ConfigError: As `read_unlabelled`.
    """
    if taken := [name for name in columns if name.startswith(RESERVED)]:
        message = f"has the column {taken[0]!r}, a name of work lists: is it one?"
        raise ConfigError(message, where="the table", remedy="name the table that the list was made from")
    named = {"labels.id": [schema.config.id] if schema.config.id else [], "labels.show": schema.config.show}
    for place, names in named.items():
        if unknown := next((name for name in names if name not in columns), ""):
            raise ConfigError(
                f"names {unknown!r}, which the table does not have", where=place, remedy=suggest(unknown, list(columns))
            )


def _with_identity(batch: pa.Table, schema: LabelSchema, seen: dict[str, str], counts: RowCounts) -> pa.Table:
    """Add the columns of a work list; `seen` has the content's digest by identity, of the rows before."""
    column = schema.config.id
    items = identify_rows(batch, column)
    contents = identify_rows(batch, "") if column else items
    kept = np.zeros(len(items), np.bool_)
    for place, (item, content) in enumerate(zip(items, contents, strict=True)):
        kept[place] = item not in seen
        if seen.setdefault(item, content) != content:
            message = f"is {item!r} in two different rows: one of them would never be labelled"
            remedy = "name a column that identifies a row, or leave labels.id out: then the content does"
            raise DataError(message, where=f"labels.id {column!r}", remedy=remedy)
    counts.rows += int(kept.sum())
    counts.repeated += len(items) - int(kept.sum())
    own = {
        ITEM: pa.array(items, pa.string()),
        REQUEST: pa.nulls(len(items), pa.string()),
        ROW: pa.nulls(len(items), pa.int64()),
    }
    named = {**own, **{name: batch[name] for name in batch.column_names}}
    return pa.table(named).filter(pa.array(kept))


def identify_rows(rows: pa.Table, column: str) -> list[str]:
    """Return the identity of each row: the text of a column, or a digest of all its cells.

    Columns that are measured of another (`picture.width` of `picture`) do not count: they follow from it.
    """
    if column:
        texts = to_text(rows[column]).to_pylist()
        if (place := next((place for place, text in enumerate(texts) if not text), None)) is not None:
            message = f"is empty in row {place + 1} of {len(texts)} read together"
            raise ConfigError(message, where=f"labels.id {column!r}", remedy="name a column that every row has")
        return [str(text) for text in texts]
    names = sorted(name for name in rows.column_names if not is_measured(name, rows.column_names))
    cells = [[name.encode(), *_as_bytes(rows[name])] for name in names]
    found = []
    for row in range(1, rows.num_rows + 1):
        digest = hashlib.sha256()
        for column_cells in cells:
            for part in (column_cells[0], column_cells[row]):
                digest.update(b"-" if part is None else b"%d:" % len(part))
                digest.update(part or b"")
        found.append(digest.hexdigest()[:_DIGITS])
    return found


def is_measured(name: str, columns: Sequence[str]) -> bool:
    """Return whether a column is measured of another one, as `picture.width`."""
    before, dot, _ = name.rpartition(".")
    return bool(dot) and before in columns


def _as_bytes(column: pa.ChunkedArray) -> list[bytes | None]:
    if BYTES.is_arrow(column.type):
        return list(column.to_pylist())
    return [None if text is None else text.encode("utf-8", "surrogatepass") for text in to_text(column).to_pylist()]


def shown_columns(schema: LabelSchema, columns: Sequence[str]) -> list[str]:
    """Return the columns that annotators see.

    Raises:
        ConfigError: When there is none.
    """
    hidden = {schema.label, *schema.exclude}
    plain = [name for name in columns if not name.startswith(RESERVED)]
    found = schema.config.show or [name for name in plain if name not in hidden and not is_measured(name, plain)]
    if not found:
        raise ConfigError(
            "the rows have no column to show", where="labels.show", remedy="name one of the table's columns"
        )
    return found


def to_work_items(rows: pa.Table, shown: Sequence[str], votes: dict[str, dict[str, str]]) -> list[WorkItem]:
    """Return rows as the items of a work list.

    Args:
        rows: The rows, with `naru_item`.
        shown: Columns that annotators see; one that the rows do not have is empty.
        votes: What annotators said, by item.
    """
    cells: dict[str, list[Any]] = {
        name: list(rows[name].to_pylist() if BYTES.is_arrow(rows[name].type) else to_text(rows[name]).to_pylist())
        for name in shown
        if name in rows.column_names
    }
    items = rows[ITEM].to_pylist()
    return [
        WorkItem(item, {name: column[place] for name, column in cells.items()}, votes.get(item, {}))
        for place, item in enumerate(items)
    ]
