"""Model servers as processes on one core: ours and the plain ones beside them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.process_watch import descendants
from components.deploy.load_generator import Load, drive
from components.deploy.model_client import NO_ANSWER, get
from components.deploy.targets.local.server_process import HOST, free_port

_PROBE_SECONDS = 10.0
_START_SECONDS = 300.0
_STOP_SECONDS = 20.0
_LOG_LINES = 20


@dataclass(frozen=True)
class Kind:
    """How a server is started and reached.

    Attributes:
        name: For the table and the results.
        protocol: What requests and answers look like, by `workload.py`: `v2`, `seldon`, or `matrix` for V2 with one tensor of numbers.
        command: What is run; PORT, METRICS_PORT, GRPC_PORT and SCRATCH stand for what is chosen at the start.
        path: Of predictions.
        ready: Answers 200 once it is ready.
        environment: Beside this process's own.
        folder: Where it is run.
    """

    name: str
    protocol: str
    command: Sequence[str]
    path: str
    ready: str
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()


class Served:
    """A server during a `with` block. Its log stays in `logs` when something went wrong.

    Attributes:
        port: Where it answers.
        grpc_port: Where it answers over gRPC, if it does.
    """

    def __init__(self, kind: Kind, core: int, scratch: Path) -> None:
        self.kind, self._core = kind, core
        self.port, self.grpc_port = free_port(), free_port()
        self._scratch = scratch / f"{kind.name}-{self.port}"
        self.log = self._scratch / "log"

    def __enter__(self) -> Self:
        self._scratch.mkdir(parents=True)
        chosen = {"PORT": str(self.port), "METRICS_PORT": str(free_port()), "GRPC_PORT": str(self.grpc_port)}
        chosen["SCRATCH"] = str(self._scratch)
        command = [chosen.get(part, part) for part in self.kind.command]
        environment = {name: chosen.get(value, value) for name, value in self.kind.environment.items()}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.kind.folder,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def wait_until_ready(self) -> None:
        """Wait until it answers; ends the benchmark with the last lines of its log when it does not."""
        until = time.monotonic() + _START_SECONDS
        while self.asked_ready() != 200:
            if not self.runs or time.monotonic() > until:
                raise SystemExit(f"{self.kind.name} did not come up: {self.last_lines()}")
            time.sleep(0.1)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def drive(self, bodies: list[bytes], **how: Any) -> Load:
        """Load it; see `components.deploy.load_generator`."""
        return drive(HOST, self.port, self.kind.path, bodies, **how)

    def memory_mib(self) -> float:
        """Resident memory now, of all its processes."""
        return self._memory("VmRSS")

    def peak_mib(self) -> float:
        """The most that it was."""
        return self._memory("VmHWM")

    def last_lines(self) -> str:
        """The end of what it printed."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n    ".join(["", *lines[-_LOG_LINES:]])

    def _memory(self, name: str) -> float:
        summed = 0
        for process in (self._process.pid, *descendants(self._process.pid)):
            with contextlib.suppress(OSError):  # it ended meanwhile
                lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
                summed += sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
        return summed / 1024

    def asked_ready(self) -> int:
        """The status that its probe is answered with now; 0 when it is not answered."""
        try:
            return get(HOST, self.port, self.kind.ready, _PROBE_SECONDS)[0]
        except NO_ANSWER:
            return 0
