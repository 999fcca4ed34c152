"""A/B: the version under test answers a fixed share of the requests; the same key always gets the same version.

A digest of the key decides, salted with the test's name, so that two tests assign independently. Where the version under test does not answer, the
champion does: a client never sees its failure, and the test counts it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from prometheus_client.core import CounterMetricFamily, Metric

from components._core.request_log.live_test_lines import CHALLENGER, CHAMPION, answer_of, write_line, write_lost
from components._core.request_log.value_hashes import ValueHasher
from components._predictor.feature_values import Columns
from components.serve.label_log import LabelLog
from components.serve.live_test.challenger_client import ChallengerClient, ChallengerError
from components.serve.live_test.contract import Answer, LiveTest, LiveTestSettings
from components.serve.request_log import AnsweredRequest

MODE = "ab"
_THREADS = 16
_MOST_FAILURES = 1_000
_UNKNOWN = "failed"


class Split(LiveTest):
    """Assigns requests to two versions.

    Args:
        settings: The test.
        challenger: Client of the version under test.
        log: Takes the lines.
        is_pressed: Whether the champion is under load; an assignment does not depend on it.
    """

    def __init__(
        self, settings: LiveTestSettings, challenger: ChallengerClient, log: LabelLog, is_pressed: Callable[[], bool]
    ) -> None:
        self._settings, self._challenger, self._log = settings, challenger, log
        self._hasher = ValueHasher(settings.test.encode())
        self._below = int(settings.share * 2**32)
        self._lock = threading.Lock()
        self._failed: dict[str, str] = {}  # why the champion answers a request that was not its own
        self._answered: Counter[str] = Counter()
        self._fallbacks: Counter[str] = Counter()
        self._not_written = 0
        self.threads = self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="naru-split")

    def routes(self, request_id: str, columns: Columns) -> bool:
        """Return whether the version under test answers; takes a few microseconds."""
        return self._is_theirs(self._unit(request_id, columns))

    def ask(self, request_id: str, columns: Columns) -> Answer | None:
        """Let the version under test answer."""
        began = time.perf_counter()
        try:
            outputs = self._challenger.ask(request_id, columns)
        except ChallengerError as error:
            with self._lock:
                self._fallbacks[error.code] += 1
                self._failed[request_id] = error.code
                if (
                    len(self._failed) > _MOST_FAILURES
                ):  # the champion refused the oldest ones, too: nobody answered them
                    del self._failed[next(iter(self._failed))]
            return None
        answer = answer_of(self._settings.challenger, time.perf_counter() - began, outputs)
        self._write(request_id, self._unit(request_id, columns), time.time(), {CHALLENGER: answer})
        return Answer(outputs, self._settings.challenger)

    def add(self, answered: AnsweredRequest, *, is_open: bool = True) -> None:
        """Take note of what the champion answered: a request of its own, or one that the version under test did not answer."""
        if not is_open:
            return  # it named the champion's version, or its path is not split: it is in no arm, or the arms had other clients
        with self._lock:
            failed = self._failed.pop(answered.id, "")
        unit = self._unit(answered.id, answered.inputs)
        if not failed and self._is_theirs(unit):
            failed = _UNKNOWN
        own = {CHAMPION: answer_of(self._settings.champion, answered.seconds, answered.outputs)}
        self._write(answered.id, unit, answered.time, {**({CHALLENGER: {"failed": failed}} if failed else {}), **own})

    def collect(self) -> Iterator[Metric]:
        """Export who answered."""
        answered = CounterMetricFamily("naru_ab_answered", "Requests by the version that answered", labels=["version"])
        for version, count in sorted(self._answered.copy().items()):
            answered.add_metric([version], count)
        yield answered
        fallbacks = CounterMetricFamily(
            "naru_ab_fallbacks", "Requests of the version under test that the champion answered", labels=["code"]
        )
        for code, count in sorted(self._fallbacks.copy().items()):
            fallbacks.add_metric([code], count)
        yield fallbacks

    def close(self) -> None:
        """Write what waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._not_written:
            self._log.add(1, write_lost(MODE, {"not written": self._not_written}), time.time())
        self._log.close()

    def _unit(self, request_id: str, columns: Columns) -> str:
        """Return the digest that assigns a request: of the key's value in its first row, or of its id where it has none."""
        values = columns.get(self._settings.key) if self._settings.key else None
        digest = self._hasher.hash(values[:1])[0].partition(":")[2] if values is not None and len(values) else ""
        return digest or self._hasher.hash([f"id {request_id}"])[0].partition(":")[2]

    def _is_theirs(self, unit: str) -> bool:
        return int(unit[:8], 16) < self._below

    def _write(self, request_id: str, unit: str, seconds: float, answers: dict[str, dict[str, object]]) -> None:
        line = write_line(MODE, request_id, seconds, answers, unit)
        is_written = self._log.add(1, line, seconds)
        with self._lock:
            self._answered[self._settings.champion if CHAMPION in answers else self._settings.challenger] += 1
            self._not_written += not is_written
