"""Which answers got a label: coverage by day and by decile of the score, and whether a span is final."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._feedback.columns import Ints, numbers

DECILES = 10
MOST_RATIO = 2.0
"""Ratio of the coverage of two deciles from which what is labelled is not a sample of what was answered."""
FEWEST = 50
"""Answers of a decile from which its coverage counts."""
FEW_ANSWERS = 1_000
"""Answers by which the borders of the deciles are settled: later counts need the same ones."""
_DAY = 86_400_000_000


@dataclass
class Coverage:
    """Answered, labelled and closed rows by day of the answer and decile of the score; additive over joins.

    Attributes:
        edges: Inner borders of the deciles of the score (nine), from the answers of the first joins.
        days: By day since 1970, answered, labelled and closed rows by decile (int64 [3, 10]).
    """

    edges: list[float] = field(default_factory=list)
    days: dict[int, Ints] = field(default_factory=dict)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Coverage:
        """Make it from what `to_json` returned."""
        return cls(list(raw["edges"]), {int(day): np.array(found, np.int64) for day, found in raw["days"].items()})

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"edges": self.edges, "days": {str(day): found.tolist() for day, found in sorted(self.days.items())}}

    def set_edges(self, scores: NDArray[np.float64]) -> None:
        """Set the borders of the deciles by some scores; again, while few answers were counted, and not any more after that."""
        counted = sum(int(found[0].sum()) for found in self.days.values())
        if len(scores) and (not self.edges or counted < FEW_ANSWERS):
            self.edges = np.quantile(scores, np.arange(1, DECILES) / DECILES).tolist()

    def add(self, answers: pa.Table, what: int) -> None:
        """Count rows as answered (0), labelled (1) or closed (2)."""
        days, deciles = numbers(answers, "time") // _DAY, self._deciles(answers)
        for day in np.unique(days).tolist():
            found = self.days.setdefault(day, np.zeros((3, DECILES), np.int64))
            found[what] += np.bincount(deciles[days == day], minlength=DECILES)

    def mature(self, now: datetime, wait: timedelta) -> Ints:
        """Return answered, labelled and closed rows by decile of the days that ended more than `wait` ago (int64 [3, 10])."""
        last = int((now - wait).timestamp() * 1_000_000) // _DAY
        chosen = [found for day, found in self.days.items() if day < last]
        return np.sum(chosen, axis=0) if chosen else np.zeros((3, DECILES), np.int64)

    def forget(self, before: datetime) -> None:
        """Leave out the days before a time."""
        first = int(before.astimezone(UTC).timestamp() * 1_000_000) // _DAY
        self.days = {day: found for day, found in self.days.items() if day >= first}

    def _deciles(self, answers: pa.Table) -> Ints:
        scores = np.asarray(answers["score"].fill_null(np.nan).to_numpy(), np.float64)
        return np.where(np.isnan(scores), 0, np.searchsorted(self.edges, scores, side="right")).astype(np.int64)


def share_labelled(found: Ints) -> float | None:
    """Return the share of the rows with a label, of those that were not closed; None when there is none."""
    answered, labelled, closed = (int(part) for part in found.sum(axis=1)) if found.ndim == 2 else map(int, found)
    return labelled / (answered - closed) if answered > closed else None


def by_decile(found: Ints) -> list[float | None]:
    """Return the share labelled by decile of the score."""
    return [share_labelled(found[:, decile]) for decile in range(DECILES)]


def why_not_final(found: Ints, least: float) -> str:
    """Return why the labels of the mature answers are not a fair sample of them; empty when they are.

    Args:
        found: Answered, labelled and closed rows by decile, of mature days.
        least: Share that must be labelled.
    """
    share = share_labelled(found)
    if share is None:
        return "no answer is older than feedback.wait"
    if share < least:
        return f"{share:.1%} of the answers older than feedback.wait have a label; feedback.min_coverage is {least:.0%}"
    counted = [part for decile, part in enumerate(by_decile(found)) if part is not None and found[0, decile] >= FEWEST]
    if len(counted) > 1 and max(counted) > MOST_RATIO * min(counted):
        return (
            f"labels depend on the score: {min(counted):.1%} to {max(counted):.1%} of a decile have one, and more than "
            f"{MOST_RATIO:g} times as many in one as in another is not a sample"
        )
    return ""
