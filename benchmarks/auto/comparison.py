"""What the measurements come to: scaled metrics, who is ahead on how many tables, the gap to the best peer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.auto.tables import NUMBER

OURS, CONSTANT = "naru", "constant"
PEERS = ("hist_gradient_boosting", "lightgbm", "autogluon")
Measured = dict[str, list[float]]
"""Metric by contestant: a value for each split."""


@dataclass(frozen=True)
class Comparison:
    """One table.

    Attributes:
        means: Mean scaled metric by contestant: 0 for the constant model, 1 for the best contestant of the table.
        ahead: By peer: 1 where ours is ahead by more than a standard error of the paired differences, 0.5 within it, else 0.
    """

    means: dict[str, float]
    ahead: dict[str, float]


def compare(task: str, measured: Measured) -> Comparison:
    """Compare the contestants of a table.

    The scale is that of the table's means: a lucky split does not stretch it.
    """
    sign = -1.0 if task == NUMBER else 1.0
    values = {name: sign * np.asarray(found) for name, found in measured.items()}
    zero = values[CONSTANT].mean()
    span = max(found.mean() for name, found in values.items() if name != CONSTANT) - zero
    scaled = {name: (found - zero) / span for name, found in values.items() if name != CONSTANT}
    ahead = {peer: _share_ahead(scaled[OURS] - scaled[peer]) for peer in PEERS if peer in scaled}
    return Comparison({name: float(found.mean()) for name, found in scaled.items()}, ahead)


def _share_ahead(differences: np.ndarray[Any, Any]) -> float:
    count = len(differences)
    error = float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    mean = float(differences.mean())
    return 0.5 if abs(mean) <= error else float(mean > 0)


def summarise(tables: dict[str, Comparison]) -> dict[str, Any]:
    """The figures over all tables.

    Returns:
        `tables`; `means` by contestant; `gap_to_best`, the best peer's mean minus ours; `ahead_of_...` for each peer; `behind_by_half_percent`, the tables on
        which the best peer is more than 0.5 % of the scale ahead.
    """
    contestants = [OURS, *(peer for peer in PEERS if all(peer in one.ahead for one in tables.values()))]
    means = {name: float(np.mean([one.means[name] for one in tables.values()])) for name in contestants}
    peers = contestants[1:]
    behind = [name for name, one in tables.items() if max(one.means[peer] for peer in peers) - one.means[OURS] > 0.005]
    return {
        "tables": len(tables),
        "means": means,
        "gap_to_best": max(means[peer] for peer in peers) - means[OURS],
        "behind_by_half_percent": behind,
        **{f"ahead_of_{peer}": float(sum(one.ahead[peer] for one in tables.values())) for peer in peers},
    }
