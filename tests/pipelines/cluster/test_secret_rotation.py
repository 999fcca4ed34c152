"""A credential that was rotated: it is brought to the cluster or it is said that it was not, and who still holds the old one."""

import base64
from typing import Any

import pytest

from components._cluster.kubernetes_client import Cluster
from pipelines.cluster.overlay_deployment import deploy, plan
from pipelines.cluster.secret_rotation import describe_outdated_pods
from pipelines.cluster.status import describe_status

PATH = "/api/v1/namespaces/kubeflow/secrets/naru-store"
WANTED = [
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "naru-settings", "namespace": "kubeflow"},
        "data": {"AWS_REGION": "us-east-1"},
    }
]


@pytest.fixture
def cluster(store: Any, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "before")
    cluster = Cluster()
    deploy(cluster, plan(cluster, WANTED))
    return cluster


def _due(cluster: Cluster) -> list[str]:
    return [str(change) for change in plan(cluster, WANTED) if change.action != "keep"]


def _held(store: Any) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in store.objects[PATH]["data"].items()}


def test_a_rotated_credential_is_brought_and_no_value_is_shown(
    cluster: Cluster, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _due(cluster) == []
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "after-it-was-rotated")
    assert _due(cluster) == ["change Secret kubeflow/naru-store: data.AWS_SECRET_ACCESS_KEY"]
    deploy(cluster, plan(cluster, WANTED))
    assert _held(store) == {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "after-it-was-rotated"}
    store.objects[PATH].pop("stringData", None)  # a server never keeps it
    assert _due(cluster) == []


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_what_the_environment_does_not_name_stays(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    assert _due(cluster) == []


def test_a_secret_of_other_hands_is_left_and_that_is_said_with_what_to_do(
    cluster: Cluster, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "after-it-was-rotated")
    store.put(PATH, data={"AWS_ACCESS_KEY_ID": "c29tZW9uZQ==", "AWS_SECRET_ACCESS_KEY": "b2xk"})
    [change] = _due(cluster)
    assert change.startswith(
        "leave  Secret kubeflow/naru-store: data.AWS_SECRET_ACCESS_KEY differs from the environment"
    )
    assert "kubectl delete secret naru-store --namespace kubeflow" in change and "after-it" not in change
    deploy(cluster, plan(cluster, WANTED))
    assert _held(store)["AWS_SECRET_ACCESS_KEY"] == "old"


def _pod(store: Any, name: str, started: str, reference: dict[str, Any], phase: str = "Running") -> None:
    container = {"name": "main", **reference}
    store.put(
        f"/api/v1/namespaces/kubeflow/pods/{name}",
        spec={"containers": [container]},
        status={"phase": phase, "containerStatuses": [{"name": "main", "state": {"running": {"startedAt": started}}}]},
    )


def test_pods_that_started_before_a_secret_changed_are_named(cluster: Cluster, store: Any) -> None:
    secret = store.objects[PATH]
    secret["metadata"]["creationTimestamp"] = "2026-11-20T00:00:00Z"
    secret["metadata"]["managedFields"][0]["time"] = "2026-11-28T12:00:00Z"
    variables = {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "naru-store", "key": "X"}}}]}
    _pod(store, "old", "2026-11-28T11:59:59Z", variables)
    _pod(store, "old-from-all", "2026-11-21T00:00:00Z", {"envFrom": [{"secretRef": {"name": "naru-store"}}]})
    _pod(store, "new", "2026-11-28T12:00:01Z", variables)
    _pod(store, "ended", "2026-11-28T11:00:00Z", variables, "Succeeded")
    _pod(store, "reads-none", "2026-11-20T11:00:00Z", {})
    _pod(store, "reads-another", "2026-11-20T11:00:00Z", {"envFrom": [{"secretRef": {"name": "gone"}}]})
    lines = describe_outdated_pods(cluster, set(), {"kubeflow"})
    assert [line.split()[:3] for line in lines] == [
        ["old", "Pod", f"kubeflow/{name}"] for name in ("old", "old-from-all")
    ]
    assert "still has Secret naru-store from before 2026-11-28 12:00:00 UTC" in lines[0]
    assert lines[0].endswith("kubectl delete pod old --namespace kubeflow restarts it with the new one")
    assert set(lines) <= set(describe_status(cluster, WANTED))
    store.put("/api/v1/namespaces/kubeflow/secrets/theirs")
    store.objects["/api/v1/namespaces/kubeflow/secrets/theirs"]["metadata"]["creationTimestamp"] = (
        "2026-11-28T12:00:00Z"
    )
    _pod(store, "theirs", "2026-11-28T11:00:00Z", {"envFrom": [{"secretRef": {"name": "theirs"}}]})
    assert describe_outdated_pods(cluster, set(), {"kubeflow"}) == lines, "what others have there is theirs"
    assert len(describe_outdated_pods(cluster, {"kubeflow"}, set())) == len(lines) + 1


def test_whoever_may_not_read_secrets_is_reported_that_nobody_looked(cluster: Cluster, store: Any) -> None:
    _pod(store, "old", "2026-11-20T11:00:00Z", {"envFrom": [{"secretRef": {"name": "naru-store"}}]})
    store.refuse("GET", PATH, 403, "secrets is forbidden")
    [line] = describe_outdated_pods(cluster, set(), {"kubeflow"})
    assert line.startswith("unknown ") and "secrets is forbidden" in line
