"""What a window is compared with, and how far windows are apart in which nothing drifted; both from the blocks of a reference.

Rows of one day are not independent, so a test that takes them for independent alarms on the weather. The statistic
(`wald_statistic.py`) has the spread between the reference's days in it, and is calibrated once more: each run of as many blocks as the
window has is held against the other blocks of the reference, as if it were a window, and the mean and the variance of the statistic over
its degrees of freedom give its tail. Days are not as regular as a normal distribution has it (a storm, a holiday), so that is the larger
of the tail of a gamma (F. Satterthwaite, Biometrics Bulletin 2, 1946) and of a lognormal distribution, the latter by Student's t for the
number of such windows that the reference has, and for windows of k blocks with 1 + 1/k times the variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components._core.monitoring.reference import Column
from components._core.monitoring.tail_probabilities import chi_square_tail, gamma_tail, log_student_tail
from components.monitor.wald_statistic import Floats, Spread, wald_statistic

Season = Literal["weekday", "month", "none"]
FEWEST_BLOCKS = 10
"""With fewer blocks a check only warns."""
_FEWEST_SPREAD = 3
_FEWEST_WINDOWS = 10
"""Windows without a block in common that the moments are measured on, at least: those of a short reference are shorter than the one judged."""
_MOST_RUNS = 150
_FEWEST_BLOCKS_OF_A_KEY = 3
_ONE_SEASON = 0
Keys = NDArray[np.int64]


def season_key(day: int, season: Season) -> int:
    """Return the part of the season of a day (an ordinal): its weekday, its month, or 0 without a season."""
    if season == "none":
        return _ONE_SEASON
    at = date.fromordinal(day)
    return at.weekday() if season == "weekday" else at.month


def season_keys(days: tuple[int, ...], season: Season) -> Keys:
    """Return the part of the season of each day, shape [days]."""
    return np.asarray([season_key(day, season) for day in days], dtype=np.int64)


def fitting_season(column: Column, days: tuple[int, ...], wanted: Season | Literal["auto"]) -> Season:
    """Return the season to match a feature by: without one when its blocks are not days.

    `auto` is the one by which a day is nearest to the others of its part, of those with three days in each.
    """
    if len(days) != len(column.blocks) or not days:
        return "none"
    if wanted != "auto":
        return wanted
    found: Season = "none"
    least = _mean_distance(column.blocks, season_keys(days, "none"))
    candidates: tuple[Season, ...] = ("weekday", "month")
    for season in candidates:
        keys = season_keys(days, season)
        if np.unique(keys, return_counts=True)[1].min() < _FEWEST_BLOCKS_OF_A_KEY:
            continue
        distance = _mean_distance(column.blocks, keys)
        if distance < least:
            found, least = season, distance
    return found


@dataclass(frozen=True)
class Moments:
    """The statistic over its degrees of freedom, in windows without drift.

    Attributes:
        mean: Mean, at least 1.
        variance: Variance.
        windows: Windows without a block in common that the reference has.
    """

    mean: float
    variance: float
    windows: float

    def tail(self, statistic: float, degrees: int, blocks: float) -> float:
        """Return the p-value of the statistic in a window of so many blocks."""
        variance = max(self.variance * (1 + 1 / blocks), 2 / degrees)
        ratio = statistic / degrees
        by_student = log_student_tail(ratio, self.mean, variance, self.windows)
        return max(gamma_tail(ratio, self.mean, variance), by_student)


class Calibration:
    """The blocks of one feature, and what follows from them.

    Args:
        column: The feature's reference.
        keys: Part of the season of each block, shape [blocks].
        are_days: Whether the blocks are days, whose rows may share something.
    """

    def __init__(self, column: Column, keys: Keys, are_days: bool) -> None:
        has_rows = column.blocks.sum(axis=1) > 0
        self._column, self._are_days = column, are_days
        self._blocks, self._keys = column.blocks[has_rows].astype(np.float64), keys[has_rows]
        self._known = np.unique(self._keys)
        self._differences = _Differences(self._blocks, self._keys)
        self._moments: dict[int, Moments | None] = {}
        self._plain: Calibration | None = None

    @property
    def is_possible(self) -> bool:
        """Whether there are enough blocks."""
        return len(self._blocks) >= FEWEST_BLOCKS

    @property
    def can_tell(self) -> bool:
        """Whether anything can be said: of fewer than three days it is not known how days differ."""
        return not self._are_days or len(self._blocks) >= _FEWEST_SPREAD

    def fitted_to(self, mix: Mapping[int, float]) -> Calibration:
        """Return it, or one without a season when the reference lacks a part of the season that the window has."""
        if all(key in self._known for key in mix):
            return self
        if self._plain is None:
            self._plain = Calibration(self._column, np.zeros(len(self._column.blocks), np.int64), self._are_days)
        return self._plain

    def expected(self, mix: Mapping[int, float]) -> tuple[Floats, float]:
        """Return the reference's counts in a mix of the season's parts, shape [cells], and of how many blocks they are.

        Args:
            mix: Rows of the window by part of the season.
        """
        if not len(self._known):
            return np.zeros(self._blocks.shape[1]), 1.0
        rows = np.asarray([mix.get(int(key), 0.0) for key in self._known])
        totals = np.stack([self._blocks[self._keys == key].sum(axis=0) for key in self._known])
        numbers = np.asarray([(self._keys == key).sum() for key in self._known], dtype=np.float64)
        counts, blocks = _mix(totals, numbers, rows if rows.sum() else numbers)
        return counts, float(blocks)

    def p_value(self, before: Floats, now: Floats, blocks_before: float, blocks_now: float) -> float:
        """Return the p-value of "the rows of the window are distributed as before"; 1 when there is nothing to compare.

        Args:
            before: Counts by cell that are expected.
            now: Counts by cell of the window.
            blocks_before: Blocks, such as days, that `before` is of.
            blocks_now: Blocks that the window has.
        """
        if not self.can_tell:
            return 1.0
        if not self._are_days and not self.is_possible:
            plain, degrees = wald_statistic(before, now)
            return chi_square_tail(float(plain), int(degrees)) if degrees else 1.0
        moments = self._windows_of(blocks_now)
        statistic, degrees = wald_statistic(
            before, now, self._differences.spread(), max(blocks_before, 1.0), max(blocks_now, 1.0)
        )
        if not degrees or moments is None:
            return 1.0
        return moments.tail(float(statistic), int(degrees), blocks_now)

    def _windows_of(self, blocks: float) -> Moments | None:
        """Return the moments of windows of so many blocks; None when the reference has nothing to compare."""
        length = max(min(round(blocks), len(self._blocks) // _FEWEST_WINDOWS), 1)
        if length not in self._moments:
            self._moments[length] = self._measure(length)
        return self._moments[length]

    def _measure(self, length: int) -> Moments | None:
        number = len(self._blocks)
        starts = np.arange(0, number - length + 1, 1 + (number - length) // _MOST_RUNS)
        now, rows, squares = (
            _run_sums(values, starts, length) for values in (self._blocks, *_powers(self._blocks.sum(axis=1)))
        )
        own, mine, their = [], [], []  # by part of the season: rows of the runs, their counts and their blocks
        for key in self._known:
            of_key = (self._keys == key).astype(np.float64)
            counts = _run_sums(self._blocks * of_key[:, None], starts, length)
            own.append(counts.sum(axis=-1))
            mine.append((self._blocks * of_key[:, None]).sum(axis=0) - counts)
            their.append(of_key.sum() - _run_sums(of_key, starts, length))
        before, blocks_before = _mix(np.stack(mine, axis=-2), np.stack(their, axis=-1), np.stack(own, axis=-1))
        spread = self._differences.spread(starts, length)
        statistics, degrees = wald_statistic(before, now, spread, blocks_before, rows**2 / squares)
        ratios = (statistics / np.maximum(degrees, 1))[degrees > 0]
        if len(ratios) < _FEWEST_SPREAD:
            return None
        return Moments(max(float(np.mean(ratios)), 1.0), float(np.var(ratios, ddof=1)), number / length)


class _Differences:
    """The shares of each block less those of the others in its part of the season."""

    def __init__(self, blocks: Floats, keys: Keys) -> None:
        rows = blocks.sum(axis=1)
        others, number = _others(blocks, keys)
        rest = np.maximum(others.sum(axis=1), 1.0)
        vectors = blocks / rows[:, None] - others / rest[:, None]
        self._products = rows[:, None, None] * vectors[:, :, None] * vectors[:, None, :]
        self._sizes = rows
        self._noises, self._factors = 1 + rows / rest, rows * (1 + 1 / np.maximum(number, 1))

    def spread(self, starts: NDArray[np.int64] | None = None, length: int = 0) -> Spread:
        """Return the spread between blocks; with `starts` a stack of them, each without the run of blocks that starts there."""

        def left(values: Floats) -> Floats:
            every: Floats = values.sum(axis=0) - (0.0 if starts is None else _run_sums(values, starts, length))
            return every

        rows = np.maximum(left(self._sizes), 1.0)
        noise, factor = left(self._noises) / rows, np.maximum(left(self._factors) / rows, 1.0)
        blocks = np.asarray(left(np.ones(len(self._sizes))))
        return Spread(left(self._products) / rows[..., None, None], noise, factor, blocks)


def _powers(values: Floats) -> tuple[Floats, Floats]:
    return values, values**2


def _run_sums(values: Floats, starts: NDArray[np.int64], length: int) -> Floats:
    """Return the sums over runs of `length` blocks, shape [runs, ...], of values of shape [blocks, ...]."""
    sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    found: Floats = sums[starts + length] - sums[starts]
    return found


def effective_blocks(rows: NDArray[np.float64]) -> float:
    """Return of how many equal blocks a mean over unequal ones is worth (L. Kish, "Survey Sampling", 1965)."""
    squares = float((rows**2).sum())
    return float(rows.sum()) ** 2 / squares if squares else 1.0


def _others(blocks: Floats, keys: Keys) -> tuple[Floats, NDArray[np.int64]]:
    """Return for each block the counts of the others in its part of the season, and their number; of all others where there is none."""
    others = blocks.sum(axis=0) - blocks
    numbers = np.full(len(blocks), len(blocks) - 1, dtype=np.int64)
    for key in np.unique(keys):
        own = np.flatnonzero(keys == key)
        if len(own) > 1:
            others[own] = blocks[own].sum(axis=0) - blocks[own]
            numbers[own] = len(own) - 1
    return others, numbers


def _mean_distance(blocks: NDArray[np.int64], keys: Keys) -> float:
    """Return how far blocks are from the others in their part of the season: the mean of Pearson's chi-square."""
    known = blocks.sum(axis=1) > 0
    own, keys = blocks[known].astype(np.float64), keys[known]
    shares = own.sum(axis=0) / max(own.sum(), 1.0)
    others, _ = _others(own, keys)
    rows = own.sum(axis=1)
    difference = own / rows[:, None] - others / np.maximum(others.sum(axis=1), 1.0)[:, None]
    return float(np.sum(rows[:, None] * difference[:, shares > 0] ** 2 / shares[shares > 0]))


def _mix(totals: Floats, numbers: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Mix counts by part of the season as a window has them, and return of how many blocks that is worth.

    No more counts than the parts have. A part without blocks is taken as the whole reference.

    Args:
        totals: Counts of the reference, shape [..., parts, cells].
        numbers: Its blocks, shape [..., parts].
        rows: Rows of the window, shape [..., parts].

    Returns:
        Counts, shape [..., cells], and blocks, shape [...].
    """
    is_empty = (numbers <= 0) | (totals.sum(axis=-1) <= 0.5)
    totals = np.where(is_empty[..., None], totals.sum(axis=-2, keepdims=True), totals)
    numbers = np.where(is_empty, numbers.sum(axis=-1, keepdims=True), numbers)
    sizes, weights = totals.sum(axis=-1), rows / rows.sum(axis=-1, keepdims=True)
    shares = (weights / np.maximum(sizes, 1.0))[..., None] * totals
    used = (sizes * (weights > 0)).sum(axis=-1)
    return shares.sum(axis=-2) * used[..., None], 1 / (weights**2 / np.maximum(numbers, 1.0)).sum(axis=-1)
