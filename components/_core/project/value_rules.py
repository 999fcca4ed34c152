"""Rules for every value of a project file, whatever its field: no credentials, no placeholders of a cluster, no overlong number, no NUL.

A project travels as a parameter through Kubeflow Pipelines and Argo, is kept in records and shown in reports. So
placeholders that those would replace, and secrets, are refused in the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from components._core.credentials import places_with_credentials
from components._core.errors import ConfigError
from components._core.project.placeholders import PER_RUN
from components._core.project.yaml_text import LARGEST_NUMBER

_ARGO = "item|steps|inputs|outputs|pod|workflow|tasks|node|retries|lastRetry|resourcesDuration"
_PLACEHOLDER = re.compile(rf"\{{\{{\s*(?:[$=]|(?:{_ARGO})\b)[^}}]{{0,40}}")
"""What KFP (`{{$`) and Argo (`{{=` and these first words) replace; other braces, as in a regex, are left alone."""

CREDENTIALS_REMEDY = (
    "remove it and rotate it; pass it by environment variables: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://, "
    "GOOGLE_APPLICATION_CREDENTIALS for gs:// and bigquery://, and for a database a connection string as in postgresql://${NAME}"
)


def check_values(raw: dict[str, Any], where: str, given: Collection[str] = ()) -> None:
    """Check every key and value of a project, as read from YAML or JSON.

    Args:
        raw: The project as a mapping.
        where: The project file, for messages.
        given: The paths that the command line set, for messages.

    Raises:
        ConfigError: With the first path that breaks a rule, and the remedy.
    """
    for place, found in places_with_credentials(raw):
        raise ConfigError(f"{place}: holds {found}{_source(place, given)}", where=where, remedy=CREDENTIALS_REMEDY)
    for place, value in _scalars(raw):
        if isinstance(value, str) and "\0" in value:
            message = f"{place}: holds a NUL character{_source(place, given)}".replace("\0", "\\0")
            raise ConfigError(message, where=where, remedy="remove it: no path, column or name can have one")
        if isinstance(value, str):
            check_placeholders(value, f"{where}: {place}{_source(place, given)}", allowed=_allowed_placeholder(place))
        elif isinstance(value, int) and not -LARGEST_NUMBER <= value < LARGEST_NUMBER:
            message = f"{place}: a whole number of {len(str(abs(value)))} digits{_source(place, given)}"
            raise ConfigError(message, where=where, remedy="64 bits are allowed: 19 digits at most")


def check_placeholders(text: str, where: str, *, allowed: str = "") -> None:
    """Refuse a placeholder that Kubeflow Pipelines or Argo would replace, or fail at.

    Args:
        text: A value.
        where: Path of the value, for messages.
        allowed: The one placeholder that is allowed; empty: none.

    Raises:
        ConfigError: When the text has another placeholder.
    """
    found = _PLACEHOLDER.search(text.replace(allowed, "") if allowed else text)
    if found:
        message = f"holds {found[0]!r}, a placeholder that Kubeflow Pipelines and Argo replace"
        raise ConfigError(
            message, where=where, remedy="write it without the double braces, or put a blank between them"
        )


def _allowed_placeholder(place: str) -> str:
    """Return the placeholder allowed at a path: parameters of schedules may hold the run's id (`placeholders.py`)."""
    return PER_RUN if place.startswith("triggers.schedules") else ""


def _source(place: str, given: Collection[str]) -> str:
    return " (from the command line)" if any(f"{place}.".startswith(f"{other}.") for other in given) else ""


def _scalars(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key and every single value, with its dotted path."""
    if isinstance(value, dict):
        for key, held in value.items():
            below = f"{place}.{key}".lstrip(".")
            yield below, key
            yield from _scalars(held, below)
    elif isinstance(value, list):
        for held in value:
            yield from _scalars(held, place)
    else:
        yield place, value
