"""Which source a location is: one line for each kind of source."""

from __future__ import annotations

from components._data.sources.contract import Source
from components._data.sources.files import FileSource


def open_source(location: str) -> Source:
    """The source at a location.

    Args:
        location: As in `data.source`: a path or URL; `{span}` in its last part stands for a span's number.
    """
    return FileSource(location)
