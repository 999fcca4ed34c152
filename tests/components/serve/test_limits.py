"""Counters and the limit, asked of a real server."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from contextlib import ExitStack
from http.client import HTTPResponse
from urllib.parse import urlsplit

from tests.components.serve.conftest import Running
from tests.components.serve.test_mlserver_runtime import ROW, infer, tensor

AT_ONCE = 40
PLACES = 8


def metrics(server: Running) -> dict[str, float]:
    with urllib.request.urlopen(server.metrics, timeout=120) as response:
        lines = response.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_the_counters_agree_with_what_was_sent(server: Running) -> None:
    before = metrics(server)
    for _ in range(3):
        assert infer(server, *(tensor(item["name"], item["datatype"], *item["data"] * 5) for item in ROW))[0] == 200
    assert infer(server, tensor("month", "INT64", "6"))[0] == 400
    grown = {name: value - before[name] for name, value in metrics(server).items() if value != before[name]}
    assert grown["naru_requests_total"] == 4 and grown["naru_rows_total"] == 15
    assert grown["naru_request_seconds_count"] == 3 and grown["naru_request_seconds_sum"] > 0
    refused = {name: value for name, value in grown.items() if name.startswith("naru_refusals_total")}
    assert refused == {'naru_refusals_total{code="wrong_type"}': 1}


def test_what_comes_above_the_limit_is_refused_at_once_and_the_rest_answered_right(server: Running) -> None:
    before = metrics(server)
    answers = ask_at_once(server, AT_ONCE)
    assert {status for status, _ in answers} == {200, 429}
    for number, (status, answer) in enumerate(answers):
        if status == 200:
            assert answer["id"] == str(number) and answer["outputs"] == infer(server, month(number))[1]["outputs"]
        else:
            assert answer["error"] == f"too_busy: {PLACES} requests are in work; ask again in a moment"
    refused = 'naru_refusals_total{code="too_busy"}'
    assert metrics(server)[refused] - before[refused] == [status for status, _ in answers].count(429)
    assert metrics(server)["naru_in_flight"] == 0


def month(number: int) -> dict:
    return tensor("month", "INT64", number % 12 + 1)


def ask_at_once(server: Running, count: int) -> list[tuple[int, dict]]:
    """Requests that all wait in the server's sockets when it looks: it is stopped while they are sent."""
    url = urlsplit(server.url)
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection((url.hostname, url.port), 120)) for _ in range(count)]
        os.kill(server.pid, signal.SIGSTOP)
        try:
            for number, connection in enumerate(sockets):
                connection.sendall(written(url.path, number))
        finally:
            os.kill(server.pid, signal.SIGCONT)
        return [read(connection) for connection in sockets]


def written(path: str, number: int) -> bytes:
    inputs = [month(number) if item["name"] == "month" else item for item in ROW]
    body = json.dumps({"id": str(number), "inputs": inputs}).encode()
    head = f"POST {path}/infer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def read(connection: socket.socket) -> tuple[int, dict]:
    response = HTTPResponse(connection)
    response.begin()
    return response.status, json.loads(response.read())
