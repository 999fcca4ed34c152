"""The reference of a version: what its training rows and its test predictions counted, by block, for a monitor to compare with.

A block is a day where the rows have a time, else a part of the rows in their order. Rows of one block are not independent (they share
the weather), so the distance between blocks that did not drift is what a monitor's alarms are held against.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from components._core.errors import DataError
from components._core.files import write_text
from components._core.monitoring.feature_bins import Bins, CountVector, load_bins
from components._core.monitoring.reliability import Reliability

BlockKind = Literal["day", "rows"]
HOURS = 24
_FORMAT = 1
_DIGITS = 32


@dataclass(frozen=True)
class Column:
    """One feature or output of the reference.

    Attributes:
        bins: Its cells.
        blocks: Counts by block and cell, int64 [blocks, cells].
        novel: Rows of each block whose text no other block has, or whose number is out of the range of the others: how often such
            values are usual; int64 [blocks]. Empty where it is not known.
        hours: Counts by day, hour (UTC) and cell of the newest blocks, int64 [days, 24, cells]; empty where the rows have no hours.
        novel_hours: As `novel`, of a number and by hour, int64 [days, 24].
    """

    bins: Bins
    blocks: NDArray[np.int64]
    novel: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    hours: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, HOURS, 0), dtype=np.int64))
    novel_hours: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, HOURS), dtype=np.int64))

    @property
    def total(self) -> CountVector:
        """Counts over all blocks, shape [cells]."""
        summed: CountVector = self.blocks.sum(axis=0)
        return summed


@dataclass(frozen=True)
class MonitoringReference:
    """What a version's rows counted.

    Attributes:
        block: What a block of the features is.
        days: Day of each block of the features, as an ordinal (`date.toordinal`); empty when a block is not a day.
        features: By feature.
        outputs: By output, of the test rows.
        importances: Share of the model's importance by feature, each 0 to 1; empty when it is unknown.
        output_days: As `days`, of the blocks of the outputs.
        reliability: How often the scores were right on the test rows, by output; of a binary task alone.
    """

    block: BlockKind
    days: tuple[int, ...]
    features: dict[str, Column]
    outputs: dict[str, Column] = field(default_factory=dict)
    importances: dict[str, float] = field(default_factory=dict)
    output_days: tuple[int, ...] = ()
    reliability: dict[str, Reliability] = field(default_factory=dict)

    @property
    def cells_digest(self) -> str:
        """Digest of the cells: counts of rows by other cells cannot be compared with it, nor added to such."""
        cells = [
            {name: column.bins.to_json() for name, column in part.items()} for part in (self.features, self.outputs)
        ]
        return sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()[:_DIGITS]

    def save(self, path: Path) -> None:
        """Write it as JSON, a line for each feature: equal contents give equal bytes."""
        head = {
            "format": _FORMAT,
            "block": self.block,
            "days": _format_days(self.days),
            "output_days": _format_days(self.output_days),
            "importances": dict(sorted(self.importances.items())),
            "reliability": {name: each.to_json() for name, each in sorted(self.reliability.items())},
        }
        parts = [f'"{name}": {json.dumps(value, ensure_ascii=False)}' for name, value in head.items()]
        for name, columns in (("features", self.features), ("outputs", self.outputs)):
            lines = [f"{json.dumps(key, ensure_ascii=False)}: {_dump(column)}" for key, column in columns.items()]
            parts.append(f'"{name}": {{\n' + ",\n".join(lines) + "\n}")
        write_text(path, "{" + ",\n".join(parts) + "}\n")

    @classmethod
    def load(cls, path: Path) -> MonitoringReference:
        """Read what `save` wrote.

        Raises:
            DataError: When it is damaged, or of a later version of Naru.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if raw["format"] != _FORMAT:
                raise DataError(f"has the format {raw['format']}; allowed: {_FORMAT}", where="a monitoring reference")
            return cls(
                raw["block"],
                _parse_days(raw["days"]),
                {name: _load(column) for name, column in raw["features"].items()},
                {name: _load(column) for name, column in raw["outputs"].items()},
                {name: float(share) for name, share in raw["importances"].items()},
                _parse_days(raw.get("output_days", ())),
                {name: Reliability.from_json(each) for name, each in raw.get("reliability", {}).items()},
            )
        except (DataError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            message = f"the monitoring reference cannot be read: {str(error)[:200]}"
            raise DataError(message, where=str(path), remedy="train and register the model again") from error


def normalise_importances(values: Mapping[str, float], features: Sequence[str]) -> dict[str, float]:
    """Return each feature's share of the importance; negative values count as none. Empty when no feature has any."""
    known = {name: float(values.get(name) or 0.0) for name in features}
    positive = {name: value if 0 < value < math.inf else 0.0 for name, value in known.items()}
    summed = sum(positive.values())
    return {name: value / summed for name, value in positive.items()} if summed > 0 else {}


def _format_days(days: Sequence[int]) -> list[str]:
    return [date.fromordinal(day).isoformat() for day in days]


def _parse_days(days: Sequence[str]) -> tuple[int, ...]:
    return tuple(date.fromisoformat(day).toordinal() for day in days)


def _dump(column: Column) -> str:
    fields = {**column.bins.to_json(), "blocks": column.blocks.tolist(), "novel": column.novel.tolist()}
    if len(column.hours):  # an hour without rows is empty: nights and Sundays take no space
        fields["hours"] = [[hour if any(hour) else [] for hour in day] for day in column.hours.tolist()]
    if len(column.novel_hours):
        fields["novel_hours"] = [hours if any(hours) else [] for hours in column.novel_hours.tolist()]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _load(raw: Mapping[str, Any]) -> Column:
    bins = load_bins(raw)
    blocks = np.asarray(raw["blocks"], dtype=np.int64).reshape(-1, bins.size)
    none, no_cells = [0] * HOURS, [0] * bins.size
    days = [[hour or no_cells for hour in day] for day in raw.get("hours", ())]
    hours = np.asarray(days, dtype=np.int64).reshape(-1, HOURS, bins.size)
    novel = np.asarray([day or none for day in raw.get("novel_hours", ())], dtype=np.int64).reshape(-1, HOURS)
    if len(hours) > len(blocks) or len(novel) not in (0, len(hours)):
        raise DataError("has more days by hour than days", where="a monitoring reference")
    return Column(bins, blocks, np.asarray(raw["novel"], dtype=np.int64), hours, novel)
