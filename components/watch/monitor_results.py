"""Read the monitor's results: `<store>/<project>/monitoring/runs/<run>/monitoring.json`, whose format docs/monitoring.md describes.

Results are written once and never changed, so a watcher that goes on reads each only once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from components._core.monitoring.result_files import (
    LARGEST_RESULT,
    monitoring_folder,
    parse_result,
    result_uri,
    runs_folder,
)
from components._core.store.object_store import list_names, read_bytes
from components.watch.state import MonitorCheck, Window

MOST_RESULTS = 500
"""Newest results that are read: three weeks of an hourly monitor."""
_READERS = 8


class MonitorResults:
    """The results of a project's monitor.

    Args:
        store: Root of the object store.
        project: The project's name.
    """

    def __init__(self, store: str, project: str) -> None:
        self._folder = monitoring_folder(store, project)
        self._known: dict[str, list[Window]] = {}
        self.remarks: list[str] = []
        """What could not be read, a sentence each; of the last `read`."""

    def read(self) -> list[Window]:
        """Read the newest results, oldest first.

        Raises:
            UnavailableError: When the store does not answer.
        """
        names = list_names(runs_folder(self._folder))[-MOST_RESULTS:]
        self.remarks = []
        missing = [name for name in names if name not in self._known]
        with ThreadPoolExecutor(_READERS) as pool:
            for name, content in zip(missing, pool.map(self._fetch, missing), strict=True):
                self._add(name, content)
        self._known = {name: self._known[name] for name in names if name in self._known}
        return [window for windows in self._known.values() for window in windows]

    def _fetch(self, name: str) -> bytes | None:
        return read_bytes(result_uri(self._folder, name), LARGEST_RESULT + 1)

    def _add(self, name: str, content: bytes | None) -> None:
        uri = result_uri(self._folder, name)
        if content is None:  # a run of the monitor that has not ended
            return
        try:
            self._known[name] = list(_parse(parse_result(content), uri, hashlib.sha256(content).hexdigest()))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            self.remarks.append(f"{uri} cannot be read and is left out: {type(error).__name__}: {str(error)[:100]}")


def _parse(raw: dict[str, Any], uri: str, digest: str) -> Iterator[Window]:
    for judged in (raw, *(raw.get("other_versions") or ())):
        window = judged.get("window")
        if window and judged.get("version"):
            version, checks = str(judged["version"]), judged.get("checks") or ()
            own = tuple(_parse_check(check) for check in checks if not check.get("window"))
            yield Window(version, *_parse_window(window), own, uri, digest)
            for check in checks:
                if check.get("window"):
                    times = _parse_window(check["window"])
                    yield Window(version, *times, (_parse_check(check),), uri, digest, is_labelled=True)


def _parse_window(raw: dict[str, Any]) -> tuple[datetime, datetime]:
    since, until = (datetime.fromisoformat(raw[name]) for name in ("since", "until"))
    if since.tzinfo is None or until.tzinfo is None or since >= until:
        raise ValueError(f"window from {since} to {until}")
    return since, until


def _parse_check(raw: dict[str, Any]) -> MonitorCheck:
    return MonitorCheck(
        name=str(raw["name"]),
        kind=str(raw["kind"]),
        status=str(raw["status"]),
        feature=str(raw.get("feature") or ""),
        importance=_number(raw.get("importance")),
        measured=_number(raw.get("measured")),
        baseline=_number(raw.get("baseline")),
        threshold=_number(raw.get("threshold")),
        reason=str(raw.get("reason") or "")[:500],
        learnable=raw.get("learnable") is True,
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
