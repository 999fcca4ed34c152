"""The trial of a version: behind a server of its own on loopback, and the champion behind another, asked in turn with it."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from components._core.checks import Check
from components._core.errors import ServiceError
from components._core.examples.samples import Sample
from components._core.project.project_file import Project
from components._core.project.serving_config import ServingGates, limit_options
from components._core.settings import Settings
from components._core.store.file_digests import digest_options, fetch_verified
from components._core.store.ledger import Deployment
from components.deploy.model_client import Client
from components.deploy.performance import Processing, Served, judge_processing, measure
from components.deploy.smoke_test import Probe, probe_server
from components.deploy.targets.local.champion_server import Rival, find_rival
from components.deploy.targets.local.server_process import HOST, POLL_SECONDS, ModelServer


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes:
        probe: What was asked one after the other.
        checks: Every gate, in the order in which a person should read them.
        ours: What the version takes to do its work.
        theirs: What the champion takes; None when it was not asked.
        champion: How the champion is called; empty when there is none but the version itself.
        not_compared: Why the champion was not asked; empty when it was.
    """

    probe: Probe
    checks: list[Check]
    ours: Processing
    theirs: Processing | None
    champion: str
    not_compared: str


def try_out(
    project: Project, settings: Settings, registered: dict[str, Any], sample: Sample, champion: Deployment | None
) -> Trial:
    """Serve the registered copy, and the champion beside it when it is another; ask the one, and put load on both.

    Raises:
        ServiceError: When the registered copy cannot be served, or gives no answer. What is wrong with the champion is told.
    """
    gates = project.gates.serving
    with tempfile.TemporaryDirectory(prefix="naru-deploy-") as temporary, ExitStack() as servers:
        folder = Path(temporary)

        def serve(model: Path, version: str) -> Served:
            log = folder / f"{len(list(folder.glob('*.log')))}.log"
            options = [*limit_options(project.serve), *digest_options(model)]
            server = ModelServer(settings.python, model, project.name, version, log, options)
            return Served(servers.enter_context(server), project.name, model)

        copy = fetch_verified(registered["model"], registered.get("registration_sha256", ""), folder / "version")
        rival = find_rival(champion, registered, folder / "champion")
        served = serve(copy, registered["version"])
        if champion and rival.model:
            rival.served = serve(rival.model, champion.version)
        _wait_for(served, rival)
        rows = rival.rows_for_both(sample.rows)
        probe = _probe(served, sample, gates)
        ours, theirs = _measure(served, rival, rows, gates)
        served.server.stop()
    judged = judge_processing(ours, theirs, rival.name, rival.problem, gates)
    checks = [*probe.checks, *judged, _check_end(served.server)]
    return Trial(probe, checks, ours, theirs, rival.name, rival.problem)


def _wait_for(served: Served, rival: Rival) -> None:
    """Wait until both answer; they start at the same time, each on a core of its own where there are two."""
    waiting = [served, *([rival.served] if rival.served else [])]
    while waiting:
        for each in list(waiting):
            try:
                if each.server.has_come_up():
                    waiting.remove(each)
            except ServiceError as error:
                if each is served:
                    raise
                rival.give_up(error.message)
                waiting.remove(each)
        time.sleep(POLL_SECONDS if waiting else 0.0)


def _probe(served: Served, sample: Sample, gates: ServingGates) -> Probe:
    client = Client(HOST, served.server.port, served.name)
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
    told = "did not end" if server.exit_code is None else f"ended with {server.exit_code}"
    return Check("ends when told", "warn", server.exit_code, reason=f"the server {told} after SIGTERM")
