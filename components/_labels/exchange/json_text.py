"""JSON of files that others wrote: damaged ones are refused with their place."""

from __future__ import annotations

import json
from typing import Any

from components._core.errors import DataError

_REMEDY = "export it again; nothing was imported"


def parse_json(content: bytes, where: str) -> Any:
    """Parse a file.

    Raises:
        DataError: When it is not JSON, cut off, or nested too deep.
    """
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 (byte {error.start:,})", where=where, remedy=_REMEDY) from None
    except json.JSONDecodeError as error:
        cut = " (is it cut off?)" if error.pos >= len(error.doc.rstrip()) - 1 else ""
        message = f"is not JSON: {error.msg} in line {error.lineno:,}, column {error.colno:,}{cut}"
        raise DataError(message, where=where, remedy=_REMEDY) from None
    except (RecursionError, ValueError):
        raise DataError("is nested too deep, or has a number that is too long", where=where, remedy=_REMEDY) from None


def whole_number(value: Any) -> int | None:
    """Return a version as a number; None when it is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
