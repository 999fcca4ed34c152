"""The table of sources: one line for each kind."""

from __future__ import annotations

from components._data.sources.contract import Source
from components._data.sources.files import FileSource
from components._data.sources.span_expression import MissingSpans


def open_source(location: str, missing_spans: MissingSpans = "fail") -> Source:
    """Open the source at a location.

    Args:
        location: Location as in `data.source`: a path or URL, with placeholders of spans (`span_pattern.py`).
        missing_spans: Whether a span that an expression names must exist, as in `data.missing_spans`.
    """
    return FileSource(location, missing_spans)
