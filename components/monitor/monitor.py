"""Monitors the versions that answered requests: counts closed hours, judges windows, writes the result and the page."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from components._core.checks import Outcome, judge
from components._core.errors import ConfigError
from components._core.files import dump_json, write_text
from components._core.monitoring.counts import Counts
from components._core.monitoring.reference import MonitoringReference
from components._core.monitoring.result_files import monitoring_folder, result_uri
from components._core.project.durations import to_timedelta
from components._core.project.monitor_config import Monitor, parse_hours
from components._core.project.project_file import Project
from components._core.report.html import write_page
from components._core.request_log.answered_lines import BATCH
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import SETTLE_SECONDS, LogObject, list_closed_hours, list_objects
from components._core.request_log.location import log_uri
from components._core.request_log.value_hashes import find_hasher
from components._core.settings import Settings
from components._core.store.ledger import Deployment
from components._core.store.object_store import put
from components._core.types.artifact_files import MONITORING
from components._feedback.span_store import SpanStore, feedback_home
from components.monitor.answered_by import is_batch, source_of, version_of
from components.monitor.count_files import HourCounts, count_hour
from components.monitor.count_rows import count_objects
from components.monitor.distribution_checks import Policy
from components.monitor.estimate import add_estimates, describe_estimate, estimate_window
from components.monitor.labelled_values import count_labelled
from components.monitor.labels import no_labels, read_labelled, read_maturity, read_yardsticks
from components.monitor.monitor_check import MonitorCheck
from components.monitor.monitor_page import make_page
from components.monitor.monitor_result import MonitorResult, Point, VersionResult
from components.monitor.moved_requests import name_requests
from components.monitor.served_metric import (
    MOST_EARLIER,
    Performance,
    Yardstick,
    measure_performance,
)
from components.monitor.service_checks import (
    answered,
    check_age,
    check_batch_volume,
    check_coverage,
    check_errors,
    check_latency,
    check_volume,
)
from components.monitor.short_windows import WindowJudge
from components.monitor.time_windows import (
    WEEK,
    TimeWindow,
    VersionHours,
    by_version,
    floor_hour,
    last_window,
    of_all,
)
from components.monitor.versions import find_champion

_WEEKS = 4
_HISTORY = 14
"""Earlier windows that are judged, each a step before the next: how a feature moved, and since when."""
_STEP = timedelta(days=1)
_LONGEST = timedelta(days=3653)
NO_FEEDBACK = "not measured: project.yaml has no section feedback, so no label of an answer is known"
NO_YARDSTICK = "not measured: the version has no signature in the ledger's store"


def monitor_requests(
    project: Project, *, monitoring: Path, page: Path, window: str = "", since: str = "", now: datetime | None = None
) -> MonitorResult:
    """Count the closed hours of the request log, and judge the last window of each version.

    Args:
        project: The project.
        monitoring: An empty folder for the outcome, the page as data and `monitoring.json`.
        page: Where the rendered page goes.
        window: Length of the window, as in `7d`; empty: the project's.
        since: Beginning of the window, ISO 8601, instead of its length; empty: by its length.
        now: The present; None: that of the clock.

    Raises:
        ConfigError: When `window` or `since` is not valid, or without permission to read the store.
        DataError: When a version's reference is damaged.
        ModelError: When a version's reference is not the registered one.
        ServiceError: When the ledger, MLflow or a count file is damaged.
        UnavailableError: When the store does not answer.
    """
    now = now or datetime.now(UTC)
    settings = Settings.from_environment()
    wanted = _window(project.monitor, now, window, since)
    base = monitoring_folder(settings.store, project.name)
    champion, references = find_champion(settings.store, project.name)
    log = log_uri(project.serve.request_log, settings.store, project.name)
    earliest, wanted_labels = first_hours(project, wanted)
    hours = list(_count(log, f"{base}/counts", earliest, wanted.until, now, references, project.name))
    everyone = by_version(hours)
    versions = {name: counted for name, counted in everyone.items() if not is_batch(name)}
    batches = {name: counted for name, counted in everyone.items() if is_batch(name)}
    is_batch_only = bool(batches) and not versions
    if is_batch_only:
        versions, batches = batches, {}
    served = champion.version if champion and not is_batch_only else ""
    if served:  # one that got no requests is judged too
        versions.setdefault(served, VersionHours({}))
    main = _main(versions, wanted, served)
    alone = _by_version_alone({**everyone, **versions})
    can_estimate = any(references[version].reliability for version in alone if version in references)
    yardsticks = read_yardsticks(project, settings.store, alone) if project.feedback or can_estimate else {}
    judging = _Judging(
        project,
        wanted,
        references,
        champion,
        now,
        log,
        damaged=sum(each.damaged for each in hours if wanted.has(each.hour)),
        foreign=sum(each.foreign for each in hours if wanted.has(each.hour)),
        performances=_measure(project, settings.store, alone, wanted, wanted_labels, yardsticks),
        yardsticks=yardsticks,
        store=settings.store,
    )
    if is_batch_only:
        results = _judge_batches(judging, versions, main)
    else:
        volume = _judge_volume(versions, wanted, main, champion)
        results = [
            _judge_version(judging, name, counted, volume if name == main else None)
            for name, counted in versions.items()
            if name == main or any(_activity(counted.total(wanted)))
        ]
    judged = next((result for result in results if result.name == main), None)
    others = [result for result in results if result is not judged]
    unsaid = {version: found for version, found in judging.performances.items() if version not in versions}
    beside = _judge_batches(replace(judging, performances=unsaid), batches, _main(batches, wanted, ""))
    outcome = _outcome(judged, beside, wanted)
    run = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    uri = result_uri(base, run)
    result = MonitorResult(outcome, run, uri, judged, others, beside, _describe_performance(project, judged))
    content = dump_json(result.to_json(project.name, now))
    write_text(monitoring / MONITORING, content)
    shown = make_page(result)
    shown.save(monitoring)
    write_page(shown, page)
    put(content.encode(), result.uri)
    return result


@dataclass(frozen=True)
class _Judging:
    """What the judgement of a window needs, for servers and batches alike."""

    project: Project
    window: TimeWindow
    references: Mapping[str, MonitoringReference]
    champion: Deployment | None
    now: datetime
    log: str
    damaged: int
    foreign: int
    performances: Mapping[str, Performance]
    yardsticks: Mapping[str, Yardstick]
    store: str


def _by_version_alone(everyone: Mapping[str, VersionHours]) -> dict[str, VersionHours]:
    """Return the counts by version, of servers and batches together: a label does not say which."""
    versions = dict.fromkeys(map(version_of, everyone))
    return {
        version: of_all([counted for name, counted in everyone.items() if version_of(name) == version])
        for version in versions
    }


def _judge_batches(judging: _Judging, batches: Mapping[str, VersionHours], main: str | None) -> list[VersionResult]:
    """Judge batch predictions by version; the volume of all of them is that of one, which is there also when none came."""
    if main is None:
        return []
    volume = _judge_batch_volume(batches, judging.window)
    return [
        _judge_version(judging, name, counted, volume if name == main else None)
        for name, counted in batches.items()
        if any(_activity(counted.total(judging.window))) or (name == main and volume.alarms)
    ]


def _judge_batch_volume(batches: Mapping[str, VersionHours], window: TimeWindow) -> MonitorCheck:
    everything = of_all(batches.values())
    first = min(everything.hours)
    weeks = [window.moved(-number * WEEK) for number in range(1, _WEEKS + 1)]
    return check_batch_volume(
        everything.total(window), [everything.total(week) for week in weeks if week.until > first]
    )


def first_hours(project: Project, window: TimeWindow) -> tuple[datetime, datetime]:
    """Return the first hour that is counted for a window, and from when labelled rows are read: labels come as late as `feedback.wait`."""
    earliest = window.since - max(_WEEKS * WEEK, _HISTORY * _STEP + (window.since - window.before().since))
    if project.feedback is None:
        return earliest, window.until
    since = window.since - to_timedelta(project.feedback.wait) - window.length - (MOST_EARLIER + 1) * _STEP
    return min(earliest, since), since


def _measure(
    project: Project,
    store: str,
    versions: Mapping[str, VersionHours],
    window: TimeWindow,
    since: datetime,
    yardsticks: dict[str, Yardstick],
) -> dict[str, Performance]:
    """Measure the served metric of each version."""
    spans = SpanStore(feedback_home(store, project.name), "")
    maturity = read_maturity(project, spans)
    if maturity is None or project.monitor.severity.get("performance") == "ignore":
        return {}
    labelled = read_labelled(spans, since, yardsticks, versions)
    return {
        version: measure_performance(
            labelled.get(version) or no_labels(yardsticks[version]),
            {hour: counts.rows for hour, counts in counted.hours.items()},
            window,
            _STEP,
            yardsticks[version],
            maturity,
            project.monitor,
        )
        for version, counted in versions.items()
        if version in yardsticks
    }


def _describe_performance(project: Project, judged: VersionResult | None) -> tuple[str, ...]:
    if project.feedback is None:
        estimated = (describe_estimate(judged.estimate),) if judged and judged.estimate else ()
        return (NO_FEEDBACK, *estimated)
    if judged is None or not judged.counts.rows or project.monitor.severity.get("performance") == "ignore":
        return ()
    return tuple(judged.describe_performance(project.primary_metric())) or (NO_YARDSTICK,)


def _find_learnable(
    project: Project, store: str, checks: list[MonitorCheck], reference: MonitoringReference
) -> list[MonitorCheck]:
    """Say of alarms on values never seen whether enough labelled rows have them, and validate lets them pass.

    The rows of a span have the types of the training table and a label of the task: the join sets others aside. What validate can still hold
    against a new text is `unexpected_value`, which warns unless the project has it fail.
    """
    if project.feedback is None:
        return checks
    home = feedback_home(store, project.name)
    spans = SpanStore(home, project.feedback.spans or f"{home}/spans/{{span}}/rows.parquet")
    counted = count_labelled(checks, reference, spans)
    passes = project.gates.data.anomalies.get("unexpected_value") != "fail"
    return [
        check
        if check.labelled is None
        else replace(check, learnable=passes and check.labelled >= project.monitor.min_rows)
        for check in counted
    ]


def _window(settings: Monitor, now: datetime, window: str, since: str) -> TimeWindow:
    try:
        length = parse_hours(window or settings.window)
    except ValueError as error:
        raise ConfigError(str(error), where="--window") from None
    if length > _LONGEST:
        raise ConfigError(f"found {window or settings.window!r}; allowed: ten years at most", where="--window")
    found = last_window(now, length, SETTLE_SECONDS)
    if not since:
        return found
    try:
        begin = datetime.fromisoformat(since)
        begin = floor_hour(begin if begin.tzinfo else begin.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ConfigError(
            f"found {since!r}; allowed: a time as in 2026-01-31 or 2026-01-31T09:00Z", where="--since"
        ) from None
    if begin < found.until - _LONGEST:
        raise ConfigError(f"found {since!r}; allowed: ten years back at most", where="--since")
    if begin >= found.until:
        raise ConfigError(f"found {since!r}, after the last closed hour ({found.until.isoformat()})", where="--since")
    return TimeWindow(begin, found.until)


def _without(reference: MonitoringReference | None, ignored: list[str]) -> MonitoringReference | None:
    """Return the reference without some features; they are counted all the same, so that they can be judged later."""
    if reference is None:
        return None
    kept = {name: column for name, column in reference.features.items() if name not in ignored}
    return replace(reference, features=kept)


def _count(
    log: str,
    folder: str,
    earliest: datetime,
    until: datetime,
    now: datetime,
    references: dict[str, MonitoringReference],
    model: str,
) -> Iterator[HourCounts]:
    digests = {version: reference.cells_digest for version, reference in references.items()}
    hasher = find_hasher()

    def count_cells(objects: Sequence[LogObject]) -> tuple[dict[str, Counts], LogCounts]:
        return count_objects(objects, references, model, hasher)

    # counts outlive the log's retention
    known = {*list_closed_hours(log, now, since=earliest), *list_closed_hours(folder, now, since=earliest)}
    for hour in sorted(known):
        if hour < until:
            yield count_hour(log, folder, hour, count_cells, digests)


def _judge_version(judging: _Judging, name: str, counted: VersionHours, volume: MonitorCheck | None) -> VersionResult:
    """Judge who answered (`answered_by.py`) in the window; of batch predictions no errors, latency or age, which they do not have."""
    project, window, version = judging.project, judging.window, version_of(name)
    settings, reference = project.monitor, _without(judging.references.get(version), project.monitor.ignore)
    counts, before = counted.total(window), counted.total(window.before())
    checks = [volume] if volume else []
    if is_batch(name):
        checks.append(check_coverage(counts, 0, reference))
    else:
        deployed = judging.champion.at if judging.champion and judging.champion.version == version else ""
        checks += [
            check_errors(counts, settings),
            check_latency(counts, before),
            check_age(deployed, judging.now, settings),
            check_coverage(counts, judging.damaged, reference, judging.foreign),
        ]
    history: list[Point] = []
    if reference is not None:
        history = _judge_windows(settings, reference, counted, window)
        checks += history[-1].checks.values()
        checks = name_requests(
            checks, _objects(judging.log, window, counted), name, reference, project.name, find_hasher()
        )
        checks = _find_learnable(project, judging.store, checks, reference)
    performance = judging.performances.get(version, Performance())
    if performance.check is not None:
        checks.append(performance.check)
    checks = [_limit(check, settings) for check in checks if settings.severity.get(check.kind) != "ignore"]
    found = [_since(each, history) for each in checks]
    estimate, yardstick = None, judging.yardsticks.get(version)
    if reference is not None and yardstick is not None:
        performance = add_estimates(performance, reference, yardstick, counted, settings.min_rows)
        estimate = estimate_window(reference, yardstick, counts, settings.min_rows)
    return VersionResult(version, window, counts, found, history, reference, performance, estimate, source_of(name))


def _judge_windows(
    settings: Monitor, reference: MonitoringReference, counted: VersionHours, window: TimeWindow
) -> list[Point]:
    policy = Policy(settings.alpha, settings.warn, settings.fail, settings.min_rows, settings.season)
    judges, points = WindowJudge(reference, policy, window), []
    first = min(counted.hours, default=window.since)
    for number in range(_HISTORY, -1, -1):
        own = window.moved(-number * _STEP)
        if number and own.until <= first:
            continue
        points.append(Point(own, {check.check.name: check for check in judges.judge(counted, own)}))
    return points


def _objects(log: str, window: TimeWindow, counted: VersionHours) -> Iterator[LogObject]:
    """Yield the objects of a window, the newest hour first."""
    for hour in sorted(counted.hours, reverse=True):
        if window.has(hour):
            yield from list_objects(log, hour)


def _limit(check: MonitorCheck, settings: Monitor) -> MonitorCheck:
    if settings.severity.get(check.kind) == "warn" and check.check.status == "fail":
        return replace(check, check=replace(check.check, status="warn"))
    return check


def _since(check: MonitorCheck, history: list[Point]) -> MonitorCheck:
    """Return an alarm with the beginning of the first window of its unbroken run."""
    if not check.alarms or check.kind == "performance":  # which has its own
        return check
    since = None
    for point in reversed(history):
        found = point.checks.get(check.check.name)
        if found is None or not found.alarms:
            break
        since = point.window.since
    return replace(check, since=since.isoformat() if since else None)


def _main(versions: Mapping[str, VersionHours], window: TimeWindow, champion: str) -> str | None:
    """Return the version that is judged: the champion, else the one with the most rows, else the one that answered last."""

    def rank(version: str) -> tuple[Any, ...]:
        hours = versions[version].hours
        return (*_activity(versions[version].total(window)), max(hours, default=window.since), version)

    return champion or max(versions, key=rank, default=None)


def _activity(counts: Counts) -> tuple[int, int]:
    """Return the rows that were answered, and the requests that were refused or not logged."""
    return counts.rows, sum(counts.errors.values()) + counts.dropped


def _judge_volume(
    versions: Mapping[str, VersionHours], window: TimeWindow, main: str | None, champion: Deployment | None
) -> MonitorCheck:
    """Judge the requests of all versions together: a champion of yesterday has no earlier weeks of its own."""
    everything = of_all(versions.values())
    now = everything.total(window)
    weeks = [everything.total(window.moved(-number * WEEK)) for number in range(1, _WEEKS + 1)]
    first = min(everything.hours, default=window.since)
    is_young = first > window.since - WEEK
    check = check_volume(now, weeks, everything.total(TimeWindow(first, window.since)) if is_young else None)
    is_idle = champion is not None and not answered(versions[champion.version].total(window))
    if champion and is_idle and answered(now) and not check.alarms and _deployed_before(champion, window):
        reason = f"version {main} answered no request, other versions {answered(now):,.0f}"
        return replace(check, check=replace(check.check, status="warn", reason=reason))
    return check


def _deployed_before(champion: Deployment, window: TimeWindow) -> bool:
    return datetime.fromisoformat(champion.at) <= window.since


def _outcome(judged: VersionResult | None, batches: Sequence[VersionResult], wanted: TimeWindow) -> Outcome:
    if judged is None or not (judged.counts.rows or batches or any(check.alarms for check in judged.checks)):
        times = " to ".join(f"{at:%Y-%m-%d %H:%M}" for at in (wanted.since, wanted.until))
        settled = f"an hour counts {SETTLE_SECONDS / 60:.0f} minutes after its end"
        return Outcome("skipped", f"no requests from {times} UTC; {settled}")
    of_batches = [_named_batch(check) for batch in batches for check in batch.checks if check.alarms]
    checks = sorted([*judged.checks, *of_batches], key=lambda check: _ORDER[check.check.status])
    alarms = [check.check for check in checks if check.alarms]
    unjudged = [check for check in checks if check.check.status == "no_baseline"]
    # what needs earlier weeks has no baseline at first, and a run is not yellow for that; what needs training must have one
    counted = [check.check for check in unjudged if check.kind in _AGAINST_TRAINING]
    found = judge([*alarms, *counted])
    sentences = [check.reason or check.name for check in alarms[:3]] or [f"{judged.counts.rows:,} rows, nothing moved"]
    if len(alarms) > 3:
        sentences.append(f"and {len(alarms) - 3} more")
    if not alarms and unjudged:
        kinds = ", ".join(dict.fromkeys(check.kind for check in unjudged))
        sentences.append(f"not judged for want of a baseline: {kinds}")
    metrics = {"rows": float(judged.counts.rows), "alarms": float(len(alarms))}
    return Outcome(found.verdict, "; ".join(sentences), tuple(check.check.rounded() for check in checks), metrics)


def _named_batch(check: MonitorCheck) -> MonitorCheck:
    """Return a check of batch predictions as it stands among those of a server."""
    return replace(check, check=replace(check.check, name=f"{BATCH}: {check.check.name}"))


_AGAINST_TRAINING = ("skew", "invariant", "prediction")
_ORDER = {"fail": 0, "warn": 1, "no_baseline": 2, "pass": 3, "skipped": 4}
