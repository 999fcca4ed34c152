"""Takes posted labels for both servers: a slot of the admission control, the rules, the label log, counters of its own.

naru_feedback_labels_total              labels that were taken
naru_feedback_refusals_total{code}      requests with labels that were refused, by the codes of `refusals.py`
naru_feedback_waiting                   labels that are not in the store yet
naru_feedback_written_total             labels that are
naru_feedback_failures_total            failed attempts to write to the store

They are not among `naru_requests_total`, nor in the request log: a refused label is no refused prediction.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from components._core.request_log.posted_labels import PostedLabel, write_lines
from components._predictor.refusals import STATUS, Refusal
from components.serve.admission import AdmissionControl
from components.serve.label_log import LabelLog
from components.serve.label_rules import LabelRules

CLOSED = "this server takes no labels; `endpoint: true` in the section feedback of project.yaml opens it"


class LabelIntake(Collector):
    """Takes labels.

    Args:
        rules: What a label may be.
        log: Where they are kept.
        admission: Admission control of all requests, whose slots requests with labels hold too.

    Attributes:
        rules: The rules.
        admission: The admission control.
    """

    def __init__(self, rules: LabelRules, log: LabelLog, admission: AdmissionControl) -> None:
        self.rules, self.admission = rules, admission
        self._log = log
        self._lock = threading.Lock()  # of the counters: requests are taken by several threads
        self._taken = 0
        self._refusals: Counter[str] = Counter()
        admission.metrics.add_collector(self)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the refusal of a `with` block."""
        try:
            yield
        except Refusal as refusal:
            with self._lock:
                self._refusals[refusal.code] += 1
            raise

    def take(self, labels: Sequence[PostedLabel]) -> int:
        """Queue the labels of a request for the log, all or none; returns their number.

        Raises:
            Refusal: `too_busy`, when there is no room for them.
        """
        seconds = time.time()
        if not self._log.add(len(labels), write_lines(labels, seconds), seconds):
            raise Refusal("too_busy", "too many labels wait for their store; send them again in a while")
        with self._lock:
            self._taken += len(labels)
        return len(labels)

    def take_body(self, body: bytes) -> int:
        """Take the labels of the body of `POST /v2/models/NAME/feedback`; errors as in `LabelRules.read` and `take`."""
        return self.take(self.rules.read(body))

    def take_truth(self, message: Any) -> tuple[str, int]:
        """Take the labels of a `Feedback` message of Seldon's protocol; returns their id and number. Errors as in `take_body`."""
        labels = self.rules.read_truth(message)
        return labels[0].id, self.take(labels)

    def collect(self) -> Iterator[Metric]:
        """Yield the counters."""
        yield CounterMetricFamily("naru_feedback_labels", "Labels that were taken", self._taken)
        refusals = CounterMetricFamily("naru_feedback_refusals", "Requests with labels refused", labels=["code"])
        for code in STATUS:
            refusals.add_metric([code], self._refusals[code])
        yield refusals
        yield GaugeMetricFamily("naru_feedback_waiting", "Labels to be written", self._log.waiting)
        yield CounterMetricFamily("naru_feedback_written", "Labels in the store", self._log.written)
        yield CounterMetricFamily("naru_feedback_failures", "Tries that failed", self._log.failures)
