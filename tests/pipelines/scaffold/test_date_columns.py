"""Dates in text."""

from __future__ import annotations

import pytest

from pipelines.scaffold.date_columns import find_date_format


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2020-01-31", "YYYY-MM-DD"),
        ("2020-01-31T08:15:00", "YYYY-MM-DD"),
        ("2020/1/31", "YYYY/MM/DD"),
        ("31.1.2020", "DD.MM.YYYY"),
        ("1/31/2020 8:15", "MM/DD/YYYY"),
        ("31/1/2020", "DD/MM/YYYY"),
        ("31-01-2020", "DD-MM-YYYY"),
        ("Jan 31, 2020", "Mon DD YYYY"),
        ("31-Jan-2020", "DD Mon YYYY"),
    ],
)
def test_common_formats_are_known(value: str, shown: str) -> None:
    found = find_date_format((value,))
    assert found is not None
    assert found.shown == shown


def test_day_and_month_are_reported_apart_by_any_day_after_the_twelfth() -> None:
    found = find_date_format(("3/4/2020", "13/4/2020"))
    assert found is not None
    assert (found.shown, found.note) == ("DD/MM/YYYY", "")


def test_dates_that_can_be_read_both_ways_are_said_to_be() -> None:
    found = find_date_format(("3/4/2020", "5/6/2020"))
    assert found is not None
    assert found.note == "read as MM/DD/YYYY; it could as well be DD/MM/YYYY"


def test_a_time_of_day_is_noticed() -> None:
    with_clock, without = find_date_format(("2020-01-31", "2020-02-01 10:00")), find_date_format(("2020-01-31",))
    assert with_clock is not None
    assert without is not None
    assert (with_clock.has_clock, without.has_clock) == (True, False)


@pytest.mark.parametrize("values", [(), ("12-34",), ("2020-13-01",), ("hello", "2020-01-01"), ("Foo 31, 2020",)])
def test_other_text_is_no_date(values: tuple[str, ...]) -> None:
    assert find_date_format(values) is None
