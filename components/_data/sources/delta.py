"""Delta tables, by version: `delta://s3://bucket/flights@5`, or `delta://data/flights` for the newest version.

The package deltalake reads the table's log: which files a version has, and the columns that are in paths instead of files. The
files are Parquet, and are read here as any others, so a table needs no engine and no conversion.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote

from components._core.errors import DataError, NaruError, UnavailableError, first_line
from components._core.examples.artifact import BATCH_ROWS
from components._core.extras import check_extra
from components._core.files import fingerprint_of
from components._core.store.filesystems import is_local, open_filesystem
from components._data.sources.batch_files import FORMAT, Batches, BatchFiles
from components._data.sources.contract import SpanFile
from components._data.sources.span_expression import parse_spans

if TYPE_CHECKING:
    import pyarrow as pa

SCHEME = "delta://"
_VERSION = re.compile(r"(.+?)@(\d{1,18})")
_READ_BYTES = 1 << 20
_TYPES = {
    "string": "string", "long": "int64", "integer": "int32", "short": "int16", "byte": "int8", "float": "float32",
    "double": "float64", "boolean": "bool", "binary": "binary", "date": "date32",
}  # fmt: skip
"""Arrow types of Delta's types; the others are made in `_arrow_type`."""


@dataclass(frozen=True)
class DeltaSource:
    """A Delta table.

    Attributes:
        location: Location as in `data.source`.
    """

    location: str

    def list_files(self, spans: str) -> list[SpanFile]:
        """See `Source`. Each data file of the version is a file; its columns are those of the table.

        Raises:
            ConfigError: When the address is invalid, or the extra `delta` is not installed.
            DataError: When there is no such table or version, or it needs a feature that is not read here.
            ServiceError: When the store refuses or does not answer.
        """
        parse_spans(spans, None)
        table = self._open()
        reader = _Reader(table, self.location)
        files = BatchFiles(reader)
        return [SpanFile(1, path, files, path, format=FORMAT) for path in reader.paths]

    def fingerprint(self, spans: str) -> str:
        """See `Source`: the table's own identity and version, which is never changed."""
        parse_spans(spans, None)
        table = self._open()
        return fingerprint_of([str(table.metadata().id), str(table.version())])

    def state(self, file: SpanFile) -> str:
        """See `Source`: empty, since a Delta table has no spans."""
        return ""

    def _open(self) -> Any:
        check_extra("delta", ["deltalake"], "a delta:// source", self.location)
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        address = self.location.removeprefix(SCHEME)
        match = _VERSION.fullmatch(address)
        root, version = (match[1], int(match[2])) if match else (address, None)
        try:
            table = DeltaTable(root, version=version, storage_options=_storage_options(root))
            self._check_features(table)
            return table
        except DeltaError as error:
            raise self._translated(error) from error
        except (OSError, ValueError) as error:
            remedy = "check the address, the credentials and the network, then run again"
            raise UnavailableError(
                f"the table's log cannot be read: {first_line(error)}", where=self.location, remedy=remedy
            ) from error

    def _translated(self, error: Exception) -> NaruError:
        text = first_line(error)
        if "deletion vector" in text.lower():
            return self._has_deleted_rows()
        if _VERSION.fullmatch(self.location) and "end version" in text:
            return DataError(f"there is no such version: {text}", where=self.location, remedy="name one that exists")
        remedy = "name the folder that holds _delta_log, as in delta://s3://bucket/flights@5; a path is relative to project.yaml"
        return DataError(f"cannot be read as a Delta table: {text}", where=self.location, remedy=remedy)

    def _check_features(self, table: Any) -> None:
        """Refuse a version whose rows are not simply those of its files."""
        if any(batch.num_rows for batch in table.deletion_vectors()):
            raise self._has_deleted_rows()
        if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
            remedy = "write a copy without it: delta.columnMapping.mode = none"
            raise DataError("has column mapping: its files have other column names", where=self.location, remedy=remedy)

    def _has_deleted_rows(self) -> NaruError:
        remedy = "apply them in the engine that writes the table: REORG TABLE ... APPLY (PURGE); then name that version"
        return DataError("has deleted rows in deletion vectors", where=self.location, remedy=remedy)


