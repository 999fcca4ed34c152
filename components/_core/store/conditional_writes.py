"""Whether a store creates an object on condition (`If-None-Match: *`) for one writer only, when several ask at once.

Nothing of ours depends on it: lines have names of their own (`append_log.py`), and turns are taken by claims (`claims.py`). But a
store that answers "created" to two writers of one name breaks a promise of S3, and other programs may go by it, so it is said.
The store is probed once; what it answered is kept in it. Where it did badly it is probed again, as its server may be newer now.
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


def check_conditional_writes(store: str) -> Check | None:
    """A warning about a store whose conditional writes have more than one winner; None for any other, and for a folder."""
    if not store.startswith("s3://"):
        return None  # a folder links, which has one winner; of other stores it is not known how they say it
    try:
        winners = _winners(store)
    except (NaruError, OSError) as error:
        return Check("store", "warn", reason=f"its conditional writes could not be tried: {error}")
    if winners == 1:
        return None
    message = (
        f"{winners} of {_WRITERS} writers created one object at once: the store does not honour If-None-Match. No line of the "
        "ledger is lost by that; use a newer server (docs/operations.md names them)"
    )
    return Check("store", "warn", float(winners), 1.0, n=_WRITERS, reason=message)


def _winners(store: str) -> int:
    filesystem, root = open_filesystem(store.rstrip("/"))
    kept = f"{root}/{KEPT}"
    try:
        if json.loads(filesystem.cat_file(kept)) == {"winners": 1}:
            return 1
    except (FileNotFoundError, ValueError):
        pass  # it was never probed, or what was kept is damaged
    winners = _probe(filesystem, f"{root}/{make_nonce()}.probe")
    filesystem.pipe_file(kept, json.dumps({"winners": winners}).encode())
    return winners


def _probe(filesystem: Any, name: str) -> int:
    """How many of several writers at once are told that they created the object."""
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
