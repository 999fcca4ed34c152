"""The order of a label's values, given as texts."""

from __future__ import annotations

from collections.abc import Iterable


def order_labels(values: Iterable[str]) -> list[str]:
    """Sort values: numbers first, compared as numbers, then texts alphabetically."""
    return sorted(values, key=_rank)


def _rank(value: str) -> tuple[bool, float, str]:
    try:
        return False, float(value), value
    except ValueError:
        return True, 0.0, value
