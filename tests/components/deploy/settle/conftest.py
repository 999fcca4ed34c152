"""A cluster that plays its part, whose champion is version 1 of a project with live tests, and requests that flow all the time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pytest

from components._cluster.kubernetes_client import Cluster
from components._core.checks import Outcome
from components._core.examples.samples import Sample
from components._core.project.project_file import Project, load_project
from components._core.settings import Settings
from components._core.store.ledger import Deployment, append_deployment, current_champion
from components._core.store.live_tests import LiveTest, read_live_tests
from components._registry.mlflow_client import open_registry
from components.deploy.into_service import Change
from components.deploy.live_test.begin import begin_live_test
from components.deploy.promotion import Compared
from components.deploy.rollout.live_test_servers import LiveTestServers
from components.deploy.rollout.roll_out import roll_out, version_of_line
from components.deploy.rollout.state_machine import State
from components.deploy.settle.settle import settle_project
from components.deploy.targets.contract import RolloutTarget, Timing
from components.deploy.targets.placement import PLACEMENTS, Placement, dump_placements, load_placement
from components.deploy.targets.seldon.observation import version_of
from components.deploy.targets.table import find_target
from tests.kubernetes.api_server import ApiServer, serving
from tests.kubernetes.clock import Clock
from tests.kubernetes.made import ROLLOUT_RULES
from tests.kubernetes.servers import Answers
from tests.pipelines.approving import registered, settings_of, write_project, write_version
from tests.pipelines.live_testing import SHADOW

NAMESPACE = "naru-models"
PROJECT = SHADOW.replace("serve:\n", 'serve:\n  secret: ""\n  canary: {shares: []}\n')


class Killed(BaseException):
    """The process was killed."""


@dataclass
class Served:
    """The project, and the cluster that serves it.

    Attributes:
        folder: The project's folder.
        server: The cluster.
        patch: Undone after each `killed_after`.
    """

    folder: Path
    server: ApiServer
    patch: pytest.MonkeyPatch
    looks: int = field(default=0)

    @property
    def project(self) -> Project:
        return load_project(self.folder)

    @property
    def settings(self) -> Settings:
        return Settings.from_environment()

    @property
    def target(self) -> RolloutTarget:
        open_target = find_target("seldon")
        assert open_target is not None
        target = open_target(self.project, self.settings, lambda: load_placement(self.project, NAMESPACE))
        assert isinstance(target, RolloutTarget)
        return target

    @property
    def champion(self) -> str:
        found = current_champion(self.settings.store, "tiny")
        return found.version if found else ""

    @property
    def tests(self) -> list[LiveTest]:
        return read_live_tests(self.settings.store, "tiny")

    def change(self, version: str) -> Change:
        champion = current_champion(self.settings.store, "tiny")
        compared = Compared(champion.identity if champion else None, "evaluate", "run again")
        why = f"training run run-{version}"
        return Change(self.project, self.settings, registered(self.folder, version), why, compared)

    def begin(self, version: str = "2") -> Outcome | None:
        """What deploy does with a version."""
        sample = Sample(pa.table({"x": [1.0, 2.0]}), {})
        found = begin_live_test(self.change(version), self.target, lambda: sample)
        return found[0] if found else None

    def look(self) -> Outcome:
        """What the recurring run does."""
        self.looks += 1
        out = self.folder / "looks" / str(self.looks)
        out.mkdir(parents=True)
        return settle_project(self.project, settlement=out, page=out / "page.html")

    def follow(self) -> list[str]:
        return LiveTestServers(self.project, self.settings, self.target).follow()

    @property
    def objects(self) -> tuple[list[str], str, str]:
        """The versions of the SeldonDeployment, that which the project's Service selects, and that which only the champion reaches."""
        predictors = self.server.objects[SERVED]["spec"]["predictors"]
        names = {one["name"]: version_of(one).version for one in predictors}
        return list(names.values()), self._selected("tiny", names), self._selected("tiny-challenger", names)

    def options(self, number: int = 0) -> list[str]:
        """The arguments of a predictor's servers."""
        predictor = self.server.objects[SERVED]["spec"]["predictors"][number]
        found: list[str] = predictor["componentSpecs"][0]["spec"]["containers"][0]["args"]
        return found

    def _selected(self, service: str, names: dict[str, str]) -> str:
        found = self.server.objects.get(f"/api/v1/namespaces/{NAMESPACE}/services/{service}")
        return names.get(found["spec"]["selector"]["naru/predictor"], "none that is there") if found else ""

    def killed_after(self, writes: int, do: Callable[[], Any]) -> bool:
        """Kill what changes the cluster after so many changes; returns whether it came so far."""
        left = [writes]
        with self.patch.context() as patch:
            for name in ("apply", "delete"):
                patch.setattr(Cluster, name, _counting(getattr(Cluster, name), left))
            try:
                do()
            except Killed:
                return True
        return False

    def start(self, version: str = "1") -> Self:
        """Bring a version into service, as deploy did before the project had live tests."""
        champion = current_champion(self.settings.store, "tiny")
        assert champion is not None and champion.version == version
        done = roll_out(
            self.project, self.settings, version_of_line(champion), target=self.target, why="a test", shares=()
        )
        assert done.state is State.DONE, done.reason
        self.server.traffic.per_second, self.server.traffic.services = 20, [f"{NAMESPACE}/tiny"]
        return self


SERVED = f"/apis/machinelearning.seldon.io/v1/namespaces/{NAMESPACE}/seldondeployments/tiny"


def _counting(real: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        done = real(*given)
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return done

    return call


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_project(tmp_path_factory.mktemp("live-on-cluster"), PROJECT)
    client = open_registry(settings_of(folder).tracking_uri)
    for version in range(4, 20):
        model, _, _ = write_version(Path(settings_of(folder).store), str(version))
        client.create_model_version("tiny", model)
    return folder


@pytest.fixture
def served(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    folder = shutil.copytree(template, tmp_path / "p")
    shutil.rmtree(folder / ".naru" / "store" / "tiny" / "deployments")  # its addresses are the template's
    settings = settings_of(folder)
    model, digest, _ = write_version(Path(settings.store), "1")
    line = Deployment("1", model, "", "", {}, "f", "run-1", "2026-01-01T00:00:00+00:00", "me", "a test", digest)
    append_deployment(settings.store, "tiny", line)
    monkeypatch.setenv("NARU_STORE", settings.store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settings.tracking_uri)
    monkeypatch.setenv("NARU_SERVING", "seldon")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setenv(PLACEMENTS, dump_placements({"v2": {"": Placement()}}))
    # the pods of the fake fetch nothing and log nothing, and S3 is not what is tried here
    for rule in ("_model_uris", "_log_uris"):
        monkeypatch.setattr(f"components.deploy.targets.seldon.preflight.{rule}", lambda _: iter(()))
    with serving(tmp_path / "config", Clock(0)) as server:
        server.put(f"/api/v1/namespaces/{NAMESPACE}")
        answered = Answers(lambda columns, _: {"prediction": [float(value) for value in columns["x"]]}, seconds=0.0)
        server.pods.answers = answered
        quick = Timing(poll=1.0, now=server.clock.now, sleep=server.clock.advance)
        monkeypatch.setattr("components.deploy.targets.seldon.target.Timing", lambda: quick)
        with server.granting(NAMESPACE, ROLLOUT_RULES):
            yield Served(folder, server, monkeypatch).start()
