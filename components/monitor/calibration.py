"""What a window is compared with, and how far windows are apart in which nothing drifted; both from the blocks of a reference.

Rows of one day are not independent, so a test that takes them for independent alarms on the weather. Here each run of as many
blocks as the window has is held against the other blocks of the reference: the mean and the variance of G over its degrees of freedom
give a gamma distribution (F. Satterthwaite, Biometrics Bulletin 2, 1946). The mean is the design effect of J. Rao and A. Scott (Annals of
Statistics 12, 1984); it grows with the rows of a block, 1 + (m - 1) rho, and is taken to the rows that a block of the window has.
Days are not as regular as a gamma distribution has it (a storm, a holiday), so the larger tail of it and of a lognormal
distribution with the same moments counts, and the variance is taken 1 + 1/k times as large for a window of k blocks: on single days
this takes away three in four false alarms, and on weeks it costs little power.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components._core.monitoring.reference import Column
from components._core.monitoring.tail_probabilities import chi_square_tail, gamma_tail, lognormal_tail
from components.monitor.homogeneity import Floats, g_statistic

Season = Literal["weekday", "month", "none"]
FEWEST_BLOCKS = 10
"""With fewer blocks there is no calibration."""
_MOST_RUNS = 150
_FEWEST_RUNS = 10
_FEWEST_BLOCKS_OF_A_KEY = 3
_ONE_SEASON = 0


def season_key(day: int, season: Season) -> int:
    """Return the part of the season of a day (an ordinal): its weekday, its month, or 0 without a season."""
    if season == "none":
        return _ONE_SEASON
    at = date.fromordinal(day)
    return at.weekday() if season == "weekday" else at.month


def fitting_season(days: tuple[int, ...], wanted: Season | Literal["auto"]) -> Season:
    """Return the season to use: without one when blocks are not days; `auto` is the weekday where each has three blocks."""
    if not days or wanted == "none":
        return "none"
    if wanted != "auto":
        return wanted
    counts = np.bincount([season_key(day, "weekday") for day in days], minlength=7)
    return "weekday" if counts[counts > 0].min() >= _FEWEST_BLOCKS_OF_A_KEY else "none"


@dataclass(frozen=True)
class Moments:
    """G over its degrees of freedom, in windows without drift.

    Attributes:
        mean: Mean, at least 1.
        variance: Variance.
        rows: Mean rows of a block.
    """

    mean: float
    variance: float
    rows: float

    def tail(self, statistic: float, degrees: int, rows: float, blocks: int) -> float:
        """Return the p-value of G in a window of so many blocks with `rows` rows each."""
        rho = max(self.mean - 1, 0.0) / max(self.rows - 1, 1.0)
        mean = 1 + max(rows - 1, 0.0) * rho
        scale = mean / self.mean
        variance = max(self.variance * scale**2 * (1 + 1 / blocks), 2 / degrees)
        ratio = statistic / degrees
        return max(gamma_tail(ratio, mean, variance), lognormal_tail(ratio, mean, variance))


class Calibration:
    """The blocks of one feature, and what follows from them.

    Args:
        column: The feature's reference.
        keys: Part of the season of each block, shape [blocks].
    """

    def __init__(self, column: Column, keys: NDArray[np.int64]) -> None:
        self._blocks = column.blocks.astype(np.float64)
        has_rows = self._blocks.sum(axis=1) > 0
        self._blocks, self._keys = self._blocks[has_rows], keys[has_rows]
        self._totals = self._sums(np.arange(len(self._blocks)))
        self._moments: dict[int, Moments | None] = {}

    @property
    def is_possible(self) -> bool:
        """Whether there are enough blocks."""
        return len(self._blocks) >= FEWEST_BLOCKS

    def expected(self, mix: Mapping[int, float]) -> Floats:
        """Return the reference's counts in a mix of the season's parts, and no more of them than these parts have; shape [cells].

        Args:
            mix: Rows of the window by part of the season.
        """
        return _mixed(self._totals, mix)

    def p_value(self, before: Floats, now: Floats, blocks: int) -> float:
        """Return the p-value of "the rows of the window are distributed as before"; 1 when there is nothing to compare.

        Args:
            before: Counts by cell that are expected.
            now: Counts by cell of the window.
            blocks: Blocks, such as days, that the window has.
        """
        statistic, degrees = g_statistic(before, now)
        if not degrees:
            return 1.0
        moments = self.moments(blocks) if self.is_possible else None
        if moments is None:
            return chi_square_tail(statistic, degrees)
        return moments.tail(statistic, degrees, float(now.sum()) / blocks, blocks)

    def moments(self, blocks: int) -> Moments | None:
        """Return the moments of windows of so many blocks; None when the reference has nothing to compare."""
        length = max(min(blocks, len(self._blocks) // 4), 1)
        if length not in self._moments:
            self._moments[length] = self._measure(length)
        return self._moments[length]

    def _measure(self, length: int) -> Moments | None:
        starts = range(0, len(self._blocks) - length + 1, 1 + (len(self._blocks) - length) // _MOST_RUNS)
        ratios, rows = [], []
        for start in starts:
            run = np.arange(start, start + length)
            own = self._sums(run)
            others = {key: self._totals[key] - own.get(key, 0.0) for key in self._totals}
            now = sum(own.values(), start=np.zeros(self._blocks.shape[1]))
            statistic, degrees = g_statistic(_mixed(others, {key: part.sum() for key, part in own.items()}), now)
            if degrees:
                ratios.append(statistic / degrees)
                rows.append(now.sum() / length)
        if len(ratios) < _FEWEST_RUNS:
            return None
        return Moments(max(float(np.mean(ratios)), 1.0), float(np.var(ratios, ddof=1)), float(np.mean(rows)))

    def _sums(self, places: NDArray[np.int64]) -> dict[int, Floats]:
        """Return the counts of some blocks by part of the season."""
        keys = self._keys[places]
        return {int(key): self._blocks[places[keys == key]].sum(axis=0) for key in np.unique(keys)}


def _mixed(totals: Mapping[int, Floats], mix: Mapping[int, float]) -> Floats:
    """Mix counts by part of the season; a part that the reference does not have is taken as the whole reference."""
    every = sum(totals.values(), start=np.zeros(len(next(iter(totals.values()))))) if totals else np.zeros(0)
    parts = {key: totals[key] if key in totals and totals[key].sum() else every for key in mix}
    shares, size, rows = np.zeros_like(every), 0.0, sum(mix.values())
    for key, weight in mix.items():
        if parts[key].sum() and rows:
            shares = shares + (weight / rows) * parts[key] / parts[key].sum()
    is_whole = any(key not in totals for key in mix)
    size = every.sum() if is_whole else sum(float(parts[key].sum()) for key in mix)
    return shares * size
