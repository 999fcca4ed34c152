"""Numbers as people write them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from components._data.columns.numbers import Decimal, cast_numbers, parse_numbers


def _parse(text: str, decimal: Decimal = ".") -> tuple[float | None, str | None]:
    numbers = parse_numbers(pa.array([text]), decimal)
    return cast_numbers(numbers, pa.float64())[0].as_py(), numbers.units[0].as_py()


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("401.77", 401.77, ""),
        ("1,234.50", 1234.5, ""),
        ("1,234,567", 1234567.0, ""),
        ("12,34,567.5", 1234567.5, ""),
        ("1 234", 1234.0, ""),
        ("1'234.5", 1234.5, ""),
        ("$1,234.50", 1234.5, "$"),
        ("-$5", -5.0, "$"),
        ("$-5", -5.0, "$"),
        ("EUR 5", 5.0, "EUR"),
        ("12.5%", 12.5, "%"),
        ("401,000원", 401000.0, "원"),
        ("5.5 kg", 5.5, "kg"),
        ("(1,234)", -1234.0, ""),
        ("12-", -12.0, ""),
        ("−7", -7.0, ""),
        ("+7", 7.0, ""),
        (".5", 0.5, ""),
        ("1e5", 1e5, ""),
    ],
)
def test_a_number_is_read_and_its_unit_reported(text: str, number: float, unit: str) -> None:
    assert _parse(text) == (number, unit)


@pytest.mark.parametrize(
    ("text", "number"), [("401,77", 401.77), ("1.234.567,5", 1234567.5), ("1 234,5 €", 1234.5), ("12", 12.0)]
)
def test_a_decimal_comma_is_read_where_the_column_has_it(text: str, number: float) -> None:
    assert _parse(text, ",")[0] == number


@pytest.mark.parametrize(
    "text",
    ["", "12,34", "2021-02", "02:30", "10.02.21", "5+", "(12", "A12", "0x1F", "inf", "1e50", "1.2.3", "010-1234"],
)
def test_other_text_is_not_a_number(text: str) -> None:
    assert _parse(text)[0] is None


def test_a_whole_number_is_exact_beyond_2_to_the_53() -> None:
    numbers = parse_numbers(pa.array(["9,007,199,254,740,993", "5.0"]), ".")
    assert cast_numbers(numbers, pa.int64()).to_pylist() == [9007199254740993, None]
