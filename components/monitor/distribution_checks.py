"""Judges a window of answered requests against the reference: which distributions moved, and which invariants broke.

A distribution alarms when it is different *and* the difference has a size. Different: the p-value of a calibrated G statistic
(`calibration.py`) passes the procedure of S. Holm (Scandinavian Journal of Statistics 6, 1979) over the features, so that a check gives a false
alarm with the probability alpha at most, however features depend on each other. Size: the Jensen-Shannon distance reaches a floor, so
that a million rows do not alarm on nothing.

An invariant (missing, unseen, out of range, wrong type) breaks when its share of the rows is above the largest of the reference by half
a percent of the rows, and not by chance: the exact binomial test. A distance over all cells would drown it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check, Status
from components._core.monitoring.counts import Counts, total
from components._core.monitoring.feature_bins import Bins, CountVector, TextBins
from components._core.monitoring.reference import Column, MonitoringReference
from components._core.monitoring.tail_probabilities import binomial_tail, binomial_upper_bound
from components.monitor.calibration import Calibration, Season, fitting_season, season_key
from components.monitor.homogeneity import Floats, jensen_shannon_distance
from components.monitor.monitor_check import Kind, MonitorCheck, MovedCell

MINOR_IMPORTANCE = 0.01
"""A feature with a smaller share of the importance is at most a warning."""
_INVARIANT_FLOOR = 0.005
_SMALLEST_SHARE = 1e-4
_CHANCE = 0.99
_INVARIANTS = {
    "missing": "is missing",
    "type": "has a wrong type",
    "range": "is out of the range of training",
    "unseen": "is a value never seen in training",
}


@dataclass(frozen=True)
class Policy:
    """When a difference is an alarm.

    Attributes:
        alpha: Probability of a false alarm, of one check over all features.
        warn: Smallest Jensen-Shannon distance that warns.
        fail: Smallest one that fails.
        min_rows: Fewest rows that are judged.
        season: What the reference is matched by; `auto`: the weekday where the reference has enough of each.
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
        self._season: Season = fitting_season(reference.days, policy.season)
        days = reference.days
        keys = np.asarray([season_key(day, self._season) for day in days], dtype=np.int64)
        self._features = {name: Calibration(column, _keys(keys, column)) for name, column in reference.features.items()}
        none = np.zeros(0, dtype=np.int64)
        self._outputs = {name: Calibration(column, _keys(none, column)) for name, column in reference.outputs.items()}

    def judge(self, window: Sequence[WindowBlock]) -> list[MonitorCheck]:
        """Judge a window against training: skew, invariants, predictions."""
        summed = total(block.counts for block in window)
        blocks = max(len({block.day for block in window if block.counts.rows}), 1)
        mix = self._mix(window)
        features = self._compare("skew", self._features, self._reference.features, summed.cells, mix, blocks)
        everything = {0: 1.0}
        outputs = self._compare(
            "prediction", self._outputs, self._reference.outputs, summed.outputs, everything, blocks
        )
        return [*_without_masked([*self._invariants(summed), *features], summed), *outputs]

    def judge_change(self, window: Sequence[WindowBlock], before: Sequence[WindowBlock]) -> list[MonitorCheck]:
        """Judge a window against the window before it: drift."""
        now, then = total(block.counts for block in window), total(block.counts for block in before)
        blocks = max(len({block.day for block in window if block.counts.rows}), 1)
        found = self._compare("drift", self._features, self._reference.features, now.cells, {}, blocks, then.cells)
        return _without_masked(found, now)

    def _mix(self, window: Sequence[WindowBlock]) -> dict[int, float]:
        mix: dict[int, float] = {}
        for block in window:
            key = season_key(block.day, self._season)
            mix[key] = mix.get(key, 0.0) + block.counts.rows
        return mix

    def _compare(
        self,
        kind: Kind,
        calibrations: Mapping[str, Calibration],
        columns: Mapping[str, Column],
        counts: Mapping[str, CountVector],
        mix: Mapping[int, float],
        blocks: int,
        before: Mapping[str, CountVector] | None = None,
    ) -> list[MonitorCheck]:
        measured: dict[str, tuple[Floats, Floats, float]] = {}
        for name, column in columns.items():
            now = _floats(counts, name, column)
            known = calibrations[name].expected(mix) if before is None else _floats(before, name, column)
            if before is None and isinstance(column.bins, TextBins):
                # the reference has none by its construction, and neither have its blocks: the invariant judges unseen values
                now[column.bins.unseen] = 0.0
            if min(now.sum(), known.sum()) >= self._policy.min_rows:
                measured[name] = known, now, calibrations[name].p_value(known, now, blocks)
        passing = holm({name: p for name, (_, _, p) in measured.items()}, self._policy.alpha)
        return [
            self._distribution_check(kind, name, columns[name].bins, measured.get(name), name in passing, calibrations)
            for name in columns
        ]

    def _distribution_check(
        self,
        kind: Kind,
        name: str,
        bins: Bins,
        measured: tuple[Floats, Floats, float] | None,
        is_significant: bool,
        calibrations: Mapping[str, Calibration],
    ) -> MonitorCheck:
        label, importance = f"{kind}: {name}", self._importance(name)
        if measured is None:
            before = " in this window or in the one before" if kind == "drift" else ""
            reason = f"{name}: fewer than {self._policy.min_rows} rows{before}"
            return MonitorCheck(Check(label, "no_baseline", reason=reason), kind, name, importance)
        known, now, p = measured
        distance, is_calibrated = jensen_shannon_distance(known, now), calibrations[name].is_possible
        cell = most_moved(bins, known, now)
        alarms = is_significant and distance >= self._policy.warn
        is_minor = not is_calibrated or (importance is not None and importance < MINOR_IMPORTANCE)
        status: Status = "pass" if not alarms else "fail" if distance >= self._policy.fail and not is_minor else "warn"
        against = "the window before" if kind == "drift" else "the test rows" if kind == "prediction" else "training"
        moved = f"{cell.name} is {cell.observed:.1%} of the rows, {cell.expected:.1%} in {against}" if cell else ""
        reason = f"{name} moved from {against} (distance {distance:.3f}): {moved}" if alarms else ""
        check = Check(label, status, distance, self._policy.warn, n=int(now.sum()), reason=reason)
        return MonitorCheck(check, kind, name, importance, p, is_calibrated, cell if alarms else None)

    def _invariants(self, summed: Counts) -> list[MonitorCheck]:
        found = []
        for name, column in self._reference.features.items():
            now = summed.cells.get(name)
            for broken, cells in column.bins.invariants.items():
                found.append(self._invariant(f"{broken}: {name}", name, column, now, broken, cells))
        return found

    def _invariant(
        self, label: str, name: str, column: Column, now: CountVector | None, broken: str, cells: tuple[int, ...]
    ) -> MonitorCheck:
        importance, rows = self._importance(name), int(now.sum()) if now is not None else 0
        if now is None or rows < self._policy.min_rows:
            reason = f"{name}: fewer than {self._policy.min_rows} rows"
            return MonitorCheck(Check(label, "no_baseline", reason=reason), "invariant", name, importance)
        seen = int(now[list(cells)].sum())
        usual = column.novel if broken == "unseen" else column.blocks[:, list(cells)].sum(axis=1)
        sizes = column.blocks.sum(axis=1)
        most = usual_maximum(usual, sizes, rows)
        share = seen / rows
        p = binomial_tail(seen, rows, most + _SMALLEST_SHARE)
        alarms = share > most + _INVARIANT_FLOOR and p < self._policy.alpha / len(self._reference.features)
        is_minor = importance is not None and importance < MINOR_IMPORTANCE
        status: Status = "pass" if not alarms else "warn" if is_minor else "fail"
        labels = column.bins.labels()
        place = max(cells, key=lambda cell: int(now[cell]))
        known = column.total
        cell = MovedCell(place, labels[place], float(known[place] / max(known.sum(), 1)), float(now[place] / rows))
        reason = f"{name} {_INVARIANTS[broken]} in {share:.1%} of the rows, at most {most:.1%} in training"
        check = Check(label, status, share, most + _INVARIANT_FLOOR, most, rows, reason if alarms else "")
        return MonitorCheck(check, "invariant", name, importance, p, None, cell if alarms else None)

    def _importance(self, name: str) -> float | None:
        return self._reference.importances.get(name)


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


