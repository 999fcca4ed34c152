"""Reads the predictions that two versions logged in the same hours, and measures the distance between them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from components._core.errors import NaruError, UnavailableError
from components._core.request_log.answered_lines import BATCH
from components._core.request_log.layout import SUFFIX, hour_folders
from components._core.store.filesystems import open_filesystem

_SURE = 1.95
"""Critical value of the two-sample Kolmogorov-Smirnov test: with equal distributions, 1 distance in 1,000 exceeds this times
sqrt((n + m) / (n m)) (Smirnov, 1948)."""


def read_predictions(uri: str, versions: Sequence[str], since: datetime) -> dict[str, list[Any]]:
    """Read one prediction per logged row, by version: the class if there is one, else the first output.

    Args:
        uri: Folder of the request log.
        versions: Versions to read.
        since: Earliest time of an answer.

    Raises:
        UnavailableError: When the log cannot be read.
    """
    found: dict[str, list[Any]] = {version: [] for version in versions}
    for record in _records(uri, since):
        if record["version"] in found and datetime.fromisoformat(record["time"]) >= since:
            outputs = record["outputs"]
            values = outputs["class"] if "class" in outputs else next(iter(outputs.values()))
            found[record["version"]] += values
    return found


def distance(one: Sequence[Any], other: Sequence[Any]) -> float:
    """Distance of two samples, 0 to 1: the largest difference of their cumulative distributions; for classes, of their shares."""
    if isinstance(one[0], str):
        classes = sorted({*one, *other})
        return max(abs(one.count(name) / len(one) - other.count(name) / len(other)) for name in classes)
    first, second = np.sort(np.asarray(one, dtype=float)), np.sort(np.asarray(other, dtype=float))
    values = np.concatenate([first, second])
    below = [np.searchsorted(sample, values, side="right") / len(sample) for sample in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def by_chance(one: int, other: int) -> float:
    """Distance that two samples of these sizes from one distribution exceed only 1 time in 1,000."""
    return _SURE * math.sqrt((one + other) / (one * other))


def _records(uri: str, since: datetime) -> Iterator[dict[str, Any]]:
    try:
        filesystem, root = open_filesystem(uri)
        for hour in hour_folders(since.timestamp(), time.time()):
            for name in _names(filesystem, f"{root.rstrip('/')}/{hour}"):
                lines = (json.loads(line) for line in filesystem.cat_file(name).splitlines() if line.strip())
                # others are counts; and the rows of a batch are another population than what the canary is sent
                yield from (line for line in lines if "outputs" in line and line.get("source") != BATCH)
    except (OSError, ImportError, ValueError, NaruError) as error:
        raise UnavailableError(f"cannot read the request log: {error}", where=uri) from error


def _names(filesystem: Any, folder: str) -> list[str]:
    try:
        return sorted(str(name) for name in filesystem.ls(folder, detail=False) if str(name).endswith(SUFFIX))
    except FileNotFoundError:
        return []
