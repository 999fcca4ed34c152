"""What kustomize makes of every overlay is valid, least privileged, free of secrets, and what the pipelines ask for.

Needs kustomize 5, by itself or inside kubectl: `go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.1`.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_validate
import pytest
import yaml

from components._cluster.kubernetes_client import KINDS, path_of
from components._core.errors import ConfigError
from components._core.settings import MODELS_NAMESPACE
from components.deploy.targets.seldon.manifest import METRICS
from components.stages import STAGES
from pipelines.cluster.api_server_addresses import PLACEHOLDER, with_api_server
from pipelines.cluster.cloud_identity import has_identity
from pipelines.cluster.overlay import OVERLAYS, find_kustomize, pods_of, render, secrets_of
from pipelines.cluster.store_keys import MADE, READER, STORE, settings_of
from pipelines.compile_target import Target
from pipelines.placement import DEPLOYER, STAGE_LABEL
from pipelines.pools import load_pools
from pipelines.stage_secrets import CREDENTIALS, READERS, SECRET
from tests.components.deploy.targets.seldon.made import component, rendered

ROOT = OVERLAYS.parents[1]
NAMES = sorted(path.parent.name for path in OVERLAYS.glob("*/kustomization.yaml"))
KUBERNETES = "1.32"
"""Whose schemas core objects are held against."""
RIGHTS = re.compile(r"^\| `([\w.-]*)` \| `([\w/]+)` \| (.+?) \| `(\w+)` \| (.+) \|$", re.MULTILINE)


@pytest.fixture(scope="module", params=NAMES)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    try:
        find_kustomize()
    except ConfigError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return render(request.param, Target())


def _of(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in objects if one["kind"] == kind]


def test_the_overlays_are_there_and_only_choose() -> None:
    assert NAMES == ["eks", "gke", "gpu", "kind", "kind-seldon", "production"]
    for name in NAMES:
        lines = sum(len(file.read_text().splitlines()) for file in (OVERLAYS / name).iterdir())
        assert 8 <= lines <= 40, f"overlays/{name} has {lines} lines"


def test_core_types_fit_their_schemas_strictly(objects: list[dict[str, Any]]) -> None:
    core = [one for one in objects if not one["apiVersion"].startswith("monitoring.coreos.com")]
    assert len(core) >= 20
    for one in core:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_the_base_has_core_types_only() -> None:
    texts = [file.read_text() for file in (ROOT / "manifests" / "base").rglob("*.yaml") if file.name[0] != "k"]
    versions = {version for text in texts for version in re.findall(r"^apiVersion: (\S+)$", text, re.MULTILINE)}
    assert versions and not [version for version in versions if "." in version and not version.partition("/")[0].endswith(".k8s.io")]  # fmt: skip


def test_everything_is_labelled_ours_and_of_a_kind_that_can_be_removed(objects: list[dict[str, Any]]) -> None:
    for one in objects:
        assert one["metadata"]["labels"]["app.kubernetes.io/part-of"] == "naru", path_of(one)
        assert (one["apiVersion"], one["kind"]) in KINDS
        assert not KINDS[one["apiVersion"], one["kind"]][1] or one["metadata"]["namespace"]
    assert len({path_of(one) for one in objects}) == len(objects)


def _granted(objects: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    return {
        (group, resource, ",".join(rule.get("resourceNames", [])), verb)
        for kind in ("Role", "ClusterRole")
        for role in _of(objects, kind)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_no_role_has_a_wildcard_and_none_is_for_the_whole_cluster(objects: list[dict[str, Any]]) -> None:
    assert not [row for row in _granted(objects) if any("*" in part for part in row)]
    assert not _of(objects, "ClusterRole") and not _of(objects, "ClusterRoleBinding")


def test_reading_secrets_is_granted_by_name_only(objects: list[dict[str, Any]]) -> None:
    assert all(name for _, resource, name, _ in _granted(objects) if resource in ("secrets", "configmaps"))


def test_the_table_in_the_docs_has_every_verb_that_is_granted_and_no_other(objects: list[dict[str, Any]]) -> None:
    always, _, serving = (ROOT / "docs" / "operations.md").read_text().partition("With `components/serving`")
    variables = _variables(always) | (_variables(serving) if _serves(objects) else set())
    assert _variables(serving) and variables == _granted(objects)


def _variables(text: str) -> set[tuple[str, str, str, str]]:
    return {
        (group, resource, "" if names == "any" else names.strip("`"), verb)
        for group, resource, names, verb, _ in RIGHTS.findall(text)
    }


def _serves(objects: list[dict[str, Any]]) -> bool:
    settings = [one["data"] for one in _of(objects, "ConfigMap") if one["metadata"]["name"] == "naru-settings"]
    return settings[0]["NARU_SERVING"] == "seldon"


def test_where_runs_serve_they_may_do_so_in_the_namespace_of_the_models_alone(objects: list[dict[str, Any]]) -> None:
    rollouts = [one for one in objects if one["metadata"]["name"] == "naru-rollouts"]
    assert [one["kind"] for one in rollouts] == (["Role", "RoleBinding"] if _serves(objects) else [])
    accounts = {one["metadata"]["name"]: one["metadata"]["namespace"] for one in _of(objects, "ServiceAccount")}
    for one in rollouts:
        assert one["metadata"]["namespace"] == "naru-models"
        subjects = [(subject["name"], subject["namespace"]) for subject in one.get("subjects", [])]
        assert subjects in ([], [(DEPLOYER, accounts["naru-runner"])])  # never the account of every stage
    namespaces = {one["metadata"]["name"]: one["metadata"]["labels"] for one in _of(objects, "Namespace")}
    assert ("naru-models" in namespaces) is _serves(objects)
    if _serves(objects):
        assert namespaces["naru-models"]["pod-security.kubernetes.io/enforce"] == "baseline"
        assert namespaces["naru-models"]["pod-security.kubernetes.io/warn"] == "restricted"


def test_every_namespace_that_is_ours_has_a_quota_without_ways_in_from_outside(objects: list[dict[str, Any]]) -> None:
    spaces = {one["metadata"]["name"] for one in _of(objects, "Namespace")} - {"naru-devices"}
    quotas = {one["metadata"]["namespace"]: one["spec"]["hard"] for one in _of(objects, "ResourceQuota")}
    limits = {one["metadata"]["namespace"] for one in _of(objects, "LimitRange")}
    for space in spaces:
        assert quotas[space]["services.nodeports"] == quotas[space]["services.loadbalancers"] == "0"
    assert spaces <= limits


def test_mlflow_and_metrics_are_reached_from_namespaces_that_are_named(objects: list[dict[str, Any]]) -> None:
    """Rules without a named namespace are those for models, which anybody may ask, and the store, which KFP's pods ask."""
    runs = next(one["metadata"]["namespace"] for one in _of(objects, "ServiceAccount") if one["metadata"]["name"] == "naru-runner")  # fmt: skip
    policies = {one["metadata"]["name"]: one["spec"] for one in _of(objects, "NetworkPolicy")}
    (mlflow,) = policies["naru-mlflow"]["ingress"]
    assert [peer["namespaceSelector"]["matchLabels"] for peer in mlflow["from"]] == [{_NAME: runs}]
    if _serves(objects):
        metrics = [rule for rule in policies["naru-models"]["ingress"] if {"port": 8082} in rule["ports"]]
        assert [len(rule["ports"]) for rule in metrics] == [1]
        named = [
            peer["namespaceSelector"]["matchLabels"][_NAME] for peer in metrics[0]["from"] if "ipBlock" not in peer
        ]
        assert named == ["monitoring", "kube-system"]
        assert [peer["ipBlock"]["cidr"] for peer in metrics[0]["from"] if "ipBlock" in peer] == [PLACEHOLDER]


