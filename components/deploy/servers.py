"""The model server as a process on loopback: started, waited for, stopped; its log told when it does not come up."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from components._core.errors import ConfigError, ServiceError

HOST = "127.0.0.1"
_START_SECONDS = 120.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_TRIES = 3
_TOLD_LINES = 12


class ModelServer:
    """Serves a model folder for the time of a `with` block.

    It starts on entry and is waited for later: its starter can load something on another core meanwhile. It ends with its
    starter, however that ends, because it watches its standard input.

    Attributes:
        port: On loopback; known when it is ready.
        ready_seconds: From start to ready.
        exit_code: How it ended when it was told to; None before, and when it had to be killed.
    """

    def __init__(self, python: str, model: Path, name: str, version: str, log: Path) -> None:
        self.port = 0
        self.ready_seconds = 0.0
        self.exit_code: int | None = None
        self._name = name
        self._log = log
        self._command = [python, "-m", "components.serve", "--model", str(model), "--name", name, "--version", version]
        self._command += ["--host", HOST, "--while-stdin"]

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
        tries_left = _TRIES
        while not self._is_ready():
            code = self._process.poll()
            if code == ConfigError.exit_code and tries_left:  # another program was faster at taking the port
                tries_left -= 1
                self._end()
                self._start()
            elif code is not None:
                raise ServiceError(f"the model server ended with {code} before it was ready{self._last_lines()}")
            elif time.perf_counter() - self._started > _START_SECONDS:
                raise ServiceError(f"the model server was not ready in {_START_SECONDS:.0f} s{self._last_lines()}")
            time.sleep(_POLL_SECONDS)
        self.ready_seconds = time.perf_counter() - self._started

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
        self.port = free_port()
        with self._log.open("wb") as log:
            command = [*self._command, "--port", str(self.port)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", f"/v2/models/{self._name}/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_lines(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_TOLD_LINES:]
        return "; its last lines:\n    " + "\n    ".join(lines) if lines else "; it printed nothing"


def free_port() -> int:
    """A port of loopback that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
