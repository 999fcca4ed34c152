"""Span expressions: by number and by date, from today, with spans that are missing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from components._core.errors import ConfigError, DataError
from components._core.types.span_units import NUMBER, UNITS
from components._data.sources.span_expression import parse_spans

MONTHS = [202311, 202312, 202401, 202403, 202404]
DAYS = [20240227, 20240228, 20240229, 20240301, 20240303]
TODAY = datetime(2024, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("all", [1, 2, 3, 7]), ("7", [7]), ("1-3", [1, 2, 3]), ("3,1", [1, 3]), ("last 2", [3, 7]), ("1-2, 7", [1, 2, 7]),
     ("1..3", [1, 2, 3]), ("LAST  3", [2, 3, 7]), ("1-2,2-3", [1, 2, 3]), (" 01 ", [1])],
)  # fmt: skip
def test_an_expression_names_numbers(wanted: str, chosen: list[int]) -> None:
    assert parse_spans(wanted, NUMBER).select([1, 2, 3, 7]) == chosen


@pytest.mark.parametrize(
    ("unit", "wanted", "chosen"),
    [
        ("month", "2024-01", [202401]),
        ("month", "2023-11..2024-01", [202311, 202312, 202401]),
        ("month", "2023", [202311, 202312]),
        ("month", "2024-03..2024-04, 2023-12", [202312, 202403, 202404]),
        ("month", "last 2", [202403, 202404]),
        ("month", "since 2m", [202401, 202403, 202404]),
        ("month", "since 2024-03", [202403, 202404]),
        ("month", "since 2024-01-15", [202401, 202403, 202404]),
        ("day", "2024-02-28..2024-03-01", [20240228, 20240229, 20240301]),
        ("day", "2024-02", [20240227, 20240228, 20240229]),
        ("day", "since 30d", [20240301, 20240303]),
        ("day", "since 4w", [20240303]),
        ("day", "since 1m", [20240229, 20240301, 20240303]),
        ("day", "since 1y", DAYS),
    ],
)
def test_an_expression_names_dates(unit: str, wanted: str, chosen: list[int]) -> None:
    available = {"month": MONTHS, "day": DAYS}[unit]
    assert parse_spans(wanted, UNITS[unit], TODAY).select(available, "skip") == chosen


@pytest.mark.parametrize("wanted", ["", "3-1", "x", "last", "last 0", "1;2", "1-", "since 90d", "2024-01..2024-06"])
def test_an_expression_that_cannot_be_understood_says_what_is_allowed(wanted: str) -> None:
    with pytest.raises(ConfigError, match="allowed: all, 7, 1-11"):
        parse_spans(wanted, NUMBER)


def test_dates_of_a_source_of_numbers_name_the_placeholder() -> None:
    with pytest.raises(ConfigError, match=r"\{YYYY\}"):
        parse_spans("2024-01..2024-06", NUMBER)


@pytest.mark.parametrize(
    "wanted", ["7", "1-11", "2024-06-01", "2024-13", "2024-06..2024-01", "since 90", "since 90x", "20240601"]
)
def test_an_expression_that_is_not_of_the_unit_says_what_is_allowed(wanted: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed: all, 2024-06, 2024-06\.\.2024-11, last 12, since 90d.*a month"):
        parse_spans(wanted, UNITS["month"])


def test_spans_need_their_place_in_the_source() -> None:
    with pytest.raises(ConfigError, match=r"has no \{span\}(.|\n)*\{YYYY\}"):
        parse_spans("2", None)


def test_a_span_that_is_missing_is_named_beside_those_that_exist() -> None:
    with pytest.raises(DataError, match=r"no span 4-6(.|\n)*available spans: 1-3, 7"):
        parse_spans("3-7", NUMBER).select([1, 2, 3, 7])
    with pytest.raises(
        DataError, match=r"no span 2024-02(.|\n)*available spans: 2023-11\.\.2024-01, 2024-03\.\.2024-04"
    ):
        parse_spans("2024", UNITS["month"]).select(MONTHS[:5])


def test_a_missing_span_is_left_out_as_configured_but_not_all() -> None:
    assert parse_spans("2-7", NUMBER).select([1, 2, 7], "warn") == [2, 7]
    for policy in ("warn", "skip"):
        with pytest.raises(DataError, match="no span 3-6"):
            parse_spans("3-6", NUMBER).select([1, 2, 7], policy)  # type: ignore[arg-type]


def test_since_ends_at_the_newest_span_and_starts_where_it_says() -> None:
    day = UNITS["day"]
    assert parse_spans("since 2024-02-27", day, TODAY).missing([20240227, 20240228, 20240229, 20240301]) == []
    with pytest.raises(DataError, match=r"no span 2024-02-26"):
        parse_spans("since 2024-02-26", day, TODAY).select([20240227])
    with pytest.raises(DataError, match=r"no span since 2024-03-30(.|\n)*available spans: 2024-02-27"):
        parse_spans("since 1d", day, TODAY).select([20240227], "skip")


@pytest.mark.parametrize(
    ("wanted", "chosen", "missing"),
    [
        ("1-7", [1, 2, 7], "3-6"),
        ("all", [1, 2, 3, 5, 6], "4"),
        ("last 3", [3, 5, 6], "4"),
        ("all", [1, 8, 15], ""),
        ("1-2", [1, 2], ""),
    ],
)
def test_missing_spans_are_those_named_or_gaps_if_these_are_the_exception(
    wanted: str, chosen: list[int], missing: str
) -> None:
    assert NUMBER.ranges(parse_spans(wanted, NUMBER).missing(chosen)) == missing


def test_a_typing_error_of_many_digits_is_answered_at_once() -> None:
    with pytest.raises(DataError, match="no span 2"):
        parse_spans("1-999999999999999", NUMBER).select([1])
    assert parse_spans("1-999999999999999999", NUMBER).select([1, 10**17], "skip") == [1, 10**17]
