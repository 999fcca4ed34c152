"""A majority of its cells decides whether a column is a number."""

from __future__ import annotations

import pyarrow as pa
import pytest

from components._data.columns.codes import has_leading_zero
from components._data.columns.survey import ColumnSurvey, Verdict

MANY = [str(number) for number in range(100)]


def _survey(cells: list[str]) -> Verdict:
    survey = ColumnSurvey()
    survey.add(pa.array(cells, pa.string()))
    return survey.verdict()


@pytest.mark.parametrize(
    "cells",
    [
        [*MANY, "unknown"],
        [*MANY, "?", "-", "NA", " ", "n/a", "null"],
        [*MANY, *["n. b."] * 40],
        [*(["1", "2", "3"] * 10), *["unknown"] * 8],
        [f"{number},000원" for number in range(1, 99)],
        ["1,234.50", "$7.25", "12"],
        ["36 months", "60 months", "1 month"] * 20,
        ["007", *MANY],
    ],
)
def test_mostly_numbers_are_a_number(cells: list[str]) -> None:
    assert _survey(cells).is_number


@pytest.mark.parametrize(
    "cells",
    [
        [*(["1", "2", "3"] * 10), *["A", "B"] * 3],
        [*MANY[:70], *(f"A/5 {number}" for number in range(30))],
        [*MANY[:40], *["x"] * 60],
        ["0", "1", "2", "3+"] * 20,
        ["12 Monkeys", "7 Samurai", "8 Women", "21 Grams"],
        ["$5", "€5", "£6"] * 9,
        ["12A", "14F", "3C", "9D"],
    ],
)
def test_a_category_with_digits_stays_text(cells: list[str]) -> None:
    assert _survey(cells).type == pa.string()


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (["00637", "12345", "01234"] * 5, "digits with leading zeros"),
        (
            ["100000000000404769478", "100000000000846451827"],
            "whole numbers of up to 21 digits, more than a number holds",
        ),
    ],
)
def test_digits_that_a_number_would_change_are_codes(cells: list[str], note: str) -> None:
    verdict = _survey(cells)
    assert (verdict.type, verdict.note, verdict.is_code) == (pa.string(), note, True)


@pytest.mark.parametrize(
    ("cells", "kind", "description"),
    [
        (["401,77", "5657,51", "12"], pa.float64(), "decimal comma"),
        (["$1,234", "$2"], pa.int64(), "in $; the comma is read as thousands"),
        (["12.5%", "7%"], pa.float64(), "in %"),
        (["12.5%", "7%", "0.05", "0.1"], pa.float64(), "in %; 2 of 4 numbers have no % and are read as they are"),
        (["1", "2", "unknown", *MANY], pa.int64(), ""),
    ],
)
def test_unit_and_separators_are_described(cells: list[str], kind: pa.DataType, description: str) -> None:
    verdict = _survey(cells)
    assert (verdict.type, verdict.describe()) == (kind, description)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (b"1,02,3\n", True),
        (b"00,2\n", True),
        (b'1,"07"\n', True),
        (b"1,0,10,0.5,100\n0,20\n", False),
        (b"2013-05-01,x05\n", False),
    ],
)
def test_a_leading_zero_is_found_in_the_bytes_of_rows(rows: bytes, found: bool) -> None:
    assert has_leading_zero(rows, ",", '"') == found
