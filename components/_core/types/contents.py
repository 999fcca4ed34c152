"""What a column of texts or bytes holds, where a project says more of it than its type."""

from __future__ import annotations

PICTURE = "picture"
"""An encoded picture: bytes in examples, URL-safe base64 at a model's border."""
TEXT = "text"
"""A text in words, not a category."""
