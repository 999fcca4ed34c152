"""Refusals of Google Cloud Storage, from a server that shows each on demand; `tests/containers` has the real interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from components._core.errors import ConfigError, ServiceError, UnavailableError
from components._core.store import gcs
from components._core.store.append_log import AppendLog
from components._core.store.filesystems import open_filesystem
from tests.http_servers import running

LOG = AppendLog("gs://bucket/p/deployments", "the deployment ledger", "gs://bucket")


class Refusing(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 403
        self.requests = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the system waits 40 ms between two pieces of an answer
    server: Refusing

    def do_GET(self) -> None:
        self.server.requests += 1
        message = {"error": {"code": self.server.status, "message": "naru@example lacks storage.objects.list"}}
        body = json.dumps(message).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, format: str, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Refusing]:
    monkeypatch.setattr(gcs, "_RETRY_SECONDS", 0.5)
    monkeypatch.setattr(gcs, "_FIRST_PAUSE", 0.01)
    with running(Refusing()) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
        yield server


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "refused or have expired"), (403, r"Google Cloud Storage refuses: .*storage\.objects\.list")],
)
def test_refused_or_expired_credentials_are_reported(server: Refusing, status: int, message: str) -> None:
    server.status = status
    with pytest.raises(ServiceError, match=message) as caught:
        LOG.read()
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.remedy
    with pytest.raises(ServiceError, match=message):
        LOG.append({"n": 1})


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_fails_in_passing_is_asked_again_and_then_unavailable(server: Refusing, status: int) -> None:
    server.status = status
    with pytest.raises(UnavailableError, match="does not answer"):
        LOG.read()
    assert server.requests > 1


def test_another_failure_is_reported_with_its_message(server: Refusing) -> None:
    server.status = 400
    with pytest.raises(ServiceError, match="Google Cloud Storage failed: 400"):
        LOG.read()


def test_a_server_that_does_not_listen_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs, "_RETRY_SECONDS", 0.5)
    monkeypatch.setattr(gcs, "_FIRST_PAUSE", 0.01)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match="STORAGE_EMULATOR_HOST"):
        LOG.read()


def test_an_emulator_that_is_not_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "store:9000")
    with pytest.raises(ConfigError, match="http://host:port"):
        open_filesystem("gs://bucket/key")


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    with pytest.raises(ConfigError, match="no credentials for Google Cloud") as caught:
        open_filesystem("gs://bucket/key")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.remedy


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components._core.extras.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"not installed: google\.cloud\.storage") as caught:
        open_filesystem("gs://bucket/key")
    assert "pip install 'naru[gcs]'" in caught.value.remedy
