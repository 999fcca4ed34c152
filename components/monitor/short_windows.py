"""Judges windows shorter than a day against the same hours of training's days: a night differs from a whole day without any drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from components._core.checks import Check
from components._core.monitoring.hours_of_days import HoursOfDays, select_hours
from components._core.monitoring.reference import HOURS, Column, MonitoringReference
from components.monitor.distribution_checks import Judge, Policy, WindowBlock
from components.monitor.monitor_check import MonitorCheck
from components.monitor.time_windows import HOUR, TimeWindow, VersionHours

_FEWEST_DAYS = 3


class WindowJudge:
    """Judges the windows of one version that have the length of a window, and begin at its hour of the day.

    Args:
        reference: The version's.
        policy: When a difference is an alarm.
        window: One of them.
    """

    def __init__(self, reference: MonitoringReference, policy: Policy, window: TimeWindow) -> None:
        self._reference, self._reasons = reference, {"skew": "", "drift": "", "prediction": ""}
        self._is_short = window.length < HOURS * HOUR
        if self._is_short:
            first, length = window.since.hour, window.length // HOUR
            features = select_hours(reference.features, reference.days, first, length)
            outputs = select_hours(reference.outputs, reference.output_days, first, length)
            hours = f"{window.since:%H:%M} to {window.until:%H:%M} UTC"
            self._reasons["skew"] = self._reasons["drift"] = _reason(reference.features, features, hours, "training")
            self._reasons["prediction"] = _reason(reference.outputs, outputs, hours, "the test rows")
            if not self._reasons["skew"]:
                reference = replace(reference, days=features.days, features=features.columns)
            if not self._reasons["prediction"]:
                reference = replace(reference, output_days=outputs.days, outputs=outputs.columns)
        self._judge = Judge(reference, policy)

    def judge(self, counted: VersionHours, window: TimeWindow) -> list[MonitorCheck]:
        """Judge a window against training, and against the window before it."""
        now, before = self._blocks(counted, window), self._blocks(counted, window.before())
        return [self._limit(check) for check in (*self._judge.judge(now), *self._judge.judge_change(now, before))]

    def _blocks(self, counted: VersionHours, window: TimeWindow) -> Sequence[WindowBlock]:
        if not self._is_short:
            return counted.by_day(window)
        counts = counted.total(window)  # of the day on which it begins, as the blocks of the reference
        return [WindowBlock(window.since.toordinal(), counts)] if counts.rows else []

    def _limit(self, check: MonitorCheck) -> MonitorCheck:
        """Return a check, or that it has no baseline where the reference knows whole days only."""
        reason = self._reasons.get(check.kind, "")
        if check.kind == "invariant" and self._reasons["skew"] and not self._is_never_broken(check):
            reason = self._reasons["skew"]
        if not reason or check.check.status == "skipped":
            return check
        without = Check(check.check.name, "no_baseline", n=check.check.n, reason=f"{check.feature}: {reason}")
        return MonitorCheck(without, check.kind, check.feature, check.importance)

    def _is_never_broken(self, check: MonitorCheck) -> bool:
        """Return whether training has not one row that breaks an invariant: then no hour of it has."""
        column = self._reference.features[check.feature or ""]
        cells = column.bins.invariants[check.check.name.partition(":")[0]]
        return not column.blocks[:, list(cells)].any()


def _reason(columns: Mapping[str, Column], selected: HoursOfDays, hours: str, rows: str) -> str:
    """Return why a short window cannot be compared, and what to do; empty when it can."""
    if len(selected.days) >= _FEWEST_DAYS:
        return ""
    if not any(len(column.hours) for column in columns.values()):
        return (
            f"a window of less than a day is compared with the same hours of {rows}, and the version's reference has whole days alone; "
            "use a window of 24h or more, or register a model again whose rows have a time (data.split.by_time)"
        )
    return f"{rows} have the hours {hours} on fewer than three days; use a window of 24h or more"
