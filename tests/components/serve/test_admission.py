"""The limit and the counters, without any server."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from components._predictor.refusals import Refusal
from components.serve.admission import AdmissionControl
from components.serve.prometheus_metrics import Metrics
from tests.components.serve.test_request_log import answered, opened


def metric_lines(admission: AdmissionControl) -> list[str]:
    return generate_latest(admission.metrics.registry).decode().splitlines()


def test_one_request_more_than_the_limit_is_refused_and_a_place_comes_free_again() -> None:
    admission = AdmissionControl(limit=1)
    with (
        admission.admit(),
        pytest.raises(Refusal, match="too_busy: 1 requests are in progress") as caught,
        admission.admit(),
    ):
        pass
    assert caught.value.status == 429
    with admission.admit():
        assert "naru_in_flight 1.0" in metric_lines(admission)
    assert "naru_in_flight 0.0" in metric_lines(admission)


def test_a_request_that_fails_gives_its_place_back_and_is_counted_by_its_reason() -> None:
    admission = AdmissionControl(limit=1)
    with pytest.raises(Refusal), admission.admit():
        raise Refusal("wrong_type", "no number")
    with pytest.raises(RuntimeError), admission.admit():
        raise RuntimeError
    lines = metric_lines(admission)
    assert 'naru_refusals_total{code="wrong_type"} 1.0' in lines
    assert 'naru_refusals_total{code="unexpected"} 1.0' in lines
    assert "naru_requests_total 2.0" in lines and "naru_in_flight 0.0" in lines


def test_name_and_version_are_exported() -> None:
    admission = AdmissionControl(metrics=Metrics("flights", "7"))
    assert 'naru_model_info{name="flights",version="7"} 1.0' in metric_lines(admission)


def run(admission: AdmissionControl, seconds: list[float]) -> list[Any]:
    """Requests that all come at once and take so long; returns what became of each, in the order of their ends."""

    async def request(number: int, duration: float) -> int:
        async with admission.slot():
            await asyncio.sleep(duration)
            ended.append(number)
        return number

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(request(at, took) for at, took in enumerate(seconds)), return_exceptions=True)

    ended: list[int] = []
    found = asyncio.run(all_of_them())
    return [*ended, *(refusal.code for refusal in found if isinstance(refusal, Refusal))]


def test_what_comes_above_the_limit_waits_in_turn_and_above_the_queue_is_refused() -> None:
    admission = AdmissionControl(limit=2)
    assert run(admission, [0.02] * 8) == [0, 1, 2, 3, 4, 5, "too_busy", "too_busy"]
    assert run(admission, [0.02]) == [0]
    lines = metric_lines(admission)
    assert "naru_requests_total 9.0" in lines and 'naru_refusals_total{code="too_busy"} 2.0' in lines
    assert "naru_in_flight 0.0" in lines


def test_a_wait_is_bounded_in_time_and_leaves_the_place_to_others() -> None:
    admission = AdmissionControl(limit=1, queue_seconds=0.1)
    began = time.perf_counter()
    assert run(admission, [0.5, 0.0, 0.0]) == [0, "too_busy", "too_busy"]
    assert time.perf_counter() - began < 5 and run(admission, [0.0]) == [0]


def test_one_that_gives_up_in_the_queue_takes_no_place() -> None:
    admission = AdmissionControl(limit=1)

    async def go() -> int:
        async def hold(seconds: float) -> None:
            async with admission.slot():
                await asyncio.sleep(seconds)

        first = asyncio.create_task(hold(0.1))
        waiting = [asyncio.create_task(hold(0.0)) for _ in range(2)]
        await asyncio.sleep(0.02)
        waiting[0].cancel()
        await asyncio.gather(first, *waiting, return_exceptions=True)
        await hold(0.0)
        return admission._taken

    assert asyncio.run(go()) == 0


def test_a_request_that_another_counts_is_counted_once() -> None:
    admission = AdmissionControl()

    async def go() -> None:
        async with admission.slot() as slot:
            slot.hand_over()
        with pytest.raises(Refusal):
            async with admission.slot():
                raise Refusal("wrong_type", "no number")

    asyncio.run(go())
    assert "naru_requests_total 1.0" in metric_lines(
        admission
    ) and 'naru_refusals_total{code="wrong_type"} 1.0' in metric_lines(admission)


def test_an_answer_is_counted_at_once_and_its_line_made_when_it_is_sent(tmp_path: Path) -> None:
    log, later = opened(tmp_path), list[Any]()
    admission = AdmissionControl(log=log)
    admission.record_answer(answered(rows=3), lambda *call: later.append(call))
    assert "naru_rows_total 3.0" in metric_lines(admission) and log.waiting == 0
    for function, argument in later:
        function(argument)
    assert log.waiting == 1
    log.close()


def test_at_lasting_overload_the_queue_is_short_until_few_are_refused() -> None:
    async def let_in() -> list[int]:
        """Of bursts in one round of the loop: how many of them find a slot or a place in the queue."""
        admission, found = AdmissionControl(4), list[int]()

        async def burst(requests: int) -> None:
            found.append([admission.refuse_early() for _ in range(requests)].count(None))
            await asyncio.sleep(0)

        await burst(20)
        await burst(70)
        await burst(400)
        await burst(20)
        for _ in range(800):
            await admission.enter()
            admission.leave()
        await burst(20)
        return found

    assert asyncio.run(let_in()) == [12, 12, 12, 5, 12], "two places in the queue for a slot, or one for four"
