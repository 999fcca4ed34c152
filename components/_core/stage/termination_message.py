"""What Kubernetes keeps of a container that has ended: one message in the pod's status, read without log or artifact.

A KFP task that fails leaves its log and nothing else, and no KFP server tells what an artifact's metadata holds. So a stage
says the same thing here: its record as JSON when it ended well, else the error as a sentence. `kubectl describe pod` and Argo
show it, `pipelines/stage_durations.py` reads it; the record is a line of the log too, for who may ask the KFP server only. On a machine
that is no pod there is no such place, and nothing is written.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

PLACE = Path("/dev/termination-log")
LARGEST = 4096
"""Bytes that Kubernetes keeps."""
LOGGED = "naru: "
"""What the record's line in the log begins with, as an error's does."""
_LONGEST_REASON = 800


def tell_record(record: dict[str, Any]) -> None:
    """Leave what a stage that ended well writes into its artifact's metadata; of a long reason the beginning."""
    short = {**record, "reason": str(record.get("reason") or "")[:_LONGEST_REASON]}
    while len((text := _as_text(short)).encode()) > LARGEST and len(short) > 1:
        short.popitem()
    if _leave(text):
        print(LOGGED + text, flush=True)


def tell_error(text: str) -> None:
    """Leave why a stage failed."""
    _leave(text)


def _as_text(record: dict[str, Any]) -> str:
    """One line that UTF-8 can hold, whatever is in a reason."""
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def _leave(text: str) -> bool:
    """Write the message if there is a place for it; a stage never fails for want of it."""
    if not PLACE.is_file():
        return False
    with suppress(OSError):
        PLACE.write_bytes(text.encode("utf-8", "replace")[:LARGEST])
    return True
