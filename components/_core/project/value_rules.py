"""Rules for every value of a project file, whatever its field: no credentials, no placeholders of a cluster, no endless number.

A project travels as a parameter through Kubeflow Pipelines and Argo, is kept in records and shown in reports. So what those
would fill in, and what nobody should read, is refused where it is written down.
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
"""What KFP (`{{$`) and Argo (`{{=` and these first words) replace; other braces, as in a regex, are left alone by both."""

CREDENTIALS_REMEDY = (
    "take it out, and renew it; give it by the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://, else what "
    "fsspec reads, as FSSPEC_HTTPS_CLIENT_KWARGS"
)


def check_values(raw: dict[str, Any], where: str, given: Collection[str] = ()) -> None:
    """Hold every key and value of a project, as read from YAML or JSON, against the rules.

    Args:
        raw: The project.
        where: Its file, for messages.
        given: The paths that the command line set, for messages.

    Raises:
        ConfigError: Names the first path that breaks one, and the remedy.
    """
    for place, found in places_with_credentials(raw):
        raise ConfigError(f"{place}: holds {found}{_source(place, given)}", where=where, remedy=CREDENTIALS_REMEDY)
    for place, value in _scalars(raw):
        if isinstance(value, str):
            check_placeholders(value, f"{where}: {place}{_source(place, given)}", allowed=_may_name_the_run(place))
        elif isinstance(value, int) and not -LARGEST_NUMBER <= value < LARGEST_NUMBER:
            message = f"{place}: a whole number of {len(str(abs(value)))} digits{_source(place, given)}"
            raise ConfigError(message, where=where, remedy="64 bits are allowed: 19 digits at most")


def check_placeholders(text: str, where: str, *, allowed: str = "") -> None:
    """Refuse what Kubeflow Pipelines or Argo would replace by something else, or fail at.

    Args:
        text: A value.
        where: Its place, for messages.
        allowed: The one placeholder that may stand there; empty: none.

    Raises:
        ConfigError: With the placeholder.
    """
    found = _PLACEHOLDER.search(text.replace(allowed, "") if allowed else text)
    if found:
        message = f"holds {found[0]!r}, which Kubeflow Pipelines and Argo take for a placeholder and replace"
        raise ConfigError(
            message, where=where, remedy="write it without the double braces, or with a blank between them"
        )


def _may_name_the_run(place: str) -> str:
    """Parameters of a schedule's runs may hold the run's id; see `placeholders.py`."""
    return PER_RUN if place.startswith("triggers.schedules") else ""


def _source(place: str, given: Collection[str]) -> str:
    return " (as the command line has it)" if any(f"{place}.".startswith(f"{other}.") for other in given) else ""


def _scalars(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every key and every single value, by its dotted path."""
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
