"""The last time that a cron expression names, against a search through every second or minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from components._core.project.cron import previous_tick

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("expression", "now", "tick"),
    [
        ("0 30 3 * * *", "2026-01-02T03:29:59", "2026-01-01T03:30:00"),
        ("0 30 3 * * *", "2026-01-02T03:30:00", "2026-01-02T03:30:00"),
        ("0 0 0 29 2 *", "2026-01-01T00:00:00", "2024-02-29T00:00:00"),
        ("0 0 12 * * mon", "2026-01-04T00:00:00", "2025-12-29T12:00:00"),
        ("0 0 12 1 * mon", "2026-01-04T00:00:00", "2026-01-01T12:00:00"),  # either of the two days
        ("0 0 12 1 * *", "2026-01-04T00:00:00", "2026-01-01T12:00:00"),
        ("*/20 * * * * *", "2026-01-01T00:00:59", "2026-01-01T00:00:40"),
    ],
)
def test_the_last_time_at_or_before_now(expression: str, now: str, tick: str) -> None:
    found = previous_tick(expression, UTC, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(tick).replace(tzinfo=UTC)


def test_an_expression_that_names_no_time_soon_has_none() -> None:
    assert previous_tick("0 0 0 30 2 *", UTC, datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("around", [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)])
@pytest.mark.parametrize("expression", ["0 30 2 * * *", "0 */20 * * * *", "0 59 1-3 * * sun", "0 0 0 25 * mon"])
def test_where_clocks_change_it_is_what_a_search_by_minute_finds(expression: str, around: datetime) -> None:
    fields = expression.split()
    minutes = {"30": {30}, "*/20": {0, 20, 40}, "59": {59}, "0": {0}}[fields[1]]
    hours = {"2": {2}, "*": set(range(24)), "1-3": {1, 2, 3}, "0": {0}}[fields[2]]
    begin = around - timedelta(days=2)
    ticks = []
    for minute in range(4 * 1_440):
        at = begin + timedelta(minutes=minute)
        local = at.astimezone(BERLIN)
        day = {"* *": True, "* sun": local.weekday() == 6, "25 mon": local.day == 25 or local.weekday() == 0}
        if local.minute in minutes and local.hour in hours and day[f"{fields[3]} {fields[5]}"] and local.fold == 0:
            ticks.append(at)
    for minute in range(1_440, 4 * 1_440, 7):
        now = begin + timedelta(minutes=minute)
        expected = max((tick for tick in ticks if tick <= now), default=None)
        if expected is not None:
            assert previous_tick(expression, BERLIN, now) == expected
