"""A server with threads looks whether there is a place before it parses a request."""

from __future__ import annotations

import pytest

from components.serve.admission import Desk
from components.serve.refusals import Refusal


def test_a_look_refuses_and_counts_only_at_the_limit() -> None:
    desk = Desk(1)
    desk.look()
    with desk.admit(), pytest.raises(Refusal, match="too_busy: 1 requests are in work"):
        desk.look()
    desk.look()
    counted = {sample.name: sample.value for metric in desk.metrics.registry.collect() for sample in metric.samples}
    assert counted["naru_requests_total"] == 2
