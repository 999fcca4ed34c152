"""Notices, each sent once for what it is about and its state, and again after a day while that goes on.

What was sent is kept in the store, `<store>/<project>/notices/<key>-<state>.json`, as the time and the title: no address.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from components._core.errors import NaruError
from components._core.store.object_store import put, read_bytes
from components._notices.channels import Channel

REPEAT = timedelta(hours=24)
BEGIN = "begin.json"
"""Name of the object that says from when on ends of runs are sent."""
APPROVAL = "approval"
"""State of the notice of a run whose version waits for an approval."""
_SECONDS_IN_ALL = 60.0
"""Time from which a look sends no further notices: they go out with the next one."""
RETRY = timedelta(minutes=10)
"""Time after which a notice that nobody took is sent again."""


@dataclass(frozen=True)
class Notice:
    """One notice.

    Attributes:
        key: What it is about: the key of a cause, or a run.
        state: `ended`, `failed`, `promoted`, `approval`, `invariant`, `breaker`.
        project: The project's name.
        title: What happened, in a line.
        text: The same with the numbers, as lines.
        command: What to do next.
        link: Address of the report or of the monitor's result; empty: none.
        facts: Numbers and names for programs.
        repeats: Whether it is sent again after a day, while it goes on.
        group: Those of one group that are due go out as one; empty: it goes out alone.
    """

    key: str
    state: str
    project: str
    title: str
    text: str = ""
    command: str = ""
    link: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    repeats: bool = False
    group: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a webhook gets it."""
        lines = [self.title, self.text, self.link, f"next: {self.command}" if self.command else ""]
        return {
            "key": self.key,
            "state": self.state,
            "project": self.project,
            "title": self.title,
            "text": "\n".join(filter(None, lines)),
            "link": self.link,
            "command": self.command,
            "facts": self.facts,
        }


class Outbox:
    """Sends notices of a project.

    Args:
        store: Root of the object store.
        project: The project's name.
        channels: Where they go.
        warn: Prints a sentence for a person; it holds no address.
    """

    def __init__(self, store: str, project: str, channels: Sequence[Channel], warn: Callable[[str], None]) -> None:
        self._folder = f"{store.rstrip('/')}/{project}/notices"
        self._channels, self._warn = channels, warn
        self._tried: dict[str, datetime] = {}
        self._done: set[str] = set()
        """Names of notices that were sent and do not repeat: their marks are not read again."""

    def find_begin(self, now: datetime) -> datetime:
        """Return from when on ends of runs are sent: a day before the first look with a channel, which is kept in the store.

        What ended since is sent, however long no watcher looked; what was over before notices were switched on is not.
        """
        uri = f"{self._folder}/{BEGIN}"
        try:
            found = read_bytes(uri)
            if found is not None:
                return datetime.fromisoformat(json.loads(found)["at"])
            put(json.dumps({"at": (now - REPEAT).isoformat()}).encode(), uri)
        except NaruError as error:
            self._say_away(error)
        except (ValueError, TypeError, KeyError):
            self._warn(f"{uri} is damaged: ends of runs older than a day are not sent; remove it to repair that")
        return now - REPEAT

    def send(self, notices: Sequence[Notice], now: datetime) -> int:
        """Send what is due; returns how many were taken by at least one channel. Never raises a NaruError."""
        taken, until = 0, time.monotonic() + _SECONDS_IN_ALL
        for due in self._find_due(notices, now) if self._channels else ():
            if time.monotonic() >= until:
                break
            try:
                taken += len(due) if self._send(due, now) else 0
            except NaruError as error:
                self._say_away(error)
        return taken

    def _find_due(self, notices: Sequence[Notice], now: datetime) -> list[list[Notice]]:
        """Return the notices that are due, those of a group together."""
        found: dict[str, list[Notice]] = {}
        for notice in notices:
            name = _name_of(notice)
            try:
                if name not in found and self._is_due(name, notice, now):
                    found.setdefault(f"group {notice.group}" if notice.group else name, []).append(notice)
            except NaruError as error:
                self._say_away(error)
        return list(found.values())

    def _say_away(self, error: NaruError) -> None:
        self._warn(f"a notice waits, because the store cannot be reached: {error.message}")

    def _is_due(self, name: str, notice: Notice, now: datetime) -> bool:
        if name in self._done or (name in self._tried and abs(now - self._tried[name]) < RETRY):
            return False
        content = read_bytes(f"{self._folder}/{name}.json")
        if content is None:
            return True
        try:
            sent = datetime.fromisoformat(json.loads(content)["at"])
        except (ValueError, TypeError, KeyError):
            return True  # damaged: rather twice than never
        if not notice.repeats:
            self._done.add(name)
        return notice.repeats and abs(now - sent) >= REPEAT

    def _send(self, due: Sequence[Notice], now: datetime) -> bool:
        names = {_name_of(notice): notice for notice in due}
        self._tried |= dict.fromkeys(names, now)
        notice = _join(due)
        failures = [channel.try_send(f"[naru] {notice.title}", notice.to_json()) for channel in self._channels]
        for failure in filter(None, failures):
            self._warn(f"a notice was not taken: {failure}")
        if all(failures):
            return False
        for name, each in names.items():
            content = {"at": now.isoformat(), "title": each.title}
            put(json.dumps(content).encode(), f"{self._folder}/{name}.json")
        return True


def _name_of(notice: Notice) -> str:
    return f"{notice.key}-{notice.state}"


def _join(due: Sequence[Notice]) -> Notice:
    """Make one notice of those of a group: the first, with the titles of the others and the facts of all."""
    first, *others = due
    if not others:
        return first
    titles = [f"also {other.title}" for other in others]
    return replace(
        first,
        title=f"{first.title} and {len(others)} more",
        text="\n".join([*titles, first.text]),
        facts={"all": [each.facts for each in due]},
    )
