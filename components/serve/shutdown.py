"""Shutdown of the v2 server on SIGTERM or Ctrl-C: it reports not ready, closes its ports after a notice, then exits.

By itself, uvicorn closes its port as soon as the signal arrives, while clients are still being routed to it, and MLServer's own
handler stops it a second time on Ctrl-C, which drops the requests in progress. Both answer what they have accepted when they
are stopped only once; so only the signal handlers and the readiness are replaced here.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from components.serve.admission import DRAIN_SECONDS
from components.serve.http_connections import Connections

_LOOP_ROUNDS = 2_048 // 16 + 8
"""Rounds of the event loop that accept a full queue of the kernel, a few connections in each."""
_ACCEPT_SECONDS = 3.0
"""Longest time for these rounds: clients that come back at once fill each with predictions."""


class Shutdown:
    """Shuts an MLServer down cleanly.

    Args:
        server: An MLServer whose ports are open.
        connections: Connections of its HTTP port: from the signal on, each answer closes its connection.
        notice: Seconds between reporting not ready and closing the ports, for load balancers to notice.
    """

    def __init__(self, server: Any, connections: Connections, notice: float) -> None:
        self._server, self._connections = server, connections
        self._notice = notice
        self._task: asyncio.Task[None] | None = None

    def handle_signals(self) -> None:
        """Replace the signal handlers of uvicorn and MLServer."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._begin)

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._end())

    async def _end(self) -> None:
        # not `model.ready`: MLServer would then refuse every request, and clients still send some
        plane = self._server._data_plane
        plane.ready = plane.model_ready = _is_not_ready
        self._connections.end()
        await asyncio.sleep(self._notice)
        loop = asyncio.get_running_loop()
        latest = loop.time() + _ACCEPT_SECONDS
        for _ in range(_LOOP_ROUNDS):
            await asyncio.sleep(0)  # accept the connections in the kernel's queue, which arrived in time
            if loop.time() > latest:
                break
        await self._server.stop(signal.SIGTERM)
        await asyncio.sleep(DRAIN_SECONDS)
        await self._server.stop(signal.SIGINT)  # after the first signal uvicorn stops at once on this one
        for connection in list(self._connections.open):
            connection.transport.abort()  # from Python 3.12 on uvicorn would still wait for each of them


async def _is_not_ready(*_: object, **__: object) -> bool:
    return False
