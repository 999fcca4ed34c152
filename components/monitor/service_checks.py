"""Checks of the service, not of distributions: volume, errors, latency, the champion's age, and what the log lacks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from components._core.checks import Check, Status
from components._core.monitoring.counts import Counts, latency_quantile
from components._core.monitoring.reference import MonitoringReference
from components._core.monitoring.tail_probabilities import binomial_tail
from components._core.project.durations import to_timedelta
from components._core.project.monitor_config import Monitor
from components._core.types.measured_columns import MONITORED_MEASURES
from components.monitor.monitor_check import Kind, MonitorCheck

_LEAST_VOLUME, _MOST_VOLUME = 0.5, 2.0
"""Bounds of the requests, as a multiple of the same hours of the weeks before."""
_FEWEST_WEEKS = 2
_SLOWER = 1.5
_FEWEST_REQUESTS = 50
_P95 = 0.95
_MOST_LOST = 0.01


def check_volume(now: Counts, before: Sequence[Counts], young: Counts | None = None) -> MonitorCheck:
    """Compare the requests with those of the same hours in the weeks before.

    Where there are none now, one earlier week is enough to fail: an outage in the second week of a service is one.

    Args:
        now: Counts of the window, of all versions.
        before: Counts of the same time one week before, two weeks before and so on; weeks without a request are left out.
        young: Counts of all hours before the window where the log is too young to have the same hours of a week before.
    """
    weeks = [answered(counts) for counts in before if answered(counts)]
    requests = answered(now)
    if not requests and not weeks and young and answered(young):
        reason = f"no requests, {answered(young):,.0f} in the days before"
        return _make("volume", "warn", 0.0, n=0, reason=reason)
    if len(weeks) < (_FEWEST_WEEKS if requests else 1):
        reason = f"requests of {len(weeks)} earlier weeks are known; {_FEWEST_WEEKS} are needed"
        return _make("volume", "no_baseline", requests, n=now.requests, reason=reason)
    usual = sum(weeks) / len(weeks)
    ratio = requests / usual
    status: Status = "fail" if not requests else "pass" if _LEAST_VOLUME <= ratio <= _MOST_VOLUME else "warn"
    bound = usual * (_LEAST_VOLUME if ratio < 1 else _MOST_VOLUME)
    reason = f"{requests:,.0f} requests, {usual:,.0f} in the same hours of the weeks before"
    return _make("volume", status, requests, bound, usual, now.requests, reason if status != "pass" else "")


def check_batch_volume(now: Counts, before: Sequence[Counts]) -> MonitorCheck:
    """Compare the rows of batch predictions with those of the same hours in the weeks before.

    Batches come when somebody runs them. Only where each of the weeks before had some, their number is usual, and none at all fails.

    Args:
        now: Counts of the window, of all versions.
        before: Counts of the same time one week before and so on, back to the week of the first batch; those without a batch too.
    """
    weeks, rows = [_batch_rows(counts) for counts in before], _batch_rows(now)
    if len(weeks) < _FEWEST_WEEKS:
        reason = f"{len(weeks)} weeks since the first batch are known; {_FEWEST_WEEKS} are needed"
        return _make("volume", "no_baseline", rows, n=now.rows, reason=reason)
    if not all(weeks):
        return _make(
            "volume", "skipped", rows, n=now.rows, reason="batches do not come each week, so no number is usual"
        )
    usual = sum(weeks) / len(weeks)
    ratio = rows / usual
    status: Status = "fail" if not rows else "pass" if _LEAST_VOLUME <= ratio <= _MOST_VOLUME else "warn"
    bound = usual * (_LEAST_VOLUME if ratio < 1 else _MOST_VOLUME)
    reason = f"{rows:,.0f} rows of batch predictions, {usual:,.0f} in the same hours of the weeks before"
    return _make("volume", status, rows, bound, usual, now.rows, reason if status != "pass" else "")


def _batch_rows(counts: Counts) -> float:
    """Return the rows that were predicted, by the share that is logged."""
    return counts.rows * counts.represented / counts.requests if counts.requests else 0.0


def answered(counts: Counts) -> float:
    """Return the requests that were answered, by the share that is logged; those that the server could not log were in that share."""
    weight = counts.represented / counts.requests if counts.requests else 1.0
    return counts.represented + counts.dropped * weight


def check_errors(now: Counts, settings: Monitor) -> MonitorCheck:
    """Compare the share of refused requests with the project's bound: above it, and not by chance (exact binomial test)."""
    refused = sum(now.errors.values())
    requests = answered(now) + refused
    if not requests:
        return _make("errors", "skipped", reason="no requests")
    share = refused / requests
    codes = ", ".join(f"{code}: {count:,}" for code, count in sorted(now.errors.items()))
    p = binomial_tail(refused, max(round(requests), refused), settings.max_error_share)
    is_broken = share > settings.max_error_share and (refused == requests or p < settings.alpha)
    status: Status = "fail" if is_broken else "pass"
    reason = f"{share:.1%} of the requests were refused ({codes})" if status == "fail" else ""
    return _make("errors", status, share, settings.max_error_share, n=round(requests), reason=reason)


