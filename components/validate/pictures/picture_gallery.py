"""The pictures of each finding in the page: thumbnails with row, label and what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from components._core.pictures.thumbnails import thumbnail_uri
from components._core.report.page import Page, Picture
from components._core.types.column_types import TEXT
from components._core.types.file_columns import PATH_COLUMN
from components.validate.pictures.copied_pictures import Copies
from components.validate.pictures.measured_pictures import MeasuredPictures
from components.validate.pictures.picture_bytes import read_cells
from components.validate.pictures.picture_checks import PictureFindings
from components.validate.pictures.unusual_pictures import Unusual

MOST_SHOWN = 12
"""Maximum number of thumbnails of one finding."""
MOST_BYTES = 1_000_000
"""Maximum size of all thumbnails of a page."""
_LONGEST_PATH = 40


@dataclass(frozen=True)
class _Shown:
    """One picture to show: its row, and what is said of it."""

    row: int
    measured: str


def add_galleries(page: Page, found: PictureFindings, columns: dict[str, str]) -> None:
    """Add the pictures of each finding that has any.

    Args:
        page: The page.
        found: The answer of the checks.
        columns: Type by name of all columns of the examples; a text column `path` is shown.
    """
    galleries = [(each.kind, _of_unusual(each), len(each.rows)) for each in found.unusual]
    galleries += [(each.kind, _of_copies(each, found.pictures), each.count) for each in found.copies]
    copies = {each.kind for each in found.copies}
    rows = {shown.row for _, pictures, _ in galleries for shown in pictures}
    thumbnails = {
        row: thumbnail_uri(content) if isinstance(content, bytes) else ""
        for row, content in read_cells(found.pictures, rows, found.pictures.column)
    }
    has_path = columns.get(PATH_COLUMN) == TEXT.name
    paths = {row: str(value or "") for row, value in read_cells(found.pictures, rows, PATH_COLUMN)} if has_path else {}
    left = MOST_BYTES
    for kind, pictures, count in galleries:
        size = sum(len(thumbnails.get(shown.row, "")) for shown in pictures)
        title = kind.replace("_", " ").capitalize()
        if not pictures:
            continue
        if size > left:
            page.text(f"{count:,} pictures, which are not shown: the page has as many as it may.", title)
            continue
        left -= size
        cells = [_picture(found.pictures, shown, thumbnails, paths) for shown in pictures]
        page.pictures(title, cells, _note(found, kind, len(pictures) // (2 if kind in copies else 1), count))


def _of_unusual(found: Unusual) -> list[_Shown]:
    rows = found.rows[:MOST_SHOWN].tolist()
    return [_Shown(row, measured) for row, measured in zip(rows, found.measured, strict=False)]


def _of_copies(found: Copies, pictures: MeasuredPictures) -> list[_Shown]:
    """Return each copy beside what it copies."""
    shown = []
    for copy, original in found.pairs[: MOST_SHOWN // 2].tolist():
        shown += [_Shown(original, ""), _Shown(copy, f"copy of {locate(pictures, original)}")]
    return shown


def _picture(pictures: MeasuredPictures, shown: _Shown, thumbnails: dict[int, str], paths: dict[int, str]) -> Picture:
    path, label = paths.get(shown.row, ""), pictures.label.at(shown.row)
    shortened = path if len(path) <= _LONGEST_PATH else f"...{path[3 - _LONGEST_PATH :]}"
    lines = [locate(pictures, shown.row), f"label {label}" if label else "no label", shown.measured, shortened]
    return Picture(thumbnails.get(shown.row, ""), [line for line in lines if line])


def locate(pictures: MeasuredPictures, row: int) -> str:
    """Name a row as `data.checks` does: split, span where there are several, number from 1."""
    split, span, _ = pictures.files[pictures.file[row]]
    several = len({span for _, span, _ in pictures.files}) > 1
    return (
        f"{split}, span {span}, row {pictures.place[row] + 1}" if several else f"{split}, row {pictures.place[row] + 1}"
    )


def _note(found: PictureFindings, kind: str, shown: int, count: int) -> str:
    check = next(check for check in found.checks if check.name == kind.replace("_", " "))
    first = "" if shown >= count else f"The first {shown} pictures. "
    return f"{first}{check.reason[0].upper()}{check.reason[1:]}."
