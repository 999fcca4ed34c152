"""CSV as a format. Its parts are imported when they are used: a run begins with a preview, which needs none of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from components._data.formats.contract import Format, Preview, TableSchema
from components._data.formats.csv.csv_file import CsvFile
from components._data.formats.csv.preview import preview_file
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.csv.kept_blocks import KeptBlocks
    from components._data.formats.rows import FileTally, Rows


class CsvFormat(Format):
    """Comma-separated text in UTF-8 with a header, written as `data.csv` says."""

    name = "csv"
    endings = (".csv",)
    section = "csv"

    @property
    def options(self) -> dict[str, Any]:
        """Return only the CSV options, as in the fingerprints from before there were other formats."""
        return self.data.csv.model_dump()

    @cached_property
    def _kept(self) -> KeptBlocks:
        from components._data.formats.csv.kept_blocks import KeptBlocks

        return KeptBlocks()

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        from components._data.formats.csv.inference import check_separator, read_header

        names = read_header(self._csv_file(file))
        check_separator(file.name, names)
        return names

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`."""
        return preview_file(file)

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`; every file is read once."""
        from components._data.formats.csv.inference import infer_schema

        return infer_schema([self._csv_file(file) for file in files], label, self._kept, self.data)

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`; small files that `infer_schema` kept in memory are not read again."""
        from components._data.formats.csv.reader import read_rows

        return read_rows(self._csv_file(file), schema, label, reject, cells, tally, self._kept)

    def _csv_file(self, file: SpanFile) -> CsvFile:
        return CsvFile.of(file, self.data.csv)
