"""Parquet as a format. Its parts are imported when they are used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from components._data.formats.contract import Format, Preview, TableSchema
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows


class ParquetFormat(Format):
    """Parquet files."""

    name = "parquet"
    endings = (".parquet", ".pq")

    @classmethod
    def recognises(cls, first: bytes) -> bool:
        """See `Format`; `PARE` is an encrypted file."""
        return first.startswith((b"PAR1", b"PARE"))

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        from components._data.formats.parquet.reader import open_parquet
        from components._data.formats.typed_columns import flatten_fields

        with open_parquet(file) as opened:
            return [field.name for field in flatten_fields(list(opened.schema_arrow))]

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`."""
        from components._data.formats.parquet.reader import preview_file

        return preview_file(file)

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`; only the files' footers are read."""
        from components._data.formats.column_readings import with_readings
        from components._data.formats.parquet.inference import infer_schema

        return with_readings(infer_schema(files, label, self.data.exclude, self.notes), self.data, label)

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`. Only rows without a label, or with numbers out of range, are set aside."""
        from components._data.formats.parquet.reader import read_rows

        return read_rows(file, schema, label, reject, cells, tally)
