"""Columns that come from folders named `key=value`, beside those of the files, for every format."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from components._core.errors import DataError
from components._core.suggestions import listed
from components._data.formats.contract import Preview, TableSchema
from components._data.formats.wrapped import WrappedFormat
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    import pyarrow as pa

    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows


class PartitionedFormat(WrappedFormat):
    """A format whose rows get the columns of their file's folders, as whole numbers where all values are, else as text."""

    @property
    def options(self) -> dict[str, Any]:
        """See `Format`."""
        return {**self._inner.options, "partitioned": True}

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        return [*self._inner.column_names(file), *dict(file.partition)]

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`."""
        found = self._inner.preview(file)
        if found is None:
            return None
        values = [value or "" for value in dict(file.partition).values()]
        return Preview([*found.columns, *dict(file.partition)], [[*row, *values] for row in found.rows])

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`.

        Raises:
            DataError: Also when files lie in folders of other keys, or have a column of such a key.
        """
        schema = self._inner.infer_schema(files, label)
        keys = list(dict(files[0].partition))
        for file in files:
            if list(dict(file.partition)) != keys:
                message = f"lies in folders of {listed(list(dict(file.partition))) or 'no key'}, and {files[0].name} of {listed(keys)}"
                raise DataError(message, where=file.name, remedy="use the same folders for all files of the table")
        if both := [key for key in keys if key in schema.types]:
            message = f"column {both[0]!r} is in the files and in the names of their folders"
            raise DataError(message, where=files[0].name, remedy="leave it out of the files, or rename the folders")
        types = {key: _type_of([dict(file.partition)[key] for file in files]) for key in keys}
        return replace(schema, types={**schema.types, **types})

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`."""
        keys = dict(file.partition)
        inner = replace(schema, types={name: kind for name, kind in schema.types.items() if name not in keys})
        own = [name for name in cells if name not in keys]
        for rows in self._inner.read_rows(file, inner, label, reject, own, tally):
            yield _with_columns(rows, {key: (value, schema.types[key]) for key, value in keys.items()}, cells)


def _type_of(values: list[str | None]) -> pa.DataType:
    import pyarrow as pa

    known = [value for value in values if value is not None]
    are_whole = all(value.lstrip("-").isdecimal() and str(int(value)) == value and len(value) < 19 for value in known)
    return pa.int64() if known and are_whole else pa.string()


def _with_columns(rows: Rows, values: dict[str, tuple[str | None, pa.DataType]], cells: Collection[str]) -> Rows:
    import pyarrow as pa

    count = rows.examples.num_rows
    added = {name: _repeat(value, kind, count) for name, (value, kind) in values.items()}
    examples = pa.RecordBatch.from_arrays(
        [*rows.examples.columns, *added.values()], names=[*rows.examples.schema.names, *added]
    )
    known = {**dict(zip(rows.cells.schema.names, rows.cells.columns, strict=True)), **added}
    raw = {name: known[name] for name in cells} or {"": pa.nulls(count)}
    return replace(rows, examples=examples, cells=pa.RecordBatch.from_arrays(list(raw.values()), names=list(raw)))


def _repeat(value: str | None, kind: pa.DataType, count: int) -> pa.Array:
    import pyarrow as pa

    typed = int(value) if value is not None and pa.types.is_integer(kind) else value
    return pa.array([typed], kind).take(pa.array([0] * count, pa.int32()))
