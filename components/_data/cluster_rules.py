"""What a project's table needs on a cluster that the images do not have: refused before anything is compiled or submitted."""

from __future__ import annotations

from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from components._data.sources.registry import EXTRAS


def check_cluster_data(data: Data, where: str) -> None:
    """Refuse a table that only an extra can read: the images do not have the extras.

    A format that is recognised by its content only when a run reads it is refused there, with the package that is missing.

    Args:
        data: The project's `data` section.
        where: The project's file, for the message.

    Raises:
        ConfigError: When the format or the source needs an extra, or the format is unknown.
    """
    source = next((extra for start, extra in EXTRAS.items() if data.source.startswith(start)), "")
    for key, extra in (("format", open_format(data).extra), ("source", source)):
        if extra:
            message = f"cannot be read on a cluster yet: the images do not have the packages of the extra {extra!r}"
            remedy = "run it with `naru run`, or keep the table as CSV, Parquet or JSON lines in the store"
            raise ConfigError(message, where=f"{where}: data.{key}", remedy=remedy)
