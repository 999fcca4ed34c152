"""HTTP/1.1 connections of the v2 server: what they may send and how long they may take, before any application sees a request.

uvicorn's protocol has no bound on a request's head, drops the body of a request that offers an upgrade, and waits for ever for
a client that says nothing. This one, in its place, holds every connection to `Limits`. What it refuses is answered, after all
answers that are owed on the connection, and then the connection is closed.
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

from components.serve.limits import Limits

_HEAD, _BODY, _WORK, _IDLE = range(4)
_SWEEP_SECONDS = 0.5
_LINGER_SECONDS = 5.0
_FRESH_SECONDS = 0.2
ACCEPTED_AT_ONCE = 16
"""Connections taken from the kernel in one round of the event loop, so that their number is known before files run out."""
_LOG_SECONDS = 60.0
_BODIES = 8
"""Largest bodies that all connections together may hold, in units of `Limits.body_bytes`."""
_HOST = re.compile(rb"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]*")
_log = logging.getLogger("naru.serve")


class _RefusedError(Exception):
    """Ends parsing; the reason is kept in the connection, as the parser hides what its callbacks raise."""


class Connections:
    """All connections of one server.

    Args:
        limits: What each may cost.
        most: How many there may be.

    Attributes:
        ending: From now on every answer says `Connection: close`.
    """

    def __init__(self, limits: Limits, most: int) -> None:
        self.limits = limits
        self.most = most
        self.ending = False
        self.body_bytes = 0  # held by all of them
        self.open: set[Connection] = set()
        self._logged = float("-inf")

    def make(self, *args: Any, **more: Any) -> Connection:
        """A protocol for one new connection, as uvicorn asks for it."""
        return Connection(self, *args, **more)

    async def watch(self, server: Any) -> None:
        """Close connections whose time is over, until cancelled.

        Args:
            server: An MLServer that starts or has started.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._handle)
        listening = False
        while True:
            before = loop.time()
            await asyncio.sleep(_SWEEP_SECONDS)
            held = loop.time() - before - _SWEEP_SECONDS
            if held > _SWEEP_SECONDS:  # a model had the event loop to itself
                for connection in self.open:
                    connection.wait_longer(held)
            if not listening and (
                listening := getattr(getattr(server._rest_server, "_server", None), "started", False)
            ):
                _listen_longer(server._rest_server._server, self.limits.backlog)
            now = loop.time()
            for connection in list(self.open):
                connection.check_time(now)

    def make_room(self) -> bool:
        """Close those that have been silent longest, if there are too many; False: none of them may be closed."""
        if len(self.open) <= self.most:
            return True
        silent = self._silent()
        for connection in silent[: max(len(self.open) - self.most, self.most // 20)]:
            connection.drop()
        return bool(silent)

    def _silent(self) -> list[Connection]:
        """Those to which nothing is owed, the longest so first; last those that are still reading an answer."""
        silent = [connection for connection in self.open if connection.is_silent]
        return sorted(silent, key=lambda c: (c.transport.get_write_buffer_size() > 0, c.since))

    def end(self) -> None:
        """Answer what comes, and say with each answer that it is the last one on its connection."""
        self.ending = True
        for connection in self.open:
            connection.close_after_answer()

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the event loop cannot tell anybody: that no file is left is said once in a minute, not for every try."""
        if "out of system resource" not in str(context.get("message")):
            loop.default_exception_handler(context)
            return
        for connection in self._silent()[:ACCEPTED_AT_ONCE]:
            connection.drop()
        if loop.time() - self._logged > _LOG_SECONDS:
            self._logged = loop.time()
            _log.error("no file is left for another connection: the limit on open files is reached (ulimit -n)")


def _listen_longer(server: Any, backlog: int) -> None:
    """Let the kernel keep more connections waiting than are accepted at once.

    Args:
        server: A started uvicorn server.
        backlog: How many.
    """
    for listener in server.servers:
        for found in listener.sockets:
            with socket.socket(fileno=socket.dup(found.fileno())) as copy:
                copy.listen(backlog)


class Connection(HttpToolsProtocol):
    """One connection.

    Attributes:
        since: When it began to wait for what it waits for now, by the event loop's clock.
    """

    def __init__(self, all_of_them: Connections, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._all, self._limits = all_of_them, all_of_them.limits
        self._phase = _HEAD
        self.since = self._connected = self.loop.time()
        self._head_bytes = self._body_bytes = self._wire_bytes = 0
        self._begun = 0  # requests
        self._counted = 0  # of the body, in the sum over all connections
        self._hosts: list[bytes] = []
        self._known_host: bytes | None = None
        self._refusal: tuple[int, str] | None = None
        self._last_words: bytes | None = None
        self._is_over = False  # nothing is read any more
        self._is_rereading = False
        self._closing_since = 0.0
        self._unread, self._unread_since = 0, 0.0  # of an answer: bytes that the client has to take, and since when
        self._other_bytes = 0  # of a body's frame: sizes of chunks, trailers
        self._marked: Any = None  # the answer that was made the last of this connection, as the server ends

    @property
    def is_silent(self) -> bool:
        """Whether nothing is owed to the client: it waits for a request, or for the rest of one."""
        return self._phase != _WORK and not self._owes()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._all.open.add(self)
        if not self._all.make_room():
            self._is_over = True
            self._write_last(_words(503, "too many connections; try again in a moment"))

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
            if self._phase == _HEAD and self._begun == begun:  # else other things came before it
                self._head_bytes += len(data)
                if self._head_bytes > self._limits.header_bytes:
                    self._refuse_head_bytes()
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
        except (httptools.HttpParserError, _RefusedError):
            self._refuse_now(*(self._refusal or (400, "the bytes are no HTTP/1.1 request")))

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
        if self._phase == _BODY:
            return  # a trailer: nothing that is asked for here can stand in one
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
        super().on_headers_complete()
        if self._all.ending:
            if before is not None and before is self._marked:
                before.keep_alive = True  # it is not the last any more
            self._mark_last()
        self._phase, self.since = _BODY, self.loop.time()
        self._body_bytes = self._wire_bytes = self._other_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._other_bytes = 0
        self._body_bytes += len(body)
        if self.cycle.response_complete and self._body_bytes <= self._limits.body_bytes:
            return
        limit = self._limits.body_bytes
        # a body of tiny chunks has many more bytes on the wire
        if self._body_bytes > limit or self._wire_bytes > 2 * limit:
            self._refuse_body()
        if self._body_bytes > 65_536:  # small ones are not worth the counting
            self._all.body_bytes += self._body_bytes - self._counted
            self._counted = self._body_bytes
            if self._all.body_bytes > _BODIES * limit:
                self._refuse(429, "too_busy: many large requests are being read; try again in a moment")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_rereading or self.parser.should_upgrade():
            return  # with an upgrade on offer the parser ends here; the rest is read by another one
        super().on_message_complete()
        self._phase, self.since = (_IDLE if self.cycle.response_complete else _WORK), self.loop.time()

    def on_response_complete(self) -> None:
        """uvicorn's, without a timer for each answer: `Connections.watch` closes idle connections."""
        self.server_state.total_requests += 1
        self._forget_body()
        if self.transport.is_closing():
            return
        if self.pipeline:
            if self._phase != _WORK:  # nothing was read of the next one meanwhile
                self.since = self.loop.time()
            self.flow.resume_reading()
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._last_words is not None:
            self._write_last(self._last_words)
        else:
            self.flow.resume_reading()
            if self._phase == _WORK:  # else the rest of a body, or of the next head, is still to come
                self._phase, self.since = _IDLE, self.loop.time()

    # time

    def check_time(self, now: float) -> None:
        """Close the connection when it has waited too long, for the client to send or to read."""
        limits, waited = self._limits, now - self.since
        if self._is_unread(now):
            if now - self._unread_since > limits.body_seconds(self._unread):
                self.transport.abort()
        elif self.transport.is_closing() or (self._is_over and not self._owes()):
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
            self._refuse_now(408, f"the body comes with less than {rate} bytes per second")

    def _is_unread(self, now: float) -> bool:
        """Whether the client has yet to take a part of an answer: it has as long for that as for sending as many bytes."""
        left = self.transport.get_write_buffer_size()
        if not left:
            self._unread_since = 0.0
        elif not self._unread_since or left > self._unread:
            self._unread_since, self._unread = now, left
        return left > 0

    def wait_longer(self, seconds: float) -> None:
        """Do not count some seconds in which nobody read what clients sent."""
        self.since += seconds
        if self._unread_since:
            self._unread_since += seconds

    # the end

    def drop(self) -> None:
        """Close at once: nothing is owed."""
        self._is_over = True
        self._all.open.discard(self)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def close_after_answer(self) -> None:
        """Say with the last answer that is owed, if it has not begun, that it is the last."""
        if self.cycle is not None and not self.cycle.response_started:
            self._mark_last()

    def _mark_last(self) -> None:
        if self.cycle.keep_alive:
            self.cycle.keep_alive = False
            self._marked = self.cycle

    def shutdown(self) -> None:
        """Close when nothing is owed; a request whose bytes have arrived is read and answered first."""
        self.close_after_answer()
        if self.is_silent:
            self._close_if_silent()

    def _close_if_silent(self) -> None:
        # one that has just come may still be about to send; where a part of a request is there, the rest is waited for
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
        """Whether the kernel holds bytes of this connection that nobody has read."""
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
        if size > limits.header_bytes:
            self._refuse_head_bytes()
        self._check_host()

    def _check_host(self) -> None:
        hosts = self._hosts
        if len(hosts) == 1:
            if hosts[0] != self._known_host and not _HOST.fullmatch(hosts[0]):
                self._refuse(400, "the Host header holds no host")
            self._known_host = hosts[0]
        elif hosts or self.parser.get_http_version() == "1.1":
            self._refuse(400, f"{len(hosts)} Host headers; one is needed (RFC 9112, 3.2)")

    def _refuse_head_bytes(self) -> None:
        limit = self._limits.header_bytes
        self._refuse(431, f"target and headers have more than {limit} bytes, which are allowed")

    def _refuse_body(self, size: int = 0) -> None:
        limit = self._limits.body_bytes
        found = f"the body has {size} bytes" if size else "the body is longer"
        self._refuse(413, f"too_large: {found}; at most {limit} are allowed")

    def _refuse(self, status: int, message: str) -> None:
        """Leave the parser."""
        self._refusal = (status, message)
        raise _RefusedError

    def _refuse_now(self, status: int, message: str) -> None:
        """Answer the request that is being read in a few words, after those before it, and read no more."""
        self._is_over = True
        words = _words(status, message)
        cycle = self.cycle
        is_being_read = self._phase == _BODY and cycle is not None
        if is_being_read and self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()  # those before it are still to be answered
            self._last_words = words
        elif is_being_read and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if not cycle.response_started:
                self._write_last(words)
            else:
                self.transport.close()
        elif self._owes():
            self._last_words = words
        else:
            self._write_last(words)

    def _write_last(self, words: bytes) -> None:
        """Close so that the client can read why: not before it has stopped sending, or some seconds have passed."""
        self._last_words = None
        self._forget_body()
        self.flow.resume_reading()
        self.transport.write(words)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more; what is owed is answered all the same, and then the connection is closed."""
        if not self._owes():
            return False
        self._is_over = True
        self.cycle.keep_alive = False
        return True

    def _owes(self) -> bool:
        """Whether a request that was read, all of it, is still to be answered."""
        cycle = self.cycle
        return bool(self.pipeline) or (cycle is not None and not cycle.response_complete and self._phase != _BODY)

    def _forget_body(self) -> None:
        self._all.body_bytes -= self._counted
        self._counted = 0

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read the body of a request that offers an upgrade, which a server may ignore (RFC 9110, 7.8).

        The parser has ended; another one gets the part of the head that says where the body ends.
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


def _words(status: int, message: str) -> bytes:
    body = orjson.dumps({"error": message})
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body
