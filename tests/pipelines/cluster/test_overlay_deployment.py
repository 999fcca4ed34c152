"""Deploy, diff, status and undeploy touch what is ours and nothing else; what a cluster refuses is said plainly."""

from pathlib import Path
from typing import Any

import pytest

from components._cluster.kubernetes_client import Cluster
from components._core.errors import ConfigError, ServiceError, UnavailableError
from pipelines.cluster.overlay_deployment import deploy, plan, undeploy
from pipelines.cluster.status import describe_status

LABELS = {"app.kubernetes.io/part-of": "naru"}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "naru", "labels": LABELS}}
ROOT = Path(__file__).resolve().parents[3]
SERVER = "/apis/apps/v1/namespaces/naru/deployments/naru-mlflow"


def _object(version: str, kind: str, name: str, space: str, **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": space, "labels": LABELS}, **fields
    }  # fmt: skip


def wanted(replicas: int = 1) -> list[dict[str, Any]]:
    read = {"valueFrom": {"secretKeyRef": {"name": "naru-mlflow", "key": "uri"}}}
    pod = {"containers": [{"name": "mlflow", "image": "naru-mlflow:1", "env": [{"name": "URI", **read}]}]}
    return [
        _object("apps/v1", "Deployment", "naru-mlflow", "naru", spec={"replicas": replicas, "template": {"spec": pod}}),
        _object("v1", "ConfigMap", "naru-settings", "kubeflow", data={"AWS_REGION": "us-east-1"}),
        NAMESPACE,
    ]


@pytest.fixture
def cluster(store: Any, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "word")
    return Cluster()


def _due(cluster: Cluster, objects: list[dict[str, Any]]) -> list[str]:
    return [str(change) for change in plan(cluster, objects) if change.action != "keep"]


def test_deploy_makes_everything_namespaces_first_and_a_second_time_changes_nothing(
    cluster: Cluster, store: Any
) -> None:
    changes = plan(cluster, wanted())
    assert not [path for verb, path in store.requests if verb != "GET"]
    assert str(changes[0]).endswith("Namespace naru")
    deploy(cluster, changes)
    assert SERVER in store.objects
    assert _due(cluster, wanted()) == []


def test_a_change_is_reported_by_its_place_and_made(cluster: Cluster, store: Any) -> None:
    deploy(cluster, plan(cluster, wanted()))
    assert _due(cluster, wanted(2)) == ["change Deployment naru/naru-mlflow: spec.replicas"]
    assert store.objects[SERVER]["spec"]["replicas"] == 1
    deploy(cluster, plan(cluster, wanted(2)))
    assert store.objects[SERVER]["spec"]["replicas"] == 2


def test_what_an_overlay_no_longer_names_is_removed_and_what_others_labelled_so_is_not(
    cluster: Cluster, store: Any
) -> None:
    deploy(cluster, plan(cluster, [*wanted(), _object("v1", "Service", "old", "naru")]))
    theirs = "/api/v1/namespaces/naru/services/made-by-an-operator"
    store.put(theirs)
    store.objects[theirs]["metadata"] |= {"labels": LABELS, "managedFields": [{"manager": "seldon"}]}
    assert _due(cluster, wanted()) == ["remove Service naru/old"]
    deploy(cluster, plan(cluster, wanted()))
    assert theirs in store.objects


def test_secrets_that_are_missing_are_made_from_the_environment_and_never_overwritten(
    cluster: Cluster, store: Any
) -> None:
    mine = "/api/v1/namespaces/kubeflow/secrets/naru-store"
    store.put(mine, data={"AWS_ACCESS_KEY_ID": "bXk="})
    deploy(cluster, plan(cluster, wanted()))
    database = store.objects["/api/v1/namespaces/naru/secrets/naru-mlflow"]["stringData"]
    assert database["password"] in database["uri"] and len(database["password"]) >= 32
    driver = database["uri"].partition("://")[0].partition("+")[2]
    # unnamed, it is whichever SQLAlchemy's version prefers
    assert f"{driver}-binary" in (ROOT / "images" / "mlflow" / "requirements.in").read_text().split()
    assert store.objects[mine]["data"] == {"AWS_ACCESS_KEY_ID": "bXk="}


