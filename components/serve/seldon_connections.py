"""Connections of the server for Seldon's protocol, read and written by one thread without blocking.

Gunicorn's threads read a request and write its answer themselves, so stalled clients, one per thread, make such a server
unresponsive, and its main thread waits up to two seconds whenever it closes a connection. Here the main thread collects a
request (`seldon_http_request.py`), a thread of the pool answers it from memory, and unsent bytes of the answer wait in memory.
The main thread answers probes. Gunicorn parses heads, turns them into WSGI, and formats answers.
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

from components.serve.admission import DRAIN_SECONDS
from components.serve.http_refusals import HttpRefusal, host_violation
from components.serve.limits import Limits, max_connections
from components.serve.seldon_http_request import IncomingRequest
from components.serve.seldon_runtime import NaruComponent, failure_response

HEALTH = frozenset({"/health/ping", "/health/status", "/api/v1.0/health/status"})
_READ_BYTES = 1 << 16
_HELD_BYTES = 128 << 20
"""Most memory of requests and answers, over all connections; small ones are accepted beyond it."""
_SMALL_BYTES = 1 << 16
_SWEEP_SECONDS = 1.0
_LINGER_SECONDS = 2.0
_DISCARDED_BYTES = 256 << 20
_ACCEPTED_AT_ONCE = 64
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SERVER = "naru"
_BUSY = HttpRefusal(503, "too_many_connections", "the server holds its maximum of connections; try again in a moment")
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
    """A client's non-blocking connection, which keeps what cannot be sent at once.

    Attributes:
        address: Address of the client.
        incoming: The request that the client is sending.
        deadline: Time by which the client must have read its answer, or closed; requests have deadlines of their own.
        unsent: Bytes of answers that the client has not read.
        closing: Whether the connection closes when the client has read them.
    """

    def __init__(self, accepted: socket.socket, address: Any, limits: Limits) -> None:
        super().__init__(fileno=accepted.detach())
        self.setblocking(False)
        self.client, self.server = address, self.getsockname()
        self.incoming = IncomingRequest(limits, time.monotonic())
        self.deadline = 0.0
        self.unsent = bytearray()
        self.closing = self.lingering = False
        self.discarded = self.counted = 0

    @property
    def sock(self) -> Client:
        """The connection itself: gunicorn reads the socket of a connection from this attribute."""
        return self

    def receive(self) -> bytes | None:
        """Return what the client has sent by now; None: nothing yet; empty: the client sends no more, or is gone."""
        try:
            return self.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def sendall(self, data: bytes, *_: Any) -> None:  # type: ignore[override]
        """Buffer the data; `flush` sends it."""
        self.unsent += data

    def flush(self) -> bool:
        """Send what the client accepts now; return whether that was all."""
        with suppress(BlockingIOError):
            while self.unsent:
                del self.unsent[: self.send(self.unsent)]
        return not self.unsent


class Worker(ThreadWorker):
    """Gunicorn's worker without a master process. Signals shut it down cleanly; a stop of its parent does not.

    Args:
        component: The component that answers requests.
        limits: Limits of requests and connections.
        notice: Seconds between reporting not ready and closing the port.
    """

    def __init__(self, *args: Any, component: NaruComponent, limits: Limits, notice: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._component, self._limits, self._notice = component, limits, notice
        self._clients: set[Client] = set()
        self._idle: dict[Client, None] = {}  # no bytes of a request have arrived; longest idle first
        self._partial: dict[Client, None] = {}
        self._most = max_connections()
        self._held = 0
        self._swept = self._logged_at = 0.0

    # signals ------------------------------------------------------------------------------------------------------------

    def init_signals(self) -> None:
        """Begin the shutdown at the first signal; further signals change nothing."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._begin_shutdown)

    def _begin_shutdown(self, *_: object) -> None:
        if not self._component.ending:
            self._component.ending = True
            timer = threading.Timer(self._notice, self.hang_up)
            timer.daemon = True
            timer.start()

    def hang_up(self) -> None:
        """Accept no new connection, and stop when the pending requests are answered."""
        with suppress(AttributeError):  # gunicorn makes its queue when the loop begins, which then ends at once
            self.handle_exit(signal.SIGTERM, None)

    # the loop -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until the shutdown begins; then answer the pending requests."""
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        self.set_accept_enabled(True)
        while self.alive:
            self._turn(_SWEEP_SECONDS)
        self.set_accept_enabled(False)
        for (
            listener
        ) in self.sockets:  # accept waiting clients; left open, the port would let others connect and wait in vain
            self.accept(listener, at_most=self._most)
            listener.close()
        self._drain()
        self.tpool.shutdown(wait=False)

    def _turn(self, seconds: float) -> None:
        for key, _ in self.poller.select(seconds):
            try:
                key.data(key.fileobj)
            except Exception as error:  # noqa: BLE001 - one failing connection must not end the others
                _log.error("internal error on a connection", exc_info=error)
                if isinstance(key.fileobj, Client):
                    self._close(key.fileobj)
        now = time.monotonic()
        if now - self._swept >= _SWEEP_SECONDS:
            self._swept = now
            self._sweep(now)

    def _drain(self) -> None:
        """Answer all that has arrived; a client may be sending its next request when it learns of the shutdown."""
        started = time.monotonic()
        while self._clients and time.monotonic() < started + DRAIN_SECONDS:
            self._turn(0.1)
            if time.monotonic() > started + _LINGER_SECONDS:
                for client in list(self._idle):
                    self._read(client)
                    if client in self._idle:
                        self._close(client)
        for client in list(self._clients):
            self._close(client)

    def _sweep(self, now: float) -> None:
        """Close connections that have timed out."""
        for client in [*self._idle, *self._partial]:
            if now > client.incoming.deadline():
                if client.incoming.started:
                    self._refuse(client, _SLOW)
                else:
                    self._close(client)
        for client in [client for client in self._clients if client.deadline and now > client.deadline]:
            self._close(client)

    # a connection's life ------------------------------------------------------------------------------------------------

    def accept(self, listener: socket.socket, at_most: int = _ACCEPTED_AT_ONCE) -> None:
        """Accept waiting clients; where there is no room, close an idle connection for each."""
        for _ in range(at_most):
            try:
                accepted, address = listener.accept()
            except OSError as error:
                if error.errno in _NO_FILES:
                    self._log_full()
                    if self._make_room():
                        continue
                    time.sleep(0.01)  # the client stays in the kernel's queue, and would be reported again at once
                if error.errno != errno.ECONNABORTED:
                    return
                continue
            client = Client(accepted, address, self._limits)
            self._clients.add(client)
            if len(self._clients) > self._most and not self._make_room():
                self._log_full()
                self._refuse(client, _BUSY)
            else:
                self._await(client)

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest, else the one that has been sending its request longest."""
        for waiting in (self._idle, self._partial):
            if waiting:
                self._close(next(iter(waiting)))
                return True
        return False

    def _log_full(self) -> None:
        now = time.monotonic()
        if now - self._logged_at > 60:
            self._logged_at = now
            _log.warning("connection limit reached: %d are open; idle ones are closed for new ones", len(self._clients))

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
        incoming = client.incoming
        if client in self._idle:
            del self._idle[client]
            self._partial[client] = None
        incoming.feed(data, time.monotonic())
        self._count(client, incoming.held)
        if incoming.refused:
            self._refuse(client, incoming.refused)
        elif incoming.held > _SMALL_BYTES and self._held > max(_HELD_BYTES, 4 * self._limits.body_bytes):
            self._refuse(
                client,
                HttpRefusal(429, "too_busy", "the requests in progress take too much memory; try again in a moment"),
            )
        elif incoming.complete:
            self._start(client)
        elif incoming.expects_continue():
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            client.flush()

    def _start(self, client: Client) -> None:
        """Let a thread answer a request; a probe is answered here, without waiting for a thread."""
        self._leave(client)
        if _is_probe(client.incoming.head):
            self._end_request(client, self.handle(client))
            return
        future = self.tpool.submit(self.handle, client)
        future.add_done_callback(lambda done: self.method_queue.defer(self._ended, client, done))

    def _ended(self, client: Client, done: Future[bool]) -> None:
        self._end_request(client, not done.cancelled() and done.exception() is None and done.result())

    def _end_request(self, client: Client, keep: bool) -> None:
        client.closing = not keep
        rest = client.incoming.rest()
        client.incoming = IncomingRequest(self._limits, time.monotonic(), kept=True)
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
        _write_refusal(client, refused)
        client.closing = True
        client.incoming = IncomingRequest(self._limits, time.monotonic())
        self._count(client, 0)
        self._send(client)

    def _linger(self, client: Client) -> None:
        """Close after the client has read its answer: at an early close, the client's further bytes would discard the answer."""
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
        """Stop reading from the client."""
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
        """Answer a complete request; return whether the connection may carry another one."""
        request: Any = None
        keep = False
        try:
            request = Request(self.cfg, IterUnreader([conn.incoming.head]), conn.client)
            hosts = [value.encode("latin-1") for name, value in request.headers if name == "HOST"]
            if violation := host_violation(hosts, request.version >= (1, 1)):
                raise HttpRefusal(400, "http", violation)
            request.body = io.BytesIO(conn.incoming.body)
            request._expected_100_continue = False  # `_feed` has sent the 100 already, where it was needed
            if self._component.ending:
                request.force_close()
            keep = self.handle_request(request, conn)
        except StopIteration:  # gunicorn's signal to close
            pass
        except HttpRefusal as refused:
            _write_refusal(conn, refused)
        except Exception as error:  # noqa: BLE001 - whatever a head holds, the connection gets an answer
            self.handle_error(request, conn, conn.client, error)
        with suppress(OSError):  # the loop handles the error
            conn.flush()
        return keep

    def handle_error(self, req: Any, client: Client, addr: Any, exc: Exception) -> None:
        """Answer with an error in Naru's format; a malformed head is the client's mistake and is not logged."""
        status = next((status for kind, status in _STATUS if isinstance(exc, kind)), 500)
        if status == 500:
            _log.error("internal error on a request", exc_info=exc)
        _write_refusal(client, HttpRefusal(status, "http", HTTPStatus(status).phrase))


def _write_refusal(client: Client, refused: HttpRefusal) -> None:
    body = json.dumps(failure_response(refused.status, refused.reason, refused.message)).encode()
    client.sendall(_head(refused.status, len(body)) + body)


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
