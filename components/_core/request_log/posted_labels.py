"""Labels that clients post to a server: where they are kept, and their format.

    <request log>/labels/dt=YYYY-MM-DD/hour=HH/NAME.jsonl      by the hour (UTC) in which the server took them

    {"id": ..., "row": 0, "label": ..., "time": "2026-01-31T09:30:00.123456+00:00"}

`label` is the text of a class, or a number; null says that there will never be one. `time` is when the server took it. They are
below the request log's folder because a server may write there and nowhere else; readers of the log look for `dt=` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

ID, ROW, LABEL, TIME = "id", "row", "label", "time"


class PostedLabel(NamedTuple):
    """A label.

    Attributes:
        id: Id of the answer.
        row: Place of the row in its request, from 0.
        label: Text of a class, or a number; None: there will never be one.
    """

    id: str
    row: int
    label: str | int | float | None


def posted_labels_uri(log: str) -> str:
    """Return the URI of the posted labels of a project.

    Args:
        log: URI of its request log.
    """
    return f"{log.rstrip('/')}/labels"


def write_lines(labels: Iterable[PostedLabel], seconds: float) -> bytes:
    """Return the lines of labels.

    Args:
        labels: The labels.
        seconds: When they were taken, in seconds since 1970.
    """
    at = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    lines = (json.dumps({ID: each.id, ROW: each.row, LABEL: each.label, TIME: at}) for each in labels)
    return "".join(f"{line}\n" for line in lines).encode()
