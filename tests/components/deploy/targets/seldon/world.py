"""A cluster, a store, and versions that are brought there step by step."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components._cluster.kubernetes_client import Cluster
from components._core.checks import Check
from components._core.project.project_file import Project
from components._core.store.rollout_history import read_changes
from components.deploy.rollout.state_machine import Result, Rollout, State, Wanted
from components.deploy.targets.contract import ModelVersion, ServerClient, Timing
from components.deploy.targets.placement import Placement
from components.deploy.targets.seldon.target import SeldonTarget
from tests.components.deploy.targets.seldon.made import STABLE, project
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.made import ROLLOUT_RULES

REQUEST = {"inputs": [{"name": "hour", "datatype": "INT64", "shape": [1], "data": [6]}]}
CANARY_STEPS = {"shares": [10, 50], "bake_seconds": 60, "min_requests": 20}


def prove(client: ServerClient) -> list[Check]:
    answer = client.infer(REQUEST)
    value = answer.body["outputs"][0]["data"][0] if answer.status == 200 else None
    status = "pass" if value == 0.25 else "fail"
    return [Check("parity: probability", status, value, reason=f"served {value}, offline 0.25")]  # type: ignore[arg-type]


class World:
    """A cluster, a store, and the versions that are brought there."""

    def __init__(self, cluster: Cluster, server: ApiServer, store: Path) -> None:
        self.cluster, self.server, self.store = cluster, server, str(store)
        self.champion: ModelVersion | None = None
        self.prove = prove
        self.why = "a test"

    def roll_out(self, model: ModelVersion, *, shares: tuple[int, ...] = (10, 50), **serve: Any) -> Result:
        serve = {"replicas": 2, "canary": CANARY_STEPS, **serve}
        wanted = Wanted(
            project(**serve),
            model,
            self.store,
            self.why,
            self.prove,
            shares=shares,
            champion=self.champion,
        )
        return Rollout(self.target(project(**serve)), wanted).run()

    def target(self, project: Project) -> SeldonTarget:
        return SeldonTarget(self.cluster, project, Placement(namespace="models"), self.timing)

    @property
    def timing(self) -> Timing:
        return Timing(poll=2.0, now=self.server.clock.now, sleep=self.server.clock.advance)

    def serve(self, model: ModelVersion = STABLE, **serve: Any) -> None:
        assert self.roll_out(model, **serve).state is State.DONE
        self.champion = model

    def flow(self, per_second: float = 20) -> None:
        self.server.traffic.per_second, self.server.traffic.services = per_second, ["models/flights"]

    @property
    def actions(self) -> list[str]:
        changes = read_changes(self.store, "flights")
        return [change.action for change in changes if change.rollout == changes[-1].rollout]

    def selector_now(self) -> str:
        """The version that the Service names, without asking the cluster; empty: all."""
        found = self.server.objects.get("/api/v1/namespaces/models/services/flights")
        return str(found["spec"]["selector"].get("naru/predictor", "")) if found else "no Service"

    def reason(self) -> str:
        return read_changes(self.store, "flights")[-1].reason


@pytest.fixture
def world(cluster: Cluster, server: ApiServer, tmp_path: Path) -> Iterator[World]:
    """All of it is done with the permissions that runs have on a cluster, and no others."""
    with server.granting("models", ROLLOUT_RULES):
        yield World(cluster, server, tmp_path / "store")
