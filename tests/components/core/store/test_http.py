"""Files of a web server that fails in the ways of real ones."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from components._core.errors import ConfigError, DataError, ServiceError, UnavailableError
from components._core.store import http
from components._core.store.filesystems import open_filesystem
from components._data.sources.registry import open_source
from tests.components.data.sources.databases.reading import read
from tests.http_servers import running

CONTENT = b"a,y\n" + b"".join(b"%d,%d\n" % (n, n % 2) for n in range(50_000))


class WebServer(ThreadingHTTPServer):
    """One file, `/t.csv`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = CONTENT
        self.headers = {"ETag": '"1"'}
        self.statuses: list[int] = []
        """Answered first, one request each."""
        self.cuts: list[int] = []
        """The first responses with content end after so many bytes."""
        self.ranges = True
        self.requests: list[tuple[str, str]] = []
        """Method and range of each request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/t.csv"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the system waits 40 ms between two pieces of an answer
    server: WebServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        server = self.server
        server.requests.append((self.command, self.headers.get("Range", "")))
        status = 404 if self.path != "/t.csv" else server.statuses.pop(0) if server.statuses else 200
        content, headers = server.content, dict(server.headers)
        start = int((re.findall(r"bytes=(\d+)-", self.headers.get("Range", "")) or ["0"])[0])
        if status == 200 and start and server.ranges and self.headers.get("If-Range") in server.headers.values():
            status, content = 206, content[start:]
            headers["Content-Range"] = f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
        if status not in (200, 206):
            content, headers = b"no", {"Location": "/t.csv"} if status == 302 else {}
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if status in (200, 206) and server.cuts:
            content = content[: server.cuts.pop(0)]
            self.close_connection = True
        self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr(http, "_PAUSES", (0.01, 0.01))
    with running(WebServer()) as server:
        yield server


def content_of(url: str) -> bytes:
    files, path = open_filesystem(url)
    with files.open(path, "rb") as file:
        return bytes(file.read())


def test_a_file_is_downloaded_once_for_all_passes_and_removed_at_the_end(server: WebServer) -> None:
    before = set(Path(tempfile.gettempdir()).glob("naru-http-*"))
    rows = read(server.url, "y")[1]
    assert rows.num_rows == 50_000 and rows["a"].to_pylist()[-1] == 49_999
    assert [method for method, _ in server.requests].count("GET") == 1
    assert set(Path(tempfile.gettempdir()).glob("naru-http-*")) == before


def test_an_interrupted_download_continues_where_it_ended(server: WebServer) -> None:
    server.cuts = [100_000, 150_000]
    assert content_of(server.url) == CONTENT
    assert server.requests == [("GET", ""), ("GET", "bytes=65536-"), ("GET", "bytes=196608-")]


def test_a_download_begins_again_where_it_cannot_be_continued(server: WebServer) -> None:
    server.cuts, server.ranges = [100_000], False
    assert content_of(server.url) == CONTENT
    server.cuts, server.headers = [100_000], {}
    assert content_of(server.url) == CONTENT


def test_content_that_changed_during_an_interruption_is_not_mixed(server: WebServer) -> None:
    files, path = open_filesystem(server.url)
    server.cuts = [100_000]
    real = http._request

    def changing(*arguments, **options):  # type: ignore[no-untyped-def]
        response = real(*arguments, **options)
        server.content, server.headers = CONTENT.replace(b"1", b"2"), {"ETag": '"2"'}
        return response

    http._request = changing
    try:
        with files.open(path, "rb") as file:
            assert file.read() == server.content
    finally:
        http._request = real


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_fails_in_passing_is_asked_again_and_then_unavailable(server: WebServer, status: int) -> None:
    server.statuses = [status, status]
    assert content_of(server.url) == CONTENT
    server.statuses = [status] * 3
    with pytest.raises(UnavailableError, match=f"does not answer: HTTP {status}"):
        content_of(server.url)


def test_a_download_that_never_completes_is_unavailable(server: WebServer) -> None:
    server.cuts, server.ranges = [10] * 3, False
    with pytest.raises(UnavailableError, match="does not answer"):
        content_of(server.url)
    with pytest.raises(UnavailableError, match="does not answer"):
        content_of("http://127.0.0.1:9/t.csv")


@pytest.mark.parametrize("headers", [{"ETag": '"1"'}, {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, {}])
def test_the_fingerprint_is_by_tag_date_or_content(server: WebServer, headers: dict[str, str]) -> None:
    server.headers = headers
    source = open_source(server.url)
    before = source.fingerprint("all")
    assert source.fingerprint("all") == before
    server.content = CONTENT.replace(b"9", b"8")
    server.headers = {name: value.replace("1", "2") for name, value in headers.items()}
    assert open_source(server.url).fingerprint("all") != before
    assert ("GET" in [method for method, _ in server.requests]) == (not headers), (
        "content is read only where it must be"
    )


def test_a_server_that_answers_only_get_is_enough(server: WebServer) -> None:
    server.statuses = [405]
    assert open_source(server.url).list_files("all")[0].name == "t.csv"


def test_redirects_are_followed(server: WebServer) -> None:
    server.statuses = [302]
    assert content_of(server.url) == CONTENT


def test_a_missing_file_is_bad_data_and_a_refused_one_an_error_of_the_service(server: WebServer) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_source(server.url.replace("t.csv", "none.csv")).list_files("all")
    for status, message in [(401, "refuses: HTTP 401"), (418, "answers HTTP 418")]:
        server.statuses = [status] * 2
        with pytest.raises(ServiceError, match=message):
            open_source(server.url).list_files("all")


def test_a_download_larger_than_allowed_ends(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_MOST_BYTES", 1_000)
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        content_of(server.url)


def test_spans_are_not_found_on_a_web_server(server: WebServer) -> None:
    with pytest.raises(ConfigError, match="a web server lists no files"):
        open_source(server.url.replace("t.csv", "t-{span}.csv")).list_files("all")
