"""Numbers as people read them: four significant digits, thousands apart, a column of them alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

DIGITS = 4
"""Significant digits: what a test set of ten thousand rows can tell apart."""
MISSING = "–"


def show(value: object) -> str:
    """One value as text: `0.9042`, `336,776`, `1.2e-05`, `yes`, `–` for none."""
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


def show_column(values: Sequence[object]) -> list[str]:
    """Values of one column as text; if they are floats of like size, with the same number of decimals.

    Sizes differ too much when the smallest would keep fewer than two digits; each is then shown for itself.
    """
    numbers = [abs(value) for value in values if is_number(value) and math.isfinite(value) and value != 0]
    if not any(isinstance(value, float) and not value.is_integer() for value in values) or not numbers:
        return [show(_whole(value)) for value in values]
    decimals = _decimals(max(numbers))
    if decimals > DIGITS + 2 or min(numbers) < 10.0 ** (1 - decimals):
        return [show(value) for value in values]
    return [_fixed(value, decimals) if is_number(value) else show(value) for value in values]


def is_number(value: object) -> bool:
    """Whether it is a number, which no `bool` is to a person."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _show_float(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else _signed("∞" if value > 0 else "-∞")
    if value.is_integer() and abs(value) < 1e15:
        return _signed(f"{int(value):,}")
    if 10**DIGITS <= abs(value) < 1e15:
        return _signed(f"{value:,.0f}")
    return _signed(f"{value:.{DIGITS}g}")


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def _decimals(largest: float) -> int:
    return max(0, DIGITS - 1 - math.floor(math.log10(largest)))


def _fixed(value: object, decimals: int) -> str:
    assert isinstance(value, (int, float))
    return _signed(f"{value:,.{decimals}f}") if math.isfinite(value) else show(value)


def _signed(text: str) -> str:
    """With the minus sign that is as wide as a digit, and none before a zero."""
    if text.startswith("-") and not any(digit in text for digit in "123456789∞"):
        text = text[1:]
    return text.replace("-", "−", 1) if text.startswith("-") else text
