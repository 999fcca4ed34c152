"""Time that a test moves."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Runs `speed` times as fast as the real one; 0: stands still but for `advance`, which also serves as a `sleep`."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._began, self._start, self._ahead = datetime.now(UTC), time.monotonic(), 0.0
        self._lock = threading.Lock()
        self.watchers: list[Callable[[], None]] = []
        """Called whenever it was moved, so that what a test says next holds from then on."""

    def now(self) -> float:
        """Seconds since it was made."""
        return (time.monotonic() - self._start) * self.speed + self._ahead

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._ahead += seconds
        for watcher in self.watchers:
            watcher()

    def tell(self, at: float) -> str:
        """A moment as Kubernetes writes it."""
        return (self._began + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")
