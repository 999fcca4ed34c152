"""Notices, each sent once for what it is about and its state, and again after a day while that goes on.

What was sent is kept in the store, `<store>/<project>/notices/<key>-<state>.json`, as the time and the title: no address.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from components._core.errors import NaruError
from components._core.store.object_store import put, read_bytes
from pipelines.notices.channels import Channel

REPEAT = timedelta(hours=24)
RETRY = timedelta(minutes=10)
"""Time after which a notice that nobody took is sent again."""


@dataclass(frozen=True)
class Notice:
    """One notice.

    Attributes:
        key: What it is about: the key of a cause, or a run.
        state: `ended`, `failed`, `promoted`, `invariant`, `breaker`.
        project: The project's name.
        title: What happened, in a line.
        text: The same with the numbers, as lines.
        command: What to do next.
        link: Address of the report or of the monitor's result; empty: none.
        facts: Numbers and names for programs.
        repeats: Whether it is sent again after a day, while it goes on.
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

    def send(self, notices: Sequence[Notice], now: datetime) -> int:
        """Send what is due; returns how many were taken by at least one channel. Never raises a NaruError."""
        taken = 0
        for notice in notices if self._channels else ():
            name = f"{notice.key}-{notice.state}"
            try:
                if self._is_due(name, notice, now):
                    taken += self._send(name, notice, now)
            except NaruError as error:
                self._warn(f"a notice waits, because the store cannot be reached: {error.message}")
        return taken

    def _is_due(self, name: str, notice: Notice, now: datetime) -> bool:
        if name in self._tried and abs(now - self._tried[name]) < RETRY:
            return False
        content = read_bytes(f"{self._folder}/{name}.json")
        if content is None:
            return True
        try:
            sent = datetime.fromisoformat(json.loads(content)["at"])
            return notice.repeats and abs(now - sent) >= REPEAT
        except (ValueError, TypeError, KeyError):
            return True  # damaged: rather twice than never

    def _send(self, name: str, notice: Notice, now: datetime) -> bool:
        self._tried[name] = now
        failures = [channel.try_send(f"[naru] {notice.title}", notice.to_json()) for channel in self._channels]
        for failure in filter(None, failures):
            self._warn(f"a notice was not taken: {failure}")
        if all(failures):
            return False
        content = {"at": now.isoformat(), "title": notice.title}
        put(json.dumps(content).encode(), f"{self._folder}/{name}.json")
        return True
