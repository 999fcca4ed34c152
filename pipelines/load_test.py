"""`naru load`: load-test the served champion with real rows from concurrent clients."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from components._core.errors import ConfigError, ServiceError
from components._core.examples.samples import Sample
from components._core.files import read_json
from components._core.project.project_file import load_project
from components._core.store.file_digests import digest_of_model
from components._core.store.ledger import Deployment
from components._core.types.artifact_files import REQUEST, SAMPLE
from components._core.types.oip_paths import MODELS, model_path
from components._core.types.oip_requests import to_request
from components._core.types.signature import Signature
from components.deploy.load_generator import Load, drive
from components.deploy.model_client import NO_ANSWER, get
from components.deploy.targets.local.server_process import HOST, ModelServer
from pipelines.local.workspace import find_workspace
from pipelines.serve import fetched_champion

MOST_CLIENTS = 512
_SECONDS = 5.0
_DISTINCT_ROWS = 20_000


@dataclass(frozen=True)
class Target:
    """The server to load-test.

    Attributes:
        host: Host of the server.
        port: Port of the server; 0: the project's port, and when no server answers there, the champion is started for the test.
        path: URL path before `/v2/models/NAME`, or including it.
    """

    host: str = HOST
    port: int = 0
    path: str = ""

    @classmethod
    def of(cls, port: int | None, url: str) -> Target:
        """Parse the options.

        Raises:
            ConfigError: When both are given, or the address is not plain HTTP.
        """
        if not url:
            return cls(port=port or 0)
        if port is not None:
            raise ConfigError("found --port and --url; one of them is allowed", where="naru load")
        try:
            parts = urlsplit(url)
            found, host = parts.port or 80, parts.hostname
        except ValueError:
            parts, found, host = urlsplit(""), 0, None
        if parts.scheme != "http" or not host:
            raise ConfigError(f"found {url!r}; allowed: http://HOST:PORT", where="--url")
        return cls(host, found, parts.path.rstrip("/").removesuffix("/infer"))

    def model_path(self, name: str) -> str:
        """Path of a model; `/ready` and `/infer` are below it."""
        return self.path if MODELS in self.path else f"{self.path}{model_path(name)}"


def parse_clients(text: str) -> list[int]:
    """Parse `1,8` to numbers.

    Raises:
        ConfigError: When one is not a number, or out of bounds.
    """
    numbers = [int(part) if part.strip().isdecimal() else 0 for part in text.split(",")]
    if not all(1 <= number <= MOST_CLIENTS for number in numbers):
        raise ConfigError(f"found {text!r}; allowed: numbers from 1 to {MOST_CLIENTS}, as in 1,8", where="--clients")
    return numbers


def load_server(
    console: Console, project: Path, target: Target, clients: Sequence[int], seconds: float, rows: int
) -> int:
    """Load a server with each number of clients in turn and print a line for each; returns the exit code.

    Args:
        console: Console to print to.
        project: The project's folder or file.
        target: The server.
        clients: Numbers of concurrent clients.
        seconds: Duration of each run.
        rows: Rows in each request.

    Raises:
        ConfigError: When the project has no champion, whose rows are sent, or the server has another model.
        ServiceError: When there is no server at a given address, or no request was answered.
    """
    folder = project if project.is_dir() else project.parent
    name = load_project(project).name
    with (
        fetched_champion(folder) as (champion, parts),
        _find_or_start_server(console, folder, name, target, champion, parts) as at,
    ):
        bodies, rows_sent = request_bodies(parts, rows)
        console.print(
            f"Sending requests to http://{at.host}:{at.port}{at.model_path(name)}: {rows_sent}", soft_wrap=True
        )
        path = f"{at.model_path(name)}/infer"
        loads = [drive(at.host, at.port, path, bodies, clients=count, seconds=seconds) for count in clients]
    console.print(make_table(loads, rows))
    if not any(load.by_status.get(200) for load in loads):
        raise ServiceError("no request was answered with HTTP 200", where=path, remedy="see the server's log")
    return 0


def request_bodies(parts: Path, rows: int) -> tuple[list[bytes], str]:
    """Build requests from the test rows that are kept with the model; returns them and their description.

    Args:
        parts: Folder with the version's files from the store.
        rows: Rows in each request.
    """
    if not (parts / SAMPLE).is_file():
        body = json.dumps(_repeat_row(read_json(parts / REQUEST), rows)).encode()
        return [body], f"{_per_request(rows)}, the row that is kept with the model"
    features, table = Signature.load(parts / "model").inputs, Sample.load(parts / SAMPLE).rows
    count = max(1, min(table.num_rows, _DISTINCT_ROWS // rows))
    chosen = (table.take(pa.array((at + np.arange(rows)) % table.num_rows)) for at in range(count))
    bodies = [json.dumps(to_request(part, features)).encode() for part in chosen]
    return bodies, f"{_per_request(rows)}, from {table.num_rows} test rows that are kept with the model"


def _per_request(rows: int) -> str:
    return f"{rows:,} row{'s' if rows > 1 else ''} each"


def make_table(loads: Sequence[Load], rows: int) -> Table:
    """Make a table with a row for each load test."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("clients", "requests/s", "rows/s", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("errors")
    for load in loads:
        rates = [f"{load.throughput:,.0f}", f"{load.throughput * rows:,.0f}"]
        latencies = [f"{value:.2f}" if load.milliseconds else "–" for value in load.percentiles().values()]
        table.add_row(str(load.clients), *rates, *latencies, _format_errors(load))
    return table


