"""A proxy before an S3 server that takes `If-None-Match` out of every request, as a server does that does not know it.

The header is signed, so the proxy signs what is left of the request itself, with the server's credentials.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from minio.credentials import Credentials
from minio.signer import sign_v4_s3

from tests.containers.s3_server import S3Server
from tests.http_servers import running

_OWN = ("authorization", "connection", "if-none-match", "host", "x-amz-date")


class DroppingProxy(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, server: S3Server) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = server
        self.dropped = 0

    @property
    def environment(self) -> dict[str, str]:
        return {**self.behind.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}"}


@contextmanager
def dropping(server: S3Server) -> Iterator[DroppingProxy]:
    with running(DroppingProxy(server)) as proxy:
        yield proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: DroppingProxy

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.dropped += "If-None-Match" in self.headers
        host = f"127.0.0.1:{self.server.behind.port}"
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request(self.command, self.path, body, self._signed(host))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.headers.get("Content-Length") or str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _forward

    def _signed(self, host: str) -> dict[str, str]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
        now = datetime.now(UTC)
        headers |= {"Host": host, "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ")}
        given = self.server.behind.environment
        credentials = Credentials(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"])
        signed = sign_v4_s3(
            method=self.command,
            url=urlsplit(f"http://{host}{self.path}"),
            region=given["AWS_REGION"],
            headers=headers,
            credentials=credentials,
            content_sha256=headers["x-amz-content-sha256"],
            date=now,
        )
        return dict(signed)

    def log_message(self, format: str, *_: object) -> None:
        """Quiet."""
