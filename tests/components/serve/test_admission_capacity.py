"""A server with threads looks whether there is a place before it parses a request."""

from __future__ import annotations

import pytest

from components._predictor.refusals import Refusal
from components.serve.admission import AdmissionControl


def test_a_look_refuses_and_counts_only_at_the_limit() -> None:
    admission = AdmissionControl(1)
    admission.check_capacity()
    with admission.admit(), pytest.raises(Refusal, match="too_busy: 1 requests are in progress"):
        admission.check_capacity()
    admission.check_capacity()
    counted = {
        sample.name: sample.value for metric in admission.metrics.registry.collect() for sample in metric.samples
    }
    assert counted["naru_requests_total"] == 2
