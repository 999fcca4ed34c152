"""`naru load`: what the served champion carries, asked with real rows by several clients at a time."""

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
    """Which server is loaded.

    Attributes:
        host: Its host.
        port: Its port; 0: that of the project, and when nobody answers there, the champion is started for the time.
        path: Before `/v2/models/NAME`, or with it.
    """

    host: str = HOST
    port: int = 0
    path: str = ""

    @classmethod
    def of(cls, port: int | None, url: str) -> Target:
        """What the options say.

        Raises:
            ConfigError: When both are given, or the address is none of plain HTTP.
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
        """Of a model's readiness and, with `/infer`, of its answers."""
        return self.path if MODELS in self.path else f"{self.path}{model_path(name)}"


def parse_clients(text: str) -> list[int]:
    """`1,8` as numbers.

    Raises:
        ConfigError: When one is none, or out of bounds.
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
        console: Where it is told.
        project: The project's folder or file.
        target: Which server.
        clients: At a time.
        seconds: Of each run.
        rows: In each request.

    Raises:
        ConfigError: When the project has no champion, whose rows are sent; or another model is served there.
        ServiceError: When there is no server at an address that was named, or no request was answered.
    """
    folder = project if project.is_dir() else project.parent
    name = load_project(project).name
    with fetched_champion(folder) as (champion, parts), _running(console, folder, name, target, champion, parts) as at:
        bodies, told = request_bodies(parts, rows)
        console.print(f"Asking http://{at.host}:{at.port}{at.model_path(name)} with {told}", soft_wrap=True)
        path = f"{at.model_path(name)}/infer"
        loads = [drive(at.host, at.port, path, bodies, clients=count, seconds=seconds) for count in clients]
    console.print(table_of(loads, rows))
    if not any(load.by_status.get(200) for load in loads):
        raise ServiceError("answered no request with 200", where=path, remedy="its log says why")
    return 0


def request_bodies(parts: Path, rows: int) -> tuple[list[bytes], str]:
    """Requests of so many rows each, and what they are: the test rows that are kept beside the model.

    Args:
        parts: What the store holds of the version.
        rows: In each request.
    """
    if not (parts / SAMPLE).is_file():
        body = json.dumps(_repeated(read_json(parts / REQUEST), rows)).encode()
        return [body], f"{rows:,} at a time of the row that is kept with the model"
    features, table = Signature.load(parts / "model").inputs, Sample.load(parts / SAMPLE).rows
    count = max(1, min(table.num_rows, _DISTINCT_ROWS // rows))
    chosen = (table.take(pa.array((at + np.arange(rows)) % table.num_rows)) for at in range(count))
    bodies = [json.dumps(to_request(part, features)).encode() for part in chosen]
    return bodies, f"{rows:,} at a time of {table.num_rows} test rows that are kept with the model"


def table_of(loads: Sequence[Load], rows: int) -> Table:
    """A line for each load."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("clients", "requests/s", "rows/s", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("errors")
    for load in loads:
        rates = [f"{load.throughput:,.0f}", f"{load.throughput * rows:,.0f}"]
        latencies = [f"{value:.2f}" if load.milliseconds else "–" for value in load.percentiles().values()]
        table.add_row(str(load.clients), *rates, *latencies, _errors(load))
    return table


def _errors(load: Load) -> str:
    failed = {status: count for status, count in load.by_status.items() if status != 200}
    lines = [f"{count:,} x {status or 'no answer'}" for status, count in failed.items()]
    return ", ".join(lines) or "none"


def _repeated(request: dict[str, Any], rows: int) -> dict[str, Any]:
    """A request of one row as one of more rows, all the same."""
    inputs = [{**item, "shape": [rows], "data": item["data"][:1] * rows} for item in request["inputs"]]
    return {"inputs": inputs}


@contextmanager
def _running(
    console: Console, folder: Path, name: str, target: Target, champion: Deployment, parts: Path
) -> Iterator[Target]:
    """The server that is there, or one of the champion for the time of a `with` block."""
    project = load_project(folder)
    port = target.port or project.serve.port
    there = Target(target.host, port, target.path)
    if port and _serves(there, name, expected=bool(target.port)):
        yield there
        return
    with tempfile.TemporaryDirectory(prefix="naru-load-") as scratch:
        python, log = find_workspace(folder).settings().python, Path(scratch) / "log"
        model = parts / "model"
        with ModelServer(python, model, name, champion.version, log, project.serve, digest_of_model(model)) as server:
            server.wait_until_ready()
            console.print(f"Nobody serves {name}: version {champion.version} is started for this, and ended after it")
            yield Target(HOST, server.port)
            server.stop()


def _serves(target: Target, name: str, *, expected: bool) -> bool:
    """Whether the model is served there; False when there is nobody and nobody was named."""
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
        raise ConfigError(f"whoever answers there does not serve {name} (status {status})", where=where, remedy=remedy)
    return True
