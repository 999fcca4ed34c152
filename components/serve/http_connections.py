"""HTTP/1.1 connections of the v2 server, with limits on sizes and times that hold before any application sees a request.

uvicorn's protocol does not limit a request's head, drops the body of a request that offers an upgrade, and waits forever for a
silent client. This one replaces it and holds every connection to `Limits`. A refused request is answered after the pending
answers of its connection, and then the connection is closed.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import logging
import re
import socket
import termios
from http import HTTPStatus
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from components.serve.early_refusals import EarlyRefusals
from components.serve.http_refusals import host_violation
from components.serve.limits import Limits

_HEAD, _BODY, _WORK, _IDLE = range(4)
_SWEEP_SECONDS = 0.5
_LINGER_SECONDS = 5.0
_FRESH_SECONDS = 0.2
ACCEPTED_AT_ONCE = 16
"""Connections accepted in one round of the event loop, so that their number is known before files run out."""
_LOG_SECONDS = 60.0
_BODIES = 8
"""Largest bodies that all connections together may hold, in units of `Limits.body_bytes`."""
_CHUNKED = re.compile(rb"(?:[ \t,]|identity)*chunked[ \t,]*", re.IGNORECASE)
_VERSIONS = ("1.0", "1.1")
_log = logging.getLogger("naru.serve")


class _RefusedError(Exception):
    """Ends parsing; the connection keeps the reason, as the parser hides what its callbacks raise."""


class Connections:
    """All connections of one server.

    Args:
        limits: Limits of each connection.
        most: Most connections at a time.
        early: Refuses requests at overload; None: the application does.

    Attributes:
        ending: Whether the server is shutting down: every answer then says `Connection: close`.
    """

    def __init__(self, limits: Limits, most: int, early: EarlyRefusals | None = None) -> None:
        self.limits = limits
        self.most = most
        self.early = early
        self.ending = False
        self.body_bytes = 0  # held by all of them
        self.open: set[Connection] = set()
        self._logged = float("-inf")

    def make(self, *args: Any, **more: Any) -> Connection:
        """Make the protocol of one new connection, as uvicorn's `http` setting does."""
        return Connection(self, *args, **more)

    async def watch(self, server: Any) -> None:
        """Close connections that have timed out, until cancelled.

        Args:
            server: An MLServer that is starting or has started.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._handle)
        listening = False
        while True:
            before = loop.time()
            await asyncio.sleep(_SWEEP_SECONDS)
            held = loop.time() - before - _SWEEP_SECONDS
            if held > _SWEEP_SECONDS:  # a prediction blocked the event loop
                for connection in self.open:
                    connection.extend_time(held)
            if not listening and (
                listening := getattr(getattr(server._rest_server, "_server", None), "started", False)
            ):
                _raise_backlog(server._rest_server._server, self.limits.backlog)
            now = loop.time()
            for connection in list(self.open):
                connection.check_time(now)

    def make_room(self) -> bool:
        """Close the longest silent connections if there are too many; False when none of them may be closed."""
        if len(self.open) <= self.most:
            return True
        silent = self._silent()
        for connection in silent[: max(len(self.open) - self.most, self.most // 20)]:
            connection.drop()
        return bool(silent)

    def _silent(self) -> list[Connection]:
        """Return the connections without a pending answer, longest silent first, those still reading an answer last."""
        silent = [connection for connection in self.open if connection.is_silent]
        return sorted(silent, key=lambda c: (c.transport.get_write_buffer_size() > 0, c.since))

    def end(self) -> None:
        """Go on answering, and close each connection after its answer."""
        self.ending = True
        for connection in self.open:
            connection.close_after_answer()

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle errors of the event loop: that no file is left is logged once a minute, not for every attempt."""
        if "out of system resource" not in str(context.get("message")):
            loop.default_exception_handler(context)
            return
        for connection in self._silent()[:ACCEPTED_AT_ONCE]:
            connection.drop()
        if loop.time() - self._logged > _LOG_SECONDS:
            self._logged = loop.time()
            _log.error("cannot accept more connections: the limit on open files is reached (ulimit -n)")


def _raise_backlog(server: Any, backlog: int) -> None:
    """Let the kernel queue more connections than are accepted at once.

    Args:
        server: A started uvicorn server.
        backlog: Length of the queue.
    """
    for listener in server.servers:
        for found in listener.sockets:
            with socket.socket(fileno=socket.dup(found.fileno())) as copy:
                copy.listen(backlog)


