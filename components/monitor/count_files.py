"""Count files: what the objects of one hour of the request log counted, immutable, each with the names of its objects.

    <store>/<project>/monitoring/counts/dt=2026-01-31/hour=09/NAME.json

NAME is the digest of the names of the objects. An object is counted exactly once, whatever is killed when and however many monitors run at once:
the files of an hour are taken in the order of their names, a file that shares an object with one before it is left out, and
what no file has is counted into a further one. Such a file has no object in common with any that are taken, so none of them is left out
because of it. Any window is a sum of files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from components._core.errors import ServiceError
from components._core.monitoring.counts import Counts
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import LogObject, list_objects
from components._core.request_log.layout import hour_folder
from components._core.store.object_store import list_names, put, read_bytes

_FORMAT = 1
_SUFFIX = ".json"
_DIGITS = 32
CountObjects = Callable[[Sequence[LogObject]], tuple[dict[str, Counts], LogCounts]]


@dataclass(frozen=True)
class CountFile:
    """The counts of some objects of an hour.

    Attributes:
        objects: Names of the objects.
        versions: Counts by version.
        damaged: Lines that could not be read.
    """

    objects: tuple[str, ...]
    versions: dict[str, Counts]
    damaged: int = 0

    @property
    def name(self) -> str:
        """Its name, which says what it counted."""
        return sha256("\n".join(self.objects).encode()).hexdigest()[:_DIGITS] + _SUFFIX

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        versions = {version: counts.to_json() for version, counts in sorted(self.versions.items())}
        raw = {"format": _FORMAT, "objects": list(self.objects), "versions": versions, "damaged": self.damaged}
        return json.dumps(raw, separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def parse(cls, content: bytes, where: str) -> CountFile:
        """Restore it from `to_bytes`.

        Raises:
            ServiceError: When it is damaged.
        """
        try:
            raw: dict[str, Any] = json.loads(content)
            versions = {version: Counts.from_json(counts) for version, counts in raw["versions"].items()}
            return cls(tuple(raw["objects"]), versions, int(raw["damaged"]))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            remedy = "remove it: the next run counts its objects again"
            raise ServiceError(f"damaged count file: {str(error)[:200]}", where=where, remedy=remedy) from None


@dataclass(frozen=True)
class HourCounts:
    """The counts of an hour.

    Attributes:
        hour: Its beginning, in UTC.
        versions: Counts by version.
        damaged: Lines that could not be read.
        written: Count files that this run wrote.
    """

    hour: datetime
    versions: dict[str, Counts]
    damaged: int = 0
    written: int = 0


def count_hour(log: str, folder: str, hour: datetime, count: CountObjects) -> HourCounts:
    """Return the counts of an hour; objects that no file has counted yet are counted into a new one first.

    Args:
        log: URI of the request log.
        folder: URI of the folder of the count files.
        hour: Beginning of the hour, which is closed.
        count: Counts objects.

    Raises:
        ConfigError: Without permission to read the log, or to read or write the count files.
        ServiceError: When a count file is damaged.
        UnavailableError: When the store does not answer.
    """
    place = f"{folder}/{hour_folder(hour.timestamp())}"
    files = read_files(place)
    counted = {name for file in files for name in file.objects}
    late = [found for found in list_objects(log, hour) if found.name not in counted]
    if late:
        versions, log_counts = count(late)
        added = CountFile(tuple(sorted(found.name for found in late)), versions, log_counts.damaged)
        put(added.to_bytes(), f"{place}/{added.name}")
        files.append(added)
    return _sum(hour, files, written=int(bool(late)))


def read_files(place: str) -> list[CountFile]:
    """Read the files of an hour, without those whose objects an earlier one has; errors as in `count_hour`."""
    taken: list[CountFile] = []
    counted: set[str] = set()
    for name in list_names(place):
        if not name.endswith(_SUFFIX) or name.startswith("."):
            continue
        content = read_bytes(f"{place}/{name}")
        if content is None:
            continue
        file = CountFile.parse(content, f"{place}/{name}")
        if counted.isdisjoint(file.objects):
            taken.append(file)
            counted.update(file.objects)
    return taken


def _sum(hour: datetime, files: Iterable[CountFile], written: int) -> HourCounts:
    versions: dict[str, Counts] = {}
    damaged = 0
    for file in files:
        damaged += file.damaged
        for version, counts in file.versions.items():
            versions.setdefault(version, Counts()).add(counts)
    return HourCounts(hour, versions, damaged, written)
