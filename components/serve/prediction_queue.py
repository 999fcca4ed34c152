"""Predictions on the event loop, one after the other, which share its time fairly with reading and refusing.

Were every waiting prediction run as soon as the one before it ends, nothing would be read meanwhile, and the wait could not be
bounded by refusing. Were the loop to go round after each, then each would wait for all that clients send: a crowd that is
refused and asks again at once would leave the model 5 % of the time (measured with 200 such clients). So predictions go on for
as long as the rest of the round took.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

_LEAST_SECONDS = 0.001
_MOST_SECONDS = 0.02
"""Of predictions in one round: what is read after them waits for so long."""


class PredictionQueue:
    """Runs calls in the order in which they come; for one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._is_scheduled = False
        self._ended = 0.0  # the last of the calls, by `perf_counter`

    async def run(self, call: Callable[[], Any]) -> Any:
        """What `call` returns or raises: at once when nothing ran in this round of the loop, else after those before it."""
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
                continue  # its client has hung up
            try:
                turn.set_result(call())
            except Exception as error:  # noqa: BLE001 - it belongs to the one who waits
                turn.set_exception(error)
        self._ended = time.perf_counter()
        self._is_scheduled = bool(self._waiting)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run_waiting)
