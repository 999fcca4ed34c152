"""The newest result of the monitor as gauges: what it found about the version that is served, and how old that is.

`polled_collector.py` says when the store is read. While a newer result cannot be, the age of the numbers grows.

naru_monitor_result_age_seconds                  since the newest run of the monitor began; +Inf: none was read
naru_monitor_window_age_seconds                  since the end of the window that the numbers are about; +Inf: the version is in no result
naru_monitor_read_failures_total                 results, or lists of them, that could not be read
naru_monitor_status{check,kind,feature,source}   2 fail, 1 warn, 0 pass, -1 not judged
naru_monitor_measured{...}, naru_monitor_threshold{...}     what the check measured, and its bound; absent: it has none
naru_monitor_alarms{severity,source}             checks that warn or fail
naru_monitor_checks_left_out                     checks without a gauge of their own: at most `MOST_CHECKS` have one, alarms first
naru_monitor_requests{source}, naru_monitor_rows{source}    of the window
naru_monitor_metric{state}                       the primary metric on answers with labels, of the newest window that is final or partial
naru_monitor_metric_low{state}, _high{state}     its 95 % interval
naru_monitor_metric_offline{state}               the metric at evaluate
naru_monitor_label_coverage{state}               share of the window's answers that have a label

`source` is `server`, or `batch` for batch predictions of the version.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from components._core.monitoring.result_files import LARGEST_RESULT, parse_result, result_uri, runs_folder
from components._core.store.object_store import list_names, read_bytes
from components.serve.polled_collector import EVERY_SECONDS, PolledCollector, label_text

MOST_CHECKS = 300
"""Checks that have gauges of their own: three series each."""

_TRIES = 3
"""Newest runs that are looked at: one that has not ended has no result."""
_STATUS = {"fail": 2.0, "warn": 1.0, "pass": 0.0}
_NOT_JUDGED = -1.0
_CHECK = ("check", "kind", "feature", "source")
_HELP: dict[str, tuple[str, tuple[str, ...]]] = {
    "status": ("Outcome of a check: 2 fail, 1 warn, 0 pass, -1 not judged", _CHECK),
    "measured": ("What a check measured", _CHECK),
    "threshold": ("The bound of a check", _CHECK),
    "alarms": ("Checks that warn or fail", ("severity", "source")),
    "checks_left_out": ("Checks without gauges of their own", ()),
    "requests": ("Requests of the window", ("source",)),
    "rows": ("Rows of the window", ("source",)),
    "metric": ("Primary metric on answers with labels", ("state",)),
    "metric_low": ("Lower end of its 95 % interval", ("state",)),
    "metric_high": ("Upper end of its 95 % interval", ("state",)),
    "metric_offline": ("Primary metric at evaluate", ("state",)),
    "label_coverage": ("Share of the answers that have a label", ("state",)),
}
Labels = tuple[str, ...]


@dataclass(frozen=True)
class Gauges:
    """The numbers of one result.

    Attributes:
        run: Name of the monitor's run.
        at: When it began, in seconds since 1970.
        until: End of the window of the version; None: the result does not have the version.
        values: Values by labels, by gauge.
    """

    run: str
    at: float
    until: float | None = None
    values: dict[str, dict[Labels, float]] = field(default_factory=dict)


class MonitoringGauges(PolledCollector):
    """Reads results of the monitor, and exports the last one that was read.

    Args:
        uri: URI of the folder of the project's monitor, see `result_files.monitoring_folder`.
        version: The version that is served.
        every: Seconds between two looks at the store.
    """

    def __init__(self, uri: str, version: str, every: float = EVERY_SECONDS) -> None:
        super().__init__("the monitor's results", every)
        self._uri, self._version = uri, version
        self._gauges: Gauges | None = None

    def read_newest(self) -> None:
        """Read the newest result, unless it is known."""
        known = self._gauges.run if self._gauges else ""
        for run in reversed(list_names(runs_folder(self._uri))[-_TRIES:]):
            if run <= known:
                return
            content = read_bytes(result_uri(self._uri, run), LARGEST_RESULT + 1)
            if content is not None:
                self._gauges = make_gauges(parse_result(content), run, self._version)
                return

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; called at each scrape, and never reads the store."""
        gauges, now = self._gauges, time.time()
        until = gauges.until if gauges else None
        yield GaugeMetricFamily(
            "naru_monitor_result_age_seconds",
            "Time since the newest run of the monitor",
            max(now - gauges.at, 0.0) if gauges else math.inf,
        )
        yield GaugeMetricFamily(
            "naru_monitor_window_age_seconds",
            "Time since the end of the window that was judged",
            math.inf if until is None else max(now - until, 0.0),
        )
        yield CounterMetricFamily("naru_monitor_read_failures", "Results that could not be read", self.failures)
        for name, values in (gauges.values if gauges else {}).items():
            text, labels = _HELP[name]
            family = GaugeMetricFamily(f"naru_monitor_{name}", text, labels=labels)
            for found, value in values.items():
                family.add_metric(list(found), value)
            yield family


