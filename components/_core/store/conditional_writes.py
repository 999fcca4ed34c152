"""Check whether a conditional write of several writers at once has only one winner in a store.

On S3 the condition is `If-None-Match: *`, on Google Cloud Storage `ifGenerationMatch=0`.

Naru does not depend on it: lines have unique names (`append_log.py`), and claims decide turns (`claims.py`). But a
store that answers "created" to two writers of one name breaks its interface's promise, and other programs may rely on it, so
Naru warns. The store is probed once, and the result is kept in it. A bad store is probed again, since its server may be
newer now.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from components._core.checks import Check
from components._core.errors import NaruError
from components._core.store.append_log import make_nonce
from components._core.store.filesystems import open_filesystem

KEPT = "conditional-writes.json"
_WRITERS = 4
_CONDITIONS = {"s3": "If-None-Match", "gs": "ifGenerationMatch"}
"""The condition by the scheme of a store's address."""


def check_conditional_writes(store: str) -> Check | None:
    """Return a warning about a store whose conditional writes have several winners; None for other stores and folders."""
    condition = _CONDITIONS.get(store.partition("://")[0])
    if condition is None:
        return None  # links in a folder have one winner; other stores are not checked
    try:
        winners = _count_winners(store)
    except (NaruError, OSError) as error:
        return Check("store", "warn", reason=f"cannot test its conditional writes: {error}")
    if winners == 1:
        return None
    message = (
        f"{winners} of {_WRITERS} writers created one object at once: the store does not honour {condition}. No ledger line "
        "is lost; use a newer server (docs/operations.md names them)"
    )
    return Check("store", "warn", float(winners), 1.0, n=_WRITERS, reason=message)


def _count_winners(store: str) -> int:
    filesystem, root = open_filesystem(store.rstrip("/"))
    kept = f"{root}/{KEPT}"
    try:
        if json.loads(filesystem.cat_file(kept)) == {"winners": 1}:
            return 1
    except (FileNotFoundError, ValueError):
        pass  # never probed, or the kept result is damaged
    winners = _probe(filesystem, f"{root}/{make_nonce()}.probe")
    filesystem.pipe_file(kept, json.dumps({"winners": winners}).encode())
    return winners


def _probe(filesystem: Any, name: str) -> int:
    """Count how many of several writers at once succeed in creating the object."""
    barrier = Barrier(_WRITERS)

    def create(number: int) -> bool:
        barrier.wait()
        try:
            filesystem.pipe_file(name, str(number).encode(), mode="create")
        except FileExistsError:
            return False
        return True

    try:
        with ThreadPoolExecutor(_WRITERS) as pool:
            return sum(pool.map(create, range(_WRITERS)))
    finally:
        filesystem.rm_file(name)
