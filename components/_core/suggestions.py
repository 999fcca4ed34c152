"""Suggestions for an unknown name, and names as a message lists them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

_SHOWN = 8
_LONGEST = 256
_MOST = 20_000


def listed(names: Sequence[str]) -> str:
    """Format names for a message, in quotes; of many only the first, and the number of the others."""
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def list_alternatives(names: Sequence[str]) -> str:
    """Format names as in "a, b or c"."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def suggest(name: str, known: Sequence[str]) -> str:
    """Suggest `did you mean 'x'?` when a known name is close, ignoring case; else list the known names."""
    if len(name) > _LONGEST or len(known) > _MOST:  # the cost of comparing grows with both
        return f"there are {listed(known)}"
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"did you mean {by_lower[close[0]]!r}?" if close else f"there are {listed(known)}"
