"""The columns of a table whose rows are files, beside the one with their content."""

from __future__ import annotations

LABEL_COLUMN = "label"
"""The folder below the source in which the file lies."""
PATH_COLUMN = "path"
"""Path of the file below the source."""
PATH_REASON = "names the file: a request does not have it"
"""Why the path is excluded from the model."""
