"""The texts of each finding in the page: their beginnings, with row and label; personal data is masked, whatever the project masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from components._core.examples.artifact import SPLITS, Manifest, read_rows
from components._core.report.page import Cell, Page
from components._core.texts import damage, personal_data
from components._core.types.label_values import as_text
from components.validate.texts.text_checks import FoundTexts, TextFindings
from components.validate.texts.text_rows import TextRows

MOST_SHOWN = 12
"""Maximum number of texts of one finding."""
LONGEST = 160
"""Characters of an excerpt."""
_READ = 20_000
"""Characters of a text in which personal data is masked before it is cut."""


def add_excerpts(page: Page, found: Sequence[TextFindings], examples: Path, manifest: Manifest, label: str) -> None:
    """Add a table for each finding that has any texts.

    Args:
        page: The page.
        found: The answer of the checks, by column.
        examples: The examples artifact.
        manifest: Manifest of the examples.
        label: The label's column.
    """
    for each in found:
        shown = {one.kind: _rows_to_show(one) for one in each.found}
        rows = sorted({row for pairs in shown.values() for pair in pairs for row in pair if row >= 0})
        cells = _read(examples, manifest, each.texts, rows, label)
        for one in each.found:
            if shown[one.kind]:
                _add_table(page, one, each, shown[one.kind], cells)


def excerpt(text: str, kind: str = "") -> str:
    """Return a part of a text on one line, masked, with a sign in place of characters that do not show.

    Args:
        text: The text.
        kind: Kind of finding, whose first sign the part has; its beginning otherwise.
    """
    masked = personal_data.mask(text[:_READ])
    start = _FIND[kind](masked) if kind in _FIND else 0
    start = start - _BEFORE if start > _BEFORE + _FAR else 0
    line = "".join(_visible(letter) for letter in masked[start : start + 2 * LONGEST])
    line = ("..." if start else "") + " ".join(line.split())
    return line if len(line) <= LONGEST else line[:LONGEST] + "..."


def _visible(letter: str) -> str:
    if letter.isspace():
        return " "
    return letter if letter.isprintable() else "\N{SYMBOL FOR SUBSTITUTE}"


def _find_masked(masked: str) -> int:
    places = (masked.find(personal_data.placeholder(kind)) for kind in personal_data.KINDS)
    return min((place for place in places if place >= 0), default=0)


_BEFORE, _FAR = 40, 60
"""Characters that are shown before the first sign, and how much later it must be for the beginning to be left out."""
_FIND: dict[str, Callable[[str], int]] = {
    "personal_data": _find_masked,
    "damaged_texts": damage.find_damage,
    "texts_with_markup": damage.find_markup,
}


def _rows_to_show(found: FoundTexts) -> list[tuple[int, int]]:
    """Return the rows to show, each with the row that it copies, which is before it; -1: none."""
    pairs = []
    for row in found.rows[: MOST_SHOWN // 2 if found.originals else MOST_SHOWN].tolist():
        original = found.originals.get(row, -1)
        pairs += [(original, -1), (row, original)] if original >= 0 else [(row, -1)]
    return pairs


def _read(
    examples: Path, manifest: Manifest, texts: TextRows, rows: list[int], label: str
) -> dict[int, tuple[str | None, str | None]]:
    """Return text and label of some rows."""
    wanted = [name for name in dict.fromkeys([texts.column, label]) if name in manifest.columns]
    cells: dict[int, tuple[str | None, str | None]] = {}
    for split in SPLITS:
        inside = [row for row in rows if texts.place(row)[0] == split]
        if not inside:
            continue
        places = np.array([texts.place(row)[1] for row in inside])
        table = read_rows(examples, split, places, wanted)
        contents = table[texts.column].to_pylist()
        labels = (
            as_text(table[label].combine_chunks()).to_pylist() if label in table.column_names else [None] * len(inside)
        )
        cells |= dict(zip(inside, zip(contents, labels, strict=True), strict=True))
    return cells


def _add_table(
    page: Page,
    found: FoundTexts,
    of: TextFindings,
    pairs: list[tuple[int, int]],
    cells: dict[int, tuple[str | None, str | None]],
) -> None:
    texts = of.texts
    listed: list[list[Cell]] = []
    for row, original in pairs:
        text, label = cells[row]
        known = _locate(texts, row) + (f" (like {_locate(texts, original)})" if original >= 0 else "")
        listed.append([known, label or "", int(texts.characters[row]), excerpt(text or "", found.kind)])
    name = f"{found.kind.replace('_', ' ')}: {texts.column}"
    check = next(check for check in of.checks if check.name == name)
    first = "" if len(pairs) >= len(found.rows) else f"{len(pairs)} rows are shown. "
    note = f"{first}{check.reason[0].upper()}{check.reason[1:]}. Personal data is masked here."
    page.table(name.capitalize(), ["row", "label", "characters", "text"], listed, note, folded=check.status == "pass")


def _locate(texts: TextRows, row: int) -> str:
    split, place = texts.place(row)
    return f"{split}, row {place + 1}"
