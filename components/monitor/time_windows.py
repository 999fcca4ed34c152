"""Windows of closed hours, and their counts by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from components._core.monitoring.counts import Counts, total
from components.monitor.count_files import HourCounts
from components.monitor.distribution_checks import WindowBlock

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class TimeWindow:
    """A time of whole hours.

    Attributes:
        since: Beginning of the first hour.
        until: End of the last hour.
    """

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.until - self.since

    def moved(self, by: timedelta) -> TimeWindow:
        """Return the window of the same length, later by `by`."""
        return TimeWindow(self.since + by, self.until + by)

    def before(self) -> TimeWindow:
        """Return the window of whole weeks before: the same hours of the same weekdays, without an hour in common."""
        return self.moved(-WEEK * -(-self.length // WEEK))

    def has(self, hour: datetime) -> bool:
        """Return whether an hour lies in it."""
        return self.since <= hour < self.until


def last_window(now: datetime, length: timedelta, settle_seconds: float) -> TimeWindow:
    """Return the window that ends with the last hour that is closed at a time."""
    until = floor_hour(now - timedelta(seconds=settle_seconds))
    return TimeWindow(until - length, until)


def floor_hour(moment: datetime) -> datetime:
    """Return the beginning of the hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class VersionHours:
    """The counts of one version.

    Attributes:
        hours: Counts by beginning of the hour.
    """

    hours: Mapping[datetime, Counts]

    def total(self, window: TimeWindow) -> Counts:
        """Return the sum over a window."""
        return total(counts for hour, counts in self.hours.items() if window.has(hour))

    def by_day(self, window: TimeWindow) -> list[WindowBlock]:
        """Return the sums over each 24 hours of a window, back from its end; the first may be shorter.

        A block is named by the date (UTC) of its middle. Calendar days would cut a window of 24 hours into two, and count it as two days.
        """
        days: dict[int, Counts] = {}
        for hour, counts in sorted(self.hours.items()):
            if window.has(hour):
                middle = window.until - ((window.until - hour - HOUR) // _DAY) * _DAY - _DAY / 2
                days.setdefault(middle.toordinal(), Counts()).add(counts)
        return [WindowBlock(day, counts) for day, counts in days.items()]


def of_all(versions: Iterable[VersionHours]) -> VersionHours:
    """Return the counts of some versions together, without those by cell: each version has the cells of its own reference."""
    summed: dict[datetime, Counts] = {}
    for version in versions:
        for hour, counts in version.hours.items():
            summed.setdefault(hour, Counts()).add(replace(counts, cells={}, outputs={}))
    return VersionHours(summed)


def by_version(hours: Sequence[HourCounts]) -> dict[str, VersionHours]:
    """Arrange the counts of hours by version."""
    found: dict[str, dict[datetime, Counts]] = {}
    for each in hours:
        for version, counts in each.versions.items():
            found.setdefault(version, {})[each.hour] = counts
    return {version: VersionHours(counts) for version, counts in found.items()}