def usual_maximum(counts: NDArray[np.int64], sizes: NDArray[np.int64], rows: int) -> float:
    """Return the largest share that the reference had in a stretch of about as many rows as the window has.

    At least the upper bound of its share over all rows: a share that is never 0 may be so by chance.

    Args:
        counts: Rows with the property by block, shape [blocks].
        sizes: Rows by block, shape [blocks].
        rows: Rows of the window.
    """
    counts, sizes = counts[sizes > 0], sizes[sizes > 0]
    if not len(sizes):
        return 0.0
    length = int(np.clip(round(rows / sizes.mean()), 1, max(len(sizes) // 4, 1)))
    sums, totals = (np.convolve(vector, np.ones(length), "valid") for vector in (counts, sizes))
    return max(float((sums / totals).max()), binomial_upper_bound(int(counts.sum()), int(sizes.sum()), _CHANCE))


def most_moved(bins: Bins, before: Floats, now: Floats) -> MovedCell | None:
    """Return the cell that rose most in units of its chance, (observed - expected) / sqrt(expected): its requests can be named."""
    if not before.sum() or not now.sum():
        return None
    expected = before / before.sum() * now.sum()
    place = int(np.argmax((now - expected) / np.sqrt(np.maximum(expected, 0.5))))
    return MovedCell(place, bins.labels()[place], float(expected[place] / now.sum()), float(now[place] / now.sum()))


def _keys(keys: NDArray[np.int64], column: Column) -> NDArray[np.int64]:
    return keys if len(keys) == len(column.blocks) else np.zeros(len(column.blocks), dtype=np.int64)


def _floats(counts: Mapping[str, Any], name: str, column: Column) -> Floats:
    found: Floats = counts.get(name, np.zeros(column.bins.size)).astype(np.float64)
    return found
