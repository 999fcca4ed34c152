"""A cluster, from nothing to everything deployed; and the table of what passed, with the times, at the end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from components._cluster.kubernetes_client import Cluster
from components._core.errors import NaruError
from components._core.settings import MODELS_NAMESPACE
from pipelines.cluster.overlay_deployment import find_ours
from pipelines.stage_durations import time_lines
from tests.containers.engine import ROOT, build_images
from tests.e2e.database import kubectl
from tests.e2e.environment import Environment, credentials
from tests.e2e.flights import write_project, write_rows
from tests.e2e.forwarding import forwarded
from tests.e2e.models import TRAFFIC, has_seldon
from tests.e2e.pools import write_pools
from tests.e2e.world import OWNER, Done, World, naru, secret, settings, until

IMAGES = ("stages", "light", "mlflow")
EXTRAS = "lightgbm onnx postgresql sklearn xgboost"
"""Built into the images: `test_sources.py` reads a table of PostgreSQL, `test_frameworks.py` fits a model of each framework."""
NO_CLUSTER = "e2e: no cluster: set KUBECONFIG (tests/e2e/environment.py lists every setting)"

_STARTED = time.monotonic()
_ROWS: list[tuple[str, str, float]] = []
_WORLDS: list[World] = []


@dataclass(frozen=True)
class Deployed:
    """What the first `deploy` printed, and the environment that it ran in."""

    first: str
    variables: dict[str, str]


@pytest.fixture(scope="session")
def environment() -> Environment:
    found = Environment.read()
    if not found.kubeconfig:
        pytest.exit(NO_CLUSTER, returncode=2)
    return found


@pytest.fixture(scope="session")
def images(environment: Environment) -> None:
    """The images, built from the files as they are, where the cluster finds them."""
    registry = os.environ.get("NARU_REGISTRY", "")
    if not environment.load and not registry:
        return
    build_images(*IMAGES, extras=EXTRAS)
    if registry:
        world = {**os.environ, "VERSION": os.environ["NARU_TAG"]}
        subprocess.run([ROOT / "images" / "build", "--push", registry, *IMAGES], check=True, env=world, timeout=1_800)
        return
    for image in IMAGES:
        subprocess.run(environment.loading(f"naru-{image}:python3.12"), check=True, timeout=1_800)


@pytest.fixture(scope="session")
def server_image(environment: Environment) -> None:
    """The model server's, built from the files as they are, where the cluster finds it."""
    _bring(environment, "server", "naru-server:python3.12")


@pytest.fixture(scope="session")
def onnx_server_image(environment: Environment) -> None:
    """The same of the server without TensorFlow."""
    _bring(environment, "server-onnx", "naru-server-onnx:python3.12")


@pytest.fixture(scope="session")
def seldon_image(environment: Environment) -> None:
    """The same of the one that speaks Seldon's protocol."""
    _bring(environment, "server-seldon", "naru-server-seldon:python3.11")


def _bring(environment: Environment, name: str, image: str) -> None:
    if environment.load:
        build_images(name)
        subprocess.run(environment.loading(image), check=True, timeout=1_800)


