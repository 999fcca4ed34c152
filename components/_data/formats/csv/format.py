"""CSV as a format. Its parts are imported when they are used: a run begins with a preview, which needs few of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from components._core.project.data_config import Data
from components._core.project.table_config import Csv
from components._data.formats.contract import Format, Preview, TableSchema
from components._data.formats.csv.csv_file import CsvFile
from components._data.formats.csv.dialect import Dialect, decide_encoding, detect_dialect
from components._data.formats.csv.preview import preview_file
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.csv.kept_blocks import KeptBlocks
    from components._data.formats.rows import FileTally, Rows

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_TEXT_BYTES = bytes(code for code in range(256) if code >= 32 or code in b"\a\b\t\n\v\f\r\x1a\x1b")


class CsvFormat(Format):
    """Text with a header and separated cells, written as `data.csv` says and, for what it does not say, as detected."""

    name = "csv"
    endings = (".csv",)
    section = "csv"

    @classmethod
    def recognises(cls, first: bytes) -> bool:
        """See `Format`: any text, so that other formats are tried before."""
        return first.startswith(_UTF_16) or (bool(first) and not first.translate(None, delete=_TEXT_BYTES))

    def __init__(self, data: Data) -> None:
        super().__init__(data)
        self._dialects: dict[str, Dialect] = {}
        self._given: dict[str, list[Any]] = {}
        self._first: Csv | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Return the CSV options; of a file in UTF-8 with commas those of before, so that its fingerprint stays."""
        first = next(iter(self._dialects.values()), Dialect(self.data.csv))
        return {"quote": first.csv.quote, "escape": first.csv.escape, **first.unusual}

    @property
    def detected(self) -> dict[str, Any]:
        """See `Format`: the options in which all files agree."""
        found = [dialect.unusual for dialect in self._dialects.values()]
        return (
            {name: value for name, value in found[0].items() if all(other.get(name) == value for other in found)}
            if found
            else {}
        )

    @property
    def unit(self) -> Literal["line", "row"]:
        """See `Format`."""
        return "line"

    def describe(self) -> str:
        """See `Format`."""
        found = Counter(text for dialect in self._dialects.values() for text in dialect.describe())
        files = len(self._dialects)
        texts = next(filter(None, (dialect.show_texts() for dialect in self._dialects.values())), "")
        every = [text if count == files else f"{text} ({count} of {files} files)" for text, count in found.items()]
        return ", ".join([*every, *filter(None, [texts])])

    @cached_property
    def _kept(self) -> KeptBlocks:
        from components._data.formats.csv.kept_blocks import KeptBlocks

        return KeptBlocks()

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        from components._data.formats.csv.inference import check_separator, read_header

        opened = self._csv_file(file)
        names = read_header(opened)
        check_separator(opened, names)
        return names

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`."""
        return preview_file(self._csv_file(file))

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`; every file is read once, or again where its encoding is found late."""
        from components._data.formats.csv.blocks import UndecidedEncodingError
        from components._data.formats.csv.inference import infer_schema

        while True:
            try:
                return infer_schema([self._csv_file(file) for file in files], label, self._kept, self.data, self.notes)
            except UndecidedEncodingError as error:
                decided = decide_encoding(self._dialects[error.file.path], error.sample)
                decided.check_encoding(error.file.name)
                self._dialects[error.file.path] = decided
                self.notes.note(error.file, "encoding", self._given[error.file.path], decided.to_json())

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

    def file_options(self, file: SpanFile) -> Any:
        """See `Format`: of files in several encodings, say, `options` has that of the first one."""
        return self._dialects[file.path].to_json()

    def _csv_file(self, file: SpanFile) -> CsvFile:
        if file.path not in self._dialects:
            self._dialects[file.path] = self._detect(file)
        dialect = self._dialects[file.path]
        return CsvFile.of(file, dialect.csv, dialect.is_undecided, dialect.has_row_names)

    def _detect(self, file: SpanFile) -> Dialect:
        """Detect how a file is written, or recall it; a later file goes by how the beginning of the first one is written."""
        first = self._first and [self._first.delimiter, self._first.quote, self._first.encoding]
        given = self._given[file.path] = [self.data.csv.model_dump(), sorted(self.data.csv.model_fields_set), first]
        convert = Dialect.to_json, Dialect.from_json
        find = partial(detect_dialect, file, self.data.csv, self._first)
        found = self.notes.recall(file, "dialect", given, find, *convert)
        self._first = self._first or found.csv
        if found.is_undecided:  # an earlier run may have decided by later bytes
            found = self.notes.recall(file, "encoding", given, partial(replace, found), *convert)
        found.check_encoding(file.name)
        return found
