"""Load generator for a model server: concurrent requests from one process on one core, every answer counted and timed.

In a closed loop each client sends its next request when it has its answer, as waiting callers do. In an open loop requests are
sent at a rate, at random times like those of many independent users, whether or not answers keep pace: that shows what a server
does at overload. It uses plain sockets, because a load generator must be faster than the server that it measures.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from components._core.errors import ServiceError
from components.deploy.http_responses import Response, read_response

Check = Callable[[int, int, bytes], bool]
"""Whether an answer is right; its arguments are the index of the body that was sent, the status, the answer's body."""

PATIENCE = 10.0
"""Seconds after which a request counts as not answered."""

LATE_SECONDS = 0.01
"""Requests sent later than this count as late: after a pause of the generator all requests that were due are sent at once, which
is not the server's fault."""

_AFTER_REFUSAL = 0.05
_SWEEP_SECONDS = 0.1
_RECEIVED = 1 << 18


@dataclass(frozen=True)
class Load:
    """Result of a load test.

    Attributes:
        clients: Most connections at a time.
        seconds: Time from the first request to the last answer.
        answered: Requests with an answer, of any status.
        by_status: Requests by HTTP status; 0: no answer.
        milliseconds: Time of each request that was answered with 200; in an open loop from the time when it was due.
        wrong: Answers that failed the check.
        unsent: In an open loop, requests that were due while every connection waited for an answer.
        late: In an open loop, requests that this process itself sent over `LATE_SECONDS` after they were due.
    """

    clients: int
    seconds: float
    answered: int
    by_status: dict[int, int]
    milliseconds: list[float] = field(repr=False)
    wrong: int = 0
    unsent: int = 0
    late: int = 0

    @property
    def throughput(self) -> float:
        """Requests answered with 200, per second."""
        return self.by_status.get(200, 0) / self.seconds

    @property
    def error_rate(self) -> float:
        """Share of the requests that were not answered with 200."""
        requests = sum(self.by_status.values()) + self.unsent
        return 1.0 - self.by_status.get(200, 0) / requests if requests else 0.0

    def percentiles(self) -> dict[str, float]:
        """p50, p95 and p99 in milliseconds; infinite when nothing was answered with 200, so that every bound fails."""
        if not self.milliseconds:
            return {"p50": float("inf"), "p95": float("inf"), "p99": float("inf")}
        return {f"p{at}": round(float(np.percentile(self.milliseconds, at)), 3) for at in (50, 95, 99)}


def drive(
    host: str,
    port: int,
    path: str,
    bodies: Sequence[bytes],
    *,
    clients: int,
    seconds: float,
    most: int | None = None,
    rate: float | None = None,
    check: Check | None = None,
    patience: float = PATIENCE,
) -> Load:
    """Send requests for some time, then wait for the pending answers. A failed request is counted, never raised.

    Args:
        host: Host of the server.
        port: Port of the server, for plain HTTP.
        path: Path of the POST requests.
        bodies: JSON bodies, sent in turn and again from the first.
        clients: Persistent connections, each with one request at a time.
        seconds: How long requests are sent.
        most: Most requests to send; None: no limit.
        rate: Requests per second in an open loop, at times drawn with a fixed seed; None: a closed loop.
        check: Tells right answers from wrong ones; None: not checked.
        patience: Seconds after which a request counts as not answered.

    Raises:
        ServiceError: When there is no server to connect to.
    """
    _expect_server(host, port, min(patience, seconds + 1.0))
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\nContent-Length: "
    requests = [head.encode() + f"{len(body)}\r\n\r\n".encode() + body for body in bodies]
    with selectors.DefaultSelector() as selector:
        due = _moments(rate) if rate else None
        return _Drive((host, port), requests, clients, due, check, patience, selector).run(seconds, most)


def _expect_server(host: str, port: int, patience: float) -> None:
    try:
        socket.create_connection((host, port), patience).close()
    except OSError as error:
        message = f"cannot connect to the server: {error.strerror or error}"
        raise ServiceError(message, where=f"{host}:{port}", remedy="start the model server first") from None


def _moments(rate: float) -> Iterator[float]:
    """Yield the seconds after the start at which requests are due: a Poisson process."""
    random = np.random.default_rng(7)
    at = 0.0
    while True:
        for gap in random.exponential(1.0 / rate, 1_000).tolist():
            at += gap
            yield at


class _Connection:
    """One client: its socket, and its pending request."""

    __slots__ = ("index", "kept", "received", "rest", "since", "socket", "tried_again")

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.kept = False  # it has carried an answer, so the server may have closed it since
        self.index = 0
        self.since = 0.0
        self.rest = memoryview(b"")
        self.received = bytearray()
        self.tried_again = False