_NAME = "kubernetes.io/metadata.name"


def test_prometheus_finds_pods_that_a_rollout_makes() -> None:
    """The monitor's selectors against the labels, the port and the namespace of a server as we render it."""
    (monitor,) = _of(render("production", Target()), "PodMonitor")
    predictor = rendered()["spec"]["predictors"][0]
    assert monitor["spec"]["namespaceSelector"]["matchNames"] == [MODELS_NAMESPACE]
    (needed,) = monitor["spec"]["selector"]["matchExpressions"]
    assert needed["operator"] == "Exists" and needed["key"] in predictor["labels"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in component(rendered())["spec"]["containers"][0]["ports"]}
    assert ports[endpoint["port"]] == METRICS
    assert set(monitor["spec"]["podTargetLabels"]) <= set(predictor["labels"])


def test_what_keeps_data_is_started_again_when_it_hangs(objects: list[dict[str, Any]]) -> None:
    for workload in _of(objects, "StatefulSet"):
        for container in workload["spec"]["template"]["spec"]["containers"]:
            assert {"livenessProbe", "readinessProbe"} <= container.keys(), workload["metadata"]["name"]


def test_production_names_images_by_digest() -> None:
    images = {container["image"] for pod in pods_of(render("production", Target())) for container in pod["containers"]}
    others = {image for image in images if not image.startswith("naru-")}
    assert {image.partition("@")[0] for image in others if "@sha256:" in image} == {"postgres"}
    assert {image for image in others if "@sha256:" not in image} == {"nvcr.io/nvidia/k8s-device-plugin:v0.17.4"}


