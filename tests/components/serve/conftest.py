"""Tiny models, and one real server that the protocol's tests share."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components._core.types.signature import Feature
from components.deploy.targets.local.server_process import free_port
from components.watch.records import Cause, Record, append_record, format_time, open_records
from tests.components.monitor.result_files import check, section, served, write_result
from tests.components.tiny_models import write_model

Make = Callable[..., Path]


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str
    grpc: str
    metrics: str
    log: Path
    pid: int
    labels: Path = Path()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Models by task, and whether they answer NaN."""
    return cache(
        lambda task="multiclass_classification", broken=False: write_model(
            tmp_path_factory.mktemp("model"), task, broken=broken, unused=(Feature("tail", "string", True),)
        )
    )


def start(model: Path, *options: str, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "components.serve", "--model", str(model), "--name", "tiny", "--version", "3"]
    return subprocess.Popen(
        [*command, "--port", str(port), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ready_url(process: subprocess.Popen[str]) -> str:
    """Where a server answers, once it does."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready:"):
        pytest.fail(f"the server did not come up: {process.communicate()}")
    return line.removeprefix("ready:").strip()


def wait_for(process: subprocess.Popen[str]) -> Running:
    return Running(ready_url(process), "", "", Path(), process.pid)


def metrics(server: Any) -> dict[str, float]:
    """The counters by name."""
    with urllib.request.urlopen(server.metrics, timeout=120) as response:
        lines = response.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def monitored(folder: Path) -> Path:
    """The folder of a monitor that found something about version 3."""
    now = datetime.now(UTC)
    until = now.replace(minute=0, second=0, microsecond=0)
    checks = (
        check("skew: delay", "skew", "fail", "delay", measured=0.21, threshold=0.1),
        check("missing: month", "invariant", "fail", "month", measured=0.4, threshold=0.01),
    )
    own = section("3", until, *checks, performance=[served("final", 0.87, until), served("partial", 0.88, until)])
    write_result(folder, now - timedelta(minutes=5), own)
    return folder


def triggered(store: Path) -> Path:
    """The folder of a log of triggers, of which one started a run that failed, and cannot read its source since."""
    at, log = format_time(datetime.now(UTC)), open_records(str(store), "tiny")
    cause = Cause("key", "new_data", "data", "new or changed: 12")
    decision = append_record(log, Record("claimed", at, (cause,)))
    append_record(log, Record("ended", at, decision=decision, verdict="failed"))
    append_record(log, Record("held", at, (Cause("away", "new_data", "data", "no file"),), "source", "no file"))
    return store / "tiny" / "triggers"


@pytest.fixture(scope="session")
def server(model: Make, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    port, grpc_port, metrics_port = free_port(), free_port(), free_port()
    options = ["--grpc-port", str(grpc_port), "--metrics-port", str(metrics_port)]
    options += ["--max-rows", "1000", "--max-concurrency", "8"]
    log = tmp_path_factory.mktemp("log")
    options += ["--log", str(log), "--log-mask", "carrier,tail", "--log-flush-seconds", "0.2"]
    labels = tmp_path_factory.mktemp("labels")
    options += ["--feedback", str(labels)]
    options += ["--monitoring", str(monitored(tmp_path_factory.mktemp("monitoring"))), "--monitoring-seconds", "0.2"]
    options += ["--triggers", str(triggered(tmp_path_factory.mktemp("triggers")))]
    process = start(model(), *options, port=port)
    metrics = f"http://127.0.0.1:{metrics_port}/metrics"
    yield Running(ready_url(process), f"127.0.0.1:{grpc_port}", metrics, log, process.pid, labels)
    process.terminate()
    process.communicate(timeout=120)
