"""A source file with its CSV options."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from components._core.project.data_config import Csv
from components._data.sources.contract import SpanFile


@dataclass(frozen=True)
class CsvFile(SpanFile):
    """A CSV file.

    Attributes:
        csv: CSV options of the file.
    """

    csv: Csv = field(default_factory=Csv)

    @classmethod
    def of(cls, file: SpanFile, csv: Csv) -> CsvFile:
        """Create it from a source file and CSV options."""
        return cls(**{known.name: getattr(file, known.name) for known in fields(SpanFile)}, csv=csv)
