"""Check the columns that a project names against its source: in ingest, and before a run against the first file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components._core.errors import ConfigError
from components._core.project.named_columns import check_columns_exist
from components._core.project.project_file import Project


def check_named_columns(
    project: Project,
    known: Sequence[str],
    joined: Sequence[str] = (),
    of_other_stages: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Refuse a column that the source does not have.

    Args:
        project: The project, with columns that it describes, excludes, splits by and slices by.
        known: The columns of the source.
        joined: The columns of the source with those that `data.join` brings; empty: no others.
        of_other_stages: Columns by path in project.yaml that sections name which ingest does not see.

    Raises:
        ConfigError: With the path in project.yaml and the name that was probably meant.
    """
    split = project.data.split
    of_table = {
        "data.columns": list(project.data.columns),
        "data.split.by": split.by,
        "data.split.by_time": [split.by_time] if split.by_time else [],
    }
    for path, names in of_table.items():
        if brought := next((name for name in names if name in joined and name not in known), ""):
            what = (
                "cells are read as data.join.N.readings say"
                if path == "data.columns"
                else "rows are split by columns of the table"
            )
            message = f"column {brought!r} is brought by data.join; {what}"
            raise ConfigError(message, where=path, remedy="correct project.yaml")
    check_columns_exist(of_table, known)
    named = {
        "data.exclude": project.data.exclude,
        **project.data.rows.named_columns,
        **project.data.checks.named_columns,
        "gates.model.slices": project.gates.model.slices,
        **(of_other_stages or {}),
    }
    check_columns_exist(named, joined or known)
