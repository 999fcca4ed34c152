"""Avro as a format. Its parts, and the packages of the extra `avro`, are imported when they are used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from components._core.extras import check_extra
from components._core.project.data_config import Data
from components._data.formats.contract import Format, Preview, TableSchema
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows


class AvroFormat(Format):
    """Avro object container files, with any codec."""

    name = "avro"
    endings = (".avro",)
    extra = "avro"

    def __init__(self, data: Data) -> None:
        """See `Format`.

        Raises:
            ConfigError: When the packages of the extra are not installed.
        """
        check_extra(self.extra, ["fastavro", "cramjam"], "the format 'avro'", "data.source")
        super().__init__(data)

    @classmethod
    def recognises(cls, first: bytes) -> bool:
        """See `Format`."""
        return first.startswith(b"Obj\x01")

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        from components._data.formats.avro.reader import read_fields
        from components._data.formats.typed_columns import flatten_fields

        return [field.name for field in flatten_fields(read_fields(file))]

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`; none: the packages take longer to import than ingest to begin."""
        return None

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`; only the files' headers are read."""
        from components._data.formats.avro.reader import read_fields
        from components._data.formats.common_types import infer_declared

        return infer_declared(files, label, self.data, read_fields, self.notes)

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`. A file cut off exactly between two blocks looks like a whole one."""
        from components._data.formats.avro.reader import read_rows

        return read_rows(file, schema, label, reject, cells, tally)
