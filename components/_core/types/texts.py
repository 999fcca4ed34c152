"""Texts that others choose, in messages and in answers."""

from __future__ import annotations


def shorten(text: str, longest: int = 60) -> str:
    """Return a text for a message; of a longer one its beginning."""
    return text if len(text) <= longest else text[:longest] + "..."


def is_unicode(text: str) -> bool:
    """Return whether a text can be written as UTF-8: half of a surrogate pair, which JSON can have, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
