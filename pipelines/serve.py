"""`naru serve`: serve a project's champion on loopback, in the foreground, and print a request that works."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components._core.errors import ConfigError
from components._core.files import read_json
from components._core.project.project_file import Project, load_project
from components._core.request_log.value_hashes import require_hasher
from components._core.store.file_digests import digest_of_model, fetch_version
from components._core.store.ledger import Deployment, current_champion
from components._core.types.artifact_files import REQUEST, SAMPLE
from components._core.types.oip_paths import model_path
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._core.types.variant_table import describe_served
from components.deploy.server_command import log_arguments, monitoring_arguments, process_command, server_arguments
from components.deploy.targets.local.server_process import HOST, free_port
from pipelines.challenger_server import LOOK_SECONDS, ChallengerServer, challenger_beside
from pipelines.local.workspace import find_workspace

_STOP_SECONDS = 15.0


def serve_champion(folder: Path, port: int, metrics_port: int = 0, look_seconds: float = LOOK_SECONDS) -> int:
    """Serve the champion until Ctrl-C or SIGTERM, and beside it the version in a live test; returns the exit code.

    Args:
        folder: The project's folder.
        port: Loopback port; 0: any free one.
        metrics_port: Loopback port of /metrics; 0: none.
        look_seconds: Seconds between two looks at a live test.

    Raises:
        ConfigError: When there is no champion yet, or the key of the request log's hashes is missing.
        ServiceError: When the champion's files are gone from the store.
    """
    project = load_project(folder)
    require_hasher(project.serve.request_log.hash if project.serve.request_log else [])
    settings = find_workspace(folder).settings()
    with (
        fetched_champion(folder, warn=False) as (champion, parts),
        challenger_beside(project, settings, folder, champion, look_seconds) as challenger,
    ):
        ports = (port or free_port(), metrics_port)
        return _serve(settings.python, settings.store, parts, project, champion, ports, challenger)


@contextmanager
def fetched_champion(folder: Path, *, warn: bool = True) -> Iterator[tuple[Deployment, Path]]:
    """Fetch and verify the champion's parts (model, request example, sample) for the time of a `with` block.

    Args:
        folder: The project's folder.
        warn: Whether to warn when the champion's files cannot be verified.

    Raises:
        ConfigError: When there is no champion yet.
        ModelError: When one of these parts differs from what was registered.
        ServiceError: When the champion's files are gone from the store.
    """
    name = load_project(folder).name
    champion = current_champion(find_workspace(folder).settings().store, name)
    if champion is None:
        remedy = f"train and deploy one: naru run {shlex.quote(str(folder))}"
        raise ConfigError("has no champion to serve yet", where=name, remedy=remedy)
    with tempfile.TemporaryDirectory(prefix="naru-champion-") as temporary:
        parts = (champion.model.rstrip("/").rpartition("/")[2], REQUEST, SAMPLE)
        yield champion, fetch_version(champion.model, champion.registration_sha256, Path(temporary), parts, warn=warn)


def _serve(
    python: str,
    store: str,
    parts: Path,
    project: Project,
    champion: Deployment,
    ports: tuple[int, int],
    challenger: ChallengerServer | None,
) -> int:
    name, (port, metrics_port) = project.name, ports
    model = parts / "model"
    arguments = server_arguments(model, name, champion.version, project.serve, digest_of_model(model))
    arguments += log_arguments(project, store)
    if challenger is not None:
        arguments += challenger.arguments
    if metrics_port:
        arguments += ["--metrics-port", str(metrics_port), *monitoring_arguments(project, store)]
    command = [*process_command(python, arguments, HOST), "--port", str(port)]
    before = signal.signal(signal.SIGTERM, _interrupt)
    # the server ends when its standard input closes, also when this process is killed
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            if server.stdout is not None and server.stdout.readline().startswith("ready:"):
                _print_usage(parts, name, champion, port, metrics_port, challenger)
            return server.wait()
        except KeyboardInterrupt:
            return _stop_server(server)
        finally:
            signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _stop_server(server: subprocess.Popen[str]) -> int:
    """Stop the server; an interrupt is the normal end, so the exit code is 0."""
    server.terminate()
    try:
        return server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


def _print_usage(
    parts: Path, name: str, champion: Deployment, port: int, metrics_port: int, challenger: ChallengerServer | None
) -> None:
    url = f"http://{HOST}:{port}{model_path(name)}"
    lines = [
        f"Serving version {champion.version} of {name}{describe_served(parts / 'model')} at {url}",
        *([_describe_challenger(challenger)] if challenger else []),
        *_request_lines(parts, url),
        *([f"Metrics for Prometheus are at http://{HOST}:{metrics_port}/metrics"] if metrics_port else []),
        "Press Ctrl-C to stop.",
    ]
    print("\n".join(lines), flush=True)


def _describe_challenger(challenger: ChallengerServer) -> str:
    began = challenger.test.began
    if began.mode == "shadow":
        return f"Version {began.version} is its shadow: it answers copies of the requests, and its answers are not returned (naru live-test)"
    return f"Version {began.version} answers {100 * began.settings['share']:g} % of the requests (A/B; naru live-test)"


def _request_lines(parts: Path, url: str) -> list[str]:
    request = read_json(parts / REQUEST)
    body = shlex.quote(json.dumps(request, ensure_ascii=False, separators=(",", ":")))
    curl = f"curl -s {url}/infer -H 'Content-Type: application/json' -d {body}"
    return [
        "Send a request, with a row of the test split:",
        "",
        curl,
        "",
        f"It answers {_describe_answer(parts / 'model')}.",
    ]


def _describe_answer(model: Path) -> str:
    signature = Signature.load(model)
    return TASKS[signature.task].describe_answer(signature.classes)
