"""Plain text as a format: a line is a row with one column, `text`. It has no label: folders named `label=...` can give one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from components._core.project.data_config import Data
from components._core.project.text_config import TEXT
from components._data.formats.columns import check_columns
from components._data.formats.compression import read_head
from components._data.formats.contract import Format, Preview, TableSchema
from components._data.formats.decode_text import name_encoding
from components._data.formats.encoding import decode
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows

_SAMPLE_BYTES = 1 << 20
_MOST_ROWS = 20


class TextLinesFormat(Format):
    """Lines of text in any encoding, which is detected for each file; compressed or not. Its files are never recognised: a project names it."""

    name = "text_lines"
    endings = ()

    def __init__(self, data: Data) -> None:
        super().__init__(data)
        self._encodings: dict[str, str] = {}
        self._named: dict[str, str] = {}

    @property
    def unit(self) -> Literal["line", "row"]:
        """See `Format`."""
        return "line"

    def file_options(self, file: SpanFile) -> Any:
        """See `Format`."""
        return self._encoding(file)

    def describe(self) -> str:
        """See `Format`: encodings other than UTF-8, with one of their files."""
        return describe_encodings(self._named)

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        self._encoding(file)
        return [TEXT]

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`."""
        sample, _ = read_head(file, _SAMPLE_BYTES)
        lines = decode(sample, self._encoding(file)).splitlines()[:_MOST_ROWS]
        return Preview([TEXT], [[line] for line in lines if line.strip()])

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`. A label must come from the folders."""
        import pyarrow as pa

        given = dict(files[0].partition)
        for file in files:
            check_columns(file.name, [TEXT, *given], [], label)
            self._encoding(file)
        return TableSchema({TEXT: pa.string()})

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`. A line that is not valid in the file's encoding is set aside."""
        from components._data.formats.text_lines.reader import read_rows

        return read_rows(file, self._encoding(file), reject, cells, tally)

    def _encoding(self, file: SpanFile) -> str:
        if file.path not in self._encodings:
            self._encodings[file.path] = self._named[file.name] = detect_text_encoding(file)
        return self._encodings[file.path]


def describe_encodings(found: Mapping[str, str]) -> str:
    """Describe the encodings of files by their names, with the first file of each; empty where all are UTF-8."""
    by_encoding: dict[str, list[str]] = {}
    for name, encoding in found.items():
        by_encoding.setdefault(encoding, []).append(name)
    if set(by_encoding) <= {"utf-8"}:
        return ""
    return ", ".join(f"{encoding} in {len(names):,} files ({names[0]})" for encoding, names in by_encoding.items())


def detect_text_encoding(file: SpanFile) -> str:
    """Detect the encoding of a file of text by its first bytes.

    Raises:
        DataError: When it is not text, or several encodings are as likely.
    """
    sample, _ = read_head(file, _SAMPLE_BYTES)
    return name_encoding(sample, file.name)
