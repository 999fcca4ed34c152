"""Number formats for people: four significant digits, thousands separated, a column in one format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

DIGITS = 4
"""Significant digits: the resolution of a test set of ten thousand rows."""
MISSING = "–"


def show(value: object) -> str:
    """Format one value: `0.9042`, `336,776`, `1.2e-05`, `yes`, `–` for none."""
    match value:
        case None:
            return MISSING
        case bool():
            return "yes" if value else "no"
        case int():
            return _signed(f"{value:,}")
        case float():
            return _show_float(value)
        case _:
            return str(value)


def four_digits(value: float) -> float | None:
    """Round a measured number for a page: four digits are more than intervals warrant; None when it is undefined."""
    return float(f"{value:.{DIGITS}g}") if not math.isnan(value) else None


def show_column(values: Sequence[object]) -> list[str]:
    """Format the values of one column; floats of similar size get as many decimals as the longest of them, four at most.

    Sizes differ too much when the largest would show more than six digits or the smallest fewer than two; each is then
    formatted by itself, and likewise if there are whole numbers among them: such a column holds different things, like
    a list of hyperparameters.
    """
    texts = [show(value) for value in values]
    if any(is_number(value) and isinstance(value, int) for value in values):
        return texts
    numbers = [abs(float(value)) for value in values if is_number(value) and math.isfinite(value)]
    decimals = _decimals(numbers)
    if not decimals:
        return texts
    return [
        _signed(f"{value:,.{decimals}f}") if is_number(value) and math.isfinite(value) else text
        for value, text in zip(values, texts, strict=True)
    ]


def _decimals(numbers: list[float]) -> int:
    """Return the number of decimals that suits all numbers; 0 when none does or none are needed."""
    needed = max((len(show(number).partition(".")[2]) for number in numbers), default=0)
    decimals = min(needed, DIGITS)
    smallest = min((number for number in numbers if number), default=1.0)
    too_small = needed > decimals and smallest < 10.0 ** (1 - decimals)
    too_large = decimals + len(f"{max(numbers, default=0.0):.0f}") > DIGITS + 2
    return 0 if too_small or too_large else decimals


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a number; a `bool` is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _show_float(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else _signed("∞" if value > 0 else "-∞")
    if value.is_integer() and abs(value) < 1e15:
        return _signed(f"{int(value):,}")
    if 10 ** (DIGITS - 1) <= abs(value) < 1e15:
        return _signed(f"{value:,.0f}")
    return _signed(f"{value:.{DIGITS}g}")


def _signed(text: str) -> str:
    """Use the minus sign that is as wide as a digit, and none before a zero."""
    if text.startswith("-") and not any(digit in text for digit in "123456789∞"):
        text = text[1:]
    return text.replace("-", "−", 1) if text.startswith("-") else text
