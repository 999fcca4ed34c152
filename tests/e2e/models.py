"""Models in service on a cluster: what serves them, which version answers, and a pod that sends it requests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa

from components._core.settings import MODELS_NAMESPACE
from components._core.store.ledger import Deployment, current_champion
from components._core.store.object_store import fetch
from components._core.types.oip_requests import to_request
from components._core.types.signature import Signature
from components._frameworks.contract import Model
from components._frameworks.table import load_model
from components.deploy.model_client import Client
from components.deploy.targets.placement import name_of_image
from components.deploy.targets.seldon.manifest import PROJECT_LABEL
from tests.e2e.database import kubectl
from tests.e2e.forwarding import forwarded
from tests.e2e.seldon.asking import render_asker
from tests.e2e.world import World

TRAFFIC = "naru-e2e-traffic"
"""Namespace of the pod that asks."""


def has_seldon() -> bool:
    command = ["kubectl", "get", "customresourcedefinition", "seldondeployments.machinelearning.seldon.io"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def champion_of(world: World, project: str) -> Deployment:
    """The version in service, by the ledger."""
    with world.here():
        found = current_champion(world.variables["NARU_STORE"], project)
    assert found, f"the ledger of {project} has no champion"
    return found


def open_champion(world: World, project: str, folder: Path) -> tuple[str, Model]:
    """The version in service, and the very files of its model opened on this machine."""
    champion = champion_of(world, project)
    with world.here():
        return champion.version, load_model(fetch(champion.model, folder / champion.version))


def server_images(world: World, project: str) -> set[str]:
    """Names of the images that a project's servers run from, as in `naru-server`."""
    pods = world.cluster.list_in(MODELS_NAMESPACE, "v1", "Pod", f"{PROJECT_LABEL}={project}")
    return {name_of_image(container["image"]) for pod in pods for container in pod["spec"]["containers"]}


@contextmanager
def client_of(project: str) -> Iterator[Client]:
    """A client of the model in service, through its Service."""
    with forwarded(MODELS_NAMESPACE, project, 8080) as address:
        place = urlsplit(address)
        client = Client(str(place.hostname), int(place.port or 0), project)
        try:
            yield client
        finally:
            client.close()


def send_requests(project: str, rows: pa.Table, signature: Signature, pause: float) -> None:
    """Start the pod that asks the model in service from another namespace, a row at a time, until it is deleted."""
    requests = [to_request(rows.slice(row, 1), signature.inputs) for row in range(rows.num_rows)]
    pod = render_asker(TRAFFIC, project, requests, pause, service=f"{project}.{MODELS_NAMESPACE}")
    kubectl("apply", "-f", "-", given=json.dumps(pod))
