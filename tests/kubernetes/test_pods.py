"""Pods behave as their scripted start says, with Kubernetes' own messages; their servers answer, and count as the real server counts."""

import json
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from components._cluster.kubernetes_client import Cluster
from components._core.errors import ServiceError, UnavailableError
from components.serve.prometheus_metrics import Metrics
from tests.components.deploy.targets.seldon.made import CANARY, STABLE
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.made import container, deployments, live, one, pods, service, two
from tests.kubernetes.servers import Answers
from tests.kubernetes.starts import (
    NoNode,
    Ready,
    Restarts,
    Start,
)  # fmt: skip

INIT = "flights-model-initializer"
REQUEST = {"inputs": [{"name": "hour", "datatype": "INT64", "shape": [2], "data": [6, 7]}]}


def _started(
    cluster: Cluster, server: ApiServer, *starts: Start, seconds: float = 3, replicas: int = 1
) -> dict[str, Any]:
    server.pods.set("3", *starts)
    cluster.apply(one(replicas))
    server.clock.advance(seconds)
    return pods(cluster)[-1] if pods(cluster) else {}


def test_the_third_pod_may_fare_worse_than_the_first_two(cluster: Cluster, server: ApiServer) -> None:
    _started(cluster, server, Ready(), Ready(), NoNode(), replicas=3)
    status = deployments(cluster)[STABLE.key]["status"]
    assert (status["replicas"], status["readyReplicas"], status["unavailableReplicas"]) == (3, 2, 1)


def test_one_that_was_killed_comes_back_and_counts_from_zero(cluster: Cluster, server: ApiServer) -> None:
    server.traffic.per_second, server.traffic.services = 10, ["models/flights"]
    cluster.apply(service())
    pod = _started(cluster, server, Restarts(after=1, at=20), seconds=20)
    assert _metrics(cluster, pod)["naru_requests_total"] > 100
    server.clock.advance(5)
    state = container(pods(cluster)[0])
    assert state["restartCount"] == 1 and state["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert _metrics(cluster, pod)["naru_requests_total"] < 50


def _metrics(cluster: Cluster, pod: dict[str, Any]) -> dict[str, float]:
    status, body = cluster.proxy("models", pod["metadata"]["name"], 8082, "/metrics")
    assert status == 200
    families = text_string_to_metric_families(body.decode())
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


def _ask(cluster: Cluster, pod: dict[str, Any]) -> tuple[int, Any]:
    name = pod["metadata"]["name"]
    status, body = cluster.proxy("models", name, 8080, "/v2/models/flights/infer", "POST", REQUEST)
    return status, json.loads(body)


def test_a_pod_answers_through_the_api_server_as_its_version_does(cluster: Cluster, server: ApiServer) -> None:
    server.pods.set("4", answers=Answers(offset=0.5, failing=0.5))
    cluster.apply(two())
    server.clock.advance(3)
    status, answer = _ask(cluster, pods(cluster)[0])
    assert status == 200 and answer["model_version"] == "3" and answer["outputs"][0]["data"] == [0.25, 0.25]
    canary = pods(cluster, CANARY.key)[0]
    answered = [_ask(cluster, canary) for _ in range(4)]
    assert [status for status, _ in answered] == [200, 500, 200, 500]
    assert answered[0][1]["outputs"][0]["data"] == [0.75, 0.75]


def test_what_a_pod_refuses_is_its_answer_and_what_the_api_server_refuses_is_an_error(
    cluster: Cluster, server: ApiServer
) -> None:
    pod = _started(cluster, server, Ready())
    name = pod["metadata"]["name"]
    assert cluster.proxy("models", name, 8080, "/v2/models/other/infer", "POST", {})[0] == 404
    assert cluster.proxy("models", name, 8080, "/v2/models/flights/infer", "POST", {})[0] == 422
    with pytest.raises(ServiceError, match='pods "gone" not found'):
        cluster.proxy("models", "gone", 8080, "/v2/models/flights/infer", "POST", REQUEST)
    server.refuse("GET", "*/proxy/*", 403, "pods/proxy is forbidden")
    with pytest.raises(ServiceError, match="forbidden"):
        cluster.proxy("models", name, 8082, "/metrics")


def test_a_pod_that_does_not_listen_yet_is_unavailable(cluster: Cluster, server: ApiServer) -> None:
    pod = _started(cluster, server, Ready(after=60))
    with pytest.raises(UnavailableError, match="connection refused"):
        cluster.proxy("models", pod["metadata"]["name"], 8082, "/metrics")


def test_requests_are_spread_over_the_pods_that_a_service_selects(cluster: Cluster, server: ApiServer) -> None:
    cluster.apply(service())
    cluster.apply(two(replicas=3))
    server.clock.advance(5)
    assert live(cluster)["status"]["state"] == "Available"
    server.pods.set("4", answers=Answers(seconds=0.4, failing=0.1, memory_mb=900))
    server.traffic.per_second, server.traffic.services = 40, ["models/flights"]
    before = _metrics(cluster, pods(cluster)[0])["naru_requests_total"]
    server.clock.advance(10)
    stable, canary = _metrics(cluster, pods(cluster)[0]), _metrics(cluster, pods(cluster, CANARY.key)[0])
    assert stable["naru_requests_total"] - before == pytest.approx(100, abs=1)
    assert canary["naru_request_seconds_count"] == pytest.approx(90, abs=1)
    assert canary["naru_request_seconds_sum"] == pytest.approx(36, abs=0.5)
    assert canary["process_resident_memory_bytes"] == 9e8


def test_the_metrics_are_those_of_the_real_server(cluster: Cluster, server: ApiServer) -> None:
    pod = _started(cluster, server, Ready())
    _, body = cluster.proxy("models", pod["metadata"]["name"], 8082, "/metrics")
    real = generate_latest(Metrics("flights", "3").registry).decode()
    names = [{one.name for one in text_string_to_metric_families(text)} for text in (body.decode(), real)]
    assert names[0] == names[1] and {"naru_requests", "naru_refusals", "process_resident_memory_bytes"} <= names[0]