def test_without_credentials_nothing_is_applied(cluster: Cluster, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigError, match="AWS_SECRET_ACCESS_KEY"):
        plan(cluster, wanted())
    assert {verb for verb, _ in store.requests} == {"GET"}


def test_a_namespace_that_is_not_ours_to_make_is_asked_for(cluster: Cluster, store: Any) -> None:
    del store.objects["/api/v1/namespaces/kubeflow"]
    with pytest.raises(ConfigError, match="install Kubeflow Pipelines first"):
        plan(cluster, wanted())


@pytest.mark.parametrize("name", ["naru", "kubeflow"])
def test_a_namespace_that_is_being_deleted_is_waited_for(cluster: Cluster, store: Any, name: str) -> None:
    """The server answers 403 to whatever is made in one, and takes what was there with it."""
    deploy(cluster, plan(cluster, wanted()))
    store.objects[f"/api/v1/namespaces/{name}"]["metadata"]["deletionTimestamp"] = "2026-11-30T20:00:00Z"
    with pytest.raises(UnavailableError, match=rf"{name}: the namespace is being deleted") as refused:
        plan(cluster, wanted(2))
    assert f"kubectl wait --for=delete namespace/{name}" in str(refused.value)


def test_undeploy_leaves_nothing_of_ours_and_everything_of_others(cluster: Cluster, store: Any) -> None:
    before = set(store.objects)
    deploy(cluster, plan(cluster, wanted()))
    undeploy(cluster, with_data=False)
    assert set(store.objects) == before


def test_undeploy_leaves_what_serves_a_model_to_whoever_rolled_it_out(cluster: Cluster, store: Any) -> None:
    served = _object(
        "machinelearning.seldon.io/v1", "SeldonDeployment", "flights", "kubeflow", spec={"predictors": [{}]}
    )
    store.operator.stopped = True  # there is nothing in it that could be started
    cluster.apply(served)
    with pytest.raises(ConfigError, match="not a kind that Naru deploys"):
        plan(cluster, [served])
    undeploy(cluster, with_data=True)
    assert cluster.get(served) is not None


def test_a_namespace_in_which_a_model_is_served_stays(cluster: Cluster, store: Any) -> None:
    models = {**NAMESPACE, "metadata": {"name": "naru-models", "labels": LABELS}}
    deploy(cluster, plan(cluster, [*wanted(), models]))
    served = _object(
        "machinelearning.seldon.io/v1", "SeldonDeployment", "flights", "naru-models", spec={"predictors": [{}]}
    )
    store.operator.stopped = True
    cluster.apply(served)
    for take_away in (lambda: plan(cluster, wanted()), lambda: undeploy(cluster, with_data=True)):
        with pytest.raises(
            ConfigError, match="serve requests and would be removed: SeldonDeployment naru-models/flights"
        ):
            take_away()
    assert SERVER in store.objects
    cluster.delete(served)
    assert _due(cluster, wanted()) == ["remove Namespace naru-models"]


def test_undeploy_does_not_lose_data_unless_requested(cluster: Cluster, store: Any) -> None:
    deploy(cluster, plan(cluster, wanted()))
    volume = "/api/v1/namespaces/naru/persistentvolumeclaims/data-naru-database-0"
    store.put(volume)
    store.objects[volume]["metadata"]["labels"] = LABELS
    with pytest.raises(ConfigError, match="DATA=delete"):
        undeploy(cluster, with_data=False)
    assert SERVER in store.objects
    undeploy(cluster, with_data=True)
    assert volume not in store.objects


