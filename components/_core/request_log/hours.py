"""List the closed hours of a request log and the objects of an hour.

A server writes an hour's last object some time after its end: it flushes by age, and tries again while the store is
unavailable. So an hour counts as closed only `SETTLE_SECONDS` after its end. What appears later still is found by listing the
hour again: object names are unique and objects do not change, so the names that were read are the watermark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from components._core.errors import UnavailableError
from components._core.request_log.layout import HOUR_SECONDS, SUFFIX, hour_folder
from components._core.store.filesystems import open_filesystem
from components._core.system_errors import from_system, needs_user_action

SETTLE_SECONDS = 600.0
_DAY = re.compile(r"(?:^|/)dt=(\d{4}-\d{2}-\d{2})/?$")
_HOUR = re.compile(r"(?:^|/)hour=(\d{2})/?$")


@dataclass(frozen=True)
class LogObject:
    """An object of the log.

    Attributes:
        uri: Its address.
        name: Its name below the log's folder, as in `dt=2026-01-31/hour=09/POD-1-UUID.jsonl`.
        size: Its size in bytes.
        identity: The store's ETag or generation; in a folder size and time of change. It differs when the content may differ.
    """

    uri: str
    name: str
    size: int
    identity: str


def list_closed_hours(
    uri: str, now: datetime, *, settle_seconds: float = SETTLE_SECONDS, since: datetime | None = None
) -> list[datetime]:
    """List the beginnings (UTC) of the hours that have a folder and to which no server writes any more, oldest first.

    Args:
        uri: Folder of the log: a path, `file:///path`, `s3://bucket/prefix` or `gs://bucket/prefix`.
        now: The present, with a time zone.
        settle_seconds: Time from an hour's end until it counts as closed.
        since: Hours that end before this time are left out.

    Raises:
        ConfigError: Without permission or credentials to read the log.
        UnavailableError: When the store does not answer.
    """
    last = now - timedelta(seconds=settle_seconds + HOUR_SECONDS)
    first = since - timedelta(seconds=HOUR_SECONDS) if since else datetime.min.replace(tzinfo=UTC)
    with _translated(uri) as (filesystem, root):
        days = (_parse(_DAY, "%Y-%m-%d", name) for name in _names(filesystem, root))
        near = sorted(day for day in days if day and day <= last and day + timedelta(days=1) > first)
        hours = [hour for day in near for hour in _hours(filesystem, root, day)]
    return sorted(hour for hour in hours if first < hour <= last)


def list_objects(uri: str, hour: datetime) -> list[LogObject]:
    """List the objects of an hour, by name; none when the hour has no folder.

    Args:
        uri: Folder of the log.
        hour: The beginning of the hour, with a time zone.

    Raises:
        ConfigError: Without permission or credentials to read the log.
        UnavailableError: When the store does not answer.
    """
    folder = hour_folder(hour.timestamp())
    with _translated(uri) as (filesystem, root):
        entries = _entries(filesystem, f"{root.rstrip('/')}/{folder}")
    found = [_log_object(uri, folder, entry) for entry in entries if _is_object(entry)]
    return sorted(found, key=lambda each: each.name)


def read_lines(found: LogObject) -> list[bytes]:
    """Read the lines of an object, without those that are empty.

    Raises:
        ConfigError: Without permission or credentials to read the log.
        UnavailableError: When the store does not answer.
    """
    with _translated(found.uri) as (filesystem, path):
        content: bytes = filesystem.cat_file(path)
    return [line for line in content.splitlines() if line.strip()]


def _log_object(uri: str, folder: str, entry: dict[str, Any]) -> LogObject:
    name = f"{folder}/{_last_part(entry['name'])}"
    return LogObject(f"{uri.rstrip('/')}/{name}", name, int(entry["size"]), _identity(entry))


def _identity(entry: dict[str, Any]) -> str:
    tag = entry.get("ETag") or entry.get("generation") or entry.get("mtime") or entry.get("created") or ""
    return f"{entry['size']}-{str(tag).strip(chr(34))}"


def _is_object(entry: dict[str, Any]) -> bool:
    name = _last_part(entry["name"])  # a name with a dot in front is a file that is being written
    return entry["type"] == "file" and name.endswith(SUFFIX) and not name.startswith(".")


def _hours(filesystem: Any, root: str, day: datetime) -> list[datetime]:
    folder = f"{root.rstrip('/')}/dt={day:%Y-%m-%d}"
    hours = (_parse(_HOUR, "%H", name) for name in _names(filesystem, folder))
    return [day + timedelta(hours=found.hour) for found in hours if found]


def _parse(pattern: re.Pattern[str], form: str, name: str) -> datetime | None:
    """Parse a folder's name; None when it is another folder."""
    match = pattern.search(name)
    try:
        return datetime.strptime(match.group(1), form).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def _names(filesystem: Any, folder: str) -> list[str]:
    return [str(entry["name"]) for entry in _entries(filesystem, folder)]


def _entries(filesystem: Any, folder: str) -> list[dict[str, Any]]:
    try:
        return list(filesystem.ls(folder, detail=True))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _last_part(name: object) -> str:
    return str(name).rstrip("/").rpartition("/")[2]


@contextmanager
def _translated(uri: str) -> Iterator[tuple[Any, str]]:
    try:
        yield open_filesystem(uri)
    except (OSError, ImportError, ValueError) as error:
        raise unavailable(uri, error) from error


def unavailable(uri: str, error: Exception) -> Exception:
    """Return the error to raise when a store fails while the log is read."""
    if isinstance(error, OSError) and needs_user_action(error):
        return from_system(error, uri)
    remedy = "check the store and its credentials, then run again"
    return UnavailableError(f"cannot read the request log: {error}", where=uri, remedy=remedy)
