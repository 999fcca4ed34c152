"""Real servers of notices: one of HTTP, and a small one of SMTP, each with the habit that a test wants."""

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.http_servers import running


@contextmanager
def webhook(status: int = 200, drip: bool = False) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook's address, and the notices that it got; `drip`: it answers a byte at a time."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({**json.loads(body), "authorization": self.headers.get("Authorization"), "path": self.path})
            if drip:
                for byte in b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100:
                    try:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                    except OSError:
                        return
                    time.sleep(0.05)
                return
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    with running(server):
        yield f"127.0.0.1:{server.server_port}", got


@contextmanager
def mail_server(refuse: str = "") -> Iterator[tuple[int, list[str]]]:
    """The port of a mail server without TLS, and the mails that it got; `refuse`: a command that it refuses."""
    got: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            while line := self.rfile.readline().decode().strip():
                verb = line.upper().split(" ")[0].split(":")[0]
                if verb == refuse:
                    self._say("550 secret-address is not welcome")
                elif verb == "EHLO":
                    self._say("250-here\r\n250 AUTH PLAIN")
                elif verb == "DATA":
                    self._say("354 go on")
                    got.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                    self._say("250 ok")
                elif verb == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 ok")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1], got
        server.shutdown()
