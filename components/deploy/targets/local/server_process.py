"""The model server as a process on loopback: started, waited for, stopped; its log told when it does not come up."""

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
_TOLD_LINES = 12


class ModelServer:
    """Serves a model folder for the time of a `with` block.

    It starts on entry and is waited for later: its starter can load something on another core meanwhile. It ends with its
    starter, however that ends, because it watches its standard input.

    Attributes:
        host: Loopback.
        port: On loopback; known when it is ready.
        ready_seconds: From start to ready.
        exit_code: How it ended when it was told to; None before, and when it had to be killed.
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
        """Wait until it answers.

        Raises:
            ServiceError: When it ends or takes too long; with the last lines that it printed.
        """
        while not self.has_come_up():
            time.sleep(POLL_SECONDS)

    def has_come_up(self) -> bool:
        """Whether it answers by now; whoever waits for more than one server asks each in turn. Errors as in `wait_until_ready`."""
        if self._is_ready():
            self.ready_seconds = time.perf_counter() - self._started
            return True
        code = self._process.poll()
        if code == ConfigError.exit_code and self._tries_left:  # another program was faster at taking the port
            self._tries_left -= 1
            self._end()
            self._start()
        elif code is not None:
            raise ServiceError(f"the model server ended with {code} before it was ready{self._last_lines()}")
        elif time.perf_counter() - self._started > _START_SECONDS:
            raise ServiceError(f"the model server was not ready in {_START_SECONDS:.0f} s{self._last_lines()}")
        return False

    def resident_mb(self) -> float | None:
        """The memory that the server holds now, in millions of bytes; None when it has ended or the system does not tell.

        It is asked for it, as Prometheus would: what was started here may be the client of a process that forks the server.
        """
        if self._process.poll() is not None:
            return None
        status, page = _get(self._metrics_port, "/metrics")
        if status != 200:
            return None
        memory = read_counts(page.decode("utf-8")).memory
        return round(memory / 1e6, 1) if memory else _resident_mb(self._process.pid)

    def stop(self) -> None:
        """Tell it to end, and wait for it.

        Raises:
            ServiceError: When it had ended by itself.
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
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_TOLD_LINES:]
        return "; its last lines:\n    " + "\n    ".join(lines) if lines else "; it printed nothing"


def _get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body; 0 when nothing answers."""
    try:
        return get(HOST, port, path, _SECONDS)
    except NO_ANSWER:
        return 0, b""


def _resident_mb(process: int) -> float | None:
    """What a process holds, where a server's page does not tell (on macOS; there nothing forks)."""
    try:
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True)  # noqa: S607
        return round(int(told.stdout) * 1024 / 1e6, 1)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def free_port() -> int:
    """A port of loopback that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
