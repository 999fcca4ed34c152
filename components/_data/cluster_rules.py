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
    remedy = "run it with `naru run`, or keep the table as CSV, Parquet or JSON lines in the store"
    _refuse(open_format(data).extra, f"{where}: data.format", remedy)
    _refuse(_extra_of(data.source), f"{where}: data.source", remedy)


def check_cluster_store(store: str) -> None:
    """Refuse a store that only an extra can reach.

    Raises:
        ConfigError: With the stores that the images reach.
    """
    _refuse(_extra_of(store), f"NARU_STORE {store!r}", "name an s3:// store; naru run reaches this one")


def _extra_of(location: str) -> str:
    return next((extra for start, extra in EXTRAS.items() if location.startswith(start)), "")


def _refuse(extra: str, where: str, remedy: str) -> None:
    if extra:
        message = f"cannot be read on a cluster yet: the images do not have the packages of the extra {extra!r}"
        raise ConfigError(message, where=where, remedy=remedy)
