"""Which requests are logged: the id decides, so that every server logs the same ids, and a reader can tell which it would have."""

from __future__ import annotations

from hashlib import sha256

LEAST_SHARE = 1e-6
"""Smallest share that a line may have: a request that stands for more others than that says nothing about them."""


def is_sampled(request_id: str, share: float) -> bool:
    """Return whether a request is logged.

    Args:
        request_id: Its id.
        share: Share of the requests that is logged, 0 to 1.
    """
    if share >= 1.0:
        return True
    digest = sha256(request_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
