"""Categories: values that differ only by case, blanks or how letters are encoded, and pairs of words that mean yes and no."""

from __future__ import annotations

import unicodedata
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
    """Find the values that look alike: they differ only by case, blanks, or how letters are encoded.

    Unicode has several encodings of one letter (an accent by itself or not, letters of full width) and characters without a width.

    Args:
        values: Rows by value.

    Returns:
        A list for each value that is written in several ways, the most frequent first.
    """
    by_form: dict[str, list[str]] = {}
    for value in values:
        visible = "".join(letter for letter in value if unicodedata.category(letter) != "Cf")
        by_form.setdefault(_without_case(unicodedata.normalize("NFKC", visible)), []).append(value)
    found = [sorted(ways, key=lambda way: (-values[way], way)) for ways in by_form.values() if len(ways) > 1]
    return sorted(found, key=lambda ways: -sum(values[way] for way in ways))


def describe_variants(ways: list[str]) -> str:
    """Describe the ways in which one value is written."""
    if len({_without_case(way) for way in ways}) == 1:
        return f"{' and '.join(map(repr, ways[:4]))} differ only by case or blanks, and are different values"
    return f"{' and '.join(map(ascii, ways[:4]))} look alike, but their letters are encoded differently: they are different values"


def _without_case(value: str) -> str:
    return " ".join(value.split()).casefold()


def is_yes_or_no(values: Mapping[str, int]) -> bool:
    """Return whether values are a word for yes and one for no, whatever their case."""
    words = {value.strip().lower() for value in values}
    return any(words == set(pair) for pair in _PAIRS)
