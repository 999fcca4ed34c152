"""A namespace on the cluster with a store and a model in service; and the table of rollouts at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from components._cluster.kubernetes_client import Cluster
from components._registry.mlflow_client import open_registry
from components.deploy.targets.placement import PLACEMENTS, dump_placements
from tests.e2e.forwarding import forwarded
from tests.e2e.models import has_seldon
from tests.e2e.seldon.asking import render_asker
from tests.e2e.seldon.site import KEYS, NAME, NAMESPACE, STORE, TABLE, Site, manifests, requests
from tests.e2e.seldon.site import PLACEMENTS as site_placements
from tests.e2e.world import until


@pytest.fixture(scope="session")
def site(server_image: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not has_seldon():
        pytest.skip("Seldon's operator is not on this cluster")
    cluster = Cluster()
    for one in manifests():
        cluster.apply(one)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        stack.callback(cluster.delete, manifests()[0])
        until(lambda: _is_ready(cluster, "store"), "the store serves", 120)
        folder = tmp_path_factory.mktemp("site")
        endpoint = stack.enter_context(forwarded(NAMESPACE, "store", 7070))
        variables = {
            **KEYS,
            "AWS_ENDPOINT_URL": endpoint,
            "NARU_STORE": STORE,
            "NARU_SERVING": "seldon",
            "NARU_SERVING_NAMESPACE": NAMESPACE,
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
            PLACEMENTS: dump_placements(site_placements),
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        yield Site(folder, cluster, endpoint)


@pytest.fixture(scope="session")
def registry(site: Site) -> None:
    """Twenty versions in MLflow, so that an alias can name each of them."""
    client = open_registry(os.environ["MLFLOW_TRACKING_URI"])
    client.create_registered_model(NAME)
    for _ in range(20):
        client.create_model_version(NAME, "s3://models/somewhere")


@pytest.fixture(scope="session")
def asker(site: Site) -> None:
    """Requests without a pause, from within the cluster; the name of the Service must be there first."""
    site.cluster.apply(render_asker(NAMESPACE, NAME, requests()))
    until(lambda: _is_ready(site.cluster, "asker"), "requests are sent", 120)


def _is_ready(cluster: Cluster, pod: str) -> bool:
    found = cluster.get({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": NAMESPACE}}) or {}
    conditions = found.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was done on the cluster, and what became of the requests meanwhile."""
    if not TABLE:
        return
    terminalreporter.write_line(f"\n{'seconds':>8}{'requests':>10}{'wrong':>7}{'lost':>6}  rollout")
    for name, seconds, count, wrong, lost, outcome in TABLE:
        terminalreporter.write_line(f"{seconds:8.0f}{count:10}{wrong:7}{lost:6}  {name}: {outcome}")
