"""Durations as people write them: each is its length, and what is none, or too long, is refused with what is allowed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from components._core.project.durations import to_timedelta
from components._core.project.monitor_config import parse_hours


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("15min", timedelta(minutes=15)),
        ("1.5 h", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("0h", timedelta()),
    ],
)
def test_a_duration_is_its_length(text: str, length: timedelta) -> None:
    assert to_timedelta(text) == length


@pytest.mark.parametrize("text", ["", "15", "m", "-1h", "6 hours", "1e3s", "\uff11h", "1h ", "1h2m"])
def test_what_is_no_duration_is_refused_with_the_units(text: str) -> None:
    with pytest.raises(ValueError, match=r"allowed: a number with a unit \(s, min, h, d, w\)"):
        to_timedelta(text)


@pytest.mark.parametrize("text", ["999999999w", "36526d"])
def test_one_that_a_calendar_does_not_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a hundred years at most"):
        to_timedelta(text)


@pytest.mark.parametrize("text", ["90m", "0h", "1.5h"])
def test_the_monitor_counts_whole_hours(text: str) -> None:
    with pytest.raises(ValueError, match="whole hours"):
        parse_hours(text)
    assert parse_hours("1.5d") == timedelta(hours=36)
