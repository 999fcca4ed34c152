"""The two real servers, as processes, and the ways to ask each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.deploy.targets.local.server_process import free_port
from tests.components.serve.conformance.environment import seldon_python
from tests.components.serve.conformance.wires import Rest, SeldonGrpc, SeldonRest, V2Grpc, V2Rest, Wire
from tests.components.serve.conftest import Make, Running, metrics
from tests.components.serve.test_request_log import logged, wait_until
from tests.containers.engine import ROOT

SECONDS_TO_SEND = 1.5  # by so many clients, on a busy machine
OPTIONS = ("--max-rows", "1000", "--max-concurrency", "8", "--log-mask", "carrier,tail", "--log-flush-seconds", "0.2")
SLOW = pytest.mark.slow  # its environment is made on demand


@dataclass(frozen=True)
class Kind:
    """A server: the interpreter that has it, the protocol that it speaks, the client for its REST."""

    protocol: str
    rest: type[Rest]

    def start(self, model: Path, *options: str, port: int) -> subprocess.Popen[str]:
        python = sys.executable if self.protocol == "v2" else str(seldon_python())
        command = [python, "-m", "components.serve", "--protocol", self.protocol, "--model", str(model)]
        return subprocess.Popen(
            [*command, "--name", "tiny", "--version", "3", "--port", str(port), *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


KINDS = {"v2": Kind("v2", V2Rest), "seldon": Kind("seldon", SeldonRest)}


@dataclass(frozen=True)
class Served:
    """A server that answers, from outside."""

    rest: Rest
    grpc: Wire
    metrics: str
    log: Path
    pid: int
    labels: Path

    def counters(self) -> dict[str, float]:
        return metrics(self)

    def line_of(self, request_id: str) -> dict[str, Any]:
        wait_until(lambda: [line for line in logged(self.log) if line["id"] == request_id])
        return next(line for line in logged(self.log) if line["id"] == request_id)


def ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready:"):
        pytest.fail(f"the server did not come up: {process.communicate()}")
    return line


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """What is sent meanwhile waits in the server's sockets when it looks."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
        time.sleep(SECONDS_TO_SEND)
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def served_v2(server: Running) -> Served:
    """The server that the tests of MLServer's adapter share."""
    rest = V2Rest(server.url.partition("/v2/")[0])
    return Served(rest, V2Grpc(server.grpc), server.metrics, server.log, server.pid, server.labels)


@pytest.fixture(scope="session")
def served_seldon(model: Make, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port, grpc_port, metrics_port = free_port(), free_port(), free_port()
    log = tmp_path_factory.mktemp("log")
    ports = ("--grpc-port", str(grpc_port), "--metrics-port", str(metrics_port))
    labels = tmp_path_factory.mktemp("labels")
    kept = ("--log", str(log), "--feedback", str(labels))
    process = KINDS["seldon"].start(model(), *ports, *OPTIONS, *kept, port=port)
    ready_line(process)
    rest, metrics = SeldonRest(f"http://127.0.0.1:{port}"), f"http://127.0.0.1:{metrics_port}/metrics"
    yield Served(rest, SeldonGrpc(f"127.0.0.1:{grpc_port}"), metrics, log, process.pid, labels)
    process.terminate()
    process.communicate(timeout=120)


BOTH = ("v2", pytest.param("seldon", marks=SLOW))


@pytest.fixture(params=BOTH)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kind(protocol: str) -> Kind:
    return KINDS[protocol]


@pytest.fixture
def served(protocol: str, request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(f"served_{protocol}")
    return found


@pytest.fixture(params=["REST", "gRPC"])
def wire(served: Served, request: pytest.FixtureRequest) -> Wire:
    return served.rest if request.param == "REST" else served.grpc


@pytest.fixture
def rest(served: Served) -> Rest:
    return served.rest


@pytest.fixture
def wires(served: Served) -> tuple[Wire, Wire]:
    return served.rest, served.grpc
