"""The end of the v2 server takes a bounded time, however busy its event loop is."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from components.serve import shutdown
from components.serve.http_connections import Connections
from components.serve.limits import Limits
from components.serve.shutdown import Shutdown


class Server:
    """Notes when it is asked to stop."""

    _data_plane: Any = type("Plane", (), {})()

    def __init__(self) -> None:
        self.stopped: list[float] = []

    async def stop(self, _: int) -> None:
        self.stopped.append(time.monotonic())


def test_clients_that_keep_the_loop_busy_do_not_put_off_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "_ACCEPT_SECONDS", 0.2)
    monkeypatch.setattr(shutdown, "DRAIN_SECONDS", 0)
    server = Server()

    async def serve() -> float:
        loop = asyncio.get_running_loop()

        def predict() -> None:
            time.sleep(0.02)
            if not server.stopped:
                loop.call_soon(predict)

        loop.call_soon(predict)
        begun = time.monotonic()
        await Shutdown(server, Connections(Limits(), 10), 0.0)._end()
        return server.stopped[0] - begun

    assert asyncio.run(serve()) < 2  # all rounds would take three seconds
