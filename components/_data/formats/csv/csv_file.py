"""A file of a source, with how its CSV is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from components._core.project.project_file import Csv
from components._data.sources.contract import SpanFile


@dataclass(frozen=True)
class CsvFile(SpanFile):
    """A CSV file.

    Attributes:
        csv: Its marks.
    """

    csv: Csv = field(default_factory=Csv)

    @classmethod
    def of(cls, file: SpanFile, csv: Csv) -> CsvFile:
        """A file of a source, read by some marks."""
        return cls(file.span, file.path, file.filesystem, csv)
