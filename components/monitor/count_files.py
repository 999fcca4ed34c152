"""Count files: what the objects of one hour of the request log counted, immutable, each with the names of its objects.

    <store>/<project>/monitoring/counts/dt=2026-01-31/hour=09/NAME.json

NAME is the digest of the names of the objects. An object is counted exactly once, whatever is killed when and however many monitors run at once:
the files of an hour are taken in the order of their names, a file that shares an object with one before it is left out, and
what no file has is counted into a further one. Such a file has no object in common with any that are taken, so none of them is left out
because of it. Any window is a sum of files.

A file says by which references its rows were counted. Where the reference of a version was not known then, or has other cells now, the
objects are counted again into another file while the log has them all; afterwards only the rows of that version remain, without its cells.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from components._core.errors import ServiceError
from components._core.monitoring.counts import Counts
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import LogObject, list_objects
from components._core.request_log.layout import hour_folder
from components._core.store.object_store import list_names, put, read_bytes
from components.monitor.answered_by import version_of

_FORMAT = 3
"""Files of format 1 have no references, and those of format 2 count batch predictions as requests of a server: they are counted again."""
_MIXED = 2
_BATCH_OBJECT = "/batch-"
_SUFFIX = ".json"
_DIGITS = 32
CountObjects = Callable[[Sequence[LogObject]], tuple[dict[str, Counts], LogCounts]]


@dataclass(frozen=True)
class CountFile:
    """The counts of some objects of an hour.

    Attributes:
        objects: Names of the objects.
        versions: Counts by who answered, see `answered_by.py`.
        damaged: Lines that could not be read.
        digests: Digest of the cells by version, of the versions that had a reference.
        format: Of the file.
        foreign: Rows of other projects.
    """

    objects: tuple[str, ...]
    versions: dict[str, Counts]
    damaged: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    format: int = _FORMAT
    foreign: int = 0

    @property
    def name(self) -> str:
        """Its name, which says what it counted."""
        counted = [*self.objects, *(f"{version}={digest}" for version, digest in sorted(self.digests.items()))]
        return sha256("\n".join(counted).encode()).hexdigest()[:_DIGITS] + _SUFFIX

    def fits(self, digests: Mapping[str, str]) -> bool:
        """Return whether the rows of each version were counted by the cells of its reference of now."""
        is_apart = self.format == _MIXED and not any(_BATCH_OBJECT in name for name in self.objects)
        if self.format != _FORMAT and not is_apart:
            return False
        return all(self._has_cells(name, digests) for name in self.versions)

    def _has_cells(self, name: str, digests: Mapping[str, str]) -> bool:
        version = version_of(name)
        return not self.versions[name].rows or digests.get(version) in (None, self.digests.get(version))

    def counts_for(self, digests: Mapping[str, str]) -> dict[str, Counts]:
        """Return the counts by who answered, without cells where those are not of the version's reference of now."""
        return {
            name: counts
            if version_of(name) in digests and self._has_cells(name, digests)
            else replace(counts, cells={}, outputs={})
            for name, counts in self.versions.items()
        }

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        versions = {version: counts.to_json() for version, counts in sorted(self.versions.items())}
        raw = {"format": _FORMAT, "objects": list(self.objects), "versions": versions, "damaged": self.damaged}
        raw["foreign"] = self.foreign
        raw["references"] = dict(sorted(self.digests.items()))
        return json.dumps(raw, separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def parse(cls, content: bytes, where: str) -> CountFile:
        """Restore it from `to_bytes`.

        Raises:
            ServiceError: When it is damaged, or of a later version of Naru.
        """
        try:
            raw: dict[str, Any] = json.loads(content)
            found = int(raw["format"])
            if not 1 <= found <= _FORMAT:
                raise ServiceError(
                    f"a count file of format {found}; allowed: 1 to {_FORMAT}", where=where, remedy="update Naru"
                )
            versions = {version: Counts.from_json(counts) for version, counts in raw["versions"].items()}
            digests = {str(version): str(digest) for version, digest in raw.get("references", {}).items()}
            return cls(tuple(raw["objects"]), versions, int(raw["damaged"]), digests, found, int(raw.get("foreign", 0)))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            remedy = "remove it: the next run counts its objects again"
            raise ServiceError(f"damaged count file: {str(error)[:200]}", where=where, remedy=remedy) from None


@dataclass(frozen=True)
class HourCounts:
    """The counts of an hour.

    Attributes:
        hour: Its beginning, in UTC.
        versions: Counts by who answered, see `answered_by.py`.
        damaged: Lines that could not be read.
        written: Count files that this run wrote.
        foreign: Rows of other projects, which have the same log.
    """

    hour: datetime
    versions: dict[str, Counts]
    damaged: int = 0
    written: int = 0
    foreign: int = 0


def count_hour(
    log: str, folder: str, hour: datetime, count: CountObjects, digests: Mapping[str, str] | None = None
) -> HourCounts:
    """Return the counts of an hour; objects that no file has counted yet are counted into a new one first.

    Args:
        log: URI of the request log.
        folder: URI of the folder of the count files.
        hour: Beginning of the hour, which is closed.
        count: Counts objects.
        digests: Digest of the cells of each version that has a reference, by which `count` counts.

    Raises:
        ConfigError: Without permission to read the log, or to read or write the count files.
        ServiceError: When a count file is damaged.
        UnavailableError: When the store does not answer.
    """
    place = f"{folder}/{hour_folder(hour.timestamp())}"
    digests = digests or {}
    listed = list_objects(log, hour)
    files = read_files(place, digests, {found.name for found in listed})
    counted = {name for file in files for name in file.objects}
    late = [found for found in listed if found.name not in counted]
    if late:
        versions, log_counts = count(late)
        added = CountFile(
            tuple(sorted(found.name for found in late)),
            versions,
            log_counts.damaged,
            digests,
            foreign=log_counts.foreign,
        )
        put(added.to_bytes(), f"{place}/{added.name}")
        files.append(added)
    return _sum(hour, files, digests, written=int(bool(late)))


def read_files(
    place: str, digests: Mapping[str, str] | None = None, listed: Collection[str] = frozenset()
) -> list[CountFile]:
    """Read the files of an hour, without those whose objects an earlier one has; errors as in `count_hour`.

    Files that do not fit the references come last, and those whose objects can all be counted again not at all.

    Args:
        place: URI of the hour's folder.
        digests: As in `count_hour`.
        listed: Names of the objects that the log has.
    """
    found = list(_load_files(place))
    fitting = [file for file in found if file.fits(digests or {})]
    others = [file for file in found if not file.fits(digests or {}) and not set(listed).issuperset(file.objects)]
    taken: list[CountFile] = []
    counted: set[str] = set()
    for file in (*fitting, *others):
        if counted.isdisjoint(file.objects):
            taken.append(file)
            counted.update(file.objects)
    return taken


def _load_files(place: str) -> Iterator[CountFile]:
    for name in list_names(place):
        if not name.endswith(_SUFFIX) or name.startswith("."):
            continue
        content = read_bytes(f"{place}/{name}")
        if content is None:
            continue
        yield CountFile.parse(content, f"{place}/{name}")


def _sum(hour: datetime, files: Sequence[CountFile], digests: Mapping[str, str], written: int) -> HourCounts:
    versions: dict[str, Counts] = {}
    damaged = 0
    for file in files:
        damaged += file.damaged
        for version, counts in file.counts_for(digests).items():
            versions.setdefault(version, Counts()).add(counts)
    return HourCounts(hour, versions, damaged, written, sum(file.foreign for file in files))
