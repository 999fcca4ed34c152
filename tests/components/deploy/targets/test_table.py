"""A target is one line of registration: a toy in memory takes versions through deploy and `naru rollback`, with no cluster."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.errors import ConfigError
from components._core.examples.samples import Sample
from components._core.files import read_json
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.ledger import Deployment, append_deployment, current_champion
from components._core.store.live_tests import LiveTest
from components._core.store.object_store import upload
from components._core.store.rollout_history import read_changes
from components._core.types.artifact_files import SAMPLE
from components._registry.mlflow_client import open_registry
from components.deploy.model_client import Answer
from components.deploy.server_metrics import Counts
from components.deploy.targets import table
from components.deploy.targets.contract import (
    FindPlacement,
    ModelVersion,
    Observation,
    RolloutTarget,
    Server,
    Servers,
    Share,
    Timing,
)
from components.deploy.targets.table import find_target, register_target
from pipelines.compile_target import Target
from pipelines.local.workspace import find_workspace
from pipelines.rollback import roll_back
from tests.components.deploy.conftest import Deploy
from tests.components.tiny_models import tiny_project

PROJECT = "name: tiny\ntask: binary_classification\nlabel: y\ndata:\n  source: t.csv\n"


class ToyClient:
    """Answers every row with one probability, and counts."""

    def __init__(self, probability: float) -> None:
        self._probability = probability
        self.requests = 0

    def infer(self, request: dict[str, Any]) -> Answer:
        self.requests += 1
        first = request["inputs"][0]
        if "not a number" in first["data"]:
            return Answer(400, {"error": f"{first['name']!r} is not a number"}, 0.0)
        rows = first["shape"][0]
        output = {"name": "probability", "datatype": "FP32", "shape": [rows], "data": [self._probability] * rows}
        return Answer(200, {"outputs": [output]}, 0.0)

    def count(self) -> Counts:
        return Counts(self.requests, 0.0, {0.001: self.requests, float("inf"): self.requests})


class ToyTarget(RolloutTarget):
    """Servers are entries of a dictionary, and are ready at once."""

    def __init__(self, probability: float = 0.25) -> None:
        self.clock = 0.0
        self.timing = Timing(poll=1.0, now=lambda: self.clock, sleep=self._sleep)
        self.probability = probability
        self.applied: dict[str, Servers] = {}
        self.clients: dict[str, ToyClient] = {}
        self.routes: list[str] = []
        self.connection = ""

    def _sleep(self, seconds: float) -> None:
        self.clock += seconds

    def begin(self) -> None:
        """It remembers nothing between rollouts but what is served."""

    def see(self) -> Observation:
        servers = {
            key: tuple(Server(f"{key}-{n}", f"{key}-{n}") for n in range(one.replicas))
            for key, one in self.applied.items()
        }
        return Observation(bool(self.applied), tuple(self.applied), servers)

    def adopt(self, seen: Observation) -> list[Servers]:
        return [self.applied[key] for key in seen.keys]

    def describe(self, model: ModelVersion, replicas: int | None = None) -> Servers:
        return Servers(model.key, model, replicas or 1)

    def describe_live_test(
        self, stable: ModelVersion, challenger: ModelVersion, test: LiveTest
    ) -> tuple[Servers, Servers]:
        return self.describe(stable), self.describe(challenger)

    def connected(self) -> str:
        return self.connection

    def connect(self, key: str) -> None:
        self.connection = key

    def resize(self, servers: Servers, replicas: int) -> Servers:
        return replace(servers, replicas=replicas)

    def check(
        self, servers: Servers, seen: Observation, missing_files: Sequence[str], features: Sequence[str] | None
    ) -> None:
        assert servers.model.uri and not missing_files and features

    def hold_shares(self, requested: Sequence[int], stable: int) -> list[Share]:
        return [Share(percent, stable, float(percent)) for percent in requested]

    def apply(self, servers: Sequence[Servers], weight: int = 0) -> None:
        self.applied = {one.key: one for one in servers}

    def wait(self, watched: Sequence[str]) -> Observation:
        return self.see()

    def watch(self, key: str, seconds: float) -> Observation:
        self._sleep(seconds)
        for server in (server for one in self.applied for server in self.see().ready(one)):
            self.client(server).requests += 100  # as its users send
        return self.see()

    def client(self, server: Server) -> ToyClient:
        return self.clients.setdefault(server.name, ToyClient(self.probability))

    def route(self, key: str) -> None:
        self.routes.append(key)

    def restore(self, stable: Servers | None) -> None:
        self.applied = {stable.key: stable} if stable else {}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ToyTarget:
    """A target that is registered as ours are, and chosen by NARU_SERVING."""
    monkeypatch.setattr(table, "_TARGETS", dict(table._TARGETS))
    target = ToyTarget()

    def open_target(project: Project, settings: Settings, find_placement: FindPlacement) -> ToyTarget:
        return target

    register_target("toy", open_target)
    monkeypatch.setenv("NARU_SERVING", "toy")
    return target


@pytest.fixture
def version(evaluation: Path, registration: Path, tmp_path: Path) -> ModelVersion:
    """Version 1, whose offline answers are 0.25 for every row."""
    registered = read_json(registration / "registration.json")
    sample = Sample.load(evaluation / SAMPLE)
    Sample(sample.rows, {name: np.full_like(values, 0.25) for name, values in sample.outputs.items()}).save(
        tmp_path / SAMPLE
    )
    upload(tmp_path / SAMPLE, registered["model"].rpartition("/")[0] + f"/{SAMPLE}")
    client = open_registry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.create_registered_model("tiny")
    client.create_model_version("tiny", registered["model"])
    return ModelVersion(registered["version"], registered["model"])


@pytest.fixture
def deploy_to_toy(deploy: Deploy, toy: ToyTarget, version: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    monkeypatch.setenv("NARU_SERVING", "toy")  # after the fixture of deploy, which removes it
    return deploy


def test_a_toy_target_takes_the_first_version_through_deploy(
    deploy_to_toy: Deploy, toy: ToyTarget, version: ModelVersion, tmp_path: Path
) -> None:
    outcome = deploy_to_toy()
    assert (outcome.verdict, outcome.reason) == ("ok", "version 1 serves")
    assert {check.name: check.status for check in outcome.checks} == {
        "parity: probability": "pass",
        "malformed request": "pass",
    }
    assert list(toy.applied) == [version.key] == toy.routes
    champion = current_champion(str(tmp_path / "store"), "tiny")
    assert champion is not None and champion.version == "1"
    changes = read_json(tmp_path / "rollout" / "rollout.json")["changes"]
    assert [change["action"] for change in changes] == ["start", "prove", "promote"]


def test_a_toy_target_takes_a_canary_by_its_shares_past_the_version_in_service(
    deploy_to_toy: Deploy, toy: ToyTarget, version: ModelVersion, tmp_path: Path
) -> None:
    before = ModelVersion("0", "before")
    toy.apply([toy.describe(before)])
    canary = {"shares": [20], "bake_seconds": 5, "min_requests": 50}
    raw = tiny_project().model_dump(mode="json", exclude_unset=True)
    outcome = deploy_to_toy(Project.model_validate({**raw, "serve": {"canary": canary}}))
    assert outcome.verdict == "ok", outcome.reason
    assert toy.routes == [before.key, "", version.key] and list(toy.applied) == [version.key]
    shares = [change.shares for change in read_changes(str(tmp_path / "store"), "tiny")]
    assert shares == [{"0": 100.0}, {"0": 100.0}, {"1": 20.0, "0": 80.0}, {"1": 100.0}]


def test_a_toy_target_that_answers_otherwise_than_offline_is_taken_back(
    deploy_to_toy: Deploy, toy: ToyTarget, tmp_path: Path
) -> None:
    toy.probability = 0.5
    outcome = deploy_to_toy()
    assert outcome.verdict == "blocked" and "probability served differs from offline by 0.25" in outcome.reason
    assert not toy.applied and current_champion(str(tmp_path / "store"), "tiny") is None


@pytest.fixture
def served(toy: ToyTarget, version: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelVersion:
    """The project with two champions in the ledger, of which the second, version 1, is in service; returns that one."""
    monkeypatch.setenv("NARU_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    (tmp_path / "project.yaml").write_text(PROJECT)
    for number, uri in (("2", "elsewhere"), ("1", version.uri)):
        line = Deployment(number, uri, "", "", {}, "", "run", f"2026-01-0{number}T00:00:00+00:00", "me", "a test")
        append_deployment(str(tmp_path / "store"), "tiny", line)
    toy.apply([toy.describe(version)])
    return version


def test_a_rollback_moves_the_servers_of_a_toy_target_first(
    toy: ToyTarget, served: ModelVersion, tmp_path: Path
) -> None:
    line = Deployment("2", "elsewhere", "", "", {}, "", "run", "2026-01-03T00:00:00+00:00", "me", "a test")
    append_deployment(str(tmp_path / "store"), "tiny", line)
    toy.apply([toy.describe(ModelVersion("2", "elsewhere"))])
    done = roll_back(tmp_path, "", Target())
    assert (done.before, done.now) == ("2", "1")
    assert [line.partition(":")[0] for line in done.seen] == ["start", "prove", "promote"]
    assert list(toy.applied) == [served.key]


def test_a_rollback_during_a_canary_removes_the_canary_and_keeps_the_champion(
    toy: ToyTarget, served: ModelVersion, tmp_path: Path
) -> None:
    canary = ModelVersion("3", "tried")
    toy.apply([toy.describe(served), toy.describe(canary)])
    done = roll_back(tmp_path, "", Target())
    assert (done.before, done.now) == ("1", "1") and list(toy.applied) == [served.key]
    assert done.seen[0] == f"roll back: an interrupted rollout had left {canary.key}"


def test_a_name_is_registered_once(toy: ToyTarget) -> None:
    for name in ("toy", "local", "none"):
        with pytest.raises(ValueError, match=f"duplicate deployment target '{name}'"):
            register_target(name, lambda *_: toy)


def test_the_names_that_naru_serving_may_have_are_those_of_the_table(toy: ToyTarget) -> None:
    assert find_target("none") is None and find_target("toy") is not None
    with pytest.raises(ConfigError, match="found 'moon'; allowed: local, seldon, toy, none"):
        find_target("moon")


def test_a_target_that_does_not_exist_is_refused_at_the_start_of_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_SERVING", "moon")
    with pytest.raises(ConfigError, match="environment variable NARU_SERVING: found 'moon'"):
        find_workspace(tmp_path).settings()
