"""What a request passes on its way to the model and back, whichever model server brought it: the limit, the counters, the log.

At most `limit` requests are in work: taken in and not yet answered, whether they wait for their turn or for the model. One
more is refused at once. What the limit does not bound is what has not been taken in: bytes in the sockets of open
connections, of which each holds one request at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from components.serve.metrics import Metrics
from components.serve.refusals import Refusal
from components.serve.request_log import Answered, RequestLog

OWED_SECONDS = 8
"""At the end, how long answers that are owed are waited for: a client that stopped in the middle of its request keeps none alive."""

MAX_CONCURRENCY = 16
"""Requests in work at a time, unless the server says otherwise. One after the other is answered, so this bounds the wait: with
single rows to some ten milliseconds, whatever is offered (`make bench-serving` holds p99 at twice what it carries against that)."""


class Desk:
    """Lets requests in up to a limit and counts what becomes of them; safe to use from several threads.

    Args:
        limit: Requests in work at a time.
        metrics: Where they are counted.
        log: Where answered ones are written; None: nowhere.
    """

    def __init__(
        self, limit: int = MAX_CONCURRENCY, metrics: Metrics | None = None, log: RequestLog | None = None
    ) -> None:
        self._limit = limit
        self._taken = 0
        self._lock = threading.Lock()
        self._log = log
        self.metrics = metrics or Metrics()
        self.metrics.in_flight.set_function(lambda: self._taken)
        if log:
            self.metrics.watch(log)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place during a `with` block.

        Raises:
            Refusal: `too_busy`, when there is none.
        """
        with self.metrics.counted():
            self._take()
            try:
                yield
            finally:
                with self._lock:
                    self._taken -= 1

    def look(self) -> None:
        """Refuse what would be refused by `admit` now, before any work on it; takes no place.

        Raises:
            Refusal: `too_busy`, counted.
        """
        if self._taken >= self._limit:
            with self.metrics.counted():
                raise self._too_busy()

    def _take(self) -> None:
        with self._lock:
            if self._taken >= self._limit:
                raise self._too_busy()
            self._taken += 1

    def _too_busy(self) -> Refusal:
        return Refusal("too_busy", f"{self._limit} requests are in work; ask again in a moment")

    def note(self, answered: Answered) -> None:
        """Count an answer and leave it to the log."""
        self.metrics.count_answer(answered.rows, answered.seconds)
        if self._log:
            self._log.add(answered)
