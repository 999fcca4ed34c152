"""Keyed hashes in place of masked values: equal values stay equal, so that they can be counted and joined, but not read.

A hash is `KEY:DIGEST`: 8 digits that tell which key made it, and the first 128 bits of HMAC-SHA256 (RFC 2104) over the value's text,
in hexadecimal digits. A number's text is its shortest decimal form, of a whole one without a fraction, so that 7, 7.0 and "7" are equal. A
missing value, and an empty text, which is missing to a model, have no digest: `KEY:`.

Without a key anyone could hash all carriers, or all birthdays, and compare; with the key that is possible, and only with it.
"""

from __future__ import annotations

import hmac
import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from components._core.errors import ConfigError
from components._core.setting_names import LOG_KEY

LEAST_KEY_BYTES = 16
_KEY_DIGITS, _DIGITS = 8, 32
_KEY_MESSAGE = b"naru: which key hashed this"


class ValueHasher:
    """Hashes values with a key, which neither its representation nor a hash shows.

    Args:
        key: The key.

    Attributes:
        prefix: What all its hashes begin with.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.prefix = f"{self._digest(_KEY_MESSAGE)[:_KEY_DIGITS]}:"

    def hash(self, values: Sequence[Any] | np.ndarray[Any, Any]) -> list[str]:
        """Return the hash of each value.

        Args:
            values: Texts, bytes of UTF-8, numbers or None, shape [rows].
        """
        if isinstance(values, np.ndarray):
            # as a client wrote it: 0.1 in single precision is not 0.10000000149011612
            values = [float(str(value)) for value in values] if values.dtype == np.float32 else values.tolist()
        return [self._hash(_to_bytes(value)) for value in values]

    def _hash(self, text: bytes) -> str:
        return f"{self.prefix}{self._digest(text)}" if text else self.prefix

    def _digest(self, text: bytes) -> str:
        return hmac.digest(self._key, text, "sha256").hex()[:_DIGITS]


def find_hasher() -> ValueHasher | None:
    """Return the hasher with the key of the environment; None without one.

    Raises:
        ConfigError: When the key is too short.
    """
    key = os.environ.get(LOG_KEY, "").strip().encode("utf-8", "surrogateescape")
    if not key:
        return None
    if len(key) < LEAST_KEY_BYTES:
        message = f"the key has {len(key)} bytes; must have at least {LEAST_KEY_BYTES}"
        raise ConfigError(message, where=f"environment variable {LOG_KEY}", remedy=_REMEDY)
    return ValueHasher(key)


def require_hasher(features: Sequence[str]) -> ValueHasher | None:
    """Return the hasher that a log needs; None when it hashes no feature.

    Args:
        features: Features of which the log has hashes.

    Raises:
        ConfigError: When there is no key, or it is too short.
    """
    if not features:
        return None
    hasher = find_hasher()
    if hasher is None:
        message = f"is not set; the request log hashes {', '.join(features)} with this key"
        raise ConfigError(message, where=f"environment variable {LOG_KEY}", remedy=_REMEDY)
    return hasher


_REMEDY = "set it to a random text, always the same one: openssl rand -hex 32; or empty serve.request_log.hash"


def _to_bytes(value: Any) -> bytes:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, float):
        value = int(value) if value.is_integer() else value
    return str(int(value) if isinstance(value, bool) else value).encode()  # True is 1, as to a model
