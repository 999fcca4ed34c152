"""Layout and format of a request log: the server writes its lines; a rollout, the monitor and the feedback read them.

URI/dt=YYYY-MM-DD/hour=HH/NAME.jsonl      JSON lines, by the hour (UTC) in which the requests were answered

Three kinds of lines, in any order:

    {"id": ..., "time": "2026-01-31T09:30:00.123456+00:00", "model": NAME, "version": VERSION, "latency_ms": ...,
     "inputs": {FEATURE: [one value per row]}, "masked": [FEATURE, ...], "outputs": {NAME: [one value per row]},
     "share": ..., "schema": ..., "log": 2}                          an answered request
    {"dropped": n, "model": ..., "version": ..., "log": 2}           answered requests of the hour that were not logged
    {"refused": {CODE: n}, "model": ..., "version": ..., "log": 2}   refused requests of the hour, by code

Where masked features are hashed, `"hashes": {FEATURE: [one hash per row]}` has what `value_hashes.py` describes.

A picture is masked unless the server is set to keep pictures; `"pictures": {FEATURE: [{"sha256": ..., "size": ...}]}` then refers to it, and the
inputs have its measures (`picture_references.py`).

A request that batch prediction answered has `"source": "batch"` and null as its latency.

Counts are additive: each line counts what happened since the server's line before it. Format 1 has no `share`, `schema` and
`log`, and only lines of answered requests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

SUFFIX = ".jsonl"
FORMAT = 2
"""The format that is written; all formats up to it are read."""
HOUR_SECONDS = 3_600


def hour_folder(seconds: float) -> str:
    """Return the folder for the hour of a time, below the log's URI.

    Args:
        seconds: The time, in seconds since 1970.
    """
    return time.strftime("dt=%Y-%m-%d/hour=%H", time.gmtime(seconds))


def hour_of(name: str) -> datetime:
    """Return the beginning (UTC) of the hour that an object's name begins with, as in `dt=2026-01-31/hour=09/POD-1-UUID.jsonl`.

    Raises:
        ValueError: When it does not begin so.
    """
    folder = "/".join(name.split("/")[:2])
    return datetime.strptime(folder, "dt=%Y-%m-%d/hour=%H").replace(tzinfo=UTC)


def hour_folders(since: float, until: float) -> Iterator[str]:
    """Yield the folders of every hour between two times (in seconds since 1970), oldest first."""
    hour = since - since % HOUR_SECONDS
    while hour <= until:
        yield hour_folder(hour)
        hour += HOUR_SECONDS
