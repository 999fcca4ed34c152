"""What the server for Seldon's protocol does with clients that are wrong, slow, or many."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import grpc
import pytest

from components.deploy.targets.local.server_process import free_port
from tests.components.serve.conformance.conftest import KINDS, Served, ready_line
from tests.components.serve.conformance.environment import seldon_python
from tests.components.serve.conformance.test_answers import OF_AN_EXCEPTION, changed, refused, times
from tests.components.serve.conformance.wires import ROW, Refused, SeldonGrpc
from tests.components.serve.conftest import Make
from tests.containers.engine import ROOT

pytestmark = pytest.mark.slow
PATH = "/api/v1.0/predictions"
JSON = {"Content-Type": "application/json"}
BODY = json.dumps({"jsonData": ROW}).encode()
POST = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()


def send(
    served: Served, body: Any, headers: dict[str, str] | None = None, method: str = "POST", path: str = PATH
) -> Any:
    """Status, headers and JSON of an answer."""
    connection = HTTPConnection(served.rest.address.partition("//")[2], timeout=30)
    try:
        connection.request(method, path, body, JSON if headers is None else headers)
        response = connection.getresponse()
        content = response.read()
        assert not OF_AN_EXCEPTION.search(content.decode())
        is_json = response.headers.get("Content-Type") == "application/json"
        return response.status, response.headers, json.loads(content) if is_json and content else content
    finally:
        connection.close()


def connect(served: Served) -> socket.socket:
    host, _, port = served.rest.address.partition("//")[2].partition(":")
    return socket.create_connection((host, int(port)), 30)


def memory_mb(pid: int, line: str = "VmRSS") -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(text.split()[1]) / 1e3 for text in lines if text.startswith(line))


@pytest.fixture
def served(served_seldon: Served) -> Served:
    return served_seldon


CODINGS = {
    "gzip": (200, gzip.compress(BODY)),
    "GZIP": (200, gzip.compress(BODY)),
    "x-gzip": (200, gzip.compress(BODY)),
    "identity": (200, BODY),
    "br": (415, BODY),
    "zstd": (415, BODY),
    "gzip, gzip": (200, gzip.compress(gzip.compress(BODY))),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_content_codings(served: Served, coding: str) -> None:
    expected, body = CODINGS[coding]
    status, headers, _ = send(served, body, {**JSON, "Content-Encoding": coding})
    assert status == expected and ("gzip" in headers.get("Accept-Encoding", "")) == (expected == 415)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]
)
def test_a_body_of_another_type_is_refused(served: Served, content_type: str) -> None:
    assert send(served, BODY, {"Content-Type": content_type})[0] == 415
    assert send(served, b"json=" + BODY, {"Content-Type": content_type})[0] == 415


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0, h2c"])
def test_an_upgrade_is_ignored(served: Served, upgrade: str) -> None:
    headers = {
        **JSON,
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": upgrade,
        "HTTP2-Settings": "AAMAAABkAAQAAP__",
    }
    status, _, content = send(served, BODY, headers)
    assert status == 200 and content["jsonData"]["class"] == ["late"]


CLOSED = ["/transform-input", "/transform-output", "/route", "/aggregate"]
CLOSED += ["/seldon.json", "/", "/docs", "/openapi.json", "/static/x", "/metrics"]


@pytest.mark.parametrize("path", CLOSED)
def test_what_nobody_needs_is_not_there(served: Served, path: str) -> None:
    for method in ("GET", "POST"):
        assert send(served, BODY if method == "POST" else None, method=method, path=path)[0] == 404


def test_other_origins_and_versions_are_not_shown(served: Served) -> None:
    for path, method in ((PATH, "POST"), ("/metadata", "GET"), ("/health/ping", "GET"), ("/nowhere", "GET")):
        _, headers, _ = send(
            served, BODY if method == "POST" else None, {**JSON, "Origin": "http://evil"}, method, path
        )
        assert not [name for name in headers if name.lower().startswith("access-control")]
        assert headers["Server"] == "naru"


def test_another_method_is_refused_with_those_that_are_allowed(served: Served) -> None:
    status, headers, _ = send(served, None, method="GET", path="/predict")
    assert (status, headers["Allow"]) == (405, "POST")


def of(**data: Any) -> bytes:
    return json.dumps(data).encode()


TOO_MUCH = {
    "a body above the bound": (b" " * (17 << 20), {}, 413),
    "a gzip bomb": (gzip.compress(b" " * 100_000_000, 1), {"Content-Encoding": "gzip"}, 413),
    "a million rows": (of(jsonData={"month": [1] * 1_000_000}), {}, 413),
    "a million lists": (of(jsonData=[[]] * 1_000_000), {}, 413),
    "a million mappings": (of(jsonData=[{"a": 1}] * 1_000_000), {}, 413),
    "many names": (of(jsonData={f"n{at}": 1 for at in range(100_000)}), {}, 413),
    "a name for every row": (of(jsonData=[{f"n{at}": 1} for at in range(1_900)]), {}, 400),
    "a long name": (of(jsonData={**ROW, "n" * 15_000_000: 1}), {}, 400),
    "many columns": (of(data={"names": [f"n{at}" for at in range(9_000)], "ndarray": [[1] * 9_000]}), {}, 413),
    "the same name, often": (of(data={"names": ["n"] * 5_000, "ndarray": []}), {}, 400),
    "a long id": (of(jsonData=ROW, meta={"puid": "i" * 5_000_000}), {}, 400),
    "a long text": (of(jsonData={**ROW, "carrier": ["c" * 3_000_000]}), {}, 400),
    "a long number": (b'{"jsonData": {"month": ' + b"9" * 5_000_000 + b"}}", {}, 400),
    "deep lists": (b'{"jsonData": ' + b"[" * 900_000, {}, 413),
    "a head of 100 kB": (BODY, {"X-Long": "x" * 100_000}, 431),
    "many headers": (BODY, {f"X-{at}": "x" for at in range(300)}, 431),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_one_request_costs_little_and_is_refused(served: Served, case: str) -> None:
    body, headers, expected = TOO_MUCH[case]
    before = memory_mb(served.pid)
    status, _, content = send(served, body, {**JSON, **headers})
    assert status == expected and len(json.dumps(content)) < 2_000
    assert memory_mb(served.pid) - before < 300
    assert send(served, BODY)[0] == 200


TABLE = {"names": list(ROW), "ndarray": [[30.0, 6, "AA", 0.5]]}
HALF_READ = {
    "a feature twice": (BODY.replace(b'"month": [6]', b'"month": [6], "month": [7]'), "wrong_shape: in the body key 'month'"),
    "an id twice": (BODY[:-1] + b', "meta": {"puid": "a", "puid": "b"}}', "wrong_shape: in the body key 'puid' occurs twice"),
    "jsonData and data": (of(jsonData=ROW, data=TABLE), "wrong_shape: the request has jsonData and data; send one"),
    "jsonData and strData": (of(jsonData=ROW, strData="x"), "wrong_shape: the request has jsonData and strData"),
    "an ndarray and a tensor": (of(data={**TABLE, "tensor": {}}), "wrong_shape: data has ndarray and tensor"),
    "an id that is a number": (of(jsonData=ROW, meta={"puid": 7}), "wrong_type: meta.puid must be a text, found 7"),
    "an id that is half a pair": (of(jsonData=ROW, meta={"puid": "\ud800"}), "wrong_type: meta.puid must be a text"),
    "a meta that is a list": (of(jsonData=ROW, meta=["a"]), "wrong_shape: meta must be an object"),
    "a text that is half a pair": (of(jsonData={**ROW, "carrier": ["A\ud800"]}), "wrong_type: 'carrier', row 0: the text"),
    "a number of 400 digits": (of(jsonData={**ROW, "noise": [10**400]}), "not_finite: 'noise', row 0"),
    "UTF-16": (BODY.decode().encode("utf-16"), "the body is not a request of Seldon's protocol in JSON, in UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("case", HALF_READ)
def test_what_would_be_answered_in_part_is_refused(served: Served, case: str) -> None:
    body, message = HALF_READ[case]
    status, _, content = send(served, body)
    assert status == 400 and content["status"]["info"].startswith(message)


def test_a_byte_order_mark_is_ignored_and_null_is_no_second_form(served: Served) -> None:
    assert send(served, b"\xef\xbb\xbf" + BODY)[0] == 200
    assert send(served, of(jsonData=ROW, data=None))[0] == send(served, of(jsonData=None, data=TABLE))[0] == 200


@pytest.mark.parametrize("hosts", [b"", b"Host: a b\r\n", b"Host: a/b\r\n", b"Host: a@b\r\n"])
def test_a_request_needs_one_valid_host(served: Served, hosts: bytes) -> None:
    with connect(served) as client:
        client.sendall(POST.replace(b"Host: x\r\n", hosts) + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Host header" in answer


def test_a_probe_by_head_is_answered_without_a_body(served: Served) -> None:
    status, headers, content = send(served, None, method="HEAD", path="/health/status")
    assert (status, content) == (200, b"") and int(headers["Content-Length"]) > 0


def test_a_body_in_chunks_is_bounded_while_it_is_read(served: Served) -> None:
    with connect(served) as client:
        client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"100000\r\n" + bytes(1 << 20) + b"\r\n") * 17)
        response = HTTPResponse(client)  # the end of the body is not there
        response.begin()
        assert response.status == 413 and response.headers["Connection"] == "close"


def test_grpc_refuses_in_our_words_what_is_too_much(served: Served) -> None:
    wire = served.grpc
    assert isinstance(wire, SeldonGrpc)
    send_raw = wire.channel.unary_unary("/seldon.protos.Seldon/Predict")
    deep = b""
    for _ in range(2_000):
        deep = b"\x32" + _length(deep) + deep if len(deep) % 2 else b"\x0a" + _length(deep) + deep
    for content in (b"\x32\xff", b"\xff" * 20, bytes(17 << 20), b"\x32" + _length(deep) + deep, b"\x32\x02\x1a\xff"):
        with pytest.raises(grpc.RpcError) as caught:
            send_raw(content, timeout=30)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, caught.value
        assert not OF_AN_EXCEPTION.search(caught.value.details())
    assert refused(wire, times(1_500)).message.startswith("too_many_rows: 1500 rows")
    with pytest.raises(Refused) as many:
        wire.ask(times(100_000))
    assert many.value.status == 400
    with pytest.raises(grpc.RpcError) as closed:
        wire.channel.unary_unary("/seldon.protos.Generic/TransformInput")(b"", timeout=30)
    assert closed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert wire.ask(ROW).outputs["class"] == ["late"]


def test_as_many_texts_as_over_rest_are_taken_over_grpc(served: Served) -> None:
    assert served.grpc.ask(changed(carrier=["c" * 5_000])) and served.grpc.ask(
        {name: values * 1_000 for name, values in changed(carrier=["c" * 5_000]).items()}
    )


def _length(content: bytes) -> bytes:
    left, written = len(content), b""
    while left >= 0x80:
        written, left = written + bytes([left & 0x7F | 0x80]), left >> 7
    return written + bytes([left])


SMUGGLING = [
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: gzip\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: +5\r\n\r\nabcde",
    b"Content-Length: 5\n\nabcde",
    b"X: a\r\n Content-Length: 5\r\n\r\nabcde",
    b"Bad Name: 1\r\n\r\n",
]


@pytest.mark.parametrize("fields", SMUGGLING)
def test_framing_in_doubt_is_refused_in_json_and_the_connection_closed(served: Served, fields: bytes) -> None:
    with connect(served) as client:
        client.sendall(POST + fields + b"GET /health/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        response = HTTPResponse(client)
        response.begin()
        content = json.loads(response.read())
        assert response.status in (400, 501) and content["status"]["status"] == "FAILURE"
        assert client.recv(1) == b""


def test_requests_in_a_row_are_answered_in_their_order(served: Served) -> None:
    whole = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    probe = b"GET /health/ping HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(served) as client:
        client.sendall(whole + probe + whole + probe)
        client.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert answers.count(b"HTTP/1.1 200 OK") == 4 and answers.count(b"pong") == 2
    first, _, rest = answers.partition(b"pong")
    assert first.count(b"jsonData") == 1 and rest.count(b"jsonData") == 1


def test_clients_that_stall_take_nothing_from_others(served: Served) -> None:
    with ExitStack() as clients:
        for number in range(1_200):
            client = clients.enter_context(connect(served))
            if number % 6 == 0:
                client.sendall(POST if number % 4 else POST + b"Content-Length: 500\r\n\r\n{")
        for _ in range(40):  # who asks for much and does not read
            client = clients.enter_context(connect(served))
            body = json.dumps({"jsonData": times(1_000)}).encode()
            client.sendall((POST + b"Content-Length: %d\r\n\r\n" % len(body) + body) * 2)
        slowest = 0.0
        for _ in range(20):
            started = time.monotonic()
            assert send(served, None, method="GET", path="/health/status")[0] == 200
            slowest = max(slowest, time.monotonic() - started)
            status, _, _ = send(served, BODY)
            assert status in (200, 429)
        assert slowest < 5  # one second, on a machine of its own


@pytest.fixture
def small(model: Make, tmp_path: Any) -> Iterator[tuple[subprocess.Popen[bytes], int, Any]]:
    """A server that may open 100 files, and starts in the background of a shell that ends."""
    port, log = free_port(), tmp_path / "log"
    command = f"{seldon_python()} -m components.serve --protocol seldon --model {model()} --name tiny --port {port}"
    script = f"ulimit -n 100; nohup {command} > {log} 2>&1 & echo $!"
    pid = int(subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, check=True, text=True).stdout)
    deadline = time.monotonic() + 300
    while "ready:" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    yield pid, port, log
    os.kill(pid, signal.SIGKILL)


def test_at_its_limit_of_files_it_goes_on_and_its_log_stays_small(small: Any, served: Served) -> None:
    _, port, log = small
    rest = KINDS["seldon"].rest(f"http://127.0.0.1:{port}")
    other = Served(rest, served.grpc, "", served.log, 0, served.labels)
    before = log.stat().st_size
    with ExitStack() as clients:
        for _ in range(400):
            clients.enter_context(connect(other))
        for _ in range(5):
            assert rest.is_ready() and rest.ask(ROW).outputs["class"] == ["late"]
    assert log.stat().st_size - before < 2_000
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 1_300  # of this test itself


def test_from_sigterm_on_connections_are_closed_politely(model: Make) -> None:
    port = free_port()
    process = KINDS["seldon"].start(model(), "--notice-seconds", "1", port=port)
    ready_line(process)
    kept = [HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(4)]
    answered = []

    def ask(connection: HTTPConnection) -> str:
        connection.request("POST", PATH, BODY, JSON)
        response = connection.getresponse()
        response.read()
        answered.append(response.status)
        return response.headers["Connection"]

    assert {ask(connection) for connection in kept} == {"keep-alive"}
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert ask(kept[0]) == "close"
    time.sleep(1.2)  # the port is closed; a connection that is open is answered
    assert ask(kept[1]) == "close"
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in errors and answered == [200] * 6
