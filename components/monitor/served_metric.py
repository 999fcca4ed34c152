"""The served metric of a version: its answers with labels that came later, by the time of the answer, against its offline metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from components._core.checks import Check, Status, round_off
from components._core.project.monitor_config import Monitor
from components._core.types.metrics.bootstrap import Interval, day_interval, intervals
from components._core.types.metrics.row_sums import Array
from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import CALIBRATION_ERROR, Metric
from components.monitor.monitor_check import MonitorCheck
from components.monitor.time_windows import TimeWindow

FEWEST_DAYS = 5
"""Days from which their spread is measured; the interval over the rows of fewer days is too narrow."""
MOST_EARLIER = 13
"""Earlier final windows that are measured, each a step before the next."""
_DAY = 86_400_000_000
_SEED = 1
_RANGES = 10


@dataclass(frozen=True)
class LabelledRows:
    """The answers of one version with what became of them.

    Attributes:
        times: Time of each labelled answer, microseconds since 1970, int64 [rows].
        labels: Class index or target, shape [rows].
        scores: As in `Task.measure`, shape [rows] or [rows, classes].
        closed: Times of the answers that never get a label, int64 [closed].
    """

    times: Array
    labels: Array
    scores: Array
    closed: Array


@dataclass(frozen=True)
class Yardstick:
    """What the answers of a version are measured with.

    Attributes:
        task: The task, with the version's threshold.
        classes: The version's classes.
        metric: The project's primary metric.
        offline: That metric of evaluate, when the version was deployed; None: it is not known.
    """

    task: Task
    classes: tuple[str, ...]
    metric: Metric
    offline: float | None


@dataclass(frozen=True)
class Maturity:
    """When a window is final.

    Attributes:
        min_coverage: Share of the answers with a label, from which it is.
        wait: Time after which labels are no longer expected.
        read_at: When labels were last joined to a span; None: never.
    """

    min_coverage: float
    wait: timedelta
    read_at: datetime | None

    def is_final(self, window: TimeWindow, coverage: float) -> bool:
        """Return whether no more labels are awaited: enough are there, or those of `wait` after the window were joined."""
        is_old = self.read_at is not None and window.until + self.wait <= self.read_at
        return coverage >= self.min_coverage or is_old


@dataclass(frozen=True)
class ServedWindow:
    """The served metric of a window of answers.

    Attributes:
        window: The window, by the time of the answers.
        is_final: Whether no more labels are awaited; a partial window is shown and never alarms.
        answered: Logged answers, without those that never get a label.
        check: The check, with the metric, its bound, the offline metric and the labelled rows.
        interval: 95 % interval of the metric; None: it could not be measured.
        days: Days with labelled rows.
        calibration: Expected calibration error; None where the task has none.
        reliability: Labelled rows by range of the score: mean score, share of the positive class, rows; empty where there is no such class.
        estimated: The metric as it is estimated from the scores of all answers; None: it cannot be estimated.
    """

    window: TimeWindow
    is_final: bool
    answered: int
    check: Check
    interval: Interval | None = None
    days: int = 0
    calibration: float | None = None
    reliability: tuple[tuple[float, float, int], ...] = ()
    estimated: float | None = None

    @property
    def coverage(self) -> float:
        """Share of the answers that have a label."""
        return _share(self.check.n or 0, self.answered)

    @property
    def alarms(self) -> bool:
        """Whether a person should look."""
        return self.check.status in ("warn", "fail")

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON (docs/monitoring.md)."""
        check = self.check.rounded()
        return {
            "since": self.window.since.isoformat(),
            "until": self.window.until.isoformat(),
            "state": "final" if self.is_final else "partial",
            "answered": self.answered,
            "labelled": check.n,
            "coverage": round_off(self.coverage),
            "days": self.days,
            "measured": check.measured,
            "interval": None if self.interval is None else [round_off(bound) for bound in self.interval],
            "baseline": check.baseline,
            "estimated": None if self.estimated is None else round_off(self.estimated),
            "calibration": None if self.calibration is None else round_off(self.calibration),
            "reliability": [[round_off(score), round_off(share), rows] for score, share, rows in self.reliability],
            "status": check.status,
        }


@dataclass(frozen=True)
class Performance:
    """The served metric of a version over time.

    Attributes:
        windows: Partial and final windows, the oldest first.
        check: The check of the newest final window; `skipped` when there is none.
    """

    windows: list[ServedWindow] = field(default_factory=list)
    check: MonitorCheck | None = None


