"""The side-by-side comparison: a version and the champion, each on its own server on loopback, under load in turn."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from components._core.checks import Check
from components._core.errors import ServiceError
from components._core.examples.samples import Sample
from components._core.project.gate_config import ServingGates
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.file_digests import digest_of_model, fetch_verified
from components._core.store.ledger import Deployment
from components.deploy.comparison import Comparison
from components.deploy.model_client import Client
from components.deploy.performance import Performance, Served, judge_performance, measure
from components.deploy.smoke_test import SmokeTestResult, run_smoke_test
from components.deploy.targets.contract import ComparisonTarget
from components.deploy.targets.local.champion_server import Baseline, fetch_baseline
from components.deploy.targets.local.server_process import POLL_SECONDS, ModelServer


class LocalTarget(ComparisonTarget):
    """Serves versions as processes on loopback.

    Args:
        project: The project.
        settings: Settings, with the interpreter that runs the servers.
    """

    def __init__(self, project: Project, settings: Settings) -> None:
        self._project = project
        self._settings = settings

    def compare(self, registered: dict[str, Any], sample: Sample, champion: Deployment | None) -> Comparison:
        """Serve the registered copy, and the champion beside it if that is another version; smoke-test the copy, load-test both.

        Raises:
            ServiceError: When the registered copy cannot be served, or does not answer. A failure of the champion is only
                reported.
        """
        project, gates = self._project, self._project.gates.serving
        with tempfile.TemporaryDirectory(prefix="naru-deploy-") as temporary, ExitStack() as servers:
            folder = Path(temporary)

            def serve(model: Path, version: str) -> tuple[ModelServer, Served]:
                log = folder / f"{len(list(folder.glob('*.log')))}.log"
                python, digest = self._settings.python, digest_of_model(model)
                server = ModelServer(python, model, project.name, version, log, project.serve, digest)
                return servers.enter_context(server), Served(server, project.name, model)

            copy = fetch_verified(registered["model"], registered.get("registration_sha256", ""), folder / "version")
            baseline = fetch_baseline(champion, registered, folder / "champion")
            server, served = serve(copy, registered["version"])
            beside = None
            if champion and baseline.model:
                beside, baseline.served = serve(baseline.model, champion.version)
            _wait_for(server, beside, baseline)
            rows = baseline.rows_for_both(sample.rows)
            smoke_test = _run_smoke_test(served, sample, gates)
            ours, theirs = _measure(served, baseline, rows, gates)
            server.stop()
        judged = judge_performance(ours, theirs, baseline.name, baseline.not_compared, gates)
        checks = [*smoke_test.checks, *judged, _check_end(server)]
        return Comparison(smoke_test, checks, ours, theirs, baseline.name, baseline.not_compared)


def _wait_for(server: ModelServer, beside: ModelServer | None, baseline: Baseline) -> None:
    """Wait until both answer; they start in parallel, each on its own core where there are two."""
    waiting = [server, *([beside] if beside else [])]
    while waiting:
        for each in list(waiting):
            try:
                if each.has_come_up():
                    waiting.remove(each)
            except ServiceError as error:
                if each is server:
                    raise
                baseline.exclude(error.message)
                waiting.remove(each)
        time.sleep(POLL_SECONDS if waiting else 0.0)


def _run_smoke_test(served: Served, sample: Sample, gates: ServingGates) -> SmokeTestResult:
    client = Client(served.server.host, served.server.port, served.name)
    try:
        return run_smoke_test(client, sample, served.features, gates)
    finally:
        client.close()


def _measure(
    served: Served, baseline: Baseline, rows: pa.Table, gates: ServingGates
) -> tuple[Performance, Performance | None]:
    if baseline.served:
        try:
            ours, theirs = measure([served, baseline.served], rows, gates)
            return ours, theirs
        except ServiceError as error:
            baseline.exclude(error.message)  # if the new version's server is gone, the second measurement raises
    return measure([served], rows, gates)[0], None


def _check_end(server: ModelServer) -> Check:
    if server.exit_code == 0:
        return Check("ends on SIGTERM", "pass", 0, reason="the server exited with 0 on SIGTERM")
    message = "did not exit" if server.exit_code is None else f"exited with {server.exit_code}"
    return Check("ends on SIGTERM", "warn", server.exit_code, reason=f"the server {message} after SIGTERM")