class Connection(HttpToolsProtocol):
    """One connection.

    Attributes:
        since: When its current wait began, by the event loop's clock.
    """

    def __init__(self, all_of_them: Connections, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._all, self._limits = all_of_them, all_of_them.limits
        self._phase = _HEAD
        self.since = self._connected = self.loop.time()
        self._head_bytes = self._body_bytes = self._wire_bytes = 0
        self._begun = 0  # requests
        self._counted = 0  # bytes of the body that are part of the sum over all connections
        self._hosts: list[bytes] = []
        self._known_host: bytes | None = None
        self._refusal: tuple[int, str] | None = None
        self._last_response: bytes | None = None
        self._is_over = False  # no more bytes are read
        self._is_rereading = False
        self._closing_since = 0.0
        self._unread, self._unread_since = 0, 0.0  # bytes of an answer that the client has not taken, and since when
        self._other_bytes = 0  # framing of a body: chunk sizes, trailers
        self._chunks = self._trailer_bytes = 0
        self._early: bytes | None = None  # the answer to a request that is refused while its body is read
        self._marked: Any = None  # the request whose answer closes this connection, as the server shuts down

    @property
    def is_silent(self) -> bool:
        """Whether no answer is pending: the connection waits for a request, or for the rest of one."""
        return self._phase != _WORK and not self._has_pending_answer()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._all.open.add(self)
        if not self._all.make_room():
            self._is_over = True
            self._write_last(_response(503, "too many connections; try again in a moment"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.open.discard(self)
        self._forget_body()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        begun = self._begun
        self._wire_bytes += len(data)
        self._other_bytes += len(data)
        try:
            self.parser.feed_data(data)
            if self._phase == _BODY and self._other_bytes > self._limits.header_bytes:
                self._refuse_head_bytes()
            if self._phase == _HEAD and self._begun == begun:  # otherwise the bytes belong to an earlier request too
                self._head_bytes += len(data)
                if self._head_bytes > self._limits.header_bytes:
                    self._refuse_head_bytes()
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
        except (httptools.HttpParserError, _RefusedError):
            self._refuse_now(*(self._refusal or (400, "not a valid HTTP/1.1 request")))

    # what the parser calls

    def on_message_begin(self) -> None:
        if self._is_rereading:
            return
        super().on_message_begin()
        self._hosts.clear()
        if self._phase != _HEAD:
            self._phase, self.since = _HEAD, self.loop.time()
        self._head_bytes = 1  # it has begun
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        if not self._is_rereading:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_rereading:
            return
        if self._phase == _BODY:  # a trailer: no header that matters here may be in one
            self._trailer_bytes += len(name) + len(value) + 4
            if self._trailer_bytes > self._limits.header_bytes:
                self._refuse_head_bytes()
            return
        name, value = name.lower(), value.rstrip(b" \t")
        if name == b"host":
            self._hosts.append(value)
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._is_rereading:
            return
        self._check_head()
        before = self.cycle
        self._early = self._refuse_early()
        if self._early is None:
            super().on_headers_complete()
        if self._all.ending:
            if before is not None and before is self._marked:
                before.keep_alive = True  # another request follows it after all
            self._mark_last()
        self._phase, self.since = _BODY, self.loop.time()
        # what came in one read with the head is not counted here, but its chunks and trailers are
        self._body_bytes = self._wire_bytes = self._other_bytes = self._trailer_bytes = self._chunks = 0

    def on_chunk_header(self) -> None:
        """Count a chunk: its framing is at least five bytes."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        self._other_bytes = 0
        self._body_bytes += len(body)
        if not self._early and self.cycle.response_complete and self._body_bytes <= self._limits.body_bytes:
            return
        limit = self._limits.body_bytes
        # tiny chunks take many more bytes on the wire than the body has
        wire_bytes = max(self._wire_bytes, self._body_bytes + 5 * self._chunks)
        if self._body_bytes > limit or wire_bytes > 2 * limit:
            self._refuse_body()
        if self._early:
            return  # nobody reads it
        if self._body_bytes > 65_536:  # small ones are not worth the counting
            self._all.body_bytes += self._body_bytes - self._counted
            self._counted = self._body_bytes
            if self._all.body_bytes > _BODIES * limit:
                self._refuse(429, "too_busy: many large requests are being read; try again in a moment")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_rereading or self.parser.should_upgrade():
            return  # the parser stops at an offered upgrade; another parser reads the rest
        if self._early:
            self._answer_early(self._early)
            return
        super().on_message_complete()
        self._phase, self.since = (_IDLE if self.cycle.response_complete else _WORK), self.loop.time()

    def _refuse_early(self) -> bytes | None:
        """Return the answer to a request that would be refused anyway, where nothing but its body is read before it."""
        early = self._all.early
        if early is None or self._all.ending or self._has_pending_answer() or self.flow.write_paused:
            return None
        if self.expect_100_continue or self.parser.should_upgrade() or not self.parser.should_keep_alive():
            return None
        if self.parser.get_http_version() == "1.0":
            return None  # its connection ends with the answer
        return early.refuse(self.parser.get_method(), self.url, self.server_state.default_headers)

    def _answer_early(self, answer: bytes) -> None:
        self._early = None
        self.server_state.total_requests += 1
        self._phase, self.since = _IDLE, self.loop.time()
        if self._all.ending:  # since its head was read
            self._is_over = True
            self._write_last(answer.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
        else:
            self.transport.write(answer)

    def on_response_complete(self) -> None:
        """Do what uvicorn does here, without a timer per answer: `Connections.watch` closes idle connections."""
        self.server_state.total_requests += 1
        self._forget_body()
        if self.transport.is_closing():
            return
        if self.pipeline:
            if self._phase != _WORK:  # no bytes of the next request were read meanwhile
                self.since = self.loop.time()
            self.flow.resume_reading()
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._last_response is not None:
            self._write_last(self._last_response)
        else:
            self.flow.resume_reading()
            if self._phase == _WORK:  # otherwise the rest of a body, or of the next head, has yet to arrive
                self._phase, self.since = _IDLE, self.loop.time()

    # time

    def check_time(self, now: float) -> None:
        """Close the connection when it has waited too long for the client to send or to read."""
        limits, waited = self._limits, now - self.since
        if self._is_unread(now):
            if now - self._unread_since > limits.body_seconds(self._unread):
                self.transport.abort()
        elif self.transport.is_closing() or (self._is_over and not self._has_pending_answer()):
            self._closing_since = self._closing_since or now
            if now - self._closing_since > _LINGER_SECONDS:
                self.transport.abort()
        elif self._phase == _IDLE:
            if waited > limits.idle_seconds:
                self.drop()
        elif self._phase == _HEAD:
            if waited > limits.head_seconds and not self._head_bytes:
                self.drop()
            elif waited > limits.head_seconds:
                self._refuse_now(408, f"no complete head within {limits.head_seconds:g} seconds")
        elif self._phase == _BODY and not self.flow.read_paused and waited > limits.body_seconds(self._body_bytes):
            rate = limits.body_bytes_per_second
            self._refuse_now(408, f"the body arrives at less than {rate} bytes per second")

    def _is_unread(self, now: float) -> bool:
        """Whether the client has yet to take part of an answer; it gets as long as for sending as many bytes."""
        left = self.transport.get_write_buffer_size()
        if not left:
            self._unread_since = 0.0
        elif not self._unread_since or left > self._unread:
            self._unread_since, self._unread = now, left
        return left > 0

    def extend_time(self, seconds: float) -> None:
        """Extend the timeouts by seconds in which the server read nothing."""
        self.since += seconds
        if self._unread_since:
            self._unread_since += seconds

    # the end

    def drop(self) -> None:
        """Close at once, without a pending answer."""
        self._is_over = True
        self._all.open.discard(self)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def close_after_answer(self) -> None:
        """Let the last pending answer close the connection, if that answer has not begun."""
        if self.cycle is not None and not self.cycle.response_started:
            self._mark_last()

    def _mark_last(self) -> None:
        if self.cycle.keep_alive:
            self.cycle.keep_alive = False
            self._marked = self.cycle

    def shutdown(self) -> None:
        """Close when no answer is pending; a request whose bytes have arrived is read and answered first."""
        self.close_after_answer()
        if self.is_silent:
            self._close_if_silent()

    def _close_if_silent(self) -> None:
        # a new client may be about to send; where part of a request has arrived, the rest is awaited
        if self.transport.is_closing() or not self.is_silent or self._phase == _BODY or self._has_begun():
            return
        is_fresh = self.loop.time() - self._connected < _FRESH_SECONDS
        if is_fresh or self._has_arrived():
            self.loop.call_later(_FRESH_SECONDS, self._close_if_silent)
        else:
            self.transport.close()

    def _has_begun(self) -> bool:
        return self._phase == _HEAD and self._head_bytes > 0

    def _has_arrived(self) -> bool:
        """Whether the kernel holds unread bytes of this connection."""
        count = array.array("i", [0])
        try:
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.FIONREAD, count)
        except OSError:
            return False
        return count[0] > 0

    # refusing

    def _check_head(self) -> None:
        headers = self.headers
        limits = self._limits
        if len(headers) > limits.headers:
            self._refuse(431, f"{len(headers)} headers; at most {limits.headers} are allowed")
        size = len(self.url)
        for name, value in headers:
            size += len(name) + len(value) + 4
            if name == b"content-length" and int(value) > limits.body_bytes:
                self._refuse_body(int(value))
            elif name == b"transfer-encoding" and not _CHUNKED.fullmatch(value):
                # the parser takes `gzip, chunked` for chunked, and the body would be read as it was compressed
                self._refuse(501, "only the transfer coding chunked is supported (RFC 9112, 6.1)")
        if size > limits.header_bytes:
            self._refuse_head_bytes()
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            self._refuse(505, f"HTTP/{version} is not supported here; send HTTP/1.1")
        if version == "1.0":
            self.expect_100_continue = False  # such a client does not know what it would be sent (RFC 9110, 10.1.1)
        self._check_host()

    def _check_host(self) -> None:
        hosts = self._hosts
        if len(hosts) == 1 and hosts[0] == self._known_host:
            return
        if violation := host_violation(hosts, self.parser.get_http_version() == "1.1"):
            self._refuse(400, violation)
        self._known_host = hosts[0] if hosts else None

    def _refuse_head_bytes(self) -> None:
        limit = self._limits.header_bytes
        self._refuse(431, f"target and headers are larger than the allowed {limit} bytes")

    def _refuse_body(self, size: int = 0) -> None:
        limit = self._limits.body_bytes
        found = f"the body has {size} bytes" if size else "the body is too long"
        self._refuse(413, f"too_large: {found}; at most {limit} are allowed")

    def _refuse(self, status: int, message: str) -> None:
        """Refuse the request from within the parser's callbacks."""
        self._refusal = (status, message)
        raise _RefusedError

    def _refuse_now(self, status: int, message: str) -> None:
        """Answer the request that is being read with an error, after those before it, and read no more."""
        self._is_over = True
        response = _response(status, message)
        cycle = self.cycle
        is_being_read = self._phase == _BODY and cycle is not None
        if is_being_read and self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()  # the requests before it are still pending
            self._last_response = response
        elif is_being_read and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if not cycle.response_started:
                self._write_last(response)
            else:
                self.transport.close()
        elif self._has_pending_answer():
            self._last_response = response
        else:
            self._write_last(response)

    def _write_last(self, response: bytes) -> None:
        """Close such that the client can read the response: after it stops sending, or after some seconds."""
        self._last_response = None
        self._forget_body()
        self.flow.resume_reading()
        self.transport.write(response)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer pending requests of a client that sends no more, then close the connection."""
        if not self._has_pending_answer():
            return False
        self._is_over = True
        self.cycle.keep_alive = False
        return True

    def _has_pending_answer(self) -> bool:
        """Whether a completely read request has not been answered yet."""
        cycle = self.cycle
        return bool(self.pipeline) or (cycle is not None and not cycle.response_complete and self._phase != _BODY)

    def _forget_body(self) -> None:
        self._all.body_bytes -= self._counted
        self._counted = 0

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read the body of a request that offers an upgrade, which a server may ignore (RFC 9110, 7.8).

        The parser has stopped; a new one gets the part of the head that says where the body ends.
        """
        lines = [b"%s: %s\r\n" % h for h in self.headers if h[0] in (b"content-length", b"transfer-encoding")]
        has_body = bool(lines)
        if not self.cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self._is_rereading = True
        try:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(lines) + b"\r\n")
        finally:
            self._is_rereading = False
        if not has_body or self._declared_length() == 0:
            self.on_message_complete()
        if rest:
            self.data_received(rest)

    def _declared_length(self) -> int:
        lengths = [int(value) for name, value in self.headers if name == b"content-length"]
        return lengths[0] if lengths else -1


def _response(status: int, message: str) -> bytes:
    body = orjson.dumps({"error": message})
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body
