"""At the limit of requests the v2 server refuses the next one before it has a task, tried on a real uvicorn."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from components._predictor.refusals import Refusal
from components.serve.admission import AdmissionControl
from components.serve.early_refusals import EarlyRefusals
from components.serve.limits import Limits
from tests.components.serve.test_admission import metric_lines
from tests.components.serve.test_http_connections import Server, read, request, running

PATH = "/v2/models/tiny/infer"
FULL = 3
"""Requests that fill a limit of 1 and its queue of 2."""


class Held:
    """An application whose answers wait until they are let go; each needs a slot."""

    def __init__(self, admission: AdmissionControl) -> None:
        self.admission, self.gate = admission, asyncio.Event()
        self.begun = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.begun += 1
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"] == PATH:
            async with self.admission.slot():
                await self.gate.wait()
        head = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def full(limits: Limits | None = None) -> Iterator[tuple[Server, Held, list[socket.socket]]]:
    """A server with as many requests as it takes, and the connections on which they wait."""
    admission = AdmissionControl(1, queue_seconds=60.0)
    app = Held(admission)
    with running(limits or Limits(), app=app, early=EarlyRefusals(admission, [PATH])) as server:
        waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(FULL)]
        for number, connection in enumerate(waiting):
            connection.sendall(request(PATH, b"%d" % number))
        until = time.monotonic() + 60
        while len(admission._queue) < FULL - 1 and time.monotonic() < until:
            time.sleep(0.005)
        yield server, app, waiting
        server.loop.call_soon_threadsafe(app.gate.set)
        for connection in waiting:
            connection.close()


def ask(connection: socket.socket, *parts: bytes) -> tuple[int, bytes, bytes]:
    """Send a request in parts; return the status, the head and the body of the answer."""
    for part in parts:
        connection.sendall(part)
        time.sleep(0.02)
    head, _, body = read(connection, 30, answers=1).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head.lower(), body


def test_a_request_above_the_limit_is_refused_before_the_application_and_its_connection_stays() -> None:
    with full() as (server, app, waiting), socket.create_connection(("127.0.0.1", server.port)) as connection:
        for _ in range(2):
            status, head, body = ask(connection, request(PATH, b"x"))
            assert status == 429 and b"retry-after: 1" in head and b"application/json" in head and b"date: " in head
            assert json.loads(body) == {"error": "too_busy: 1 requests are in progress; try again in a moment"}
        assert app.begun == FULL
        assert 'naru_refusals_total{code="too_busy"} 2.0' in metric_lines(app.admission)
        server.loop.call_soon_threadsafe(app.gate.set)
        assert [ask(one)[2] for one in waiting] == [b"0", b"1", b"2"]
        assert ask(connection, request(PATH, b"y"))[::2] == (200, b"y")


def test_the_body_of_a_refused_request_is_read_to_its_end() -> None:
    with full() as (server, app, _), socket.create_connection(("127.0.0.1", server.port)) as connection:
        whole = request(PATH, b"x" * 200_000)
        assert ask(connection, whole[:500], whole[500:100_000], whole[100_000:])[0] == 429
        assert ask(connection, request("/other", b"z"))[::2] == (200, b"z") and app.begun == FULL + 1


def test_a_refused_request_may_not_send_more_than_others() -> None:
    chunks = b"%x\r\n%s\r\n" % (40_000, b"x" * 40_000) * 3
    headers = "Transfer-Encoding: chunked\r\n"
    with (
        full(Limits(body_bytes=100_000)) as (server, _, _),
        socket.create_connection(("127.0.0.1", server.port)) as connection,
    ):
        status, head, _ = ask(connection, request(PATH, headers=headers), chunks)
        assert status == 413 and b"connection: close" in head


def test_a_refused_request_is_the_last_of_its_connection_once_the_server_shuts_down() -> None:
    with full() as (server, _, _), socket.create_connection(("127.0.0.1", server.port)) as connection:
        whole = request(PATH, b"x" * 1_000)
        connection.sendall(whole[:500])
        time.sleep(0.05)
        server.loop.call_soon_threadsafe(server.connections.end)
        connection.sendall(whole[500:])
        answer = read(connection, 30)
        assert answer.startswith(b"HTTP/1.1 429") and b"\r\nconnection: close\r\n" in answer
        assert answer.endswith(b"<closed>")


@pytest.mark.parametrize(
    ("sent", "status"),
    [(request("/other", b"1"), 200), (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200)],
    ids=["path", "get"],
)
def test_other_requests_go_on(sent: bytes, status: int) -> None:
    with full() as (server, _, _), socket.create_connection(("127.0.0.1", server.port)) as connection:
        assert ask(connection, sent)[0] == status


def test_a_request_behind_another_of_its_connection_is_answered_after_it() -> None:
    with full() as (server, app, waiting):
        waiting[0].sendall(request(PATH, b"next"))
        time.sleep(0.05)
        server.loop.call_soon_threadsafe(app.gate.set)
        assert read(waiting[0], 30, answers=2).count(b"HTTP/1.1 200 OK") == 2 and app.begun == FULL + 1


def test_requests_of_one_round_are_counted_before_they_enter() -> None:
    async def rounds() -> list[list[bool]]:
        admission, found = AdmissionControl(1), []
        for _ in range(2):
            found.append([isinstance(admission.refuse_early(), Refusal) for _ in range(FULL + 2)])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return found

    assert asyncio.run(rounds()) == [[False] * FULL + [True] * 2] * 2, "none of them entered, so the next find room"
