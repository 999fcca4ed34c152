"""One span as it is kept: what was counted when it was read, and the files with its rows."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components._core.examples.artifact import SPLITS, SourceFile
from components._data.columns.cell_counts import CellCounts
from components._data.columns.date_orders import OrderCounts
from components._data.formats.bad_rows import BadRow
from components._data.joins.table_joins import MatchCount

REJECTS = "rejects.jsonl"
NUMBERS = "splits.parquet"
"""The split of each row in the order of the source, a row group for each batch; only where a row's example decides its split."""
PARTS = frozenset({*(f"{split}.parquet" for split in SPLITS), REJECTS, NUMBERS})
_BLOCK = 1 << 20


@dataclass(frozen=True)
class FileRead:
    """What was counted in one file of the source.

    Attributes:
        file: The file, as in the manifest.
        blank: Number of empty lines.
        odd: Cells that did not fit their column's type and became missing.
        missing: Cells with a text that stands for a missing value.
        dropped: Number of rows left out by each rule of `data.rows`.
        joined: Its rows by what each join of `data.join` found for them.
        fitting: Number of cells that fit a column that is read as numbers, dates or times, by column.
        orders: Its dates by the orders of day and month in which they can be read.
    """

    file: SourceFile
    blank: int
    odd: CellCounts
    missing: CellCounts
    dropped: dict[str, int]
    joined: list[MatchCount] = field(default_factory=list)
    fitting: dict[str, int] = field(default_factory=dict)
    orders: OrderCounts = field(default_factory=OrderCounts)

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON; the order of the cells is kept, since it decides which of many are counted together."""
        cells = {"odd": self.odd, "missing": self.missing}
        counts = {
            name: [[column, list(texts.items())] for column, texts in found.by_column.items()]
            for name, found in cells.items()
        }
        joined = {"joined": [asdict(count) for count in self.joined]} if self.joined else {}
        return {
            "file": asdict(self.file),
            "blank": self.blank,
            "dropped": self.dropped,
            **counts,
            **joined,
            "fitting": self.fitting,
            "orders": self.orders.to_json(),
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> FileRead:
        """Convert from JSON."""
        cells = _cells(raw["odd"]), _cells(raw["missing"])
        joined = [MatchCount(**count) for count in raw.get("joined", [])]
        orders = OrderCounts.from_json(raw["orders"])
        return cls(SourceFile(**raw["file"]), raw["blank"], *cells, raw["dropped"], joined, raw["fitting"], orders)


@dataclass(frozen=True)
class KeptSpan:
    """A kept span whose files are on this machine, and whole.

    Attributes:
        entry: Its name in the store.
        files: The source's files.
        parts: Its own files by name: those of the splits that have rows, `REJECTS`, and `NUMBERS` if there are any.
    """

    entry: str
    files: list[FileRead]
    parts: dict[str, Path]

    def rejects(self) -> Iterator[BadRow]:
        """Yield the rows set aside, in their order."""
        with self.parts[REJECTS].open(encoding="utf-8") as lines:
            for line in lines:
                yield BadRow(**json.loads(line))


def part_name(split: str) -> str:
    """Return the name of the file with the rows of a split."""
    return f"{split}.parquet"


def checksum(path: Path) -> list[int]:
    """Return size and CRC-32 of a file: they detect damage, not forgery; the store is trusted as the models in it are."""
    size = found = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found = zlib.crc32(block, found)
            size += len(block)
    return [size, found]


def _cells(raw: list[Any]) -> CellCounts:
    found = CellCounts()
    for column, texts in raw:
        found.add(column, dict(texts))
    return found
