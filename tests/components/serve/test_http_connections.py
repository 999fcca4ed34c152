"""Connections of the v2 server over real sockets, with an application that says what it was sent. No model, short times."""

from __future__ import annotations

import asyncio
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
import uvicorn

from components.serve.early_refusals import EarlyRefusals
from components.serve.http_connections import Connections
from components.serve.limits import Limits
from tests.representatives import representatives

LIMITS = Limits(body_bytes=100_000, header_bytes=4_096, headers=20, head_seconds=1.0, idle_seconds=2.0)
PATIENT = replace(LIMITS, head_seconds=60.0, idle_seconds=60.0)
"""Of tests that are not about time: a busy machine may stop the client between two writes for more than a second."""
OK = b"HTTP/1.1 200 OK"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    answer = b"<%s %s %d>" % (scope["method"].encode(), scope["path"].encode(), len(body))
    if scope["path"][1:].isdigit():
        answer += b" " * int(scope["path"][1:])
    headers = [(b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


@dataclass
class Server:
    port: int
    connections: Connections
    uvicorn: Any
    loop: asyncio.AbstractEventLoop

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def ask(self, *parts: bytes, pause: float = 0.0, answers: int = 1) -> bytes:
        """Send, and all that comes until the server closes, or says nothing more after so many whole answers."""
        with self.connect() as connection:
            for part in parts:
                with suppress(ConnectionError):
                    connection.sendall(part)
                time.sleep(pause)
            return read(connection, 30, answers=answers)


def read(connection: socket.socket, seconds: float = 0.8, first: float = 3, answers: int = 0) -> bytes:
    connection.settimeout(max(seconds, first))  # a busy machine takes its time for the first words
    answer = b""
    try:
        while part := connection.recv(1 << 16):
            answer += part
            connection.settimeout(0.1 if answers and count_answers(answer) >= answers else seconds)
    except TimeoutError:
        return answer
    except ConnectionError:
        return answer + b"<reset>"
    return answer + b"<closed>"


def count_answers(text: bytes) -> int:
    """The whole answers in what came; each names its length."""
    head, blank, rest = text.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if not blank or length is None or len(rest) < int(length[1]):
        return 0
    return 1 + count_answers(rest[int(length[1]) :])


@contextmanager
def running(limits: Limits, most: int = 1_000, app: Any = None, early: EarlyRefusals | None = None) -> Iterator[Server]:
    connections, started = Connections(limits, most, early), threading.Event()
    config = uvicorn.Config(app or echo, port=0, http=connections.make, ws="none", lifespan="off", log_level="critical")
    server, found = uvicorn.Server(config), []

    class Rest:
        _server = server

    class Whole:
        _rest_server = Rest

    async def serve() -> None:
        watching = asyncio.create_task(connections.watch(Whole))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        found.append((server.servers[0].sockets[0].getsockname()[1], asyncio.get_running_loop()))
        started.set()
        await serving
        watching.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(60)
    yield Server(found[0][0], connections, server, found[0][1])
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(PATIENT) as started:
        yield started


@pytest.fixture(scope="module")
def impatient_server() -> Iterator[Server]:
    with running(LIMITS) as started:
        yield started


def request(path: str = "/", body: bytes = b"", headers: str = "", host: str = "Host: a\r\n") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"POST {path} HTTP/1.1\r\n{host}{headers}{length}\r\n".encode() + body


@pytest.mark.parametrize("upgrade", representatives(["h2c", "websocket", "TLS/1.0", "foo/2, h2c"], "h2c"))
def test_an_upgrade_is_ignored_and_the_body_read(server: Server, upgrade: str) -> None:
    headers = f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABk\r\n"
    first = request(body=b"x" * 1_000, headers=headers)
    for parts in ((first,), (first[:20], first[20:]), (first[:-500], first[-500:])):
        answer = server.ask(*parts, request("/next", b"yy"), pause=0.05, answers=2)
        assert answer.count(OK) == 2 and b"<POST / 1000>" in answer and b"<POST /next 2>" in answer
    chunked = request(headers=headers + "Transfer-Encoding: chunked\r\n") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert b"<POST / 5>" in server.ask(chunked)
    assert b"<POST / 0>" in server.ask(request(headers=headers))
    both = request(headers=headers, body=b"ab") + request("/n", headers=headers, body=b"c")
    assert b"<POST / 2>" in server.ask(both, answers=2)


def test_expect_is_answered(server: Server) -> None:
    with server.connect() as connection:
        whole = request(body=b"x" * 10, headers="Expect: 100-continue\r\n")
        connection.sendall(whole[:-10])
        assert read(connection, 0.3) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(whole[-10:])
        assert b"<POST / 10>" in read(connection, 0.3)
    old = whole.replace(b"HTTP/1.1", b"HTTP/1.0")  # knows no 100, and would take it for the answer
    assert server.ask(old).startswith(OK)
    answer = server.ask(request(headers="Expect: 100-continue\r\nContent-Length: 999999\r\n"))
    assert b" 413 " in answer and b"100 Continue" not in answer


@pytest.mark.parametrize(
    "sent",
    [
        (request(headers="Content-Length: 100001\r\n"),),
        (request(headers="Content-Length: 99999999999999\r\n"), b"x" * 500_000),
        (request(headers="Transfer-Encoding: chunked\r\n"), b"9c40\r\n" + b"x" * 40_000 + b"\r\n", *[b"9c40\r\n" + b"x" * 40_000 + b"\r\n"] * 4),
        (request(headers="Transfer-Encoding: chunked\r\n"), b"1\r\nx\r\n" * 50_000),
        (request(headers="Transfer-Encoding: chunked\r\n") + b"1\r\nx\r\n" * 35_000,),
    ],
    ids=["by its length", "and sent on", "while it is read", "in tiny chunks", "in tiny chunks in one read"],
)  # fmt: skip
def test_a_body_that_is_too_large_is_refused_with_413(server: Server, sent: tuple[bytes, ...]) -> None:
    answer = server.ask(*sent)
    assert (
        answer.startswith(b"HTTP/1.1 413 ") and b"at most 100000 are allowed" in answer and answer.endswith(b"<closed>")
    )


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 5_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 900_000, 431),
        (b"GET /" + b"x" * 5_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 20 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: deflate,CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_a_head_is_held_to_its_bounds(server: Server, head: bytes, status: int) -> None:
    answer = server.ask(head)
    assert answer.startswith(b"HTTP/1.1 %d " % status) and (status == 200 or answer.endswith(b"<closed>"))


@pytest.mark.parametrize("bad", [b"GARBAGE\r\n\r\n", request(host=""), request(headers="Content-Length: 100001\r\n")])
def test_what_came_before_a_bad_request_is_answered_first_and_in_order(server: Server, bad: bytes) -> None:
    answer = server.ask(request("/slow", b"abc") + request("/b", b"d") + bad, answers=9)  # until it closes
    places = [answer.find(text) for text in (b"<POST /slow 3>", b"<POST /b 1>", b"HTTP/1.1 4")]
    assert -1 < places[0] < places[1] < places[2] and answer.endswith(b"<closed>")


def test_a_client_that_sends_no_more_is_answered(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request("/slow", b"abc") + request("/b", b"d"))
        connection.shutdown(socket.SHUT_WR)
        answer = read(connection, 3)
        assert b"<POST /slow 3>" in answer and b"<POST /b 1>" in answer and answer.endswith(b"<closed>")


def test_a_stalled_connection_costs_a_bounded_time(impatient_server: Server) -> None:
    begun = time.monotonic()
    kept, never = impatient_server.connect(), impatient_server.connect()
    kept.sendall(request(body=b"abc"))
    head, body = impatient_server.connect(), impatient_server.connect()
    head.sendall(b"POST / HTTP/1.1\r\nHos")
    body.sendall(request(body=b"x" * 1_000)[:-500])
    assert read(never, 8) == b"<closed>"
    assert b" 408 " in read(head, 8) and b" 408 " in read(body, 8) and time.monotonic() - begun < 6
    assert b"<POST / 3>" in (answer := read(kept, 8)) and answer.endswith(b"<closed>")
    for connection in (kept, never, head, body):
        connection.close()


def test_a_head_that_comes_in_drops_ends_in_time(impatient_server: Server) -> None:
    begun = time.monotonic()
    with impatient_server.connect() as connection:
        for letter in request("/" + "x" * 60, host="Host: a\r\n"):
            connection.settimeout(0.1)
            connection.sendall(bytes([letter]))
            with suppress(TimeoutError):
                if b" 408 " in connection.recv(1_000):
                    break
        else:
            pytest.fail("it was let go on")
    assert time.monotonic() - begun < 6


@pytest.mark.slow
def test_a_client_that_does_not_read_is_cut_off() -> None:
    with running(LIMITS) as server, server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(0.2)
        with suppress(TimeoutError, ConnectionError):
            for _ in range(2_000):
                connection.sendall(request(body=b"x" * 10) * 50)
        deadline = time.monotonic() + 10
        while server.connections.open and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not server.connections.open


@pytest.mark.slow
def test_a_client_that_reads_slowly_but_steadily_gets_its_whole_answer() -> None:
    """As many seconds as the head may take would not be enough for it, nor those of the last connection."""
    size = 6_000_000
    with running(LIMITS) as server, server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.sendall(request(f"/{size}", headers="Connection: close\r\n", body=b"x"))
        connection.settimeout(5)
        answer = 0
        while part := connection.recv(60_000):
            answer += len(part)
            time.sleep(0.04)
    assert answer > size


def test_trailers_are_bounded_and_say_nothing(server: Server) -> None:
    head = request(headers="Transfer-Encoding: chunked\r\n") + b"1\r\na\r\n0\r\n"
    assert OK in server.ask(head + b"Host: b\r\nContent-Encoding: br\r\n\r\n")
    assert b" 431 " in server.ask(head, b"a: b\r\n" * 1_000)
    assert b" 431 " in server.ask(head + b"a: b\r\n" * 1_000)


def test_blanks_behind_a_value_are_no_part_of_it(server: Server) -> None:
    assert OK in server.ask(request(host="Host: a \t\r\n"))


def test_an_upgrade_without_a_body_is_answered_at_once_also_on_the_last_request(server: Server) -> None:
    begun = time.monotonic()
    assert OK in server.ask(request(headers="Connection: Upgrade, close\r\nUpgrade: h2c\r\n"))
    assert time.monotonic() - begun < 0.9


def test_more_connections_than_allowed_push_out_those_that_say_nothing() -> None:
    with running(LIMITS, most=20) as server:
        silent = [server.connect() for _ in range(60)]
        begun = time.monotonic()
        assert b"<POST / 1>" in server.ask(request(body=b"a"))
        assert time.monotonic() - begun < 2 and len(server.connections.open) <= 22
        for connection in silent:
            connection.close()


def test_large_bodies_of_all_connections_together_are_bounded() -> None:
    with running(LIMITS) as server:
        waiting = [server.connect() for _ in range(12)]
        for connection in waiting:
            connection.sendall(request(body=b"x" * 100_000)[:-1])
        time.sleep(0.5)
        assert server.connections.body_bytes <= 8 * LIMITS.body_bytes
        answered, _, _ = select.select(waiting, [], [], 5)  # the others wait for the rest of their bodies
        lines = [read(connection, 0.2) for connection in answered]
        assert 0 < sum(b" 429 " in text for text in lines) <= 5
        for connection in waiting:
            connection.close()
        deadline = time.monotonic() + 5
        while server.connections.body_bytes and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.connections.body_bytes == 0


def test_at_the_end_every_answer_says_so_and_every_request_that_arrived_is_answered() -> None:
    with running(LIMITS) as server:
        kept, busy, piped = server.connect(), server.connect(), server.connect()
        kept.sendall(request("/a"))
        assert b"<POST /a 0>" in read(kept, 0.3)
        busy.sendall(request("/slow"))
        piped.sendall(request("/slow") + request("/p"))
        time.sleep(0.2)
        server.loop.call_soon_threadsafe(server.connections.end)
        time.sleep(0.1)
        kept.sendall(request("/b"))
        late = server.connect()
        late.sendall(request("/late"))
        for connection, path in ((kept, b"/b"), (busy, b"/slow"), (late, b"/late"), (piped, b"/p")):
            answer = read(connection, 2)
            assert (
                b"<POST %s 0>" % path in answer
                and b"connection: close" in answer.lower()
                and answer.endswith(b"<closed>")
            )
            connection.close()
        again = [server.connect() for _ in range(20)]

        def stop() -> None:
            server.uvicorn.should_exit = True

        for connection in again:
            connection.sendall(request("/c"))
        server.loop.call_soon_threadsafe(stop)
        assert all(b"<POST /c 0>" in read(connection, 3) for connection in again)
