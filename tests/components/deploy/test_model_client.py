"""The client keeps one connection, and takes a new one where the server has closed it as idle."""

import http.server
import json
from collections.abc import Iterator

import pytest

from components._core.errors import ServiceError
from components.deploy.model_client import Client
from tests.http_servers import running


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Closes the connection after each answer without saying so, as a server does with one that is idle."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        content = json.dumps({"outputs": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """It has nothing to tell."""


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    with running(http.server.HTTPServer(("127.0.0.1", 0), Forgetful)) as server:
        yield server


def test_a_connection_that_was_closed_while_idle_is_not_a_failure(server: http.server.HTTPServer) -> None:
    client = Client("127.0.0.1", server.server_port, "tiny")
    for size in (1, 1, 1_000_000):
        assert client.infer({"inputs": ["x" * size]}).status == 200
    client.close()


def test_a_server_that_is_gone_is_reported(server: http.server.HTTPServer) -> None:
    client = Client("127.0.0.1", server.server_port, "tiny")
    assert client.infer({}).status == 200
    server.shutdown()
    server.server_close()
    with pytest.raises(ServiceError, match="gave no answer"):
        client.infer({})
