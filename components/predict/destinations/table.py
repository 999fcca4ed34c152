"""The kinds of destinations: one line for each."""

from __future__ import annotations

from components._core.errors import ConfigError
from components._core.suggestions import listed
from components.predict.destinations.contract import Destination, Output
from components.predict.destinations.folder import FolderDestination
from components.predict.destinations.single_file import FileDestination
from components.predict.output_formats import OUTPUT_FORMATS, find_output_format

_WHERE = "--output"
_SCHEMES = ("file", "s3", "gs")


def open_destination(output: Output) -> Destination:
    """Open the destination at a location.

    Raises:
        ConfigError: When there is no such kind or format, or the two contradict each other.
    """
    location = output.location
    if not location.strip():
        raise ConfigError("is empty", where=_WHERE, remedy="name a file or a folder")
    scheme = location.partition("://")[0] if "://" in location else "file"
    if scheme not in _SCHEMES:
        remedy = f"name a file or folder by its path, or one of {listed([f'{known}://' for known in _SCHEMES])}"
        raise ConfigError(f"predictions are not written to {scheme}://", where=_WHERE, remedy=remedy)
    ending = location.rpartition("/")[2].rpartition(".")[2].lower() if "." in location.rpartition("/")[2] else ""
    if ending in OUTPUT_FORMATS:
        if output.format not in ("", ending):
            message = f"found {output.format!r}, and the output ends in .{ending}"
            raise ConfigError(message, where="--format", remedy="leave it out, or name the output otherwise")
        return FileDestination(location, find_output_format(ending), output.replace)
    return FolderDestination(location.rstrip("/"), find_output_format(output.format or "parquet"), output.replace)
