"""Ours with requests that are meant to cost much, and with clients that keep connections and say nothing.

Of each request: how much memory the server takes more than before, at its most, and how long a liveness probe beside it waits.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from benchmarks.server_processes import Served
from benchmarks.server_rounds import Pace
from benchmarks.workload import Workload
from components._core.types.oip_paths import LIVE
from components.deploy.targets.local.server_process import HOST

IDLE, HALF_SENT = 1_000, 200
_PROBE_SECONDS = 0.02
_TIMEOUT = 60.0
_MIB = 1 << 20


def try_hostile(served: Served, workload: Workload, pace: Pace) -> dict[str, Any]:
    """All of them, one after the other; then a load of right requests beside silent connections."""
    heavy = {name: _cost(served, make()) for name, make in _requests(workload).items()}
    silent = _beside_silent(served, workload, pace)
    return {
        "hostile_requests": heavy,
        "hostile_memory_mib": max(cost["memory_mib"] for cost in heavy.values()),
        "hostile_probe_seconds": max(cost["probe_seconds"] for cost in heavy.values()),
        "silent_connections": silent,
        "silent_probe_seconds": silent["probe_seconds"],
        "silent_failed": silent["failed"],
    }


def _requests(workload: Workload) -> dict[str, Callable[[], tuple[bytes, dict[str, str]]]]:
    """Bodies and headers by what they are, made when they are sent."""
    one = workload.requests[0]["inputs"]

    def request(*inputs: dict[str, Any], **more: Any) -> bytes:
        return json.dumps({"inputs": inputs or one, **more}).encode()

    bodies: dict[str, Callable[[], bytes]] = {
        "15 MiB of blanks": lambda: b" " * (15 * _MIB),
        "a name of 8 MB": lambda: request({**one[0], "name": "x" * 8_000_000}, *one[1:]),
        "a name of 15 MB with parameters": lambda: request({**one[0], "name": "x" * 15_000_000}, parameters={}),
        "an id of 15 MB": lambda: request(id="\\" * 7_500_000),
        "100,000 inputs": lambda: request(*[{**one[0], "name": f"n{at}"} for at in range(100_000)]),
        "1,000,000 rows": lambda: request(
            *[{**item, "shape": [1_000_000], "data": item["data"] * 1_000_000} for item in one[:1]]
        ),
        "5,000,000 lists": lambda: b'{"inputs":[' + b"[]," * 5_000_000 + b"[]]}",
        "3,000,000 texts": lambda: b'{"inputs":[' + b'"aa",' * 3_000_000 + b'""]}',
        "15,000,000 lists in one another": lambda: b"[" * 15_000_000,
        "a number of 15,000,000 digits": lambda: b'{"inputs":[{"data":[' + b"1" * 15_000_000 + b"]}]}",
        "15 MB of commas in a text": lambda: request(id="," * 15_000_000),
    }
    found = {name: _plain(make) for name, make in bodies.items()}
    found["400 MB of blanks in gzip"] = lambda: (gzip.compress(b" " * 400_000_000, 1), {"Content-Encoding": "gzip"})
    found["100 MB"] = lambda: (b" " * 100_000_000, {})
    found["a header of 5 MB"] = lambda: (b"{}", {"X": "x" * 5_000_000})
    return found


def _plain(make: Callable[[], bytes]) -> Callable[[], tuple[bytes, dict[str, str]]]:
    return lambda: (make(), {})


def _cost(served: Served, request: tuple[bytes, dict[str, str]]) -> dict[str, Any]:
    body, headers = request
    before = max(served.memory_mib(), served.peak_mib())  # what the peak grows by from here is this request's
    with _probing(served.port) as probe:
        began = time.perf_counter()
        status = _send(served, body, headers)
        seconds = time.perf_counter() - began
    cost = {"status": status, "memory_mib": served.peak_mib() - before, "seconds": seconds}
    return {**cost, "probe_seconds": probe["longest"], "probes_failed": probe["failed"]}


def _send(served: Served, body: bytes, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection(HOST, served.port, timeout=_TIMEOUT)
    try:
        with suppress(OSError):  # the server may answer before it has read all
            connection.request("POST", served.kind.path, body, {"Content-Type": "application/json", **headers})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _beside_silent(served: Served, workload: Workload, pace: Pace) -> dict[str, Any]:
    bodies, check = workload.bodies("v2"), workload.check("v2")
    half = f"POST {served.kind.path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{{".encode()
    with _silent(served.port, b"", IDLE) as idle, _silent(served.port, half, HALF_SENT) as waiting:
        with _probing(served.port) as probe:
            load = served.drive(bodies, clients=8, seconds=max(pace.seconds, 1.0), check=check)
        opened = len(idle) + len(waiting)
    failed = sum(load.by_status.values()) - load.by_status.get(200, 0) + load.wrong + probe["failed"]
    record = {"opened": opened, "answered": load.by_status.get(200, 0), "failed": failed}
    return {**record, "probes": probe["count"], "probe_seconds": probe["longest"]}


@contextmanager
def _silent(port: int, sent: bytes, count: int) -> Iterator[list[socket.socket]]:
    connections = [socket.create_connection((HOST, port), _TIMEOUT) for _ in range(count)]
    for connection in connections:
        connection.sendall(sent)
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


@contextmanager
def _probing(port: int) -> Iterator[dict[str, Any]]:
    """Ask whether it lives, again and again on a connection of its own, during a `with` block."""
    found: dict[str, Any] = {"count": 0, "failed": 0, "longest": 0.0}
    ended = threading.Event()

    def probe() -> None:
        while not ended.wait(_PROBE_SECONDS):
            began = time.perf_counter()
            connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT)
            try:
                connection.request("GET", LIVE)
                found["failed"] += connection.getresponse().status != 200
            except (OSError, http.client.HTTPException):
                found["failed"] += 1
            finally:
                connection.close()
            found["count"] += 1
            found["longest"] = max(found["longest"], time.perf_counter() - began)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
