"""The model server as a process on loopback: starts it, waits for it, stops it; shows its log when it does not start."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from components._core.errors import ConfigError, ServiceError
from components._core.project.serving_config import Serve
from components._core.types.oip_paths import ready_path
from components.deploy.model_client import NO_ANSWER, get
from components.deploy.server_command import process_command, server_arguments
from components.deploy.server_metrics import read_counts

HOST = "127.0.0.1"
POLL_SECONDS = 0.05
_START_SECONDS = 300.0  # two servers on one busy core have taken 120
_STOP_SECONDS = 15.0
_SECONDS = 5.0
_TRIES = 3
_SHOWN_LINES = 12


class ModelServer:
    """Serves a model folder during a `with` block.

    It starts on entry; waiting is a separate step, so that the caller can load something on another core meanwhile. It ends with
    the calling process, however that ends, because it watches its standard input.

    Attributes:
        host: Address of loopback.
        port: Port on loopback; final once the server is ready.
        ready_seconds: Time from start to ready.
        exit_code: Exit code after `stop`; None before, and when the server had to be killed.
    """

    def __init__(
        self, python: str, model: Path, name: str, version: str, log: Path, serve: Serve | None = None, sha256: str = ""
    ) -> None:
        self.host = HOST
        self.port = self._metrics_port = 0
        self.ready_seconds = 0.0
        self.exit_code: int | None = None
        self._tries_left = _TRIES
        self._name = name
        self._log = log
        self._command = process_command(python, server_arguments(model, name, version, serve, sha256), HOST)

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def wait_until_ready(self) -> None:
        """Wait until the server answers.

        Raises:
            ServiceError: When it ends or takes too long; with the last lines of its log.
        """
        while not self.has_come_up():
            time.sleep(POLL_SECONDS)

    def has_come_up(self) -> bool:
        """Whether the server answers; to wait for several servers, poll each in turn. Errors as in `wait_until_ready`."""
        if self._is_ready():
            self.ready_seconds = time.perf_counter() - self._started
            return True
        code = self._process.poll()
        if code == ConfigError.exit_code and self._tries_left:  # another program took the port first
            self._tries_left -= 1
            self._end()
            self._start()
        elif code is not None:
            raise ServiceError(f"the model server ended with {code} before it was ready{self._last_lines()}")
        elif time.perf_counter() - self._started > _START_SECONDS:
            raise ServiceError(f"the model server was not ready in {_START_SECONDS:.0f} s{self._last_lines()}")
        return False

    def resident_mb(self) -> float | None:
        """Memory of the server now, in millions of bytes; None when it has ended or the system does not report it.

        It is read from the server's metrics: the process started here may be the client of a process that forks the server.
        """
        if self._process.poll() is not None:
            return None
        status, page = _get(self._metrics_port, "/metrics")
        if status != 200:
            return None
        memory = read_counts(page.decode("utf-8")).memory
        return round(memory / 1e6, 1) if memory else _resident_mb(self._process.pid)

    def stop(self) -> None:
        """Send SIGTERM to the server and wait for its end.

        Raises:
            ServiceError: When it had ended already.
        """
        code = self._process.poll()
        if code is not None:
            raise ServiceError(f"the model server ended with {code} while it was used{self._last_lines()}")
        self._process.terminate()
        try:
            self.exit_code = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.exit_code = None

    def _start(self) -> None:
        self.port, self._metrics_port = free_port(), free_port()
        with self._log.open("wb") as log:
            command = [*self._command, "--port", str(self.port), "--metrics-port", str(self._metrics_port)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def _is_ready(self) -> bool:
        status, _ = _get(self.port, ready_path(self._name))
        return status == 200

    def _last_lines(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_SHOWN_LINES:]
        return "; the last lines of its log:\n    " + "\n    ".join(lines) if lines else "; it printed nothing"


def _get(port: int, path: str) -> tuple[int, bytes]:
    """Send a GET; return status and body, status 0 without an answer."""
    try:
        return get(HOST, port, path, _SECONDS)
    except NO_ANSWER:
        return 0, b""


def _resident_mb(process: int) -> float | None:
    """Memory of a process, where the server's metrics lack it (on macOS, where nothing forks)."""
    try:
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True)  # noqa: S607
        return round(int(done.stdout) * 1024 / 1e6, 1)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def free_port() -> int:
    """Find a port of loopback that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
