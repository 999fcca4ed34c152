"""What the beginning of a source shows at once: whether the columns and the value that a project names are in it.

Stages look at every row and have the last word. This looks at one file's first bytes, before anything heavy is imported, and
says no only where no row could change it; a file that is not plain comma-separated UTF-8 here is left to them.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from components._core.errors import ConfigError, NaruError
from components._core.project.project_file import Project
from components._core.types.tasks import TASKS
from components._core.types.tasks.binary_classification import unknown_positive
from components._data.sources.files import find_files
from components.ingest.named_columns import check_named_columns

_BYTES = 1 << 20
_MISSING = frozenset({"", "NA", "N/A", "NULL", "null", "NaN", "nan", "None", "?", "-"})
_SHARE = 0.05
"""Of the rows, from which a value is one of the label's classes and no slip of the pen."""


@dataclass(frozen=True)
class _Preview:
    """The columns' names, and the rows that were read whole."""

    columns: list[str]
    rows: list[list[str]]


def check_named(project: Project, source: str, spans: str) -> None:
    """Refuse columns and a positive value that the source cannot have.

    Args:
        project: What it names.
        source: The path of the source, absolute; a URL is left to ingest.
        spans: As in `data.spans`.

    Raises:
        ConfigError: Says what is there instead.
    """
    preview = _read(source, spans)
    if preview is None or project.label not in preview.columns:
        return
    check_named_columns(project, preview.columns)
    _check_positive(project, preview)


def _check_positive(project: Project, preview: _Preview) -> None:
    """A binary label has two values: where two others are common, the one that is named is none of them."""
    if not TASKS[project.task].takes_positive or project.positive is None:
        return
    at = preview.columns.index(project.label)
    counts = Counter(_plain(row[at]) for row in preview.rows if row[at].strip() not in _MISSING)
    common = sorted(value for value, count in counts.items() if count >= max(_SHARE * len(preview.rows), 2))
    if len(common) >= 2 and _plain(str(project.positive)) not in counts:
        wrong = unknown_positive(project.positive, project.label, common)
        raise ConfigError(wrong.message, where="positive", remedy=wrong.remedy)


def _plain(text: str) -> str:
    """A value as classes are known: 1 and 1.0 are one."""
    text = text.strip()
    with suppress(ValueError):
        number = float(text)
        return str(int(number)) if number.is_integer() else text
    return text


def _read(source: str, spans: str) -> _Preview | None:
    if "://" in source:
        return None
    try:
        file = find_files(source, spans)[0]
        with file.filesystem.open(file.path, "rb") as stream:
            content = stream.read(_BYTES + 1)
        whole = len(content) <= _BYTES
        text = content.decode("utf-8-sig", "strict" if whole else "ignore")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=whole))
    except (NaruError, OSError, ValueError, OverflowError, csv.Error):
        return None  # ingest says what is wrong, in its own words
    if not rows or any(not name or name != name.strip() for name in rows[0]) or len(set(rows[0])) < len(rows[0]):
        return None
    seen = rows[1:] if whole else rows[1:-1]  # the last row may be cut
    return _Preview(rows[0], [row for row in seen if len(row) == len(rows[0])])