IGNORED = {
    "container-image-pull-policy": "an image that does not move need not be pulled again",
    "container-ephemeral-storage-request-and-limit": "what grows is on volumes, and /tmp of MLflow is what it unpacks",
    "statefulset-has-poddisruptionbudget": "one server over one volume: a budget would hold a node for ever",
    "statefulset-has-host-podantiaffinity": "the same",
    "deployment-has-host-podantiaffinity": "one replica, or two that may share the one node there is",
    "deployment-replicas": "one is enough for MLflow on a small cluster; production has two",
    "pod-networkpolicy": "egress is denied for the whole namespace by `deny-all`, which it does not see",
    "container-security-context-user-group-id": "the pod says it for all of its containers",
    "container-security-context-privileged": "the same",
    "networkpolicy-targets-pod": "the pods of runs and of models are made by KFP and by Seldon",
    "pod-probes-identical": "a server that hangs answers neither; the one that ends it waits four times as long",
    "statefulset-has-servicename": "one server, reached by a Service with an address; the field cannot be changed",
}
"""Checks of kube-score that are left out, and why."""
_IGNORED_IN = {"DaemonSet": "stands beside the kubelet, as root: docs/operations.md"}


def test_a_linter_of_manifests_finds_nothing_critical(objects: list[dict[str, Any]], tmp_path: Path) -> None:
    program = shutil.which("kube-score")
    if not program:
        needed = "kube-score: go install github.com/zegl/kube-score/cmd/kube-score@v1.20.0"
        pytest.fail(needed) if os.environ.get("CI") else pytest.skip(needed)
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all([one for one in objects if one["kind"] not in _IGNORED_IN]))
    options = [part for check in IGNORED for part in ("--ignore-test", check)]
    done = subprocess.run([program, "score", *options, "--output-format", "ci", str(file)], capture_output=True, text=True, check=False)  # fmt: skip
    assert "[OK]" in done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("[CRITICAL]")] == []


def test_the_api_server_is_let_in_by_its_own_addresses() -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"ingress": [{"ports": [{"port": 1}]}, {"from": [{"ipBlock": {"cidr": PLACEHOLDER}}]}]},
    }
    found = {"subsets": [{"addresses": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}]}]}
    (changed,) = with_api_server(SimpleNamespace(get=lambda wanted: found), [policy])  # type: ignore[arg-type]
    blocks = [peer["ipBlock"]["cidr"] for peer in changed["spec"]["ingress"][1]["from"]]
    assert blocks == ["10.0.0.7/32", "fd00::7/128"]
    assert with_api_server(SimpleNamespace(get=lambda wanted: None), [policy]) == [policy]  # type: ignore[arg-type]


def test_a_served_model_is_reached_at_every_port_that_its_pod_opens(objects: list[dict[str, Any]]) -> None:
    policies = [one for one in _of(objects, "NetworkPolicy") if one["metadata"]["namespace"] == "naru-models"]
    opened = {
        port["port"] for policy in policies for rule in policy["spec"].get("ingress", []) for port in rule["ports"]
    }
    container = component(rendered())["spec"]["containers"][0]
    assert {port["containerPort"] for port in container["ports"]} <= opened or not _serves(objects)


