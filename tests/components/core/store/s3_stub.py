"""A small S3 in memory, for behaviour that no real server shows on demand: ignoring a condition, answering 409, being slow between two steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from components._core.store import claims
from tests.http_servers import running

Conditions = Literal["atomic", "ignored", "checked before the write"]


class S3Stub(ThreadingHTTPServer):
    """Objects by `/bucket/key`.

    Args:
        conditions: What `If-None-Match: *` does here. `checked before the write` is how SeaweedFS did it up to 4.16.
        step: Seconds between two dates of objects: many servers know whole seconds alone.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, conditions: Conditions, step: float = 1.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.conditions, self.step = conditions, step
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.conflicts = 0
        """So many conditional writes are answered with 409 first."""
        self.lock = threading.Lock()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "naru",
            "AWS_SECRET_ACCESS_KEY": "only-for-tests",
        }


@contextmanager
def serving(conditions: Conditions, step: float = 1.0) -> Iterator[S3Stub]:
    with running(S3Stub(conditions, step)) as server:
        yield server


def shorten_claims(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let claims settle in a quarter of a second; returns the step of the dates of a server on which that suffices."""
    monkeypatch.setattr(claims, "SETTLE", 0.25)
    monkeypatch.setattr(claims, "_PAUSE", 0.05)
    return 0.1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the system waits 40 ms between two pieces of an answer
    server: S3Stub

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        conditional = self.headers["If-None-Match"] == "*" and self.server.conditions != "ignored"
        if self.headers["If-None-Match"] and self.server.conflicts:
            self.server.conflicts -= 1
            self._fail(409, "ConditionalRequestConflict")
        elif (
            conditional
            and self.server.conditions == "checked before the write"
            and self._key() not in self.server.objects
        ):
            time.sleep(0.2)
            self._store(body)
        else:
            with self.server.lock:
                taken = conditional and self._key() in self.server.objects
                if not taken:
                    self.server.objects[self._key()] = (body, time.time())
            self._fail(412, "PreconditionFailed") if taken else self._answer(200, b"", ETag='"0"')

    def _store(self, body: bytes) -> None:
        self.server.objects[self._key()] = (body, time.time())
        self._answer(200, b"", ETag='"0"')

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            self._answer(200, self._list(query.get("prefix", [""])[0]))
        elif found := self.server.objects.get(self._key()):
            self._answer(*self._part(found[0]), ETag='"0"')
        else:
            self._fail(404, "NoSuchKey")

    def _part(self, content: bytes) -> tuple[int, bytes]:
        """What a Range header asks for, such as bytes=8-11; all without one."""
        wanted = self.headers["Range"]
        if not wanted:
            return 200, content
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        return 206, content[int(first) : int(last) + 1 if last else None]

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        self.server.objects.pop(self._key(), None)
        self._answer(204, b"")

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path)

    def _list(self, prefix: str) -> bytes:
        """List the objects directly below a prefix."""
        bucket = self._key().strip("/")
        found: dict[str, str] = {}
        for path, (content, at) in sorted(self.server.objects.items()):
            key = path.removeprefix(f"/{bucket}/")
            head, slash, _ = key.removeprefix(prefix).partition("/")
            if not key.startswith(prefix):
                continue
            if slash:
                found[head] = f"<CommonPrefixes><Prefix>{escape(prefix + head)}/</Prefix></CommonPrefixes>"
            else:
                date = _format_date(at // self.server.step * self.server.step)
                message = f"<Key>{escape(key)}</Key><LastModified>{date}</LastModified><ETag>0</ETag><Size>{len(content)}</Size>"
                found[head] = f"<Contents>{message}</Contents>"
        listed = "".join(found.values())
        return (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{bucket}</Name><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"
        ).encode()

    def _fail(self, status: int, code: str) -> None:
        message = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'
        self._answer(status, message.encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "Content-Type": "application/xml"}.items():
            self.send_header(name, value)
        self.send_header("Last-Modified", self.date_time_string())
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:
        """Quiet."""


def _format_date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
