"""Values of JSON, read so that nothing is lost: not UTF-8, not JSON, and a key that occurs twice are errors."""

from __future__ import annotations

import json
from typing import Any

from components._core.types.texts import shorten


class LineError(ValueError):
    """A line that cannot be read: why."""


class NotJsonError(LineError):
    """What a line is not: UTF-8, or JSON."""


def parse_value(line: bytes) -> Any:
    """Parse a line with Python's reader.

    Raises:
        NotJsonError: When it is not UTF-8 or not JSON.
        LineError: When an object in it has a key twice.
    """
    try:
        return json.loads(line.decode(), object_pairs_hook=_unique)
    except UnicodeDecodeError:
        raise NotJsonError("not UTF-8") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, LineError):
            raise
        raise NotJsonError(f"not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()  # not `count`: a client chooses how many keys there are
        for name, _ in pairs:
            if name in seen:
                raise LineError(f"key {shorten(name)!r} occurs twice")
            seen.add(name)
    return found
