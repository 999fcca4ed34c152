"""What keeps libraries from talking to a person, where a command calls a model in its own process."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Environment: without TensorFlow's remarks on the machine, and with the arithmetic of `naru run`."""


@contextmanager
def without_warnings() -> Iterator[None]:
    """Ignore the warnings of Python: libraries warn about one another, and a person cannot act on that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
