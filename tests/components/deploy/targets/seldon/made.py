"""Projects, placements and the object that comes of them."""

from typing import Any

from components._core.project.project_file import Project
from components._core.store.live_tests import LiveTestRecord
from components.deploy.targets.contract import ModelVersion
from components.deploy.targets.placement import Placement
from components.deploy.targets.seldon.manifest import Canary, Challenger, render_deployment, render_live_test

STABLE = ModelVersion("3", "s3://naru/flights/models/3/artifacts/model")
CANARY = ModelVersion("4", "s3://naru/flights/models/4/artifacts/model")
GPU = Placement(
    image="registry.example/naru-server:1.2.3",
    namespace="models",
    pull_secrets=("pull",),
    selector={"pool": "gpu"},
    tolerations=({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
    devices={"nvidia.com/gpu": 1},
)


def project(name: str = "flights", **serve: Any) -> Project:
    raw = {"name": name, "task": "regression", "label": "y", "data": {"source": "t.csv"}, "serve": serve}
    return Project.model_validate(raw)


def rendered(canary: Canary | None = None, name: str = "flights", **serve: Any) -> dict[str, Any]:
    return render_deployment(project(name, **serve), STABLE, Placement(), canary)


def live_test(*, by_mesh: bool = False, protocol: str = "v2", **serve: Any) -> list[dict[str, Any]]:
    """The objects of a live test of version 4 beside version 3."""
    log = {"uri": "s3://logs/flights"}
    feedback = {"endpoint": True}
    raw = {"name": "flights", "task": "regression", "label": "y", "data": {"source": "t.csv"}, "feedback": feedback}
    made = Project.model_validate({**raw, "serve": {"request_log": log, "protocol": protocol, **serve}})
    test = made.serve.live_test
    assert test is not None
    began = LiveTestRecord("began", "", "4", mode=made.serve.rollout, settings=test.model_dump())
    return render_live_test(made, STABLE, Challenger(CANARY, began, "000001-a", by_mesh), Placement(namespace="models"))


def predictors(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wanted["spec"]["predictors"]
    return found


def component(wanted: dict[str, Any], number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = predictors(wanted)[number]["componentSpecs"][0]
    return found
