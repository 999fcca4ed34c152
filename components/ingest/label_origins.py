"""The origin of a table's labels, where `naru label import` wrote its files."""

from __future__ import annotations

from collections.abc import Sequence

from components._core.examples.label_origin import METADATA_KEY, LabelOrigin, merge_origins, parse_origin
from components._core.project.project_file import Project
from components._data.formats.parquet.reader import open_parquet
from components._data.sources.contract import SpanFile

_ENDING = ".parquet"


def read_label_origin(project: Project, files: Sequence[SpanFile]) -> LabelOrigin | None:
    """Return the origin of the labels of some files; None where the project labels nothing, or no file says it.

    Args:
        project: The project.
        files: The files that were read, in the order of their spans.

    Raises:
        DataError: When a file cannot be read any more.
    """
    if project.labels is None:
        return None
    return merge_origins([origin for file in files if (origin := _read(file)) is not None])


def _read(file: SpanFile) -> LabelOrigin | None:
    if not file.name.endswith(_ENDING):
        return None
    with open_parquet(file) as opened:
        return parse_origin((opened.schema_arrow.metadata or {}).get(METADATA_KEY))
