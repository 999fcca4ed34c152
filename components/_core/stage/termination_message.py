"""The termination message of a container: how the stage ended, readable without log or artifact.

A KFP task that fails leaves its log and no artifact, and the KFP API does not return an artifact's metadata. So a stage
writes how it ended (`stage_end.py`) as the container's termination message too, and as a line of the log for users who
can reach only the KFP API. On a machine that is not a pod there is no such file, and nothing is written.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from components._core.stage.stage_end import LOG_PREFIX, StageEnd

PLACE = Path("/dev/termination-log")
LARGEST = 4096
"""Maximum number of bytes that Kubernetes keeps."""
_LONGEST_TEXT = 800
"""Maximum number of characters kept of a reason, a message or a remedy."""


def write_end(end: StageEnd) -> None:
    """Write how the stage ended, if the file exists; a failed write never fails the stage."""
    if not PLACE.is_file():
        return
    with suppress(OSError):
        PLACE.write_text(_shorten(end), encoding="utf-8")
    print(LOG_PREFIX + _to_line(end), flush=True)


def _shorten(end: StageEnd) -> str:
    """Fit the object into the bytes that are kept: texts are cut, and the last of very many metrics are dropped."""
    longest = _LONGEST_TEXT
    short = _cut(end, longest)
    while len(_to_line(short).encode()) > LARGEST:
        if "error" in short:
            longest //= 2
            short = _cut(end, longest)
        else:
            short.popitem()
    return _to_line(short)


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, dict):
        return {name: _cut(each, longest) for name, each in value.items()}
    return value[:longest] if isinstance(value, str) else value


def _to_line(end: StageEnd) -> str:
    """Serialise to one line of valid UTF-8, whatever is in a text."""
    return json.dumps(end, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")
