"""Runs predictions on the event loop, one after the other, such that they share its time fairly with reading and refusing.

If every waiting prediction ran as soon as the one before it ends, nothing would be read meanwhile, and refusing could not bound
the wait. If each took a round of the loop of its own, it would wait for all that clients send: many clients that retry at once
after a refusal would leave the model 5 % of the time (measured with 200 of them). So in each round predictions run for as long
as the rest of the round took.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

_LEAST_SECONDS = 0.001
_MOST_SECONDS = 0.02
"""Longest run of predictions in one round; everything else on the event loop waits for it."""


class PredictionQueue:
    """Runs calls in the order in which they come; for one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._is_scheduled = False
        self._ended = 0.0  # when the last call ended, by `perf_counter`

    async def run(self, call: Callable[[], Any]) -> Any:
        """Run `call`: at once when none ran in this round of the loop, else after those before it."""
        loop = asyncio.get_running_loop()
        if self._is_scheduled:
            turn: asyncio.Future[Any] = loop.create_future()
            self._waiting.append((call, turn))
            return await turn
        self._is_scheduled = True
        loop.call_soon(self._run_waiting)
        try:
            return call()
        finally:
            self._ended = time.perf_counter()

    def _run_waiting(self) -> None:
        began = time.perf_counter()
        until = began + min(max(began - self._ended, _LEAST_SECONDS), _MOST_SECONDS)
        while self._waiting and time.perf_counter() < until:
            call, turn = self._waiting.popleft()
            if turn.done():
                continue  # its client has disconnected
            try:
                turn.set_result(call())
            except Exception as error:  # noqa: BLE001 - raised in the waiting request
                turn.set_exception(error)
        self._ended = time.perf_counter()
        self._is_scheduled = bool(self._waiting)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run_waiting)
