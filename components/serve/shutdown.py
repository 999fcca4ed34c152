"""How the server ends on SIGTERM or Ctrl-C: first it says that it is not ready, then it hangs up, last it ends.

Left alone, uvicorn closes its port the moment the signal comes, while clients are still sent to it, and MLServer's own
handler hurries it a second time on Ctrl-C, which drops what is in work. Both answer what they took in once they are told
to stop only once; so only the signal is taken from them, and readiness.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from components.serve.admission import OWED_SECONDS
from components.serve.http_connections import Connections

_ROUNDS = 2_048 // 16 + 8
"""Of the event loop: enough for a full queue of the kernel, of which it takes a few in each."""


class Ending:
    """Ends an MLServer in good order.

    Args:
        server: An MLServer whose ports are open.
        connections: Of its HTTP port: from the signal on, each answer is the last one on its connection.
        notice: Seconds between saying not ready and hanging up: what it takes whoever sends clients here to notice.
    """

    def __init__(self, server: Any, connections: Connections, notice: float) -> None:
        self._server, self._connections = server, connections
        self._notice = notice
        self._task: asyncio.Task[None] | None = None

    def take_over(self) -> None:
        """Be the one who hears the signals from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._begin)

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._end())

    async def _end(self) -> None:
        # not `model.ready`: MLServer would refuse every request from then on, and they still come
        plane = self._server._data_plane
        plane.ready = plane.model_ready = _is_not_ready
        self._connections.end()
        await asyncio.sleep(self._notice)
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)  # who stands in the kernel's queue has come in time, and is taken in
        await self._server.stop(signal.SIGTERM)
        await asyncio.sleep(OWED_SECONDS)
        await self._server.stop(signal.SIGINT)  # uvicorn takes this, after the other, as: now
        for connection in list(self._connections.open):
            connection.transport.abort()  # from Python 3.12 on uvicorn waits for each of them all the same


async def _is_not_ready(*_: object, **__: object) -> bool:
    return False
