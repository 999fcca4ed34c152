"""Check the columns that a project names against its source: in ingest, and before a run against the first file."""

from __future__ import annotations

from collections.abc import Sequence

from components._core.project.named_columns import check_columns_exist
from components._core.project.project_file import Project


def check_named_columns(project: Project, known: Sequence[str]) -> None:
    """Refuse a column that the source does not have.

    Args:
        project: The project, with columns that it describes, excludes, transforms, splits by and slices by.
        known: The columns of the source.

    Raises:
        ConfigError: With the path in project.yaml and the name that was probably meant.
    """
    named = {
        "data.columns": list(project.data.columns),
        "data.exclude": project.data.exclude,
        "data.split.by": project.data.split.by,
        "data.split.by_time": [project.data.split.by_time] if project.data.split.by_time else [],
        **project.data.rows.named_columns,
        **project.data.checks.named_columns,
        "gates.model.slices": project.gates.model.slices,
        "transform.columns": list(project.transform.columns),  # none in ingest, which does not see the section
        "transform.pca.columns": project.transform.pca.named_columns if project.transform.pca else [],
    }
    check_columns_exist(named, known)
