"""Excel workbooks as a format. Its parts, and the package of the extra `xlsx`, are imported when they are used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from components._core.extras import check_extra
from components._core.project.data_config import Data
from components._data.formats.contract import Format, Preview, TableSchema
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows

_ZIP = b"PK\x03\x04"
_PARTS = (b"[Content_Types].xml", b"xl/", b"_rels/.rels", b"docProps/")


class XlsxFormat(Format):
    """Excel workbooks (.xlsx, .xlsm) as people send them: one table in one sheet."""

    name = "xlsx"
    endings = (".xlsx", ".xlsm")
    extra = "xlsx"
    section = "xlsx"

    def __init__(self, data: Data) -> None:
        """See `Format`.

        Raises:
            ConfigError: When the package of the extra is not installed.
        """
        check_extra(self.extra, ["python_calamine"], "the format 'xlsx'", "data.source")
        super().__init__(data)

    @property
    def options(self) -> dict[str, Any]:
        """See `Format`."""
        return {"format": self.name, **self.data.xlsx.model_dump()}

    @classmethod
    def recognises(cls, first: bytes) -> bool:
        """See `Format`: a ZIP archive whose first member is a part of a workbook."""
        return first.startswith(_ZIP) and first[30:].startswith(_PARTS)

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        from components._data.formats.xlsx.reader import open_table

        return open_table(file, self.data.xlsx.sheet).names

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`; none: a workbook is read whole."""
        return None

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`; every file is read once."""
        from components._data.formats.column_readings import with_readings
        from components._data.formats.xlsx.reader import infer_schema

        return with_readings(infer_schema(files, label, self.data.xlsx.sheet, self.notes), self.data, label)

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`. A row's place is its number in the sheet."""
        from components._data.formats.xlsx.reader import read_rows

        return read_rows(file, schema, label, reject, self.data.xlsx.sheet, cells, tally)
