"""Judges a window of answered requests against the reference: which distributions moved, and which invariants broke.

A window of three days or more must be different without any one of them: a storm in a week is no drift.
A distribution alarms when it is different *and* the difference has a size. Different: the p-value of a calibrated Wald statistic
(`calibration.py`) passes the procedure of S. Holm (Scandinavian Journal of Statistics 6, 1979) over the features, so that a check gives a false
alarm with the probability alpha at most, however features depend on each other. Size: the Jensen-Shannon distance reaches a floor, so
that a million rows do not alarm on nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check, Status
from components._core.monitoring.counts import Counts, total
from components._core.monitoring.feature_bins import Bins, CountVector, TextBins
from components._core.monitoring.reference import Column, MonitoringReference
from components.monitor.calibration import (
    Calibration,
    Season,
    effective_blocks,
    fitting_season,
    season_key,
    season_keys,
)
from components.monitor.invariant_checks import FEWEST_DAYS_WITHOUT_ONE, judge_invariants
from components.monitor.monitor_check import MINOR_IMPORTANCE, Kind, MonitorCheck, MovedCell
from components.monitor.wald_statistic import Floats, jensen_shannon_distance


@dataclass(frozen=True)
class Policy:
    """When a difference is an alarm.

    Attributes:
        alpha: Probability of a false alarm, of one check over all features.
        warn: Smallest Jensen-Shannon distance that warns.
        fail: Smallest one that fails.
        min_rows: Fewest rows that are judged.
        season: What the reference is matched by; `auto`: for each feature what makes its days most alike (`fitting_season`).
    """

    alpha: float = 0.01
    warn: float = 0.05
    fail: float = 0.1
    min_rows: int = 50
    season: Season | Literal["auto"] = "auto"


@dataclass(frozen=True)
class WindowBlock:
    """The counts of one day of a window.

    Attributes:
        day: The day, as an ordinal (`date.toordinal`).
        counts: Its counts.
    """

    day: int
    counts: Counts


def judge_window(
    reference: MonitoringReference, window: Sequence[WindowBlock], policy: Policy | None = None
) -> list[MonitorCheck]:
    """Judge the features and predictions of a window against the reference of the version.

    Args:
        reference: The version's.
        window: The counts of the window, by day.
        policy: When a difference is an alarm; None: the defaults.
    """
    return Judge(reference, policy or Policy()).judge(window)


class Judge:
    """Judges windows of one version; what it needs of the reference is computed once.

    Args:
        reference: The version's.
        policy: When a difference is an alarm.
    """

    def __init__(self, reference: MonitoringReference, policy: Policy) -> None:
        self._reference, self._policy = reference, policy
        self._features = _Side(reference.features, reference.days, reference.block == "day", policy)
        self._outputs = _Side(reference.outputs, reference.output_days, bool(reference.output_days), policy)

    def judge(self, window: Sequence[WindowBlock]) -> list[MonitorCheck]:
        """Judge a window against training: skew, invariants, predictions."""
        summed = total(block.counts for block in window)
        days = [block.counts for block in window]
        invariants = judge_invariants(self._reference, days, self._policy.alpha, self._policy.min_rows)
        features = self._compare("skew", self._features, _features_of, window)
        outputs = self._compare("prediction", self._outputs, _outputs_of, window)
        return [*_without_masked([*invariants, *features], summed), *outputs]

    def judge_change(self, window: Sequence[WindowBlock], before: Sequence[WindowBlock]) -> list[MonitorCheck]:
        """Judge a window against the window before it: drift."""
        now = total(block.counts for block in window)
        return _without_masked(self._compare("drift", self._features, _features_of, window, before), now)

    def _compare(
        self,
        kind: Kind,
        side: _Side,
        counts: Callable[[Counts], Mapping[str, CountVector]],
        window: Sequence[WindowBlock],
        before: Sequence[WindowBlock] | None = None,
    ) -> list[MonitorCheck]:
        measured: dict[str, tuple[Floats, Floats, float]] = {}
        for name in side.columns:
            known, now, p = self._measure(side, name, counts, window, before)
            if min(now.sum(), known.sum()) < self._policy.min_rows or not side.calibrations[name].can_tell:
                continue
            if p <= self._policy.alpha:  # as it is with the day left out without which least is left of it
                fewer = [self._measure(side, name, counts, rest, before)[2] for rest in _without_each(window)]
                fewer += [self._measure(side, name, counts, window, rest)[2] for rest in _without_each(before or ())]
                p = max([p, *fewer])
            measured[name] = known, now, p
        passing = holm({name: p for name, (_, _, p) in measured.items()}, self._policy.alpha)
        return [
            self._distribution_check(kind, name, measured.get(name), name in passing, side) for name in side.columns
        ]

    def _measure(
        self,
        side: _Side,
        name: str,
        counts: Callable[[Counts], Mapping[str, CountVector]],
        window: Sequence[WindowBlock],
        before: Sequence[WindowBlock] | None,
    ) -> tuple[Floats, Floats, float]:
        """Return what is expected of a column, what was counted, and the p-value."""
        column, calibration, now = side.columns[name], side.calibrations[name], _sum(window, name, side, counts)
        if before is None:
            mix = side.mix(name, window)
            calibration = calibration.fitted_to(mix)
            known, blocks = calibration.expected(mix)
            if isinstance(column.bins, TextBins):
                # the reference has none by its construction, and neither have its blocks: the invariant judges unseen values
                now[column.bins.unseen] = 0.0
        else:
            known, blocks = _sum(before, name, side, counts), _blocks_of(before)
        return known, now, calibration.p_value(known, now, blocks, _blocks_of(window))

    def _distribution_check(
        self,
        kind: Kind,
        name: str,
        measured: tuple[Floats, Floats, float] | None,
        is_significant: bool,
        side: _Side,
    ) -> MonitorCheck:
        label, importance = f"{kind}: {name}", self._reference.importances.get(name)
        if measured is None:
            before = " in this window or in the one before" if kind == "drift" else ""
            reason = f"{name}: fewer than {self._policy.min_rows} rows{before}"
            if not side.calibrations[name].can_tell:
                reason = f"{name}: training has rows of fewer than three days, so it is not known how much days differ"
            return MonitorCheck(Check(label, "no_baseline", reason=reason), kind, name, importance)
        known, now, p = measured
        distance, is_calibrated = jensen_shannon_distance(known, now), side.calibrations[name].is_possible
        cell = most_moved(side.columns[name].bins, known, now)
        alarms = is_significant and distance >= self._policy.warn
        is_minor = not is_calibrated or (importance is not None and importance < MINOR_IMPORTANCE)
        status: Status = "pass" if not alarms else "fail" if distance >= self._policy.fail and not is_minor else "warn"
        against = "the window before" if kind == "drift" else "the test rows" if kind == "prediction" else "training"
        moved = f"{cell.name} is {cell.observed:.1%} of the rows, {cell.expected:.1%} in {against}" if cell else ""
        reason = f"{name} moved from {against} (distance {distance:.3f}): {moved}" if alarms else ""
        check = Check(label, status, distance, self._policy.warn, n=int(now.sum()), reason=reason)
        return MonitorCheck(check, kind, name, importance, p, is_calibrated, cell if alarms else None)


class _Side:
    """The features, or the outputs, of a reference: what each is compared with.

    Args:
        columns: By name.
        days: Day of each block; empty when blocks are not days.
        are_days: Whether they are.
        policy: When a difference is an alarm.
    """

    def __init__(self, columns: Mapping[str, Column], days: tuple[int, ...], are_days: bool, policy: Policy) -> None:
        self.columns = columns
        self._seasons = {name: fitting_season(column, days, policy.season) for name, column in columns.items()}
        keys = {season: season_keys(days, season) for season in set(self._seasons.values())}
        self.calibrations = {
            name: Calibration(column, _keys(keys[self._seasons[name]], column), are_days)
            for name, column in columns.items()
        }

    def mix(self, name: str, window: Sequence[WindowBlock]) -> dict[int, float]:
        """Return the rows of a window by part of the season that a column is matched by."""
        mix: dict[int, float] = {}
        for block in window:
            key = season_key(block.day, self._seasons[name])
            mix[key] = mix.get(key, 0.0) + block.counts.rows
        return mix


def _without_masked(checks: list[MonitorCheck], now: Counts) -> list[MonitorCheck]:
    """Return the checks; those that lack rows because the server masks the feature are skipped: no baseline will ever come."""

    def is_masked(check: MonitorCheck) -> bool:
        name, cells = check.feature or "", now.cells.get(check.feature or "")
        return check.check.status == "no_baseline" and now.masked.get(name, 0) > (0 if cells is None else cells.sum())

    return [
        replace(check, check=replace(check.check, status="skipped", reason=f"{check.feature} is masked"))
        if is_masked(check)
        else check
        for check in checks
    ]


def holm(p_values: Mapping[str, float], alpha: float) -> set[str]:
    """Return the names whose p-values are significant at alpha over all of them together."""
    passing: set[str] = set()
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        if p_values[name] > alpha / (len(p_values) - rank):
            break
        passing.add(name)
    return passing


def most_moved(bins: Bins, before: Floats, now: Floats) -> MovedCell | None:
    """Return the cell that rose most in units of its chance, (observed - expected) / sqrt(expected): its requests can be named."""
    if not before.sum() or not now.sum():
        return None
    expected = before / before.sum() * now.sum()
    place = int(np.argmax((now - expected) / np.sqrt(np.maximum(expected, 0.5))))
    return MovedCell(place, bins.labels()[place], float(expected[place] / now.sum()), float(now[place] / now.sum()))


def _blocks_of(window: Sequence[WindowBlock]) -> float:
    return effective_blocks(np.asarray([block.counts.rows for block in window], dtype=np.float64))


def _keys(keys: NDArray[np.int64], column: Column) -> NDArray[np.int64]:
    return keys if len(keys) == len(column.blocks) else np.zeros(len(column.blocks), dtype=np.int64)


def _features_of(counts: Counts) -> Mapping[str, CountVector]:
    return counts.cells


def _outputs_of(counts: Counts) -> Mapping[str, CountVector]:
    return counts.outputs


def _sum(
    window: Sequence[WindowBlock], name: str, side: _Side, counts: Callable[[Counts], Mapping[str, CountVector]]
) -> Floats:
    found = np.zeros(side.columns[name].bins.size)
    for block in window:
        found = found + counts(block.counts).get(name, 0)
    return found


def _without_each(window: Sequence[WindowBlock]) -> list[list[WindowBlock]]:
    """Return the window without each of its days in turn; of one of few days none of them can be missed."""
    if len(window) < FEWEST_DAYS_WITHOUT_ONE:
        return []
    return [[*window[:place], *window[place + 1 :]] for place in range(len(window))]
