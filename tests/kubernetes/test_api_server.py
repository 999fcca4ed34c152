"""The API server: versions and generations, server-side apply, labels, refusals, and what it wrote down."""

import pytest

from components._cluster.kubernetes_client import Cluster
from components._core.errors import ConfigError, ServiceError, UnavailableError
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.made import SELDON, live, one, service, two

PATH = "/apis/machinelearning.seldon.io/v1/namespaces/models/seldondeployments/flights"


def test_a_generation_grows_with_the_spec_alone(cluster: Cluster) -> None:
    first = cluster.apply(one())["metadata"]
    labelled = one()
    labelled["metadata"]["labels"]["team"] = "a"
    second = cluster.apply(labelled)["metadata"]
    third = cluster.apply(two())["metadata"]
    assert [first["generation"], second["generation"], third["generation"]] == [1, 1, 2]
    assert int(first["resourceVersion"]) < int(second["resourceVersion"]) < int(third["resourceVersion"])


def test_predictors_are_replaced_whole_and_fields_that_are_no_longer_said_go(cluster: Cluster) -> None:
    cluster.apply({**two(), "metadata": {**two()["metadata"], "annotations": {"naru/step": "10"}}})
    came = cluster.apply(one())
    assert len(came["spec"]["predictors"]) == 1 and "traffic" not in came["spec"]["predictors"][0]
    assert "naru/step" not in came["metadata"]["annotations"]


def test_a_dry_run_changes_nothing_and_says_what_would_be(cluster: Cluster, server: ApiServer) -> None:
    cluster.apply(one())
    assert len(cluster.apply(two(), dry_run=True)["spec"]["predictors"]) == 2
    assert len(live(cluster)["spec"]["predictors"]) == 1
    assert [write.dry_run for write in server.writes] == [False, True] and len(server.applied()) == 1


def test_another_value_than_somebody_elses_is_a_conflict(cluster: Cluster, server: ApiServer) -> None:
    server.objects.apply(PATH, one(replicas=2), "kubectl")
    with pytest.raises(ServiceError, match=r'(?s)conflicts with "kubectl" .*predictors'):
        cluster.apply(one(replicas=3))
    cluster.apply(one(replicas=2))


def test_an_object_that_was_changed_meanwhile_is_a_conflict(cluster: Cluster) -> None:
    before = cluster.apply(one())["metadata"]["resourceVersion"]
    cluster.apply(two())
    with pytest.raises(ServiceError, match="has been modified"):
        cluster.apply({**one(), "metadata": {**one()["metadata"], "resourceVersion": before}})


def test_a_missing_namespace_and_an_unknown_kind_are_distinguished(cluster: Cluster, server: ApiServer) -> None:
    elsewhere = {**one(), "metadata": {**one()["metadata"], "namespace": "nowhere"}}
    with pytest.raises(ServiceError, match='namespaces "nowhere" not found'):
        cluster.apply(elsewhere)
    server.unknown.add("seldondeployments")
    with pytest.raises(ConfigError, match="does not know this kind") as caught:
        cluster.apply(one())
    assert "install Seldon" in caught.value.remedy
    assert cluster.list_in("models", SELDON, "SeldonDeployment") == []


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_is_dropped_before_or_after_the_deed(cluster: Cluster, server: ApiServer, after: bool) -> None:
    server.drop_once("PATCH", "*", after=after)
    with pytest.raises(UnavailableError, match="does not answer"):
        cluster.apply(one())
    assert (cluster.get(one()) is not None) is after
    assert server.writes[0].status == 0


def test_what_no_rule_of_a_role_allows_is_forbidden(cluster: Cluster, server: ApiServer) -> None:
    rules = [{"apiGroups": [""], "resources": ["services"], "verbs": ["patch", "list"]}]
    with server.granting("models", rules) as used:
        assert cluster.list_in("models", "v1", "Service") == []
        assert used == {("", "services", "list")}
        with pytest.raises(ServiceError, match=r'services "flights" is forbidden: .* cannot create'):
            cluster.apply(service())
        with pytest.raises(ServiceError, match='cannot get resource "pods/proxy"'):
            cluster.proxy("models", "p", 8082, "/metrics")
    cluster.apply(service())
