"""What was found in an object of the log besides its rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MOST_REPORTED = 20


@dataclass(frozen=True)
class DamagedLine:
    """A line that cannot be read.

    Attributes:
        object: Name of the object below the log's folder.
        line: Number of the line in the object, from 1.
        reason: What is wrong with it.
    """

    object: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.object}, line {self.line}: {self.reason}"


@dataclass
class LogCounts:
    """Counts of one object, or of several: `read_object` adds to them.

    Attributes:
        model: The model whose lines of counts are added; empty: all.
        requests: Answered requests that were read.
        rows: Their rows.
        foreign: Rows of other models, where the reader of the rows leaves them out.
        dropped: Answered requests that the server could not log, by version.
        refused: Refused requests, by version and code.
        damaged: Lines that cannot be read.
        examples: The first `MOST_REPORTED` of them.
        rounded: Whole numbers beyond 2^53 in features of real numbers, whose last digits float64 does not hold.
        unknown: Requests by name of a feature or output that the signature does not have; its values are left out.
    """

    model: str = ""
    requests: int = 0
    rows: int = 0
    foreign: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    damaged: int = 0
    examples: list[DamagedLine] = field(default_factory=list)
    rounded: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    def add_damaged(self, line: DamagedLine) -> None:
        """Count a line that cannot be read."""
        self.damaged += 1
        if len(self.examples) < MOST_REPORTED:
            self.examples.append(line)
