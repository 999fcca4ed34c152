"""The extras that a project's table and store need: on a cluster the images have only those that were built into them."""

from __future__ import annotations

from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from components._data.joins.joined_columns import errors_name_the_join, join_path, second_section
from components._data.sources import delta
from components._data.sources.registry import EXTRAS


def table_extras(data: Data) -> list[tuple[str, str]]:
    """List the extras that a table and those joined to it need, each with the key of project.yaml that names what needs it.

    A format that is recognised by its content only when a run reads it is not among them: the run refuses it, with the packages that are
    missing.

    Raises:
        ConfigError: When the format is unknown.
    """
    named = open_format(data).extra
    found = [("data.format", named)] if named else []
    found += [("data.source", extra) for extra in location_extras(data.source)]
    for number, join in enumerate(data.join):
        with errors_name_the_join(number):
            second = table_extras(second_section(join))
        found += [(key.replace("data.", f"{join_path(number)}."), extra) for key, extra in second]
    return found


def location_extras(location: str) -> list[str]:
    """List the extras that read at a location, which may be that of the store; a table in a bucket may need those of both."""
    within = location.removeprefix(delta.SCHEME)
    places = [location, within] if within != location else [location]
    return [extra for place in places for start, extra in EXTRAS.items() if place.startswith(start)]