def _format_errors(load: Load) -> str:
    failed = {status: count for status, count in load.by_status.items() if status != 200}
    lines = [f"{count:,} x {status or 'no answer'}" for status, count in failed.items()]
    return ", ".join(lines) or "none"


def _repeat_row(request: dict[str, Any], rows: int) -> dict[str, Any]:
    """Repeat the row of a one-row request."""
    inputs = [{**item, "shape": [rows], "data": item["data"][:1] * rows} for item in request["inputs"]]
    return {"inputs": inputs}


@contextmanager
def _find_or_start_server(
    console: Console, folder: Path, name: str, target: Target, champion: Deployment, parts: Path
) -> Iterator[Target]:
    """Yield the running server, or start one of the champion for the time of a `with` block."""
    project = load_project(folder)
    port = target.port or project.serve.port
    there = Target(target.host, port, target.path)
    if port and _serves_model(there, name, expected=bool(target.port)):
        yield there
        return
    with tempfile.TemporaryDirectory(prefix="naru-load-") as scratch:
        python, log = find_workspace(folder).settings().python, Path(scratch) / "log"
        model = parts / "model"
        with ModelServer(python, model, name, champion.version, log, project.serve, digest_of_model(model)) as server:
            server.wait_until_ready()
            console.print(
                f"No server of {name} is running: version {champion.version} is started for the test, and stopped after it"
            )
            yield Target(HOST, server.port)
            server.stop()


def _serves_model(target: Target, name: str, *, expected: bool) -> bool:
    """Whether the server has the model; False when there is no server and none was named."""
    where = f"{target.host}:{target.port}"
    try:
        status, _ = get(target.host, target.port, f"{target.model_path(name)}/ready", _SECONDS)
    except NO_ANSWER as error:
        if isinstance(error, ConnectionRefusedError) and not expected:
            return False
        remedy = f"start one: naru serve --port {target.port}; without --port and --url the champion is started"
        raise ServiceError(f"no model server answers: {error}", where=where, remedy=remedy) from None
    if status != 200:
        remedy = "name the server of this project with --port or --url"
        raise ConfigError(f"the server has no model {name!r} (HTTP {status})", where=where, remedy=remedy)
    return True
