"""Number formats for people."""

from __future__ import annotations

import math

import pytest

from components._core.report.number_format import show, show_column


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (336776, "336,776"),
        (0.90423, "0.9042"),
        (12345.6, "12,346"),
        (1039.9, "1,040"),
        (3.0, "3"),
        (-0.5, "−0.5"),
        (-0.0, "0"),
        (0.0000123456, "1.235e-05"),
        (1e300, "1e+300"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        ("a-b", "a-b"),
    ],
)
def test_a_value_is_shown_with_four_digits_at_most(value: object, text: str) -> None:
    assert show(value) == text


def test_a_column_of_like_numbers_has_the_same_decimals() -> None:
    assert show_column([0.9042, 4.2, -0.3, None, math.nan]) == ["0.9042", "4.2000", "−0.3000", "–", "NaN"]


def test_a_small_number_in_a_column_does_not_lengthen_the_others() -> None:
    assert show_column([0.91941, 0.010241]) == ["0.9194", "0.0102"]
    assert show_column([0.91941, 0.000012]) == ["0.9194", "1.2e-05"]


def test_a_column_of_unlike_numbers_keeps_each_ones_digits() -> None:
    assert show_column([0.001234, 733.2]) == ["0.001234", "733.2"]


def test_whole_numbers_among_others_stay_whole() -> None:
    assert show_column([0.001, 8, 64]) == ["0.001", "8", "64"]