def make_gauges(result: Mapping[str, Any], run: str, version: str) -> Gauges:
    """Make the gauges of a version from a result (docs/monitoring.md).

    Args:
        result: The result.
        run: Name of its run.
        version: The version.

    Raises:
        AttributeError, LookupError, OverflowError, TypeError, ValueError: When it is not a result of the monitor.
    """
    at = datetime.fromisoformat(result["at"]).timestamp()
    sections = [(str(section.get("source") or "server"), section) for section in _sections(result, version)]
    if not sections:
        return Gauges(run, at)
    until = max(datetime.fromisoformat(section["window"]["until"]).timestamp() for _, section in sections)
    values: dict[str, dict[Labels, float]] = {name: {} for name in _HELP}
    checks = [(source, check) for source, section in sections for check in section["checks"]]
    for source, section in sections:
        for name in ("requests", "rows"):
            values[name][source,] = float(section["window"][name])
        for severity in ("warn", "fail"):
            values["alarms"][severity, source] = float(sum(check["status"] == severity for check in section["checks"]))
        _add_performance(section.get("performance") or (), values)
    for source, check in sorted(checks, key=_urgency)[:MOST_CHECKS]:
        _add_check(source, check, values)
    values["checks_left_out"][()] = float(max(len(checks) - MOST_CHECKS, 0))
    return Gauges(run, at, until, values)


def _sections(result: Mapping[str, Any], version: str) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a result that are about a version: of its servers, and of its batch predictions."""
    for section in (result, *(result.get("other_versions") or ()), *(result.get("batch") or ())):
        if section.get("window") and str(section.get("version")) == version:
            yield section


def _urgency(found: tuple[str, Mapping[str, Any]]) -> tuple[Any, ...]:
    _, check = found
    return -_STATUS.get(check["status"], _NOT_JUDGED), -(check.get("importance") or 0.0), check["name"]


def _add_check(source: str, check: Mapping[str, Any], values: dict[str, dict[Labels, float]]) -> None:
    labels = tuple(label_text(text) for text in (check["name"], check["kind"], check.get("feature"), source))
    if labels in values["status"]:  # two long names that begin alike; the first is the more urgent one
        return
    values["status"][labels] = _STATUS.get(check["status"], _NOT_JUDGED)
    for name in ("measured", "threshold"):
        if check.get(name) is not None:
            values[name][labels] = float(check[name])


def _add_performance(windows: Iterable[Mapping[str, Any]], values: dict[str, dict[Labels, float]]) -> None:
    """Add the newest final and the newest partial window of answers with labels; the oldest come first."""
    newest = {str(window["state"]): window for window in windows if window["state"] in ("final", "partial")}
    for state, window in newest.items():
        low, high = window.get("interval") or (None, None)
        found = {
            "metric": window.get("measured"),
            "metric_low": low,
            "metric_high": high,
            "metric_offline": window.get("baseline"),
            "label_coverage": window.get("coverage"),
        }
        for name, value in found.items():
            if value is not None:
                values[name][state,] = float(value)