def test_no_secret_is_written_down(objects: list[dict[str, Any]]) -> None:
    assert not [one for one in _of(objects, "Secret") if one.get("data") or one.get("stringData")]
    for file in (ROOT / "manifests").rglob("*.yaml"):
        assert not re.search(
            r"(?i)(password|secret_?key|token)['\"]?[,:]? *(value)?: *['\"]?\w{6,}['\"]?$", file.read_text()
        )


def test_pods_are_restricted(objects: list[dict[str, Any]]) -> None:
    for workload in [one for one in objects if one["kind"] in ("Deployment", "StatefulSet")]:
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_every_container_has_limits_and_an_image_that_does_not_move(objects: list[dict[str, Any]]) -> None:
    for pod in pods_of(objects):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["resources"]["limits"]["memory"]
            assert re.search(r":[^/:]*\d", container["image"]), container["image"]


def test_every_secret_that_is_read_is_one_that_deploy_knows(objects: list[dict[str, Any]]) -> None:
    assert {name for _, name in secrets_of(objects)} <= {SECRET, READER, "naru-mlflow", *MADE}


def test_the_root_key_of_the_store_is_read_by_its_own_pod_alone(objects: list[dict[str, Any]]) -> None:
    readers = {one["metadata"]["name"] for one in objects if any(name == MADE[0] for _, name in secrets_of([one]))}
    assert readers <= {STORE}
    mlflow = next(one for one in _of(objects, "Deployment") if one["metadata"]["name"] == "naru-mlflow")
    assert SECRET not in {name for _, name in secrets_of([mlflow])}


def test_the_settings_have_every_key_that_a_stage_is_given(objects: list[dict[str, Any]]) -> None:
    settings = [one for one in _of(objects, "ConfigMap") if one["metadata"]["name"] == "naru-settings"]
    named = {name for stage in STAGES.values() for name in stage.environment}
    assert len(settings) == 2 and settings[0]["data"] == settings[1]["data"]
    assert named <= set(settings[0]["data"]) and not set(CREDENTIALS) & set(settings[0]["data"])


_STORE_USERS = {"naru-runner", "naru-mlflow", "naru-models"}
"""Service accounts of what opens the store: the runs, MLflow's pages of artifacts, the model servers."""


@pytest.mark.parametrize(
    ("name", "annotation", "value", "store"),
    [
        ("eks", "eks.amazonaws.com/role-arn", r"arn:aws:iam::\d{12}:role/[\w-]+", "s3://"),
        ("gke", "iam.gke.io/gcp-service-account", r"[\w-]+@[\w-]+\.iam\.gserviceaccount\.com", "gs://"),
    ],
)
def test_with_a_cloud_identity_every_account_has_one_of_its_own_and_no_pod_reads_keys(
    name: str, annotation: str, value: str, store: str
) -> None:
    objects = render(name, Target())
    accounts = {one["metadata"]["name"]: one["metadata"] for one in _of(objects, "ServiceAccount")}
    named = {account: held["annotations"][annotation] for account, held in accounts.items() if "annotations" in held}
    assert named.keys() == _STORE_USERS and len(set(named.values())) == 3
    assert all(re.fullmatch(value, identity) for identity in named.values()) and has_identity(objects)
    assert settings_of(objects)["NARU_STORE"].startswith(store)
    assert {secret for _, secret in secrets_of(objects)} == {"naru-mlflow"}  # its database's password
    mlflow = next(one for one in _of(objects, "Deployment") if one["metadata"]["name"] == "naru-mlflow")
    pod = mlflow["spec"]["template"]["spec"]
    assert (accounts[pod["serviceAccountName"]]["namespace"], mlflow["metadata"]["namespace"]) == ("naru", "naru")
    assert accounts["naru-models"]["namespace"] == MODELS_NAMESPACE
    runners = [one["metadata"]["namespace"] for one in objects if one["metadata"]["name"] == "naru-stages"]
    assert [accounts["naru-runner"]["namespace"]] == runners


def test_the_other_overlays_go_by_keys(objects: list[dict[str, Any]], request: pytest.FixtureRequest) -> None:
    annotated = {key for one in _of(objects, "ServiceAccount") for key in one["metadata"].get("annotations", {})}
    assert bool(annotated) is has_identity(objects) is (request.node.callspec.params["objects"] in ("eks", "gke"))


