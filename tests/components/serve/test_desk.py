"""The limit and the counters, without any server."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from components.serve.desk import Desk
from components.serve.metrics import Metrics
from components.serve.refusals import Refusal


def told(desk: Desk) -> list[str]:
    return generate_latest(desk.metrics.registry).decode().splitlines()


def test_one_request_more_than_the_limit_is_refused_and_a_place_comes_free_again() -> None:
    desk = Desk(limit=1)
    with desk.admit(), pytest.raises(Refusal, match="too_busy: 1 requests are in work") as caught, desk.admit():
        pass
    assert caught.value.status == 429
    with desk.admit():
        assert "naru_in_flight 1.0" in told(desk)
    assert "naru_in_flight 0.0" in told(desk)


def test_a_request_that_fails_gives_its_place_back_and_is_counted_by_its_reason() -> None:
    desk = Desk(limit=1)
    with pytest.raises(Refusal), desk.admit():
        raise Refusal("wrong_type", "no number")
    with pytest.raises(RuntimeError), desk.admit():
        raise RuntimeError
    lines = told(desk)
    assert 'naru_refusals_total{code="wrong_type"} 1.0' in lines
    assert 'naru_refusals_total{code="unexpected"} 1.0' in lines
    assert "naru_requests_total 2.0" in lines and "naru_in_flight 0.0" in lines


def test_name_and_version_are_told() -> None:
    desk = Desk(metrics=Metrics("flights", "7"))
    assert 'naru_model_info{name="flights",version="7"} 1.0' in told(desk)