class _Reader:
    """Reads the data files of a version by their paths."""

    def __init__(self, table: Any, location: str) -> None:
        self._location = location
        self._root = str(table.table_uri).rstrip("/")
        self._fields: list[dict[str, Any]] = json.loads(table.schema().to_json())["fields"]
        actions = table.get_add_actions()
        self.paths: list[str] = sorted(actions.column("path").to_pylist())
        partitions = (
            dict(zip(actions.column("path").to_pylist(), actions.column("partition").to_pylist(), strict=True))
            if "partition" in actions.column_names
            else {}
        )
        self._partitions: dict[str, dict[str, Any]] = partitions

    def __call__(self, path: str) -> tuple[pa.Schema, Batches]:
        import pyarrow as pa

        schema = pa.schema([pa.field(field["name"], self._type(path, field)) for field in self._fields])
        return schema, self._batches(path, schema)

    def _type(self, path: str, field: dict[str, Any]) -> pa.DataType:
        """Return the type of a column; a nested one is that of the file, where the file has it."""
        import pyarrow as pa

        known = _arrow_type(field["type"])
        if known is not None:
            return known
        with self._opened(path) as file:
            found = file.schema_arrow.get_field_index(field["name"])
            return pa.null() if found < 0 else file.schema_arrow.field(found).type

    def _batches(self, path: str, schema: pa.Schema) -> Batches:
        import pyarrow as pa

        constants = self._partitions.get(path) or {}
        with self._opened(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                columns = [self._column(batch, field, constants) for field in schema]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _column(self, batch: pa.RecordBatch, field: pa.Field, constants: dict[str, Any]) -> pa.Array:
        """Return a column of a batch: of the file, of the path, or missing where the file is older than the column."""
        import pyarrow as pa

        if field.name in constants:
            return pa.array([constants[field.name]], field.type).take(pa.array([0] * batch.num_rows, pa.int32()))
        found = batch.schema.get_field_index(field.name)
        if found < 0:
            return pa.nulls(batch.num_rows, field.type)
        column = batch.column(found)
        return (
            column.dictionary_decode().cast(field.type)
            if pa.types.is_dictionary(column.type)
            else column.cast(field.type)
        )

    @contextmanager
    def _opened(self, path: str) -> Iterator[Any]:
        import pyarrow as pa

        from components._core.examples.safe_parquet import pq

        address = path if "://" in path else f"{self._root}/{unquote(path)}"
        try:
            with _content(address) as stream:
                yield pq.ParquetFile(stream, buffer_size=_READ_BYTES, pre_buffer=False)
        except FileNotFoundError as error:
            remedy = "it was removed, as by VACUUM: name a newer version"
            raise DataError("a file of this version is missing", where=address, remedy=remedy) from error
        except pa.ArrowException as error:
            message = f"cannot be read as Parquet: {first_line(error)}"
            raise DataError(message, where=address, remedy="restore the file, or name another version") from None


@contextmanager
def _content(address: str) -> Iterator[BinaryIO]:
    """Open a data file; one that is not on this machine is copied first, since Parquet is read from its end."""
    filesystem, path = open_filesystem(address)
    if is_local(filesystem):
        with filesystem.open(path, "rb") as stream:
            yield stream
        return
    with tempfile.TemporaryFile() as copy:
        with filesystem.open(path, "rb") as stream:
            while part := stream.read(_READ_BYTES):
                copy.write(part)
        copy.seek(0)
        yield copy


def _arrow_type(kind: Any) -> pa.DataType | None:
    """Return the Arrow type of a Delta type; None for a nested one."""
    import pyarrow as pa

    if not isinstance(kind, str):
        return None
    if kind in _TYPES:
        return pa.type_for_alias(_TYPES[kind])
    if match := re.fullmatch(r"decimal\((\d+),\s*(-?\d+)\)", kind):
        return pa.decimal128(int(match[1]), int(match[2]))
    return {"timestamp": pa.timestamp("us", "UTC"), "timestamp_ntz": pa.timestamp("us")}.get(kind)


def _storage_options(root: str) -> dict[str, str] | None:
    """Return what the package does not read from the environment itself: a server of S3 without encryption."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if not root.startswith("s3://") or not endpoint:
        return None
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": str(endpoint.startswith("http://")).lower()}
