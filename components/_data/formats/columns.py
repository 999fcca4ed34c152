"""Checks of a file's column names that are the same for every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from components._core.errors import DataError
from components._core.suggestions import listed, suggest


def name_columns(names: list[str]) -> list[str]:
    """Name the columns that have no name: the first, as R and pandas write the rows' index, `index`; others by their place.

    A name that is taken gets a number.
    """
    taken = set(names)
    named = []
    for place, name in enumerate(names, 1):
        base = plain = name or ("index" if place == 1 else f"column_{place}")
        number = 2
        while not name and plain in taken:
            plain, number = f"{base}_{number}", number + 1
        taken.add(plain)
        named.append(plain)
    return named


def check_columns(file: str, names: Sequence[str], expected: Sequence[str], label: str, first: str = "") -> None:
    """Refuse invalid column names.

    Args:
        file: Name of the file.
        names: Columns of the file.
        expected: Columns of the earlier files; empty for the first.
        label: The label's column; empty: the table needs none.
        first: Name of the first file, for the message.

    Raises:
        DataError: When a column is duplicate or has no name, when there is no label, or when the columns differ.
    """
    duplicate = sorted(name for name, count in Counter(names).items() if count > 1)
    if duplicate:
        raise DataError(f"duplicate column {duplicate[0]!r}", where=file, remedy="name each column once")
    if "" in names:
        raise DataError(
            f"column {list(names).index('') + 1} has no name",
            where=file,
            remedy="name it; from pandas: to_csv(index=False)",
        )
    if label and label not in names:
        raise DataError(
            f"has no label column {label!r}; {suggest(label, names)}",
            where=file,
            remedy="correct `label` in project.yaml",
        )
    if expected and set(names) != set(expected):
        missing, unexpected = sorted(set(expected) - set(names)), sorted(set(names) - set(expected))
        parts = [missing and f"missing {listed(missing)}", unexpected and f"unexpected {listed(unexpected)}"]
        other = f" (the first file is {first})" if first else ""
        raise DataError(
            f"columns differ from earlier spans: {', '.join(part for part in parts if part)}{other}",
            where=file,
            remedy="bring the files to the same columns, or name other spans",
        )
