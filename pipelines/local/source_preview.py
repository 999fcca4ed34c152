"""Check the beginning of a source: whether it has the columns and the label's values that a project names.

Stages check every row. This checks the beginning of one file, before anything heavy is imported, and
refuses only what no further row could change; a file without a quick preview is left to the stages.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from components._core.errors import ConfigError, NaruError
from components._core.project.data_config import Data
from components._core.project.join_config import Join
from components._core.project.project_file import Project
from components._core.types.tasks import TASKS
from components._core.types.tasks.binary_classification import unknown_positive
from components._data.formats.contract import Preview
from components._data.formats.registry import open_format
from components._data.joins.joined_columns import name_columns, second_section
from components._data.sources.registry import open_source
from components.ingest.named_columns import check_named_columns

_MISSING = frozenset({"", "NA", "N/A", "NULL", "null", "NaN", "nan", "None", "?", "-"})
_SHARE = 0.05
"""Share of the rows from which a value counts as a class of the label, and not as a typing error."""


def check_source_preview(project: Project, source: str, spans: str) -> None:
    """Refuse a format that does not exist, and columns and values of the label that the source cannot have.

    Args:
        project: The project, with the absolute paths of the second tables of its joins.
        source: The path of the source, absolute; a URL is left to ingest.
        spans: Spans to read, as in `data.spans`.

    Raises:
        ConfigError: When one is refused; the message says what is there instead.
    """
    open_format(project.data)  # refuse an unknown format
    preview = _read_preview(project.data.model_copy(update={"source": source, "spans": spans}))
    if preview is None or project.label not in preview.columns:
        return
    columns = name_columns(project.data, preview.columns, _read_second_names)
    if columns is not None:
        check_named_columns(project, preview.columns, columns, project.transform.named_columns)
    _check_label_values(project, preview)


def _check_label_values(project: Project, preview: Preview) -> None:
    """Refuse a value that does not occur when two others are common: a binary label has two."""
    weights = project.train.class_weight
    weighted = weights if isinstance(weights, dict) else {}
    named = [*([] if project.positive is None else [("positive", project.positive)])]
    named += [("train.class_weight", name) for name in weighted]
    filters_label = any(rule.column == project.label for rule in project.data.rows.drop)  # of three values two may stay
    if not TASKS[project.task].takes_positive or not named or filters_label:
        return
    at = preview.columns.index(project.label)
    counts = Counter(_normalize(row[at]) for row in preview.rows if row[at].strip() not in _MISSING)
    common = sorted(value for value, count in counts.items() if count >= max(_SHARE * len(preview.rows), 2))
    for place, value in named:
        if len(common) >= 2 and _normalize(str(value)) not in counts:
            wrong = unknown_positive(value, project.label, common)
            raise ConfigError(wrong.message, where=place, remedy=wrong.remedy)


def _normalize(text: str) -> str:
    """Normalize a value as the name of a class: 1 and 1.0 are equal."""
    text = text.strip()
    with suppress(ValueError):
        number = float(text)
        return str(int(number)) if number.is_integer() else text
    return text


def _read_second_names(join: Join) -> list[str] | None:
    preview = _read_preview(second_section(join))
    return preview.columns if preview else None


def _read_preview(data: Data) -> Preview | None:
    if "://" in data.source:
        return None
    try:
        file = open_source(data.source, data.missing_spans, data.sql).list_files(data.spans)[0]
        return open_format(data, file).preview(file)
    except (NaruError, OSError):
        return None  # ingest reports what is wrong
