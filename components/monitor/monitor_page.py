"""The page of a monitor's run: what moved, since when, which cell and which requests, side by side with training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from components._core.monitoring.reference import Column
from components._core.report.page import Cell, Page
from components._core.report.small_multiples import paired_bars, trend
from components.monitor.monitor_check import MonitorCheck

if TYPE_CHECKING:
    from components.monitor.estimate import Estimate
    from components.monitor.monitor_result import MonitorResult, Point, VersionResult

_SHOWN_REQUESTS = 5
_MOST_TRENDS = 60
_COLUMNS = (
    "Before: in training, of a prediction in the test rows, of a drift in the window before. Since: the begin of the first window of the "
    "unbroken run of alarms. Importance: the feature's share, from explain. Weight: importance times the Jensen-Shannon distance."
)


def make_page(result: MonitorResult) -> Page:
    """Make the page of a run."""
    page = Page("monitor", "Monitoring", result.outcome)
    judged = result.judged
    if judged is None:
        page.text(
            "No version answered a request in the window. Is serve.request_log set, and does the server have traffic?"
        )
        return page
    _add_version(page, judged, result.performance)
    for other in result.others:
        page.text(_describe(other), title=f"Version {other.version}, which answers beside it")
        page.checks(tuple(check.check.rounded() for check in other.checks), title=f"Checks of version {other.version}")
    for batch in result.batches:
        what = f"batch predictions of version {batch.version}"
        page.text(_describe(batch), title=f"B{what[1:]}")
        page.checks(tuple(check.check.rounded() for check in batch.checks), title=f"Checks of {what}")
    return page


def describe_alarm(check: MonitorCheck) -> str:
    """Describe an alarm in a line: what, since when, which requests."""
    since = f", since {check.since[:16].replace('T', ' ')}" if check.since else ""
    ids = ", ".join(check.requests[:3])
    requests = f"; requests: {ids}{' ...' if len(check.requests) > 3 else ''}" if ids else ""
    return f"{check.check.reason or check.check.name}{since}{requests}"


def _describe(version: VersionResult) -> str:
    window, alarms = version.window, [check for check in version.checks if check.alarms]
    moved = "; ".join(check.check.reason or check.check.name for check in alarms) or "nothing moved"
    return f"{version.counts.rows:,} rows from {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC: {moved}."


def _add_version(page: Page, judged: VersionResult, notes: Sequence[str]) -> None:
    alarms = [check for check in judged.checks if check.alarms]
    facts: dict[str, Cell] = {"version": judged.version, "rows": judged.counts.rows, "requests": judged.counts.requests}
    page.facts({**facts, "alarms": len(alarms)})
    window = judged.window
    page.text(f"Requests from {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC.")
    if alarms:
        _add_alarms(page, alarms, judged.estimate)
        _add_comparisons(page, judged, alarms)
    _add_performance(page, judged, notes)
    _add_trends(page, judged.history)
    page.checks(page.outcome.checks)


def _add_performance(page: Page, judged: VersionResult, notes: Sequence[str]) -> None:
    if notes:
        page.text("; ".join(notes) + ".", title="Served metric on labelled answers")
    windows = judged.performance.windows
    if not windows:
        return
    rows: list[list[Cell]] = []
    for served in reversed(windows):
        interval = f"{served.interval[0]:.4g} to {served.interval[1]:.4g}" if served.interval else None
        times = f"{served.window.since:%m-%d %H:%M} to {served.window.until:%m-%d %H:%M}"
        state = f"{served.coverage:.0%}, {'final' if served.is_final else 'partial'}"
        labelled = f"{served.check.n or 0:,} of {served.answered:,}"
        numbers: list[Cell] = [served.check.measured, interval, served.check.baseline]
        rows.append([times, labelled, state, *numbers, served.estimated, served.calibration, served.check.status])
    metric = windows[-1].check.name.rpartition(": ")[2]
    columns = ["answered (UTC)", "labelled", "coverage", metric, "95 %", "offline", "estimated", "ECE", "status"]
    page.table("Windows by the time of the answer, the newest first", columns, rows)
    final = [served for served in windows if served.is_final]
    if len(final) > 1:
        first, last = (f"{served.window.until:%m-%d}" for served in (final[0], final[-1]))
        values, alarms = [served.check.measured for served in final], [served.alarms for served in final]
        page.figure(final[-1].check.name, trend(values, (first, last), final[-1].check.threshold, alarms))
    newest = next((served for served in reversed(windows) if served.reliability), None)
    if newest:
        names = [f"score {score:.2f}, {rows:,} rows" for score, _, rows in newest.reliability]
        scores, shares = ([row[place] for row in newest.reliability] for place in (0, 1))
        times = f"{newest.window.since:%m-%d} to {newest.window.until:%m-%d}"
        title = f"Calibration on labels of {times}: mean score (pale) and share of the positive class"
        page.figure(title, paired_bars(names, scores, shares))


def _add_alarms(page: Page, alarms: Sequence[MonitorCheck], estimate: Estimate | None) -> None:
    columns = ["what", "since (UTC)", "value or range", "before", "now", "importance", "weight"]
    rows: list[list[Cell]] = [
        [
            check.check.name,
            check.since[5:16].replace("T", " ") if check.since else None,
            check.cell.name if check.cell else None,
            f"{check.cell.expected:.1%}" if check.cell else None,
            f"{check.cell.observed:.1%}" if check.cell else None,
            None if check.importance is None else f"{check.importance:.0%}",
            _weight(check),
        ]
        for check in alarms
    ]
    page.table("What moved", columns, rows, f"{_COLUMNS} {_describe_cost(estimate)}")
    named: list[list[Cell]] = [
        [check.check.name, ", ".join(check.requests[:_SHOWN_REQUESTS])] for check in alarms if check.requests
    ]
    if named:
        page.table("Requests that have what moved", ["what", "ids, the newest first"], named)


def _weight(check: MonitorCheck) -> float | None:
    """Return the importance times the distance: what a move may matter to the model, between features."""
    if check.importance is None or check.check.measured is None or check.kind not in ("skew", "drift"):
        return None
    return round(check.importance * check.check.measured, 4)


def _describe_cost(estimate: Estimate | None) -> str:
    """Describe what the moves cost in the metric, all together."""
    if estimate is None:
        return "What the moves cost in the metric is not known before labels."
    return (
        f"In metric, all moves together by the scores alone: {estimate.metric} from {estimate.baseline:.4g} offline to "
        f"about {estimate.measured:.4g}, if a score means what it meant; that is not divided among features."
    )


def _add_comparisons(page: Page, judged: VersionResult, alarms: Sequence[MonitorCheck]) -> None:
    if judged.reference is None:
        return
    shown = list(dict.fromkeys((check.kind == "prediction", check.feature) for check in alarms if check.feature))
    for is_output, name in shown:
        columns = judged.reference.outputs if is_output else judged.reference.features
        counted = judged.counts.outputs if is_output else judged.counts.cells
        if name in columns and name in counted:
            against = "test rows" if is_output else "training"
            page.figure(f"{name}: {against} (pale) and now", _compare(columns[name], counted[name].tolist()))


def _compare(column: Column, counted: list[int]) -> str:
    before, rows = column.total, max(sum(counted), 1)
    shares = (before / max(before.sum(), 1)).tolist()
    return paired_bars(column.bins.labels(), shares, [count / rows for count in counted])


def _add_trends(page: Page, history: Sequence[Point]) -> None:
    if len(history) < 2:
        return
    first, last = (f"{point.window.until:%m-%d}" for point in (history[0], history[-1]))
    current = history[-1].checks
    names = [name for name, check in current.items() if check.kind in ("skew", "prediction")]
    ranked = sorted(names, key=lambda name: (not current[name].alarms, -(current[name].check.measured or 0.0)))
    for name in ranked[:_MOST_TRENDS]:
        found = [point.checks.get(name) for point in history]
        values = [None if check is None else check.check.measured for check in found]
        alarms = [check is not None and check.alarms for check in found]
        page.figure(name, trend(values, (first, last), current[name].check.threshold, alarms))
