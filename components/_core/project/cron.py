"""Cron as Kubeflow Pipelines reads it: six fields, seconds first; checked here because the server takes five and misreads them.

KFP uses robfig/cron 1.2, in which the last field may be left out: `*/20 * * * *` is then every twenty seconds. It knows
no time zone in the expression, Sunday is 0 and never 7, and a date that never occurs would keep its controller busy for
ever.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import product

from components._core.suggestions import suggest

_FIELDS = ("second", "minute", "hour", "day of the month", "month", "day of the week")
_BOUNDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS = {
    name: str(number) for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_DAYS = {name: str(number) for number, name in enumerate("sun mon tue wed thu fri sat".split())}
_NAMES: dict[str, dict[str, str]] = {"month": _MONTHS, "day of the week": _DAYS}
_LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_LONGEST_FOLD = timedelta(hours=3)
"""Longer than any clock is set back."""
_SEARCHED_DAYS = 9 * 366
"""The 29th of February may be eight years away."""
_PART = re.compile(r"(?P<all>[*?])(?:/(?P<every>\d+))?|(?P<first>\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")


def check_optional_cron(text: str) -> str:
    """Return the expression as `check_cron` does; an empty one, which names no time, as it is."""
    return check_cron(text) if text else text


def check_cron(text: str) -> str:
    """Return the expression with single spaces.

    Raises:
        ValueError: When KFP would refuse or misread it; the message says what to write instead.
    """
    fields = text.split()
    if len(fields) == 5:
        meant = " ".join(["0", *fields])
        raise ValueError(f"found {text!r} with five fields; KFP reads the first as seconds: write {meant!r}")
    if len(fields) != 6:
        form = "second minute hour day month weekday, as in '0 30 3 * * *' for half past three every day"
        raise ValueError(f"found {text!r} with {len(fields)} fields; six are needed: {form}")
    values = [_values(field, place) for place, field in enumerate(fields)]
    if _never(values, free_weekday="*" in fields[5] or "?" in fields[5]):
        raise ValueError(f"found {text!r}: no month has such a day, it would never run")
    return " ".join(fields)


def check_timezone(name: str) -> str:
    """Return the name of a time zone.

    Raises:
        ValueError: When there is no such zone. Where no list of zones is installed, any well-formed name is accepted.
    """
    known = zoneinfo.available_timezones() | {"UTC"}
    if name in known or (len(known) == 1 and re.fullmatch(r"[A-Za-z_]+(/[A-Za-z0-9_+-]+)*", name)):
        return name
    raise ValueError(f"found {name!r}; {suggest(name, sorted(known))} (a name of the IANA list, as in Europe/Berlin)")


def previous_tick(text: str, zone: tzinfo, now: datetime) -> datetime | None:
    """Return the last time at or before `now` that an expression names; None when it names none within nine years.

    Times of the clock that are skipped in spring name no tick, and of those that occur twice in autumn the first does.

    Args:
        text: The expression, as `check_cron` returned it.
        zone: Time zone in which it is read.
        now: The time, with a zone.

    Returns:
        The time in UTC.
    """
    fields = text.split()
    seconds, minutes, hours, days, months, weekdays = (_values(field, place) for place, field in enumerate(fields))
    either = not any(star in field for field in (fields[3], fields[5]) for star in "*?")
    wall = now.astimezone(zone).replace(tzinfo=None) + _LONGEST_FOLD
    for back in range(_SEARCHED_DAYS):
        day = wall.date() - timedelta(days=back)
        fits = (day.day in days, day.isoweekday() % 7 in weekdays)
        if day.month not in months or not (any(fits) if either else all(fits)):
            continue
        for hour, minute, second in product(*(sorted(values, reverse=True) for values in (hours, minutes, seconds))):
            local = datetime.combine(day, time(hour, minute, second))
            if local > wall:
                continue
            tick = local.replace(tzinfo=zone).astimezone(UTC)
            if tick <= now and tick.astimezone(zone).replace(tzinfo=None) == local:
                return tick
    return None


def _values(field: str, place: int) -> set[int]:
    """Return the numbers that a field stands for."""
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(_invalid_part(part, place))
        found.update(_range(match, part, place))
    return found


def _range(match: re.Match[str], part: str, place: int) -> range:
    low, high = _BOUNDS[place]
    step = match["every"] or match["step"]
    if match["all"]:
        first, last = low, high
    else:
        first = _number(match["first"], part, place)
        last = _number(match["last"], part, place) if match["last"] else (high if step else first)
    if first > last or (step and not int(step)):
        raise ValueError(_invalid_part(part, place))
    return range(first, last + 1, int(step or 1))


def _number(text: str, part: str, place: int) -> int:
    number = _NAMES.get(_FIELDS[place], {}).get(text.lower(), text)
    low, high = _BOUNDS[place]
    if not (number.isascii() and number.isdigit() and low <= int(number) <= high):
        raise ValueError(_invalid_part(part, place))
    return int(number)


def _invalid_part(part: str, place: int) -> str:
    low, high = _BOUNDS[place]
    names = " or names such as mon" if place == 5 else " or names such as jan" if place == 4 else ""
    return f"found {part!r} as {_FIELDS[place]}; allowed: {low} to {high}{names}, *, lists a,b, ranges a-b, steps */n"


def _never(values: list[set[int]], *, free_weekday: bool) -> bool:
    """Return whether no such day exists. With days of the month and of the week both named, either is enough."""
    days, months = values[3], values[4]
    return free_weekday and not any(min(days) <= _LONGEST_MONTHS.get(month, 31) for month in months)
