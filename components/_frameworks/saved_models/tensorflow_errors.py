"""TensorFlow's errors for a person: the line with the cause, and a full disk apart from all else."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import tensorflow as tf

from components._core.errors import NaruError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_DISK_TEXTS = ("No space left on device", "Disk quota exceeded", "File too large")


@contextmanager
def report_full_disk(doing: str) -> Iterator[None]:
    """Turn a write that found no room into an error that says so; anything else passes.

    Args:
        doing: What was being written, as in `writing the transform graph`.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        if getattr(error, "errno", None) in _FULL or any(text in str(error) for text in _FULL_DISK_TEXTS):
            raise NaruError(
                f"there was no room left while {doing}",
                remedy="free some space (or raise ulimit -f) and run again; what was finished is kept",
            ) from error
        raise


def reason_of(error: Exception) -> str:
    """The line of an error that states its cause; TensorFlow puts it in front of the node, below the places passed through."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    before_node = [line for line, after in pairwise(lines) if after.startswith("[[{{node")]
    return (before_node or lines or [type(error).__name__])[0][:300]
