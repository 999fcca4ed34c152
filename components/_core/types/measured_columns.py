"""The columns that are measured of a picture or a text, beside it: checks, slices and rules may name them, and no model sees them."""

from __future__ import annotations

PICTURE_MEASURES = (
    *("width", "height", "mode", "format", "named", "frames", "size", "sha256", "hash", "group"),
    *("brightness", "contrast", "sharpness", "colour"),
)
"""Measures of a picture, in the order of their columns; `components/_core/pictures/measures.py` says what they are."""
MONITORED_MEASURES = ("width", "height", "size", "brightness", "contrast", "sharpness", "colour")
"""Those that the request log has and a monitor compares: the numbers that many pictures share."""
CHARACTERS, LANGUAGE = "characters", "language"
"""Measures of a text: its length, and a guess of its language (`components/_core/texts/language.py`)."""
GROUP = "group"
"""The measure that rows which show or say the same have in common."""
REASON = "is measured of {}: a request does not have it"


TEXT_MEASURES = (CHARACTERS, LANGUAGE, GROUP)
"""Measures of a text, in the order of their columns."""


def measured_column(column: str, measure: str) -> str:
    """Return the name of a measured column, as in `picture.width`."""
    return f"{column}.{measure}"
