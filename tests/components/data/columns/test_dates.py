"""Dates and times of day as people write them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from components._data.columns.dates import Order, describe_format, find_order, parse_dates
from components._data.columns.times_of_day import parse_times


@pytest.mark.parametrize(
    ("text", "iso", "shown"),
    [
        ("2021-02-10", "2021-02-10", "YYYY-MM-DD"),
        ("2021.02.10", "2021-02-10", "YYYY.MM.DD"),
        ("2021. 2. 10.", "2021-02-10", "YYYY.MM.DD"),
        ("2021/2/10", "2021-02-10", "YYYY/MM/DD"),
        ("10.02.21", "2021-02-10", "DD.MM.YY"),
        ("10-02-1999", "1999-02-10", "DD-MM-YYYY"),
        ("31/12/99", "1999-12-31", "DD/MM/YY"),
        ("2021년 2월 10일", "2021-02-10", "YYYY년 MM월 DD일"),
        ("20210210", "2021-02-10", "YYYYMMDD"),
        ("20210210T101500Z", "2021-02-10 10:15:00Z", "YYYYMMDD"),
        ("1612915200", "2021-02-10 00:00:00", "epoch seconds"),
        ("1612915200123", "2021-02-10 00:00:00", "epoch milliseconds"),
        ("10-Feb-2021", "2021-02-10", "DD-Mon-YYYY"),
        ("Feb 10, 2021", "2021-02-10", "Mon DD YYYY"),
        ("Wed, 10 Feb 2021 10:00:00 GMT", "2021-02-10 10:00:00Z", "DD Mon YYYY"),
        ("2021-02", "2021-02-01", "YYYY-MM"),
        ("2024-02-03 3:15 PM", "2024-02-03 15:15:00", "YYYY-MM-DD"),
        ("2024-02-03 3:15 p.m.", "2024-02-03 15:15:00", "YYYY-MM-DD"),
        ("2024-02-03 12:15 AM", "2024-02-03 00:15:00", "YYYY-MM-DD"),
        ("2024-02-03 오후 3:15", "2024-02-03 15:15:00", "YYYY-MM-DD"),
        ("2024-01-01T01:00:00+02:00", "2023-12-31 23:00:00Z", "YYYY-MM-DD"),
        ("2024-01-01T10:00:00-0330", "2024-01-01 13:30:00Z", "YYYY-MM-DD"),
        ("2024-01-01T10:00:00Z", "2024-01-01 10:00:00Z", "YYYY-MM-DD"),
    ],
)
def test_a_date_becomes_iso_text_and_its_format_is_described(text: str, iso: str, shown: str) -> None:
    cells = pa.array([text])
    assert (parse_dates(cells, "dmy").iso[0].as_py(), describe_format(cells, "dmy")) == (iso, shown)


@pytest.mark.parametrize("text", ["", "hello", "2021-02-30", "2021-13-01", "12-34", "02:30", "Foo 31, 2020", "5"])
def test_other_text_is_not_a_date(text: str) -> None:
    assert parse_dates(pa.array([text]), "dmy").iso[0].as_py() is None


@pytest.mark.parametrize(
    ("cells", "order", "other"),
    [
        (["13/02/2003", "01/02/2003"], "dmy", None),
        (["02/13/2003", "01/02/2003"], "mdy", None),
        (["01/02/03", "02/03/04"], "mdy", "dmy"),
        (["01.02.2003", "02.03.2004"], "dmy", "mdy"),
        (["10.02.21", "24.02.20", "03.01.19", "28.01.19"], "dmy", None),
        (["21.02.10", "21.02.11", "21.02.25"], "ymd", "dmy"),
    ],
)
def test_the_order_of_a_date_is_found_in_the_column_and_an_open_one_reported(
    cells: list[str], order: Order, other: Order | None
) -> None:
    assert find_order(pa.array(cells)) == (order, other)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        *(("02:30", 2.5), ("3:15 PM", 15.25), ("3 p.m.", 15.0), ("12:00 am", 0.0), ("오후 3:15", 15.25)),
        *(("10:15:30", 10 + 15.5 / 60), ("25:00", None), ("7", None), ("x", None), (None, None)),
    ],
)
def test_a_time_of_day_is_hours_after_midnight(text: str | None, hours: float | None) -> None:
    assert parse_times(pa.array([text], pa.string()))[0].as_py() == (None if hours is None else pytest.approx(hours))
