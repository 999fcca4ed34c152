"""Predictions run in order, one after the other, and leave the event loop a fair share of its time."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from components.serve.prediction_queue import PredictionQueue


def takes(seconds: float, number: int, done: list[int]) -> Callable[[], int]:
    def call() -> int:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
        done.append(number)
        return number

    return call


async def _all(queue: PredictionQueue, calls: list[Callable[[], Any]]) -> list[Any]:
    return await asyncio.gather(*(queue.run(call) for call in calls), return_exceptions=True)


def test_answers_come_in_order_and_each_to_its_own_caller() -> None:
    done: list[int] = []
    assert asyncio.run(_all(PredictionQueue(), [takes(0.0, number, done) for number in range(50)])) == list(range(50))
    assert done == list(range(50))


def test_an_error_reaches_its_own_caller_only_and_the_queue_goes_on() -> None:
    def fails() -> None:
        raise ValueError("this row")

    done: list[int] = []
    found = asyncio.run(_all(PredictionQueue(), [fails, takes(0.0, 1, done), fails, takes(0.0, 2, done)]))
    assert [str(one) for one in found] == ["this row", "1", "this row", "2"]


def test_what_is_given_up_is_not_computed() -> None:
    async def give_up() -> list[int]:
        queue, done = PredictionQueue(), list[int]()
        waiting = [asyncio.ensure_future(queue.run(takes(0.0, number, done))) for number in range(3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[1]
        assert [await waiting[0], await waiting[2]] == [0, 2]
        return done

    assert asyncio.run(give_up()) == [0, 2]


def test_others_have_their_turn_between_predictions_and_do_not_starve_them() -> None:
    """Beside work of 4 ms in each round of the loop, the model gets about as much of the time, whatever waits."""

    async def share() -> tuple[int, int]:
        queue, done, rounds = PredictionQueue(), list[int](), 0
        waiting = asyncio.gather(*(queue.run(takes(0.001, number, done)) for number in range(200)))
        while not waiting.done():
            takes(0.004, 0, [])()
            rounds += 1
            await asyncio.sleep(0)
        assert await waiting == list(range(200))
        return rounds, len(done)

    rounds, done = asyncio.run(share())
    assert rounds > 5, "the loop goes round between them"
    assert done / rounds > 2, "more than one prediction in a round"