class _Drive:
    def __init__(
        self,
        address: tuple[str, int],
        requests: list[bytes],
        clients: int,
        due: Iterator[float] | None,
        check: Check | None,
        patience: float,
        selector: selectors.BaseSelector,
    ) -> None:
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]  # resolved once, not for every connection
        self._family, self._address = found[0], found[4]
        self._requests, self._clients, self._due = requests, clients, due
        self._check, self._patience, self._selector = check, patience, selector
        self._idle = deque(_Connection() for _ in range(clients))
        self._busy: set[_Connection] = set()
        self._resting: deque[tuple[float, _Connection]] = deque()
        self._by_status: Counter[int] = Counter()
        self._milliseconds: list[float] = []
        self._sent = self._wrong = self._unsent = self._late = 0

    def run(self, seconds: float, most: int | None) -> Load:
        began = self._last = time.perf_counter()
        self._until, self._left = began + seconds, most
        self._next_due = began + next(self._due) if self._due else began
        self._began, sweep_at = began, began + _SWEEP_SECONDS
        try:
            while self._wants_more(now := time.perf_counter()) or self._busy:
                self._begin_requests(now)
                for key, events in self._selector.select(self._wait(now, sweep_at)):
                    self._go_on(key.data, events)
                if now >= sweep_at:
                    self._end_overdue(now)
                    sweep_at = now + _SWEEP_SECONDS
        finally:
            for connection in (*self._busy, *self._idle, *(connection for _, connection in self._resting)):
                self._hang_up(connection)
        took = max(self._last - began, 1e-9)
        answered = sum(count for status, count in self._by_status.items() if status)
        statuses = dict(sorted(self._by_status.items()))
        return Load(self._clients, took, answered, statuses, self._milliseconds, self._wrong, self._unsent, self._late)

    def _wants_more(self, now: float) -> bool:
        return now < self._until and (self._left is None or self._sent < self._left)

    def _wait(self, now: float, sweep_at: float) -> float:
        until = sweep_at
        if self._wants_more(now):
            until = min(until, self._until)
            if self._due:
                until = min(until, self._next_due)
            elif self._resting:
                until = min(until, self._resting[0][0])
        return max(until - time.perf_counter(), 0.0)

    def _begin_requests(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            self._idle.append(self._resting.popleft()[1])
        if self._due is None:
            while self._idle and self._wants_more(now):
                self._begin(self._idle.popleft(), now)
            return
        while self._next_due <= now and self._wants_more(now):
            self._late += now - self._next_due > LATE_SECONDS
            if self._idle:
                self._begin(self._idle.pop(), self._next_due)  # the one used last, so that few connections are used
            else:
                self._sent += 1
                self._unsent += 1
            self._next_due = self._began + next(self._due)

    def _begin(self, connection: _Connection, since: float) -> None:
        connection.index = self._sent % len(self._requests)
        self._sent += 1
        connection.since, connection.tried_again = since, False
        self._busy.add(connection)
        self._send(connection)

    def _send(self, connection: _Connection) -> None:
        connection.rest = memoryview(self._requests[connection.index])
        connection.received.clear()
        if connection.socket is None:
            self._connect(connection)
        else:
            self._send_rest(connection, connection.socket)

    def _connect(self, connection: _Connection) -> None:
        connection.kept = False
        try:
            connection.socket = socket.socket(self._family, socket.SOCK_STREAM)
            connection.socket.setblocking(False)
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = connection.socket.connect_ex(self._address)
        except OSError:
            self._end(connection, None)
            return
        if code not in (0, errno.EINPROGRESS):
            self._end(connection, None)
            return
        self._selector.register(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)

    def _go_on(self, connection: _Connection, events: int) -> None:
        link = connection.socket
        if link and events & selectors.EVENT_WRITE:
            self._send_rest(connection, link)
        if link and events & selectors.EVENT_READ and link is connection.socket:
            self._receive(connection, link)

    def _send_rest(self, connection: _Connection, link: socket.socket) -> None:
        try:
            connection.rest = connection.rest[link.send(connection.rest) :]
        except BlockingIOError:
            pass
        except OSError:
            self._retry_or_end(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.rest else 0)
        if self._selector.get_key(link).events != wanted:
            self._selector.modify(link, wanted, connection)

    def _receive(self, connection: _Connection, link: socket.socket) -> None:
        try:
            part = link.recv(_RECEIVED)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if connection not in self._busy:  # no request is pending: the server closed the connection
            self._hang_up(connection)
            return
        connection.received += part
        response = read_response(connection.received, ended=not part)
        if response:
            self._end(connection, response)
        elif not part:
            self._retry_or_end(connection)

    def _retry_or_end(self, connection: _Connection) -> None:
        """Retry on a kept connection, which the server may have closed as idle when the request was sent; else end it."""
        if connection.kept and not connection.received and not connection.tried_again:
            connection.tried_again = True
            self._hang_up(connection)
            self._send(connection)
        else:
            self._end(connection, None)

    def _end(self, connection: _Connection, response: Response | None) -> None:
        now = time.perf_counter()
        self._busy.discard(connection)
        if response is None:
            self._by_status[0] += 1
            self._hang_up(connection)
            self._resting.append((now + _AFTER_REFUSAL, connection))
            return
        self._last = now
        self._by_status[response.status] += 1
        if response.status == 200:
            self._milliseconds.append(1e3 * (now - connection.since))
        if self._check and not self._check(connection.index, response.status, response.body):
            self._wrong += 1
        connection.kept = True
        if not response.keeps:
            self._hang_up(connection)
        self._idle.append(connection)

    def _end_overdue(self, now: float) -> None:
        for connection in [late for late in self._busy if now - late.since > self._patience]:
            self._end(connection, None)

    def _hang_up(self, connection: _Connection) -> None:
        if connection.socket is not None:
            if connection.socket in self._selector.get_map():
                self._selector.unregister(connection.socket)
            connection.socket.close()
            connection.socket = None
