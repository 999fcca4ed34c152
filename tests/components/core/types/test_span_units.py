"""Spans that are dates: digits that sort as dates do, labels, neighbours."""

from __future__ import annotations

import pytest

from components._core.types.span_units import NUMBER, UNITS, runs_of


@pytest.mark.parametrize(
    ("unit", "fields", "span", "label"),
    [
        ("year", (2024,), 2024, "2024"),
        ("month", (2024, 6), 202406, "2024-06"),
        ("day", (2024, 2, 29), 20240229, "2024-02-29"),
        ("hour", (2024, 2, 29, 7), 2024022907, "2024-02-29T07"),
    ],
)
def test_a_date_is_the_number_of_its_digits(unit: str, fields: tuple[int, ...], span: int, label: str) -> None:
    assert UNITS[unit].span(fields) == span
    assert UNITS[unit].label(span) == label
    assert UNITS[unit].at(UNITS[unit].position(span)) == span


@pytest.mark.parametrize(
    ("unit", "fields"), [("month", (2024, 13)), ("day", (2023, 2, 29)), ("hour", (2024, 1, 1, 24))]
)
def test_digits_that_are_no_date_are_no_span(unit: str, fields: tuple[int, ...]) -> None:
    assert UNITS[unit].span(fields) is None


@pytest.mark.parametrize(
    ("unit", "before", "after"),
    [("month", 202312, 202401), ("day", 20240229, 20240301), ("hour", 2023123123, 2024010100), ("year", 1999, 2000)],
)
def test_neighbours_have_neighbouring_positions(unit: str, before: int, after: int) -> None:
    assert UNITS[unit].position(after) == UNITS[unit].position(before) + 1


@pytest.mark.parametrize(
    ("unit", "text", "days"),
    [("day", "2024-02", ("2024-02-01", "2024-02-29")), ("day", "2024", ("2024-01-01", "2024-12-31")),
     ("month", "2024", ("2024-01", "2024-12")), ("hour", "2024-06-01", ("2024-06-01T00", "2024-06-01T23")),
     ("month", "2024-12", ("2024-12", "2024-12"))],
)  # fmt: skip
def test_a_coarser_date_is_all_spans_within_it(unit: str, text: str, days: tuple[str, str]) -> None:
    period = UNITS[unit].period(text)
    assert period is not None
    assert tuple(UNITS[unit].label(UNITS[unit].at(position)) for position in period) == days


@pytest.mark.parametrize(
    ("unit", "text"), [("month", "2024-06-01"), ("day", "2024-13"), ("day", "7"), ("day", "9999"), ("year", "")]
)
def test_what_is_finer_or_no_date_is_no_period(unit: str, text: str) -> None:
    assert UNITS[unit].period(text) is None


def test_runs_are_written_as_people_write_them() -> None:
    assert NUMBER.ranges(runs_of([1, 2, 3, 7])) == "1-3, 7"
    day = UNITS["day"]
    positions = [day.position(span) for span in (20231231, 20240101, 20240105)]
    assert day.ranges(runs_of(positions)) == "2023-12-31..2024-01-01, 2024-01-05"
