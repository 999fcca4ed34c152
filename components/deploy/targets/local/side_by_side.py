"""A version behind a server of its own on loopback, and the champion behind another, under load in turn."""

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
from components._core.project.project_file import Project
from components._core.project.serving_config import ServingGates
from components._core.settings import Settings
from components._core.store.file_digests import digest_of_model, fetch_verified
from components._core.store.ledger import Deployment
from components.deploy.comparison import Comparison
from components.deploy.model_client import Client
from components.deploy.performance import Processing, Served, judge_processing, measure
from components.deploy.smoke_test import Probe, probe_server
from components.deploy.targets.contract import ComparisonTarget
from components.deploy.targets.local.champion_server import Rival, find_rival
from components.deploy.targets.local.server_process import POLL_SECONDS, ModelServer


class LocalTarget(ComparisonTarget):
    """Serves versions as processes on loopback.

    Args:
        project: The project.
        settings: Say which interpreter runs the servers.
    """

    def __init__(self, project: Project, settings: Settings) -> None:
        self._project = project
        self._settings = settings

    def compare(self, registered: dict[str, Any], sample: Sample, champion: Deployment | None) -> Comparison:
        """Serve the registered copy, and the champion beside it when it is another; smoke-test the one, put load on both.

        Raises:
            ServiceError: When the registered copy cannot be served, or gives no answer. What is wrong with the champion is
                reported and stops nothing.
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
            rival = find_rival(champion, registered, folder / "champion")
            server, served = serve(copy, registered["version"])
            beside = None
            if champion and rival.model:
                beside, rival.served = serve(rival.model, champion.version)
            _wait_for(server, beside, rival)
            rows = rival.rows_for_both(sample.rows)
            probe = _probe(served, sample, gates)
            ours, theirs = _measure(served, rival, rows, gates)
            server.stop()
        judged = judge_processing(ours, theirs, rival.name, rival.problem, gates)
        checks = [*probe.checks, *judged, _check_end(server)]
        return Comparison(probe, checks, ours, theirs, rival.name, rival.problem)


def _wait_for(server: ModelServer, beside: ModelServer | None, rival: Rival) -> None:
    """Wait until both answer; they start at the same time, each on a core of its own where there are two."""
    waiting = [server, *([beside] if beside else [])]
    while waiting:
        for each in list(waiting):
            try:
                if each.has_come_up():
                    waiting.remove(each)
            except ServiceError as error:
                if each is server:
                    raise
                rival.give_up(error.message)
                waiting.remove(each)
        time.sleep(POLL_SECONDS if waiting else 0.0)


def _probe(served: Served, sample: Sample, gates: ServingGates) -> Probe:
    client = Client(served.server.host, served.server.port, served.name)
    try:
        return probe_server(client, sample, served.features, gates)
    finally:
        client.close()


def _measure(served: Served, rival: Rival, rows: pa.Table, gates: ServingGates) -> tuple[Processing, Processing | None]:
    if rival.served:
        try:
            ours, theirs = measure([served, rival.served], rows, gates)
            return ours, theirs
        except ServiceError as error:
            rival.give_up(error.message)  # should it be our own server that is gone, this second pass says so
    return measure([served], rows, gates)[0], None


def _check_end(server: ModelServer) -> Check:
    if server.exit_code == 0:
        return Check("ends when told", "pass", 0, reason="SIGTERM ended the server with 0")
    message = "did not end" if server.exit_code is None else f"ended with {server.exit_code}"
    return Check("ends when told", "warn", server.exit_code, reason=f"the server {message} after SIGTERM")
