"""The table of sources: one line for each kind."""

from __future__ import annotations

from components._data.sources.contract import Source
from components._data.sources.files import FileSource


def open_source(location: str) -> Source:
    """Open the source at a location.

    Args:
        location: Location as in `data.source`: a path or URL; `{span}` in its last part stands for a span's number.
    """
    return FileSource(location)
