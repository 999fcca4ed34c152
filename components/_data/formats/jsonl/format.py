"""JSON lines as a format. Its parts are imported when they are used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from components._data.formats.contract import Format, Preview, TableSchema
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows

_BOM = b"\xef\xbb\xbf"


class JsonLinesFormat(Format):
    """One JSON object a line, in UTF-8; compressed or not."""

    name = "jsonl"
    endings = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")

    @classmethod
    def recognises(cls, first: bytes) -> bool:
        """See `Format`; a whole array of objects is recognised, too, so that its message says what to do."""
        start = first.removeprefix(_BOM).lstrip()
        if start[:1] == b"[":
            return start[1:].lstrip()[:1] == b"{"
        # a name of a CSV may begin so: {{x}},y
        return start[:1] == b"{" and start[1:].lstrip()[:1] in (b"", b'"', b"'", b"}")

    @property
    def unit(self) -> Literal["line", "row"]:
        """See `Format`."""
        return "line"

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`; the columns of the file's first block."""
        from components._data.formats.jsonl.inference import column_names

        return column_names(file)

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`; none: a column may begin far down in the file."""
        return None

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`; every file is read once."""
        from components._data.formats.column_readings import with_readings
        from components._data.formats.jsonl.inference import infer_schema

        return with_readings(infer_schema(files, label, self.notes), self.data, label)

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`. A line that is not an object, or has a value of another type, is set aside."""
        from components._data.formats.jsonl.reader import read_rows

        return read_rows(file, schema, label, reject, cells, tally)
