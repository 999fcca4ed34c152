"""The port of the metrics: what it answers, and that nobody can keep it."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import suppress

import pytest

from components.deploy.targets.local.server_process import free_port
from components.serve.prometheus_metrics import Metrics, serve_metrics


def ask(port: int, path: str = "/metrics", method: str = "GET") -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, response.read(), response.getheader("Content-Type") or ""


def test_the_metrics_are_in_prometheus_format() -> None:
    port = free_port()
    with serve_metrics(Metrics("flights", "7"), "127.0.0.1", port):
        status, page, kind = ask(port)
        assert status == 200 and b'naru_model_info{name="flights",version="7"} 1.0' in page
        assert kind.startswith("text/plain; version=")
        assert (ask(port, "/other")[0], ask(port, method="POST")[0], ask(port, "/metrics?x=1")[0]) == (404, 405, 200)
    with pytest.raises(ConnectionError):
        ask(port)


def test_clients_that_say_nothing_take_neither_threads_nor_the_port() -> None:
    port = free_port()
    with serve_metrics(Metrics(), "127.0.0.1", port):
        threads = threading.active_count()
        silent = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(150)]
        for connection in silent:
            connection.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert ask(port)[0] == 200 and threading.active_count() == threads
        with socket.create_connection(("127.0.0.1", port), 20) as long:
            long.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000)
            with suppress(ConnectionError):
                assert long.recv(100) == b""
        for connection in silent:
            connection.close()