@pytest.mark.parametrize(
    ("status", "message", "kind", "expected"),
    [
        (401, "Unauthorized", ServiceError, "have expired"),
        (403, "deployments is forbidden: User me cannot patch", ServiceError, "cannot patch.*permission"),
        (409, "conflict with manager kubectl: .spec.replicas", ServiceError, "another manager"),
        (422, "spec.replicas: Invalid value", ServiceError, "correct the overlay"),
        (503, "the server is currently unable", UnavailableError, "run again"),
    ],
)
def test_a_refusal_says_what_to_do_and_how_far_it_came(
    cluster: Cluster, store: Any, status: int, message: str, kind: type[Exception], expected: str
) -> None:
    store.refuse("PATCH", SERVER, status, message)
    with pytest.raises(kind, match=f"(?s){expected}") as refused:
        deploy(cluster, plan(cluster, wanted()))
    assert "changes were made before it" in str(refused.value)


def test_a_cluster_that_does_not_answer_is_reported_by_its_address(
    store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    file.write_text(file.read_text().replace(str(store.port), "1"))
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1: the cluster does not answer"):
        Cluster().get(NAMESPACE)


def test_no_configuration_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="set KUBECONFIG"):
        Cluster()


def test_a_kind_that_we_could_not_remove_is_not_applied(cluster: Cluster) -> None:
    with pytest.raises(ConfigError, match="not a kind that Naru deploys"):
        plan(cluster, [_object("batch/v1", "Job", "x", "kubeflow")])


def test_status_tells_what_is_missing_what_serves_and_why_a_stage_waits(cluster: Cluster, store: Any) -> None:
    deploy(cluster, plan(cluster, wanted()))
    store.objects[SERVER]["status"] = {"readyReplicas": 1}
    pod = "/api/v1/namespaces/kubeflow/pods/train-1"
    why = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    store.put(
        pod,
        status={"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": why}]},
    )
    store.objects[pod]["metadata"]["labels"] = {"naru/stage": "train"}
    missing = _object("v1", "Service", "naru-mlflow", "naru")
    assert describe_status(cluster, [*wanted(), missing]) == [
        "ready    Deployment naru/naru-mlflow 1/1",
        "missing  Service naru/naru-mlflow",
        f"pending  stage train (Pod kubeflow/train-1): {why}",
    ]


def _with_identity(store: str) -> list[dict[str, Any]]:
    account = _object("v1", "ServiceAccount", "naru-runner", "kubeflow")
    account["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/naru"}
    models = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "naru-models", "labels": LABELS}}
    settings = _object(
        "v1", "ConfigMap", "naru-settings", "kubeflow", data={"NARU_STORE": store, "AWS_REGION": "eu-central-1"}
    )
    return [account, settings, NAMESPACE, models]


@pytest.mark.parametrize(("address", "kind"), [("s3://bucket", "s3"), ("gs://bucket", "google cloud storage")])
def test_with_a_cloud_identity_no_keys_are_needed_and_the_servers_secret_holds_none(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, address: str, kind: str
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    desired = _with_identity(address)
    made = [change.object for change in plan(cluster, desired) if change.object["kind"] == "Secret"]
    assert [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in made] == [("naru-models", "naru-models")]
    content, section = made[0]["stringData"], f"RCLONE_CONFIG_{address[:2].upper()}"
    assert (content[f"{section}_TYPE"], content[f"{section}_ENV_AUTH"]) == (kind, "true")
    assert content.get("RCLONE_CONFIG_GS_ANONYMOUS", "false") == "false"  # the operator's image says true
    assert not [name for name in content if "KEY" in name or "CREDENTIALS" in name or "ENDPOINT" in name]
    deploy(cluster, plan(cluster, desired))
    assert _due(cluster, desired) == []


def test_a_store_of_google_without_an_identity_is_opened_by_a_key_from_the_environment(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = _object("v1", "ConfigMap", "naru-settings", "kubeflow", data={"NARU_STORE": "gs://bucket"})
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(ConfigError, match="GOOGLE_APPLICATION_CREDENTIALS names no file") as refused:
        plan(cluster, [settings])
    assert refused.value.where == "Secret kubeflow/naru-google"
    (tmp_path / "key.json").write_text('{"type": "service_account"}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    (made,) = [change.object for change in plan(cluster, [settings]) if change.object["kind"] == "Secret"]
    assert made["metadata"]["name"] == "naru-google"
    assert made["stringData"] == {"key.json": '{"type": "service_account"}'}
