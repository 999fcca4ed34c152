"""Check the columns that a project names against those that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components._core.errors import ConfigError
from components._core.suggestions import suggest


def check_columns_exist(named: Mapping[str, Sequence[str]], known: Sequence[str]) -> None:
    """Refuse a column that does not exist.

    Args:
        named: The columns that the project names, by path in project.yaml.
        known: The columns that exist.

    Raises:
        ConfigError: With the path in project.yaml and the name that was probably meant.
    """
    for path, names in named.items():
        for name in names:
            if name not in known:
                message = f"there is no column {name!r}; {suggest(name, known)}"
                raise ConfigError(message, where=path, remedy="correct project.yaml")
