"""Arrow IPC (Feather) as a format. Its parts are imported when they are used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from components._data.formats.contract import Format, Preview, TableSchema
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows

STREAM_START = b"\xff\xff\xff\xff"
FILE_START = b"ARROW1\0\0"


class ArrowFormat(Format):
    """Arrow IPC files and streams, which Feather files are too. A database gives its rows as such a stream."""

    name = "arrow"
    endings = (".arrow", ".feather", ".arrows", ".ipc")

    @classmethod
    def recognises(cls, first: bytes) -> bool:
        """See `Format`; `FEA1` is a Feather file of version 1, which is refused with its remedy."""
        return first.startswith((FILE_START, STREAM_START, b"FEA1"))

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        from components._data.formats.arrow.reader import read_fields
        from components._data.formats.typed_columns import flatten_fields

        return [field.name for field in flatten_fields(read_fields(file))]

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`."""
        from components._data.formats.arrow.reader import preview_file

        return preview_file(file)

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`; only the beginnings of the files are read."""
        from components._data.formats.arrow.reader import read_fields
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
        """See `Format`. Only rows without a label, or with numbers out of range, are set aside."""
        from components._data.formats.arrow.reader import read_rows

        return read_rows(file, schema, label, reject, cells, tally)
