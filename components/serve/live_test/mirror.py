"""Shadow: copies of the champion's requests go to the version under test, whose answers are compared and logged, and never returned.

The request's thread only queues references. One thread sends the copies, one after the other, so that a slow shadow is asked for less and never
for more. A copy is dropped and counted when the queue is full, and first of all when the champion itself is under load.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from components._core.request_log.live_test_lines import CHALLENGER, CHAMPION, answer_of, write_line, write_lost
from components._core.request_log.sampling import is_sampled
from components.serve.label_log import LabelLog
from components.serve.live_test.challenger_client import UNREACHABLE, ChallengerClient, ChallengerError
from components.serve.live_test.contract import LiveTest, LiveTestSettings, Outputs
from components.serve.request_log import AnsweredRequest

MODE = "shadow"
QUEUE_REQUESTS = 256
"""Copies that may wait: a second of a busy server's requests."""
QUEUE_ROWS = 20_000
"""Rows of the copies that may wait."""
QUEUE_BYTES = 64 << 20
"""Bytes of the copies that may wait: a text may have a mebibyte."""
_TEXTS, _NUMBER_BYTES = (str, bytes), 32
_LOST_SECONDS = 5.0
_CLOSING_SECONDS = 3.0


class Mirror(LiveTest):
    """Copies requests to a shadow.

    Args:
        settings: The test.
        challenger: Client of the version under test.
        log: Takes the lines.
        is_pressed: Whether the champion is under load.
    """

    def __init__(
        self, settings: LiveTestSettings, challenger: ChallengerClient, log: LabelLog, is_pressed: Callable[[], bool]
    ) -> None:
        self._settings, self._challenger, self._log, self._is_pressed = settings, challenger, log, is_pressed
        self._queue: deque[tuple[AnsweredRequest, int]] = deque()  # with its bytes
        self._rows = self._bytes = self._compared = 0
        self._failed: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._lost_logged: Counter[str] = Counter()
        self._largest, self._seconds = 0.0, 0.0
        self._lock = threading.Lock()
        self._due, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="naru-mirror", daemon=True)
        self._thread.start()

    def add(self, answered: AnsweredRequest, *, is_open: bool = True) -> None:
        """Queue a copy of a request, or drop it; takes a few microseconds, and some more for texts."""
        if not is_sampled(answered.id, self._settings.share):
            return
        if self._is_pressed():
            self._lose("busy")
            return
        size = _bytes_of(answered)
        with self._lock:
            is_full = (
                len(self._queue) >= QUEUE_REQUESTS
                or self._rows + answered.rows > QUEUE_ROWS
                or self._bytes + size > QUEUE_BYTES
            )
            if not is_full and not self._closing.is_set():
                self._queue.append((answered, size))
                self._rows += answered.rows
                self._bytes += size
                was_idle = len(self._queue) == 1
        if is_full or self._closing.is_set():
            self._lose("full" if is_full else "ending")
        elif was_idle:
            self._due.set()

    def collect(self) -> Iterator[Metric]:
        """Export the counters of the shadow."""
        yield CounterMetricFamily("naru_shadow_compared", "Requests that both versions answered", self._compared)
        failed = CounterMetricFamily("naru_shadow_failed", "Copies that the shadow did not answer", labels=["code"])
        for code, count in sorted(self._failed.copy().items()):
            failed.add_metric([code], count)
        yield failed
        lost = CounterMetricFamily("naru_shadow_dropped", "Requests that were not copied", labels=["reason"])
        for reason, count in sorted(self._lost.copy().items()):
            lost.add_metric([reason], count)
        yield lost
        yield CounterMetricFamily("naru_shadow_seconds", "Time that the shadow took, in all", self._seconds)
        yield GaugeMetricFamily("naru_shadow_waiting", "Copies to be sent", len(self._queue))
        yield GaugeMetricFamily("naru_shadow_largest_difference", "Of a number in any answer", self._largest)

    def close(self) -> None:
        """Send no more copies; write what was compared."""
        self._closing.set()
        self._due.set()
        self._thread.join(_CLOSING_SECONDS)
        with self._lock:
            self._lost["ending"] += len(self._queue)
            self._queue.clear()
        self._log_lost()
        self._log.close()

    def _lose(self, reason: str, requests: int = 1) -> None:
        with self._lock:
            self._lost[reason] += requests

    def _run(self) -> None:
        logged = time.monotonic()
        while not self._closing.is_set():
            self._due.wait(_LOST_SECONDS)
            self._due.clear()
            while not self._closing.is_set() and (answered := self._take()):
                self._copy(answered)
            if time.monotonic() - logged > _LOST_SECONDS:
                self._log_lost()
                logged = time.monotonic()

    def _take(self) -> AnsweredRequest | None:
        with self._lock:
            if not self._queue:
                return None
            answered, size = self._queue.popleft()
            self._rows -= answered.rows
            self._bytes -= size
            return answered

    def _copy(self, answered: AnsweredRequest) -> None:
        began = time.perf_counter()
        try:
            outputs = self._challenger.ask(answered.id, answered.inputs)
        except ChallengerError as error:
            if error.code in (UNREACHABLE, "too_busy"):  # nothing was asked of the model
                self._lose(error.code)
                return
            self._failed[error.code] += 1
            self._write(answered, {"failed": error.code})
            return
        seconds = time.perf_counter() - began
        self._compared += 1
        self._seconds += seconds
        self._largest = max(self._largest, _largest_difference(answered.outputs, outputs))
        self._write(answered, answer_of(self._settings.challenger, seconds, outputs))

    def _write(self, answered: AnsweredRequest, challenger: dict[str, object]) -> None:
        own = answer_of(self._settings.champion, answered.seconds, answered.outputs)
        line = write_line(MODE, answered.id, answered.time, {CHAMPION: own, CHALLENGER: challenger})
        if not self._log.add(1, line, answered.time):
            self._lose("not written")

    def _log_lost(self) -> None:
        with self._lock:
            new = self._lost - self._lost_logged
            self._lost_logged = self._lost.copy()
        if new and not self._log.add(1, write_lost(MODE, new), time.time()):
            with self._lock:
                self._lost_logged -= new


def _bytes_of(answered: AnsweredRequest) -> int:
    """Return the approximate memory of a request, 25 ns for each text: this runs on the event loop."""
    return sum(map(_bytes_of_column, answered.inputs.values()))


def _bytes_of_column(values: Any) -> int:
    if isinstance(values, np.ndarray):
        return values.nbytes
    kinds = {*map(type, values)}
    if kinds == {str}:
        return sum(map(str.__sizeof__, values))
    texts = sum(each.__sizeof__() for each in values if isinstance(each, _TEXTS)) if kinds.intersection(_TEXTS) else 0
    return texts + _NUMBER_BYTES * len(values)


def _largest_difference(champion: Outputs, challenger: Outputs) -> float:
    """Return the largest difference of the numbers that both gave, 0 where their shapes differ: the judge says that."""
    both = [(values, challenger[name]) for name, values in champion.items() if name in challenger]
    numbers = [(one, other) for one, other in both if one.dtype != object and one.shape == other.shape and one.size]
    return max((float(np.abs(one - other).max()) for one, other in numbers), default=0.0)