def measure_performance(
    rows: LabelledRows,
    answered: Mapping[datetime, int],
    window: TimeWindow,
    step: timedelta,
    yardstick: Yardstick,
    maturity: Maturity,
    settings: Monitor,
) -> Performance:
    """Measure the newest final window, those before it, and the partial ones after it.

    Args:
        rows: The version's labelled rows.
        answered: Its logged rows by hour.
        window: The newest window.
        step: By how much an earlier window is earlier.
        yardstick: What is measured.
        maturity: When a window is final.
        settings: The project's.
    """
    first = min(answered, default=window.until)
    most = -(-(maturity.wait + window.length) // step) + MOST_EARLIER

    def measure(own: TimeWindow) -> ServedWindow:
        return _measure(rows, _count(answered, own, rows), own, yardstick, maturity, settings)

    partial: list[ServedWindow] = []
    final: list[ServedWindow] = []
    shown_until = window.until
    for number in range(most):
        own = window.moved(-number * step)
        if own.until <= first or len(final) > MOST_EARLIER:
            break
        count = _count(answered, own, rows)
        if not count:
            continue
        if maturity.is_final(own, _share(int(_within(rows.times, own).sum()), count)):
            final.append(measure(own))
        elif not final and own.until <= shown_until:  # partial windows that do not overlap
            partial.append(measure(own))
            shown_until = own.since
    return Performance([*reversed(final), *reversed(partial)], _to_check(final, partial, yardstick.metric))


def describe_window(served: ServedWindow, metric: Metric) -> str:
    """Describe a window in a line: the metric with its interval, the labelled rows, when, and what it was offline."""
    check, window = served.check, served.window
    state = "final" if served.is_final else "partial, cannot alarm"
    labelled = f"{check.n or 0:,} of {served.answered:,} answers of {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} have a label"
    if check.measured is None or served.interval is None:
        return f"{labelled} ({served.coverage:.0%}, {state})"
    low, high = served.interval
    offline = "" if check.baseline is None else f", {check.baseline:.4g} offline"
    return f"{metric.name} {check.measured:.4g} (95 % interval {low:.4g} to {high:.4g}){offline}; {labelled} ({served.coverage:.0%}, {state})"


def _measure(
    rows: LabelledRows,
    answered: int,
    window: TimeWindow,
    yardstick: Yardstick,
    maturity: Maturity,
    settings: Monitor,
) -> ServedWindow:
    chosen = _within(rows.times, window)
    labels, scores, days = rows.labels[chosen], rows.scores[chosen], rows.times[chosen] // _DAY
    metric, count, baseline = yardstick.metric, len(labels), yardstick.offline
    name = f"performance: {metric.name}"
    is_final = maturity.is_final(window, _share(count, answered))
    if count < settings.min_rows:
        reason = f"{count:,} of {answered:,} answers have a label; monitor.min_rows is {settings.min_rows:,}"
        return ServedWindow(window, is_final, answered, Check(name, "skipped", None, None, baseline, count, reason))
    values = yardstick.task.measure(labels, scores)
    value, apart = values[metric.name], len(np.unique(days))
    if not math.isfinite(value):
        reason = f"{metric.name} is not defined on the {count:,} labelled rows: are they all of one class?"
        return ServedWindow(window, is_final, answered, Check(name, "skipped", None, None, baseline, count, reason))
    by_day = apart >= FEWEST_DAYS
    interval = (
        day_interval(yardstick.task, metric, labels, scores, days, _SEED)
        if by_day
        else intervals(yardstick.task, labels, scores, _SEED)[metric.name]
    )
    status, threshold = _judge(value, interval, yardstick, settings, is_final=is_final, by_day=by_day)
    check = Check(name, status, value, threshold, baseline, count)
    error = values.get(CALIBRATION_ERROR.name)
    curve = _reliability(labels, scores) if error is not None and scores.ndim == 1 else ()
    served = ServedWindow(window, is_final, answered, check, interval, apart, error, curve)
    text = describe_window(served, metric)
    if status in ("warn", "fail"):
        text += f": worse by more than monitor.max_drop ({settings.max_drop:g})"
    if not by_day and is_final:
        text += f"; labels of {apart} days ({FEWEST_DAYS} are needed to fail)"
    return replace(served, check=replace(check, reason=text))


def _reliability(labels: Array, scores: Array) -> tuple[tuple[float, float, int], ...]:
    """Return mean score, share of the positive class and rows, by range of the score of a tenth each; without empty ranges."""
    places = np.clip((scores * _RANGES).astype(np.int64), 0, _RANGES - 1)
    rows, hits = np.bincount(places, minlength=_RANGES), np.bincount(places, labels == 1, minlength=_RANGES)
    sums = np.bincount(places, scores, minlength=_RANGES)
    return tuple((float(sums[at] / rows[at]), float(hits[at] / rows[at]), int(rows[at])) for at in np.flatnonzero(rows))


def _judge(
    value: float, interval: Interval, yardstick: Yardstick, settings: Monitor, *, is_final: bool, by_day: bool
) -> tuple[Status, float | None]:
    """Return the status, and the value from which the metric is worse than offline by `max_drop`."""
    offline, metric = yardstick.offline, yardstick.metric
    if offline is None:
        return "no_baseline", None
    threshold = offline + settings.max_drop if metric.lower_is_better else offline - settings.max_drop
    if not is_final:
        return "skipped", threshold
    least_drop = min(metric.gain(offline, bound) for bound in interval)
    if least_drop > settings.max_drop:
        return ("fail" if by_day else "warn"), threshold
    return "pass", threshold


def _to_check(final: list[ServedWindow], partial: list[ServedWindow], metric: Metric) -> MonitorCheck | None:
    """Make the check of the newest final window.

    Args:
        final: Final windows, the newest first.
        partial: Partial windows, the newest first.
        metric: The primary metric.
    """
    if not final:
        if not partial:
            return None
        newest = partial[0].check
        reason = f"no window is final: {newest.reason}"
        return MonitorCheck(replace(newest, status="skipped", reason=reason), "performance")
    newest = final[0].check
    since = None
    for each in final:
        if not each.alarms:
            break
        since = each.window.since.isoformat()
    own = final[0].window
    times = {"since": own.since.isoformat(), "until": own.until.isoformat()}
    return MonitorCheck(newest, "performance", since=since, window=times)


def _within(times: Array, window: TimeWindow) -> Array:
    since, until = (int(at.timestamp() * 1_000_000) for at in (window.since, window.until))
    chosen: Array = (times >= since) & (times < until)
    return chosen


def _count(answered: Mapping[datetime, int], window: TimeWindow, rows: LabelledRows) -> int:
    """Count the answers that may have a label; at least those that have one."""
    logged = sum(count for hour, count in answered.items() if window.has(hour))
    return max(logged - int(_within(rows.closed, window).sum()), int(_within(rows.times, window).sum()))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