@pytest.fixture(scope="session")
def deployed(environment: Environment, images: None, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    try:
        there = find_ours(Cluster())
    except NaruError as error:
        pytest.exit(f"e2e: {error}", returncode=2)
    if there:
        pytest.exit("e2e: Naru is on this cluster already, and these tests begin from nothing and end with undeploy", 2)
    pools = os.environ.get("NARU_POOLS") or str(write_pools(tmp_path_factory.mktemp("pools") / "pools.yaml"))
    world = {"PYTHONPATH": str(ROOT), "NARU_OWNER": OWNER, "NARU_POOLS": pools, "COLUMNS": "200"}
    world["NARU_FINAL_TAGS"] = "1"  # the images are built once here, and stages are cached by their names
    variables = {**os.environ, **world, **credentials()}
    return Deployed(naru(variables, "cluster", "deploy", "--overlay", environment.overlay).well(), variables)


@pytest.fixture(scope="session")
def world(environment: Environment, deployed: Deployed) -> Iterator[World]:
    """The cluster once everything serves, and addresses by which it is reached from here."""
    until(lambda: serves(environment, deployed), "everything that was deployed serves", 600)
    cluster = Cluster()
    output = settings(cluster, environment.kfp_namespace)
    namespace = environment.kfp_namespace
    with ExitStack() as open_here:

        def reach(named: str, *service: str | int) -> str:
            return named or open_here.enter_context(forwarded(*service))  # type: ignore[arg-type]

        addresses = {
            "AWS_ENDPOINT_URL": reach(environment.store, "naru", "naru-object-store", 7070),
            "KF_PIPELINES_ENDPOINT": reach(environment.kfp, namespace, "ml-pipeline", 8888),
        }
        held = {name: output[name] for name in ("NARU_STORE", "AWS_REGION")}
        keys = secret(cluster, namespace, "naru-store")
        found = World(
            environment,
            {**deployed.variables, **held, **addresses, **keys},
            reach(environment.kfp_store, namespace, "seaweedfs", 9000),
        )
        _WORLDS.append(found)
        yield found


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("flights") / "rows")


@pytest.fixture(scope="session")
def source(world: World, rows: Path) -> str:
    """Where the stages read the rows: in the store of the overlay."""
    from components._core.store.object_store import upload

    uri = f"{world.variables['NARU_STORE']}/e2e-data"
    with world.store():
        upload(rows, uri)
    return uri


@pytest.fixture(scope="session")
def project(source: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"), f"{source}/flights-{{span}}.csv")


@pytest.fixture(scope="module")
def serving(world: World, environment: Environment, deployed: Deployed, server_image: None) -> Iterator[None]:
    """Runs bring their models into service; at the end none is in service any more, and the next tests find no serving."""
    if not has_seldon():
        pytest.skip("Seldon's operator is not on this cluster")
    naru(deployed.variables, "cluster", "deploy", "--overlay", f"{environment.overlay}-seldon").well()
    yield
    kubectl("delete", "seldondeployment", "--all", "-n", MODELS_NAMESPACE, seconds=300)
    until(lambda: not world.cluster.list_in(MODELS_NAMESPACE, "v1", "Pod"), "their servers are gone")
    naru(deployed.variables, "cluster", "deploy", "--overlay", environment.overlay).well()
    kubectl("wait", "--for=delete", f"namespace/{MODELS_NAMESPACE}", "--timeout=5m", seconds=330)


@pytest.fixture(scope="module")
def traffic() -> Iterator[str]:
    """The namespace of the pod that asks what serves."""
    kubectl("create", "namespace", TRAFFIC)
    yield TRAFFIC
    kubectl("delete", "namespace", TRAFFIC)


def serves(environment: Environment, deployed: Deployed) -> bool:
    output = status(environment, deployed)
    return output.code == 0 and not any(line.startswith(("missing", "waiting")) for line in output.output.splitlines())


def status(environment: Environment, deployed: Deployed) -> Done:
    return naru(deployed.variables, "cluster", "status", "--overlay", environment.overlay)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if "tests/e2e/test_" not in report.nodeid or (report.when != "call" and report.outcome == "passed"):
        return
    name = report.nodeid.rpartition("::test_")[2].replace("_", " ")
    _ROWS.append((name, report.outcome, time.monotonic() - _STARTED))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What passed, and when; then of each run what its stages took and what the cluster added."""
    before = 0.0
    for name, outcome, at in _ROWS:
        terminalreporter.write_line(f"{outcome:<8}{at - before:7.0f} s  {name}")
        before = at
    for world in _WORLDS:
        for run, times in world.tables.items():
            terminalreporter.write_line(f"\n{run}")
            for line in time_lines(times):
                terminalreporter.write_line(f"  {line}")
