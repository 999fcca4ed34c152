"""What a request passes on its way to the model and back, whichever model server brought it: the limit, the counters, the log.

At most `limit` requests are in work: taken in and not yet answered, whether they wait for their turn or for the model. Behind
them a short queue levels what comes in bursts: it is bounded in number and in time, and what finds no room in it, or waits too
long, is refused. What the limit does not bound is what has not been taken in: bytes in the sockets of open connections, of
which each holds one request at a time.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from components.serve.prometheus_metrics import Metrics
from components.serve.refusals import Refusal
from components.serve.request_log import Answered, RequestLog

OWED_SECONDS = 8
"""At the end, how long answers that are owed are waited for: a client that stopped in the middle of its request keeps none alive."""

MAX_CONCURRENCY = 16
"""Requests in work at a time, unless the server says otherwise. One after the other is answered, so this bounds the wait: with
single rows to some ten milliseconds, whatever is offered (`make bench-serving` holds p99 at twice what it carries against that)."""


QUEUE_PER_PLACE = 2
"""Requests that may wait, for each that may be in work: with 16 and 32, some 20 ms of single rows, which is a burst,
or another process on the core."""

QUEUE_SECONDS = 0.25
"""How long one may wait. It matters when those in work are large; small ones are through in a tenth of it."""


class Desk:
    """Lets requests in up to a limit and counts what becomes of them.

    `admit` is for threads, and refuses at the limit; `place` is for an event loop, and waits there.

    Args:
        limit: Requests in work at a time.
        metrics: Where they are counted.
        log: Where answered ones are written; None: nowhere.
        queue_seconds: How long a request may wait for its place.
    """

    def __init__(
        self,
        limit: int = MAX_CONCURRENCY,
        metrics: Metrics | None = None,
        log: RequestLog | None = None,
        queue_seconds: float = QUEUE_SECONDS,
    ) -> None:
        self._limit = limit
        self._queue: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._queue_room, self._queue_seconds = QUEUE_PER_PLACE * limit, queue_seconds
        self._timer: asyncio.TimerHandle | None = None
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
        """Refuse what `admit` would refuse now, before any work on it; takes no place. For threads.

        Raises:
            Refusal: `too_busy`, counted.
        """
        if self._taken >= self._limit:
            with self.metrics.counted():
                raise self._too_busy()

    def place(self) -> Place:
        """A place for an `async with` block, waited for in the queue; from one event loop only.

        Entering raises Refusal: `too_busy`, when the queue is full or the wait too long.
        """
        return Place(self)

    async def enter(self) -> None:
        """Take a place, first come, first served; `Place` gives it back."""
        if self._taken < self._limit and not self._queue:
            self._taken += 1
            return
        if len(self._queue) >= self._queue_room:
            raise self._too_busy()
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._queue.append((loop.time() + self._queue_seconds, turn))
        if self._timer is None:
            self._timer = loop.call_later(self._queue_seconds, self._send_away, loop)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # the place was ours already
            raise

    def leave(self) -> None:
        """Give a place back: to the one that has waited longest, if there is one."""
        while self._queue:
            turn = self._queue.popleft()[1]
            if not turn.done():
                turn.set_result(None)  # the place changes hands
                return
        self._taken -= 1

    def _send_away(self, loop: asyncio.AbstractEventLoop) -> None:
        """Refuse those that have waited too long, and look again when the next one will have."""
        now = loop.time()
        while self._queue and (self._queue[0][0] <= now or self._queue[0][1].done()):
            turn = self._queue.popleft()[1]
            if not turn.done():
                turn.set_exception(self._too_busy())
        self._timer = loop.call_at(self._queue[0][0], self._send_away, loop) if self._queue else None

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


class Place:
    """A place at the desk during an `async with` block; what becomes of the request is counted."""

    __slots__ = ("_desk", "_is_counted")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._is_counted = True

    def hand_over(self) -> None:
        """Leave the counting to whoever answers the request instead."""
        self._is_counted = False

    async def __aenter__(self) -> Self:
        """Wait for it."""
        try:
            await self._desk.enter()
        except Refusal as refusal:
            self._desk.metrics.count_request(refusal)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self._desk.leave()
        if self._is_counted:
            self._desk.metrics.count_request(error)
