"""A source file with its CSV options, and its text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import BinaryIO, cast

from components._core.project.table_config import Csv
from components._data.formats.columns import name_columns
from components._data.formats.compression import open_content
from components._data.formats.encoding import Utf8Stream
from components._data.sources.contract import SpanFile


@dataclass(frozen=True)
class CsvFile(SpanFile):
    """A CSV file.

    Attributes:
        csv: CSV options of the file.
        is_undecided: Whether its encoding was detected from ASCII alone.
        has_row_names: Whether rows have a cell more than the header, in front.
    """

    csv: Csv = field(default_factory=Csv)
    is_undecided: bool = False
    has_row_names: bool = False

    @classmethod
    def of(cls, file: SpanFile, csv: Csv, is_undecided: bool = False, has_row_names: bool = False) -> CsvFile:
        """Create it from a source file and CSV options."""
        same = {known.name: getattr(file, known.name) for known in fields(SpanFile)}
        return cls(**same, csv=csv, is_undecided=is_undecided, has_row_names=has_row_names)

    def name_columns(self, header: list[str]) -> list[str]:
        """Name the columns by the cells of the header (`columns.name_columns`)."""
        return name_columns(["", *header] if self.has_row_names else header)

    @property
    def encoding(self) -> str:
        """Encoding of the file."""
        return self.csv.encoding or "utf-8"

    def open_text(self, watch: Callable[[bytes], None] | None = None) -> BinaryIO:
        """Open the file's text in UTF-8, to be read once from the beginning; bytes that are not valid stay invalid.

        Args:
            watch: Called with every byte of the file itself in order, as for hashing.
        """
        content = open_content(self, watch)
        return content if self.encoding == "utf-8" else cast(BinaryIO, Utf8Stream(content, self.encoding))
