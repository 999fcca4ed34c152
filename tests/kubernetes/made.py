"""A project's object in the namespace `models`, and short ways to look at what came of it."""

from pathlib import Path
from typing import Any

import yaml

from components._cluster.kubernetes_client import Cluster
from components.deploy.targets.placement import Placement
from components.deploy.targets.seldon.manifest import Canary, render_deployment
from tests.components.deploy.targets.seldon.made import CANARY, STABLE, project

PLACE = Placement(namespace="models")
_ROLE = Path(__file__).resolve().parents[2] / "manifests" / "components" / "serving" / "rollouts.yaml"
ROLLOUT_RULES: list[dict[str, Any]] = next(
    one["rules"] for one in yaml.safe_load_all(_ROLE.read_text()) if one["kind"] == "Role"
)
"""What a rollout is allowed in the namespace of the models."""
SELDON = "machinelearning.seldon.io/v1"


def one(replicas: int = 1, **serve: Any) -> dict[str, Any]:
    return render_deployment(project(replicas=replicas, **serve), STABLE, PLACE)


def two(weight: int = 10, replicas: int = 1, **serve: Any) -> dict[str, Any]:
    return render_deployment(project(replicas=replicas, **serve), STABLE, PLACE, Canary(CANARY, weight))


def service(name: str = "flights") -> dict[str, Any]:
    spec = {"selector": {"seldon-deployment-id": "flights"}, "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "models"}, "spec": spec}


def live(cluster: Cluster) -> dict[str, Any]:
    found = cluster.get(one())
    assert found is not None
    return found


def deployments(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """By the version's predictor."""
    found = cluster.list_in("models", "apps/v1", "Deployment", "seldon-deployment-id=flights")
    return {one["metadata"]["labels"]["naru/predictor"]: one for one in found}


def pods(cluster: Cluster, predictor: str = STABLE.key) -> list[dict[str, Any]]:
    return cluster.list_in("models", "v1", "Pod", f"naru/predictor={predictor}")


def container(pod: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod["status"]["containerStatuses"][0]
    return found


def events(cluster: Cluster, reason: str) -> list[str]:
    return [one["message"] for one in cluster.list_in("models", "v1", "Event") if one["reason"] == reason]
