"""Admission control for both servers: a concurrency limit, a short queue, the request counters and the request log.

At most `limit` requests are in progress: admitted and not yet answered, whether they wait for their turn or for the model. A
short queue behind them absorbs bursts. It is bounded in length and in time; a request that finds it full, or waits too long, is
refused. The limit does not cover requests that were not read yet: bytes in the sockets of open connections, one request each.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Self

from components._predictor.refusals import Refusal
from components.serve.live_test.contract import LiveTest
from components.serve.prometheus_metrics import Metrics
from components.serve.request_log import AnsweredRequest, RequestLog

DRAIN_SECONDS = 8
"""Seconds to wait at shutdown for requests in progress; a client that stopped in the middle of its request does not count."""

MAX_CONCURRENCY = 16
"""Default for concurrent requests. They are answered one after the other, so this bounds the wait: to some ten milliseconds
with single rows, at any load (`make bench-serving` checks p99 at twice the server's capacity)."""


QUEUE_PER_SLOT = 2
"""Queued requests per concurrent request: 32 for 16, some 20 ms of single rows. That covers a burst, or another process on the
core."""

OVERLOADED_SHARE, RECOVERED_SHARE = 0.25, 0.1
"""Shares of the latest requests that are refused, from which the server counts as overloaded, and below which no longer. Then the queue
has one place for four slots: a queue that never empties makes every answer late and none more (K. Nichols, V. Jacobson: Controlling
Queue Delay, ACM Queue 10(5), 2012). A burst or a pause of the process fills a queue, too, but is over before so many are refused."""

_LATEST = 400
"""Requests over which these shares are taken; older ones count for less and less."""

QUEUE_SECONDS = 0.25
"""Longest wait in the queue. It matters when the requests in progress are large; small ones take a tenth of it."""


class AdmissionControl:
    """Admits requests up to a limit and counts their outcomes.

    `admit` is for threads and refuses at the limit; `slot` is for an event loop and waits in the queue.

    Args:
        limit: Concurrent requests.
        metrics: Counters of the requests.
        log: Log of the answered requests; None: no log.
        queue_seconds: How long a request may wait in the queue.

    Attributes:
        metrics: Counters of the requests.
        live_test: A version under test beside the model; None: there is none.
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
        self._queue_seconds = queue_seconds
        self._refused_share, self._is_overloaded = 0.0, False
        self._timer: asyncio.TimerHandle | None = None
        self._taken = 0
        self._expected = 0  # requests of this round of the event loop that have yet to enter
        self._lock = threading.Lock()
        self._log = log
        self.metrics = metrics or Metrics()
        self.live_test: LiveTest | None = None
        self.metrics.in_flight.set_function(lambda: self._taken)
        if log:
            self.metrics.add_request_log(log)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a slot during a `with` block.

        Raises:
            Refusal: `too_busy`, when none is free.
        """
        with self.metrics.counted(), self.hold():
            yield

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold a slot during a `with` block for what is no prediction, and is not counted as one; errors as in `admit`."""
        self._take()
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1

    @property
    def is_pressed(self) -> bool:
        """Whether requests wait, or more than half of the slots are taken: work that may be left out is left out then."""
        return bool(self._queue) or 2 * self._taken > self._limit

    def check_capacity(self) -> None:
        """Refuse a request that `admit` would refuse now, before any work on it. Takes no slot; for threads.

        Raises:
            Refusal: `too_busy`, counted.
        """
        if self._taken >= self._limit:
            with self.metrics.counted():
                raise self._too_busy()

    def refuse_early(self) -> Refusal | None:
        """Refuse, and count, a request that `slot` would refuse once it has a task; None: it is expected to enter. For an event loop.

        The requests whose heads are read in one round of the loop enter in the next one.
        """
        if self._limit + self._queue_room() - self._taken - len(self._queue) <= self._expected:
            refusal = self._too_busy()
            self.metrics.count_request(refusal)
            self._note(is_refused=True)
            return refusal
        if not self._expected:
            asyncio.get_running_loop().call_soon(self._expect_none)
        self._expected += 1
        return None

    def _expect_none(self) -> None:
        self._expected = 0

    def slot(self) -> Slot:
        """Return a slot for an `async with` block, which waits in the queue; for one event loop only.

        Entering raises Refusal: `too_busy`, when the queue is full or the wait too long.
        """
        return Slot(self)

    async def enter(self) -> None:
        """Take a slot, first come, first served; `Slot` releases it."""
        is_free = self._taken < self._limit and not self._queue
        is_full = not is_free and len(self._queue) >= self._queue_room()
        self._note(is_refused=is_full)
        if is_free:
            self._taken += 1
            return
        if is_full:
            raise self._too_busy()
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._queue.append((loop.time() + self._queue_seconds, turn))
        if self._timer is None:
            self._timer = loop.call_later(self._queue_seconds, self._refuse_overdue, loop)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # the slot was assigned already
            raise

    def leave(self) -> None:
        """Release a slot: to the request that has waited longest, if any waits."""
        while self._queue:
            turn = self._queue.popleft()[1]
            if not turn.done():
                turn.set_result(None)  # the slot passes to this request
                return
        self._taken -= 1

    def _refuse_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        """Refuse the requests that have waited too long, and schedule the next check."""
        now = loop.time()
        while self._queue and (self._queue[0][0] <= now or self._queue[0][1].done()):
            turn = self._queue.popleft()[1]
            if not turn.done():
                turn.set_exception(self._too_busy())
        self._timer = loop.call_at(self._queue[0][0], self._refuse_overdue, loop) if self._queue else None

    def _queue_room(self) -> int:
        return max(self._limit // 4, 1) if self._is_overloaded else QUEUE_PER_SLOT * self._limit

    def _note(self, *, is_refused: bool) -> None:
        self._refused_share += (is_refused - self._refused_share) / _LATEST
        self._is_overloaded = self._refused_share > (RECOVERED_SHARE if self._is_overloaded else OVERLOADED_SHARE)

    def _take(self) -> None:
        with self._lock:
            if self._taken >= self._limit:
                raise self._too_busy()
            self._taken += 1

    def _too_busy(self) -> Refusal:
        return Refusal("too_busy", f"{self._limit} requests are in progress; try again in a moment")

    def record_answer(
        self, answered: AnsweredRequest, later: Callable[..., object] | None = None, *, is_open: bool = True
    ) -> None:
        """Count an answer, and pass it to the log and to the live test.

        Args:
            answered: The request and its answer.
            later: Calls a function with its argument once the answer is sent; None: they get it at once.
            is_open: Whether a version under test might have answered.
        """
        self.metrics.count_answer(answered.rows, answered.seconds)
        takers: list[Callable[[AnsweredRequest], None]] = [self._log.add] if self._log else []
        if self.live_test:
            takers.append(partial(self.live_test.add, is_open=is_open))
        for take in takers:
            if later:
                later(take, answered)
            else:
                take(answered)


class Slot:
    """A slot of the admission control during an `async with` block; the outcome of the request is counted."""

    __slots__ = ("_admission", "_is_counted")

    def __init__(self, admission: AdmissionControl) -> None:
        self._admission = admission
        self._is_counted = True

    def hand_over(self) -> None:
        """Do not count the request here: another handler answers and counts it."""
        self._is_counted = False

    async def __aenter__(self) -> Self:
        """Wait for the slot."""
        try:
            await self._admission.enter()
        except Refusal as refusal:
            self._admission.metrics.count_request(refusal)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the slot."""
        self._admission.leave()
        if self._is_counted:
            self._admission.metrics.count_request(error)
