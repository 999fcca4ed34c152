"""Gauges of what the store has: a thread of its own reads it now and then, and no request and no scrape waits for it.

While the store does not answer, or when something cannot be read, the last numbers stay, and failures are counted.
"""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.registry import Collector

from components._core.errors import NaruError

EVERY_SECONDS = 300.0
"""Time between two looks at the store; monitor and watcher run once an hour."""

_LONGEST_LABEL = 120
"""Characters of a name in a label."""
_log = logging.getLogger("naru.serve")


class PolledCollector(Collector):
    """Reads the store in a thread of its own, and exports what was read last.

    Args:
        what: What it reads, for the log: `the monitor's results`.
        every: Seconds between two looks at the store.
    """

    def __init__(self, what: str, every: float) -> None:
        self.failures = 0
        self._what, self._every = what, every
        self._is_failing = False
        self._closing = threading.Event()

    @contextmanager
    def kept_up_to_date(self) -> Iterator[None]:
        """Read during a `with` block; a read that hangs does not hold its end up."""
        threading.Thread(target=self._run, name="naru-gauges", daemon=True).start()
        try:
            yield
        finally:
            self._closing.set()

    def update(self) -> None:
        """Look once; what cannot be read is counted, and logged when it begins."""
        try:
            self.read_newest()
            self._is_failing = False
        except (NaruError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
            self.failures += 1
            if not self._is_failing:
                _log.warning("cannot read %s: %s: %s", self._what, type(error).__name__, str(error)[:500])
            self._is_failing = True

    @abstractmethod
    def read_newest(self) -> None:
        """Read what is new; any error that `update` counts may be raised, and what was read before it is kept."""

    def _run(self) -> None:
        while not self._closing.is_set():
            self.update()
            self._closing.wait(self._every)


def label_text(value: object) -> str:
    """Return the text of a label; half of a surrogate pair, which JSON can have, would fail the whole scrape."""
    return str(value or "")[:_LONGEST_LABEL].encode("utf-8", "replace").decode()