def check_latency(now: Counts, before: Counts) -> MonitorCheck:
    """Compare the 95th percentile of the latency with that of the window before."""
    measured, usual = latency_quantile(now.latency, _P95), latency_quantile(before.latency, _P95)
    if measured is None or now.requests < _FEWEST_REQUESTS:
        return _make("latency", "skipped", measured, n=now.requests, reason=f"fewer than {_FEWEST_REQUESTS} requests")
    if usual is None or before.requests < _FEWEST_REQUESTS:
        reason = f"the window before has fewer than {_FEWEST_REQUESTS} requests"
        return _make("latency", "no_baseline", measured, n=now.requests, reason=reason)
    status: Status = "warn" if measured > _SLOWER * usual else "pass"
    reason = f"the 95th percentile is {measured:.3g} ms, {usual:.3g} ms in the window before"
    return _make("latency", status, measured, _SLOWER * usual, usual, now.requests, reason if status == "warn" else "")


def check_age(deployed: str, now: datetime, settings: Monitor) -> MonitorCheck:
    """Compare the age of a version, where it is the champion, with the project's bound.

    Args:
        deployed: When it became the champion, ISO 8601; empty: it is not.
        now: The present.
        settings: The project's.
    """
    if not deployed:
        return _make("staleness", "skipped", reason="the version is not the champion")
    age = now - datetime.fromisoformat(deployed)
    most = to_timedelta(settings.max_age) if settings.max_age else None
    status: Status = "fail" if most and age > most else "pass"
    reason = f"the champion is {_days(age):.0f} days old" if status == "fail" else ""
    return _make("staleness", status, _days(age), _days(most) if most else None, reason=reason)


def check_coverage(now: Counts, damaged: int, reference: MonitoringReference | None, foreign: int = 0) -> MonitorCheck:
    """Say what the counts lack: requests that the server dropped, lines that are damaged, features that are masked.

    Args:
        now: Counts of the window.
        damaged: Lines of the window that could not be read.
        reference: The version's; None: it has none, so that its features are not judged.
        foreign: Rows of the window of other projects, which have the same log; they are in no count.
    """
    if not now.requests and not now.dropped and not damaged:
        return _make("coverage", "skipped", reason="no requests")
    # lines that should be in the log, all of them of the share that is logged
    lost = (now.dropped + damaged) / (now.requests + now.dropped + damaged)
    remarks = []
    if lost > _MOST_LOST:
        remarks.append(f"{now.dropped:,} requests were dropped and {damaged:,} lines are damaged")
    if masked := sorted(name for name, rows in now.masked.items() if rows and not _is_measured_in_part(name, now)):
        remarks.append(f"masked, so not judged: {', '.join(masked)}")
    if foreign:
        remarks.append(f"{foreign:,} rows of other projects in the log are left out")
    if reference is None:
        remarks.append("the version has no monitoring reference: train and register it again")
    status: Status = "warn" if lost > _MOST_LOST or reference is None else "pass"
    return _make("coverage", status, 1 - lost, 1 - _MOST_LOST, n=now.requests, reason="; ".join(remarks))


def _make(
    kind: Kind,
    status: Status,
    measured: float | None = None,
    threshold: float | None = None,
    baseline: float | None = None,
    n: int | None = None,
    reason: str = "",
) -> MonitorCheck:
    return MonitorCheck(Check(kind, status, measured, threshold, baseline, n, reason), kind)


def _days(time: timedelta) -> float:
    return time / timedelta(days=1)


def _is_measured_in_part(name: str, now: Counts) -> bool:
    """Return whether a name is a measure of pictures, of which the log has those of some requests: they are judged."""
    cells = now.cells.get(name)
    return name.rpartition(".")[2] in MONITORED_MEASURES and cells is not None and bool(cells.sum())
