"""Requests that attack a server by size, coding, framing or slowness: what each may be answered with, once per run.

An answer with 200 must be the right one. A stalled client must cost others nothing: they send requests meanwhile.
"""

from __future__ import annotations

import base64
import copy
import gzip
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import grpc

from benchmarks.server_processes import Served
from benchmarks.workload import Workload
from components.deploy.targets.local.server_process import HOST

Sent = tuple[int, bytes]
_SECONDS = 30.0
_SLOWEST_SECONDS = 5.0
_JSON = {"Content-Type": "application/json"}
_STALLED = 60
_REFUSED = frozenset({400, 413, 415, 422, 431})


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: What it is.
        send: Sends it to a server; status and body of the answer, 0 for none.
        allowed: The statuses that it may be answered with; 200 only with the right answer to the first row.
    """

    name: str
    send: Callable[[Served], Sent]
    allowed: frozenset[int]


def attacks_on(served: Served, workload: Workload) -> list[Attack]:
    """All of them, for the protocol of a server."""
    protocol = served.kind.protocol
    right = workload.bodies(protocol)[0]
    own = _of_v2(workload) if protocol == "v2" else _of_seldon(right)
    return [*_bodies(right), *_codings(right), *own, Attack("stalled connections", _stalled(right), frozenset({200}))]


def _post(body: bytes, **headers: str) -> Callable[[Served], Sent]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda served: _answer(served, body, {**_JSON, **named})


def _answer(served: Served, body: bytes, headers: dict[str, str]) -> Sent:
    connection = http.client.HTTPConnection(HOST, served.port, timeout=_SECONDS)
    try:
        connection.request("POST", served.kind.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _raw(fields: str, parts: Callable[[], Iterator[bytes]]) -> Callable[[Served], Sent]:
    """Send a head and what may never end, until an answer is there."""

    def send(served: Served) -> Sent:
        head = f"POST {served.kind.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{fields}\r\n\r\n"
        with socket.create_connection((HOST, served.port), _SECONDS) as client:
            try:
                client.sendall(head.encode())
                for part in parts():
                    client.sendall(part)
            except OSError:
                pass  # it has answered and closed
            try:
                response = http.client.HTTPResponse(client)
                response.begin()
                return response.status, response.read()
            except (OSError, http.client.HTTPException):
                return 0, b""

    return send


def _chunks() -> Iterator[bytes]:
    for _ in range(24):
        yield b"100000\r\n" + bytes(1 << 20) + b"\r\n"


def _bodies(right: bytes) -> Iterator[Attack]:
    too_large = frozenset({413})
    yield Attack("too large by its length", _raw("Content-Length: 100000000", lambda: iter(())), too_large)
    yield Attack("too large in chunks", _raw("Transfer-Encoding: chunked", _chunks), too_large)
    yield Attack("a gzip bomb", _post(gzip.compress(bytes(100_000_000), 1), Content_Encoding="gzip"), too_large)
    yield Attack("blanks beyond the bound", _post(right + b" " * (17 << 20)), too_large)
    yield Attack("a head of 200 kB", _post(right, X_Long="x" * 200_000), frozenset({400, 431}))
    yield Attack("deep lists", _post(b'{"inputs":' + b"[" * 1_000_000), _REFUSED)
    yield Attack("a million lists", _post(b'{"inputs":[' + b"[]," * 1_000_000 + b"[]]}"), _REFUSED)
    yield Attack("a long number", _post(b'{"inputs":' + b"9" * 1_000_000 + b"}"), _REFUSED)


def _codings(right: bytes) -> Iterator[Attack]:
    packed, taken, refused = gzip.compress(right), frozenset({200}), frozenset({415})
    for coding in ("gzip", "GZIP", "x-gzip"):
        yield Attack(f"coding {coding}", _post(packed, Content_Encoding=coding), taken)
    yield Attack("coding identity", _post(right, Content_Encoding="identity"), taken)
    for coding in ("br", "zstd", "aws-chunked"):
        yield Attack(f"coding {coding}", _post(right, Content_Encoding=coding), refused)
    yield Attack("gzip that is none", _post(right, Content_Encoding="gzip"), frozenset({400, 422}))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
        yield Attack(f"type {kind}", _post(right, Content_Type=kind), refused)
    for upgrade in ("h2c", "websocket"):
        fields = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade, "HTTP2_Settings": "AAMAAABkAAQAAP__"}
        yield Attack(f"upgrade to {upgrade}", _post(right, **fields), taken)


def _of_v2(workload: Workload) -> Iterator[Attack]:
    request = workload.requests[0]
    first = request["inputs"][0]
    yield Attack("a long name", _post(_v2(request, {**first, "name": "n" * 15_000_000})), _REFUSED)
    many = [{**first, "name": f"n{place}"} for place in range(50_000)]
    yield Attack("many names", _post(_v2(request, *many)), _REFUSED)
    rows = {**first, "shape": [1_000_000], "data": first["data"] * 1_000_000}
    yield Attack("a million rows", _post(_v2({"inputs": []}, rows)), _REFUSED)
    yield Attack("a long id", _post(json.dumps({**request, "id": "i" * 1_000_000}).encode()), _REFUSED)
    texts = [item for item in request["inputs"] if item["datatype"] == "BYTES"]
    if texts:
        others = {"inputs": [item for item in request["inputs"] if item is not texts[0]]}
        written = [base64.b64encode(text.encode()).decode() for text in texts[0]["data"]]
        coded = {**texts[0], "data": written, "parameters": {"content_type": "base64"}}
        yield Attack("a text in base64", _post(_v2(others, coded)), _REFUSED | {200})
        long = {**texts[0], "data": ["t" * 5_000_000]}
        yield Attack("a long text", _post(_v2(others, long)), _REFUSED)
    for name, raw in (("too short", b"\x01"), ("empty", b""), ("too long", bytes(1_000))):
        yield Attack(f"a raw tensor, {name}", _raw_tensors(first, raw), frozenset({400}))


def _v2(request: dict[str, Any], *more: dict[str, Any]) -> bytes:
    changed = copy.deepcopy(request)
    changed["inputs"].extend(more)
    return json.dumps(changed).encode()


def _raw_tensors(first: dict[str, Any], raw: bytes) -> Callable[[Served], Sent]:
    def send(served: Served) -> Sent:
        from mlserver.grpc.dataplane_pb2 import ModelInferRequest

        tensor = {"name": first["name"], "datatype": "FP64", "shape": [1]}
        message = ModelInferRequest(
            model_name=served.kind.path.split("/")[3], inputs=[tensor], raw_input_contents=[raw]
        )
        return _call(served, "/inference.GRPCInferenceService/ModelInfer", message.SerializeToString())

    return send


def _of_seldon(right: bytes) -> Iterator[Attack]:
    columns = json.loads(right)["jsonData"]
    name = next(iter(columns))

    def with_columns(**changed: Any) -> bytes:
        return json.dumps({"jsonData": {**columns, **changed}}).encode()

    yield Attack("a long name", _post(with_columns(**{"n" * 15_000_000: 1})), _REFUSED)
    yield Attack("many names", _post(with_columns(**{f"n{place}": 1 for place in range(50_000)})), _REFUSED)
    yield Attack(
        "a name for each row",
        _post(json.dumps({"jsonData": [{f"n{at}": 1} for at in range(9_000)]}).encode()),
        _REFUSED,
    )
    yield Attack("a million rows", _post(with_columns(**{name: [1] * 1_000_000})), _REFUSED)
    table = {"names": [f"n{place}" for place in range(20_000)], "ndarray": []}
    yield Attack("many columns", _post(json.dumps({"data": table}).encode()), _REFUSED)
    yield Attack(
        "a long id", _post(json.dumps({"jsonData": columns, "meta": {"puid": "i" * 1_000_000}}).encode()), _REFUSED
    )
    yield Attack("a long text", _post(with_columns(**{name: ["t" * 5_000_000]})), _REFUSED)
    messages = {
        "garbage": b"\xff" * 30,
        "cut off": b"\x32\xff\x01",
        "no text": b"\x32\x03\x1a\x01\xff",
        "too large": bytes(17 << 20),
    }
    for kind, content in messages.items():
        send = _call_with("/seldon.protos.Seldon/Predict", content)
        yield Attack(f"a message, {kind}", send, frozenset({400}))


def _call_with(method: str, content: bytes) -> Callable[[Served], Sent]:
    return lambda served: _call(served, method, content)


def _call(served: Served, method: str, content: bytes) -> Sent:
    """Over gRPC; its refusal of a message counts as 400, any other as 500."""
    with grpc.insecure_channel(f"{HOST}:{served.grpc_port}") as channel:
        try:
            return 200, channel.unary_unary(method)(content, timeout=_SECONDS)
        except grpc.RpcError as error:
            is_refused = error.code() is grpc.StatusCode.INVALID_ARGUMENT
            return 400 if is_refused else 500, f"{error.code()} {error.details()}".encode()


def _stalled(right: bytes) -> Callable[[Served], Sent]:
    def send(served: Served) -> Sent:
        half = f"POST {served.kind.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{".encode()
        with ExitStack() as clients:
            for place in range(_STALLED):
                client = clients.enter_context(socket.create_connection((HOST, served.port), _SECONDS))
                client.sendall(half[: len(half) if place % 3 else 40] if place % 4 else b"")
            started = time.monotonic()
            answered = _answer(served, right, _JSON)
            ready = served.asked_ready()
            in_time = time.monotonic() - started < _SLOWEST_SECONDS
        return answered if in_time and ready == 200 else (0, b"")

    return send
