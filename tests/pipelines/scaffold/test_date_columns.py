"""ISO dates in text; other dates are ISO text in examples (`tests/components/data/columns/test_dates.py`)."""

from __future__ import annotations

import pytest

from pipelines.scaffold.date_columns import find_date_format


@pytest.mark.parametrize(
    ("value", "has_clock"),
    [("2020-01-31", False), ("2020-01-31T08:15:00", True), ("2020-01-31 08:15", True), ("2020-01-31 08:15:00Z", True)],
)
def test_iso_dates_are_recognised_with_or_without_a_time_of_day(value: str, has_clock: bool) -> None:
    found = find_date_format((value, "2020-02-01"))
    assert found is not None and found.has_clock == has_clock


@pytest.mark.parametrize("values", [(), ("12-34",), ("2020-13-01",), ("hello", "2020-01-01"), ("31.1.2020",)])
def test_other_text_is_no_date(values: tuple[str, ...]) -> None:
    assert find_date_format(values) is None
