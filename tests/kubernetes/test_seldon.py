"""The operator behaves as the real one was seen to, and read."""

import pytest

from components._cluster.kubernetes_client import Cluster
from components._core.errors import ServiceError
from tests.components.deploy.targets.seldon.made import CANARY, STABLE, component
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.made import deployments, live, one, pods, two
from tests.kubernetes.starts import CrashLoops, NoQuota, Ready


def _rest(server: ApiServer, seconds: float = 3) -> None:
    server.clock.advance(seconds)


def test_an_object_becomes_a_deployment_its_pods_and_services(cluster: Cluster, server: ApiServer) -> None:
    cluster.apply(one())
    assert deployments(cluster) == {}
    _rest(server, 0.5)
    assert live(cluster)["status"]["state"] == "Creating"
    _rest(server)
    status, found = live(cluster)["status"], deployments(cluster)[STABLE.key]
    assert found["metadata"]["name"] == f"flights-{STABLE.key}-0-flights"
    assert status["state"] == "Available" and "observedGeneration" not in status
    assert status["deploymentStatus"] == {found["metadata"]["name"]: {"replicas": 1, "availableReplicas": 1}}
    labels = pods(cluster)[0]["metadata"]["labels"]
    assert labels["seldon-deployment-id"] == "flights" and labels["seldon-app"] == f"flights-{STABLE.key}"
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    inits = found["spec"]["template"]["spec"]["initContainers"]
    assert [init["name"] for init in inits] == ["flights-model-initializer"]


def test_available_is_stale_after_a_change(cluster: Cluster, server: ApiServer) -> None:
    cluster.apply(one())
    _rest(server)
    server.operator.stale = 5
    assert cluster.apply(two())["status"]["state"] == "Available"
    _rest(server, 1)
    assert live(cluster)["status"]["state"] == "Available" and len(deployments(cluster)) == 2
    server.pods.set("4", Ready(after=60))
    _rest(server, 5)
    assert live(cluster)["status"]["state"] == "Creating"


def test_a_canary_that_crashes_keeps_the_state_at_creating_and_blocks_what_is_removed(
    cluster: Cluster, server: ApiServer
) -> None:
    cluster.apply(one())
    _rest(server)
    server.pods.set("4", CrashLoops())
    cluster.apply(two())
    _rest(server, 30)
    status = live(cluster)["status"]
    assert status["state"] == "Creating" and status["description"] == ""
    wanted = two()
    wanted["spec"]["predictors"].reverse()
    wanted["spec"]["predictors"][0]["name"] = "m-third"
    wanted["spec"]["predictors"][0]["labels"]["naru/predictor"] = "m-third"
    cluster.apply(wanted)
    _rest(server, 30)
    assert set(deployments(cluster)) == {STABLE.key, CANARY.key, "m-third"}
    cluster.apply(one())
    _rest(server, 5)
    assert set(deployments(cluster)) == {STABLE.key}
    assert live(cluster)["status"]["state"] == "Available"


def test_failed_is_said_after_the_deadline_where_nothing_is_available(cluster: Cluster, server: ApiServer) -> None:
    server.kubelet.deadline_seconds = 60
    server.pods.set("3", CrashLoops())
    cluster.apply(one())
    _rest(server, 70)
    status = live(cluster)["status"]
    assert status["state"] == "Failed" and "no longer progressing" in status["description"]
    conditions = {one["type"]: one["reason"] for one in deployments(cluster)[STABLE.key]["status"]["conditions"]}
    assert conditions["Progressing"] == "ProgressDeadlineExceeded"


def test_a_deployment_that_never_had_a_pod_is_left_behind(cluster: Cluster, server: ApiServer) -> None:
    cluster.apply(one())
    _rest(server)
    server.pods.set("4", NoQuota())
    cluster.apply(two())
    _rest(server)
    cluster.apply(one())
    _rest(server, 5)
    assert set(deployments(cluster)) == {STABLE.key, CANARY.key}


def test_an_operator_that_is_started_again_catches_up(cluster: Cluster, server: ApiServer) -> None:
    server.operator.stopped = True
    cluster.apply(one())
    _rest(server, 60)
    assert "status" not in live(cluster) and deployments(cluster) == {}
    server.operator.stopped = False
    _rest(server)
    assert live(cluster)["status"]["state"] == "Available"


def test_a_variable_that_the_operator_sets_too_takes_all_before_it_along(cluster: Cluster, server: ApiServer) -> None:
    wanted = one()
    env = [{"name": "MINE", "value": "1"}, {"name": "MLSERVER_HTTP_PORT", "value": "1"}]
    component(wanted)["spec"]["containers"][0]["env"] = env
    cluster.apply(wanted)
    _rest(server)
    found = deployments(cluster)[STABLE.key]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert "MINE" not in [variable["name"] for variable in found]


def test_an_update_keeps_the_old_pod_until_the_new_one_is_ready(cluster: Cluster, server: ApiServer) -> None:
    cluster.apply(one())
    _rest(server)
    wanted = one()
    component(wanted)["spec"]["containers"][0]["image"] = "other:1"
    server.pods.set("other:1", Ready(after=10))
    server.pods.set("3", Ready(after=1))
    cluster.apply(wanted)
    _rest(server, 0.5)
    assert deployments(cluster)[STABLE.key]["status"]["replicas"] == 2
    _rest(server, 5)
    assert [pod["spec"]["containers"][0]["image"] for pod in pods(cluster)] == ["other:1"]


def test_scaled_by_an_autoscaler_there_are_as_many_as_it_wants_at_least(cluster: Cluster, server: ApiServer) -> None:
    cluster.apply(one(autoscaling={"min": 2, "max": 3}))
    _rest(server, 5)
    assert len(pods(cluster)) == 2 and live(cluster)["status"]["state"] == "Available"


def test_what_is_deleted_takes_all_along(cluster: Cluster, server: ApiServer) -> None:
    cluster.apply(one())
    _rest(server)
    cluster.delete(one())
    _rest(server, 0.5)
    assert deployments(cluster) == {} and "deletionTimestamp" in pods(cluster)[0]["metadata"]
    _rest(server)
    assert pods(cluster) == []
    assert cluster.list_in("models", "v1", "Service") == []


def test_the_webhook_refuses_wrong_weights(cluster: Cluster) -> None:
    wanted = two()
    wanted["spec"]["predictors"][0]["traffic"] = 50
    with pytest.raises(ServiceError, match=r"denied the request.*sum to 100"):
        cluster.apply(wanted)
