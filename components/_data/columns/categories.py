"""Categories: values that differ only by case or blanks, and pairs of words that mean yes and no."""

from __future__ import annotations

from collections.abc import Mapping

_PAIRS = (
    ("yes", "no"),
    ("y", "n"),
    ("true", "false"),
    ("t", "f"),
    ("on", "off"),
    ("ja", "nein"),
    ("oui", "non"),
    ("si", "no"),
    ("예", "아니오"),
    ("예", "아니요"),
)


def find_variants(values: Mapping[str, int]) -> list[list[str]]:
    """Find the values that differ only by case or blanks.

    Args:
        values: Rows by value.

    Returns:
        A list for each value that is written in several ways, the most frequent first.
    """
    by_form: dict[str, list[str]] = {}
    for value in values:
        by_form.setdefault(" ".join(value.split()).casefold(), []).append(value)
    found = [sorted(ways, key=lambda way: (-values[way], way)) for ways in by_form.values() if len(ways) > 1]
    return sorted(found, key=lambda ways: -sum(values[way] for way in ways))


def is_yes_or_no(values: Mapping[str, int]) -> bool:
    """Return whether values are a word for yes and one for no, whatever their case."""
    words = {value.strip().lower() for value in values}
    return any(words == set(pair) for pair in _PAIRS)
