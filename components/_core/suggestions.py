"""Help with a name that is not known: the one that was probably meant, or the ones that there are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

_SHOWN = 8
_LONGEST = 256
_MOST = 20_000


def listed(names: Sequence[str]) -> str:
    """A few names for a message, in quotes; of many only the first, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def suggest(name: str, known: Sequence[str]) -> str:
    """`did you mean 'x'?` when one of the known names is close, in any case of letters; else what there is."""
    if len(name) > _LONGEST or len(known) > _MOST:  # comparing takes time that grows with both
        return f"there are {listed(known)}"
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"did you mean {by_lower[close[0]]!r}?" if close else f"there are {listed(known)}"