def test_the_metadata_server_of_gke_is_reached_by_what_has_an_identity_and_nothing_else() -> None:
    policies = [one for one in _of(render("gke", Target()), "NetworkPolicy") if "169.254.169.25" in str(one)]
    selected = {(one["metadata"]["namespace"], str(one["spec"]["podSelector"])) for one in policies}
    predictor = next(iter(rendered()["spec"]["predictors"][0]["labels"].keys() & {"naru/predictor"}))
    assert selected == {
        ("ml-team", str({"matchExpressions": [{"key": "naru/stage", "operator": "Exists"}]})),
        ("naru", str({"matchLabels": {"app.kubernetes.io/name": "naru-mlflow"}})),
        ("naru-models", str({"matchExpressions": [{"key": predictor, "operator": "Exists"}]})),
    }
    for policy in policies:
        reached = {(rule["to"][0]["ipBlock"]["cidr"], rule["ports"][0]["port"]) for rule in policy["spec"]["egress"]}
        assert reached == {("169.254.169.252/32", 988), ("169.254.169.254/32", 80)}


def test_a_setting_of_the_overlay_opens_the_network_to_a_database_for_those_who_read_it_alone(tmp_path: Path) -> None:
    folder = tmp_path / "manifests" / "overlays" / "ours"
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    shutil.copytree(OVERLAYS / "kind", folder)
    settings = folder / "settings.yaml"
    settings.write_text(f"{settings.read_text()}  NARU_SOURCE_HOSTS: 10.0.7.4:5432 postgres.data.svc:5432\n")
    (policy,) = [one for one in render(str(folder), Target()) if one["metadata"]["name"] == "naru-sources"]
    readers = sorted(stage.name for stage in READERS)
    assert policy["spec"]["podSelector"] == {
        "matchExpressions": [{"key": STAGE_LABEL, "operator": "In", "values": readers}]
    }
    assert policy["metadata"]["namespace"] == "kubeflow"
    assert [rule["ports"] for rule in policy["spec"]["egress"]] == [[{"port": 5432, "protocol": "TCP"}]] * 2
    kubernetes_validate.validate(policy, KUBERNETES, strict=True)
    settings.write_text(settings.read_text().replace("10.0.7.4:5432", "10.0.7.4"))
    with pytest.raises(ConfigError, match=r"'10\.0\.7\.4' has no port"):
        render(str(folder), Target())


def test_without_the_setting_no_database_is_reached(objects: list[dict[str, Any]]) -> None:
    assert [one["spec"]["egress"] for one in _of(objects, "NetworkPolicy") if one["metadata"]["name"] == "naru-sources"] == [[]]  # fmt: skip


def test_the_device_plugin_stands_on_the_pool_that_the_stages_are_placed_on() -> None:
    plugin = next(one for one in render("gpu", Target()) if one["kind"] == "DaemonSet")
    assert plugin["spec"]["template"]["spec"]["nodeSelector"] == load_pools().pools["gpu"].selector


def test_registry_version_and_pull_secrets_come_from_the_target() -> None:
    target = Target(registry="registry.example/team", tag="1.2.3", pull_secrets=("pull",))
    server = next(one for one in render("kind", target) if one["metadata"]["name"] == "naru-mlflow" and "template" in one.get("spec", {}))  # fmt: skip
    pod = server["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example/team/naru-mlflow:1.2.3"
    assert pod["imagePullSecrets"] == [{"name": "pull"}]


def test_a_missing_kustomize_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="install kustomize 5"):
        render("kind", Target())


def test_a_kustomize_that_is_too_old_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "kustomize"
    old.write_text("#!/bin/sh\necho v4.5.7\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    with pytest.raises(ConfigError, match="kustomize has kustomize 4"):
        render("kind", Target())


def test_grafana_finds_the_dashboard_that_is_held_against_a_server() -> None:
    maps = _of(render("production", Target()), "ConfigMap")
    (dashboard,) = [one for one in maps if one["metadata"]["labels"].get("grafana_dashboard") == "1"]
    file = ROOT / "manifests" / "components" / "dashboard" / "naru-models.json"
    assert dashboard["data"] == {file.name: file.read_text()} and dashboard["metadata"]["name"] == "naru-dashboard"
