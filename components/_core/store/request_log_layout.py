"""Layout of a request log: the server writes its lines, a rollout reads those of some hours.

URI/dt=YYYY-MM-DD/hour=HH/NAME.jsonl      one JSON object for each request, by the hour (UTC) in which it was answered
"""

from __future__ import annotations

import time
from collections.abc import Iterator

SUFFIX = ".jsonl"
_HOUR_SECONDS = 3_600


def hour_folder(seconds: float) -> str:
    """Return the folder for the hour of a time, below the log's URI.

    Args:
        seconds: The time, in seconds since 1970.
    """
    return time.strftime("dt=%Y-%m-%d/hour=%H", time.gmtime(seconds))


def hour_folders(since: float, until: float) -> Iterator[str]:
    """Yield the folders of every hour between two times (in seconds since 1970), oldest first."""
    hour = since - since % _HOUR_SECONDS
    while hour <= until:
        yield hour_folder(hour)
        hour += _HOUR_SECONDS
