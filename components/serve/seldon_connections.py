"""Connections of the server for Seldon's protocol: read and written by one thread that waits for none of them.

Gunicorn's threads read a request and write its answer themselves, so as many stalled clients as there are threads make such a
server deaf, and its main thread waits up to two seconds whenever it closes a connection. Here the main thread collects a
request (`seldon_http_request.py`), a thread of the pool answers it from memory, and what a client does not take at once waits in
memory again. Probes are answered by the main thread. Gunicorn parses heads, makes WSGI of them, and formats answers.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import selectors
import signal
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors, wsgi
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers.gthread import ThreadWorker

from components.serve.admission import OWED_SECONDS
from components.serve.http_refusals import HttpRefusal
from components.serve.limits import Limits, max_connections
from components.serve.seldon_http_request import Intake
from components.serve.seldon_runtime import NaruComponent, told

HEALTH = frozenset({"/health/ping", "/health/status", "/api/v1.0/health/status"})
_READ_BYTES = 1 << 16
_HELD_BYTES = 128 << 20
"""Requests and answers that may be in memory, all connections together; small ones are taken beyond it."""
_SMALL_BYTES = 1 << 16
_SWEEP_SECONDS = 1.0
_LINGER_SECONDS = 2.0
_DISCARDED_BYTES = 256 << 20
_ACCEPTED_AT_ONCE = 64
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SERVER = "naru"
_BUSY = HttpRefusal(
    503, "too_many_connections", "the server holds as many connections as it can; ask again in a moment"
)
_SLOW = HttpRefusal(408, "too_slow", "the rest of the request did not arrive in time")
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (errors.LimitRequestLine, 414),
    (errors.LimitRequestHeaders, 431),
    (errors.ExpectationFailed, 417),
    (errors.UnsupportedTransferCoding, 501),
    (errors.ParseException, 400),
    (errors.NoMoreData, 400),
)
_log = logging.getLogger("naru.serve")

wsgi.SERVER = _SERVER  # the header `Server` of every answer; gunicorn offers no setting for it


class Client(socket.socket):
    """A client's connection, never waited for: what cannot be sent at once is kept.

    Attributes:
        address: Where it comes from.
        intake: The request that it is sending.
        deadline: Until when it must have taken its answer, or closed; its requests have deadlines of their own.
        unsent: Bytes of answers that it has not taken.
        closing: Whether it is closed when it has taken them.
    """

    def __init__(self, accepted: socket.socket, address: Any, limits: Limits) -> None:
        super().__init__(fileno=accepted.detach())
        self.setblocking(False)
        self.client, self.server = address, self.getsockname()
        self.intake = Intake(limits, time.monotonic())
        self.deadline = 0.0
        self.unsent = bytearray()
        self.closing = self.lingering = False
        self.discarded = self.counted = 0

    @property
    def sock(self) -> Client:
        """Itself: gunicorn asks connections for their socket."""
        return self

    def receive(self) -> bytes | None:
        """What it has sent by now; None: nothing yet, empty: it sends no more, or is gone."""
        try:
            return self.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def sendall(self, data: bytes, *_: Any) -> None:  # type: ignore[override]
        """Keep what is to be sent; `flush` sends it."""
        self.unsent += data

    def flush(self) -> bool:
        """Send what the client takes now; returns whether that was all."""
        with suppress(BlockingIOError):
            while self.unsent:
                del self.unsent[: self.send(self.unsent)]
        return not self.unsent


class Worker(ThreadWorker):
    """Gunicorn's worker without a master over it. Signals end it in good order: a stop of its parent does not.

    Args:
        component: What answers.
        limits: Bounds on requests and connections.
        notice: Seconds between saying not ready and hanging up.
    """

    def __init__(self, *args: Any, component: NaruComponent, limits: Limits, notice: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._component, self._limits, self._notice = component, limits, notice
        self._clients: set[Client] = set()
        self._idle: dict[Client, None] = {}  # nothing of a request is there; the longest idle one first
        self._partial: dict[Client, None] = {}
        self._most = max_connections()
        self._held = 0
        self._swept = self._said = 0.0

    # signals ------------------------------------------------------------------------------------------------------------

    def init_signals(self) -> None:
        """The first signal begins the end, and others change nothing."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._begin_to_end)

    def _begin_to_end(self, *_: object) -> None:
        if not self._component.ending:
            self._component.ending = True
            timer = threading.Timer(self._notice, self.hang_up)
            timer.daemon = True
            timer.start()

    def hang_up(self) -> None:
        """Take no new connection, and end when what was taken in is answered."""
        self.handle_exit(signal.SIGTERM, None)

    # the loop -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until told to end; then answer what is owed."""
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        self.set_accept_enabled(True)
        while self.alive:
            self._turn(_SWEEP_SECONDS)
        self.set_accept_enabled(False)
        for listener in self.sockets:  # who has come; left open, the port would let others come and wait for nothing
            self.accept(listener, at_most=self._most)
            listener.close()
        self._finish()
        self.tpool.shutdown(wait=False)

    def _turn(self, seconds: float) -> None:
        for key, _ in self.poller.select(seconds):
            try:
                key.data(key.fileobj)
            except Exception as error:  # noqa: BLE001 - a connection that fails must not take the others along
                _log.error("a connection ended with an error of ours", exc_info=error)
                if isinstance(key.fileobj, Client):
                    self._close(key.fileobj)
        now = time.monotonic()
        if now - self._swept >= _SWEEP_SECONDS:
            self._swept = now
            self._sweep(now)

    def _finish(self) -> None:
        """Answer whatever has arrived; a client may be sending its next request when it learns that this is the end."""
        started = time.monotonic()
        while self._clients and time.monotonic() < started + OWED_SECONDS:
            self._turn(0.1)
            if time.monotonic() > started + _LINGER_SECONDS:
                for client in list(self._idle):
                    self._read(client)
                    if client in self._idle:
                        self._close(client)
        for client in list(self._clients):
            self._close(client)

    def _sweep(self, now: float) -> None:
        """Close who has let its time pass."""
        for client in [*self._idle, *self._partial]:
            if now > client.intake.deadline():
                if client.intake.started:
                    self._refuse(client, _SLOW)
                else:
                    self._close(client)
        for client in [client for client in self._clients if client.deadline and now > client.deadline]:
            self._close(client)

    # a connection's life ------------------------------------------------------------------------------------------------

    def accept(self, listener: socket.socket, at_most: int = _ACCEPTED_AT_ONCE) -> None:
        """Take in who has come, in the place of one that is idle if there is no room."""
        for _ in range(at_most):
            try:
                accepted, address = listener.accept()
            except OSError as error:
                if error.errno in _NO_FILES:
                    self._say_full()
                    if self._make_room():
                        continue
                    time.sleep(0.01)  # the connection stays in the kernel's queue, and would be reported again at once
                if error.errno != errno.ECONNABORTED:
                    return
                continue
            client = Client(accepted, address, self._limits)
            self._clients.add(client)
            if len(self._clients) > self._most and not self._make_room():
                self._say_full()
                self._refuse(client, _BUSY)
            else:
                self._await(client)

    def _make_room(self) -> bool:
        """Close the connection that is idle for longest, else the one that sends its request for longest."""
        for waiting in (self._idle, self._partial):
            if waiting:
                self._close(next(iter(waiting)))
                return True
        return False

    def _say_full(self) -> None:
        now = time.monotonic()
        if now - self._said > 60:
            self._said = now
            _log.warning(
                "no room for more connections: %d are open; idle ones are closed for new ones", len(self._clients)
            )

    def _await(self, client: Client) -> None:
        """Wait for the client's next request."""
        self._idle[client] = None
        self.poller.register(client, selectors.EVENT_READ, self._read)

    def _read(self, client: Client) -> None:
        data = client.receive()
        if data:
            self._feed(client, data)
        elif data is not None:
            self._close(client)

    def _feed(self, client: Client, data: bytes) -> None:
        intake = client.intake
        if client in self._idle:
            del self._idle[client]
            self._partial[client] = None
        intake.feed(data, time.monotonic())
        self._count(client, intake.held)
        if intake.refused:
            self._refuse(client, intake.refused)
        elif intake.held > _SMALL_BYTES and self._held > max(_HELD_BYTES, 4 * self._limits.body_bytes):
            self._refuse(
                client,
                HttpRefusal(429, "too_busy", "the requests in work are too large together; ask again in a moment"),
            )
        elif intake.complete:
            self._start(client)
        elif intake.wants_to_be_told():
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            client.flush()

    def _start(self, client: Client) -> None:
        """Have a request answered: by a thread, or here and now when it is a probe, which waits for none."""
        self._leave(client)
        if _is_probe(client.intake.head):
            self._end_request(client, self.handle(client))
            return
        future = self.tpool.submit(self.handle, client)
        future.add_done_callback(lambda done: self.method_queue.defer(self._ended, client, done))

    def _ended(self, client: Client, done: Future[bool]) -> None:
        self._end_request(client, not done.cancelled() and done.exception() is None and done.result())

    def _end_request(self, client: Client, keep: bool) -> None:
        client.closing = not keep
        rest = client.intake.rest()
        client.intake = Intake(self._limits, time.monotonic(), kept=True)
        self._count(client, len(client.unsent))
        self._send(client, rest)

    def _send(self, client: Client, rest: bytes = b"") -> None:
        """Send the answer, then go on with the bytes of the next request, or close."""
        try:
            sent = client.flush()
        except OSError:
            self._close(client)
            return
        if not sent:
            if not client.deadline:
                client.deadline = time.monotonic() + self._limits.body_seconds(len(client.unsent))
                self.poller.register(client, selectors.EVENT_WRITE, partial(self._send, rest=rest))
            return
        if client.deadline:
            client.deadline = 0.0
            self.poller.unregister(client)
        self._count(client, 0)
        if client.closing:
            self._linger(client)
            return
        self._await(client)
        if rest:
            self._feed(client, rest)

    def _refuse(self, client: Client, refused: HttpRefusal) -> None:
        self._leave(client)
        body = json.dumps(told(refused.status, refused.reason, refused.message)).encode()
        client.sendall(_head(refused.status, len(body)) + body)
        client.closing = True
        client.intake = Intake(self._limits, time.monotonic())
        self._count(client, 0)
        self._send(client)

    def _linger(self, client: Client) -> None:
        """Close when the client has read its answer: closed at once, what it still sends would take the answer away from it."""
        try:
            client.shutdown(socket.SHUT_WR)
            client.deadline = time.monotonic() + _LINGER_SECONDS
            self.poller.register(client, selectors.EVENT_READ, self._discard)
        except OSError:
            self._close(client)

    def _discard(self, client: Client) -> None:
        data = client.receive()
        if data is None:
            return
        client.discarded += len(data)
        if not data or client.discarded > _DISCARDED_BYTES:
            self._close(client)

    def _leave(self, client: Client) -> None:
        """The client is no longer read from."""
        if client in self._idle or client in self._partial:
            self._idle.pop(client, None)
            self._partial.pop(client, None)
            self.poller.unregister(client)

    def _close(self, client: Client) -> None:
        with suppress(KeyError, ValueError):
            self.poller.unregister(client)
        self._idle.pop(client, None)
        self._partial.pop(client, None)
        self._clients.discard(client)
        self._count(client, 0)
        client.close()

    def _count(self, client: Client, held: int) -> None:
        self._held += held - client.counted
        client.counted = held

    # a request ----------------------------------------------------------------------------------------------------------

    def handle(self, conn: Client) -> bool:
        """Answer a request that has arrived; returns whether the connection may carry another one."""
        request: Any = None
        keep = False
        try:
            request = Request(self.cfg, IterUnreader([conn.intake.head]), conn.client)
            request.body = io.BytesIO(conn.intake.body)
            request._expected_100_continue = False  # told already, if it had to be
            if self._component.ending:
                request.force_close()
            keep = self.handle_request(request, conn)
        except StopIteration:  # gunicorn's word for: close
            pass
        except Exception as error:  # noqa: BLE001 - whatever a head holds, the connection gets an answer
            self.handle_error(request, conn, conn.client, error)
        with suppress(OSError):  # the loop meets it again
            conn.flush()
        return keep

    def handle_error(self, req: Any, client: Client, addr: Any, exc: Exception) -> None:
        """Say in our words why there is no answer; a head that is malformed is the client's affair and leaves no line in the log."""
        status = next((status for kind, status in _STATUS if isinstance(exc, kind)), 500)
        if status == 500:
            _log.error("a request ended with an error of ours", exc_info=exc)
        body = json.dumps(told(status, "http", HTTPStatus(status).phrase)).encode()
        client.sendall(_head(status, len(body)) + body)


def _is_probe(head: bytes) -> bool:
    if not head.startswith(b"GET "):
        return False
    return head[4:200].split(b" ", 1)[0].partition(b"?")[0].decode("latin-1") in HEALTH


def _head(status: int, length: int) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Server: {_SERVER}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *(["Retry-After: 1"] if status in (429, 503) else []),
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode()
