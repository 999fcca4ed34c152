"""What is rendered is a SeldonDeployment by Seldon's own schema and by ours, and its pods are Kubernetes pods."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from components.deploy.targets.contract import ModelVersion
from components.deploy.targets.placement import IMAGES, Placement
from components.deploy.targets.seldon.manifest import Canary, render_deployment
from components.deploy.targets.seldon.objects import SeldonDeployment
from components.deploy.targets.seldon.preflight import check_deployment
from tests.components.deploy.targets.seldon.made import (
    CANARY,
    GPU,
    STABLE,
    component,
    live_test,
    predictors,
    project,
    rendered,
)

ROOT = Path(__file__).resolve().parents[5]
SCHEMA = ROOT.parent / "shared" / "data" / "seldondeployment-v1.schema.json"
KUBERNETES = "1.32"
SCALED = {"autoscaling": {"min": 2, "max": 6, "cpu": 60}, "engine": True, "secret": ""}
OBJECTS = {
    "defaults": rendered(),
    "canary": rendered(Canary(CANARY, 10, replicas=2), replicas=3),
    "with a request log": rendered(request_log={"uri": "s3://logs/flights", "mask": ["month", "hour"]}),
    "Seldon's protocol": render_deployment(project(protocol="seldon"), STABLE, Placement(image=IMAGES["seldon"])),
    "a shadow": live_test(rollout="shadow")[0],
    "an A/B test": live_test(rollout="ab", ab={"effect": 0.1, "key": "carrier"})[0],
    "Seldon's own shadow": live_test(rollout="shadow", by_mesh=True)[0],
    "scaled, on GPUs, with the engine": render_deployment(project(**SCALED), STABLE, GPU, Canary(CANARY, 50)),
}


@pytest.fixture(params=OBJECTS)
def wanted(request: pytest.FixtureRequest) -> dict[str, Any]:
    return OBJECTS[request.param]


def _closed(schema: Any) -> Any:
    """The same schema, but what it does not name is not allowed."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    return {"additionalProperties": False, **closed} if isinstance(schema.get("properties"), dict) else closed


@pytest.fixture(scope="module")
def seldons_own() -> Any:
    if not SCHEMA.is_file():
        pytest.skip(f"no schema of the operator's CRD at {SCHEMA}")
    return jsonschema.Draft202012Validator(_closed(json.loads(SCHEMA.read_text())))


def test_it_fits_seldons_own_schema_with_every_object_closed(wanted: dict[str, Any], seldons_own: Any) -> None:
    assert [error.message for error in seldons_own.iter_errors(wanted)] == []


def test_a_version_without_tensorflow_has_an_image_of_its_own_and_its_canary_another() -> None:
    placement = Placement(onnx_image="naru-server-onnx:python3.12")
    wanted = render_deployment(project(), replace(STABLE, needs_tensorflow=False), placement, Canary(CANARY, 10))
    images = [component(wanted, place)["spec"]["containers"][0]["image"] for place in range(2)]
    assert images == ["naru-server-onnx:python3.12", "naru-server:python3.12"]


def test_a_field_that_seldon_does_not_have_is_found_by_that_schema(seldons_own: Any) -> None:
    wanted = rendered()
    predictors(wanted)[0]["trafic"] = 100
    assert "trafic" in next(seldons_own.iter_errors(wanted)).message


def test_it_fits_our_own_model_and_passes_the_preflight(wanted: dict[str, Any]) -> None:
    SeldonDeployment.model_validate(wanted)
    check_deployment(wanted)


def test_its_pods_are_kubernetes_pods(wanted: dict[str, Any]) -> None:
    for number in range(len(predictors(wanted))):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": component(wanted, number)["spec"]}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_a_predictor_is_named_by_its_version_whatever_part_it_plays() -> None:
    before = predictors(rendered(Canary(CANARY, 10)))[1]
    after = predictors(render_deployment(project(), CANARY, GPU))[0]
    assert before["name"] == after["name"] == CANARY.key != STABLE.key
    assert ModelVersion("3", CANARY.uri).key not in (CANARY.key, STABLE.key)


def test_one_predictor_has_no_traffic_and_two_share_it() -> None:
    assert "traffic" not in predictors(rendered())[0]
    assert [one["traffic"] for one in predictors(rendered(Canary(CANARY, 10)))] == [90, 10]


def test_only_the_stable_predictor_is_scaled_and_has_a_disruption_budget() -> None:
    wanted = rendered(Canary(CANARY, 10), **SCALED)
    assert component(wanted)["hpaSpec"]["maxReplicas"] == 6 and "replicas" not in component(wanted)
    assert component(wanted)["pdbSpec"] == {"maxUnavailable": 1}
    assert component(wanted, 1)["replicas"] == 1 and not {"hpaSpec", "pdbSpec"} & set(component(wanted, 1))


def test_node_container_model_and_probes_have_the_projects_name() -> None:
    predictor = predictors(rendered())[0]
    container = component(rendered())["spec"]["containers"][0]
    assert predictor["graph"]["name"] == container["name"] == container["args"][3] == "flights"
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] == "/v2/models/flights/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8080, "grpc": 8081, "metrics": 8082}


def test_seldons_protocol_has_probes_of_its_own_and_the_same_ports() -> None:
    wanted = rendered(protocol="seldon")
    container = component(wanted)["spec"]["containers"][0]
    assert wanted["spec"]["protocol"] == "seldon"
    assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe")} == {"/health/status"}
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/ping"
    assert container["ports"] == component(rendered())["spec"]["containers"][0]["ports"]


@pytest.mark.parametrize(("protocol", "image"), [("v2", "server"), ("seldon", "server-seldon")])
def test_the_server_takes_the_arguments_that_it_is_given(protocol: str, image: str) -> None:
    from components.serve.__main__ import _parse

    entry = (ROOT / "images" / image / "Dockerfile").read_text().partition("ENTRYPOINT ")[2].partition("]\n")[0]
    _, _, _, *own = json.loads(f"{entry}]".replace("\\\n", ""))
    options = _parse([*own, *component(rendered(protocol=protocol))["spec"]["containers"][0]["args"]])
    assert (options.protocol, options.port, options.grpc_port, options.metrics_port) == (protocol, 8080, 8081, 8082)
    assert (options.model, options.name, options.version) == (Path("/mnt/models"), "flights", "3")
    log = component(OBJECTS["with a request log"])["spec"]["containers"][0]["args"]
    options = _parse([*own, *log])
    assert (options.log, options.log_sample, options.log_mask) == ("s3://logs/flights", 1.0, "month,hour")
    assert (options.log_flush_rows, options.log_flush_seconds) == (1000, 30.0)


def test_pods_are_restricted_and_write_only_to_tmp(wanted: dict[str, Any]) -> None:
    pod = component(wanted)["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert container["resources"]["limits"]["memory"]


def test_a_pool_gives_nodes_tolerations_and_devices() -> None:
    pod = component(render_deployment(project(), STABLE, GPU))["spec"]
    assert pod["nodeSelector"] == {"pool": "gpu"} and pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["imagePullSecrets"] == [{"name": "pull"}]


def test_the_engine_is_left_out_by_default() -> None:
    assert predictors(rendered())[0]["annotations"] == {"seldon.io/no-engine": "true"}
    assert "annotations" not in predictors(rendered(engine=True))[0]


def test_the_secret_is_a_name_or_nothing() -> None:
    assert predictors(rendered())[0]["graph"]["envSecretRefName"] == "naru-models"
    assert "envSecretRefName" not in predictors(rendered(secret=""))[0]["graph"]


def test_the_request_log_is_kept_where_the_project_says_with_the_keys_of_the_same_secret() -> None:
    log = {"uri": "s3://logs/flights", "sample": 0.25, "mask": ["month", "hour"], "flush_seconds": 5}
    container = component(rendered(request_log=log))["spec"]["containers"][0]
    message = " ".join(container["args"][6:])
    assert (
        message
        == "--log s3://logs/flights --log-sample 0.25 --log-mask month,hour --log-flush-rows 1000 --log-flush-seconds 5"
    )
    assert container["envFrom"] == [{"secretRef": {"name": "naru-models"}}]


def test_without_a_word_the_request_log_is_beside_the_projects_models() -> None:
    wanted = render_deployment(project(request_log={}), STABLE, Placement(store="s3://naru/"), Canary(CANARY, 10))
    for number in (0, 1):
        arguments = component(wanted, number)["spec"]["containers"][0]["args"]
        assert arguments[arguments.index("--log") + 1] == "s3://naru/flights/requests" and "--log-mask" not in arguments


def test_a_server_reaches_a_store_in_google_cloud_storage_with_the_key_of_its_secret_or_as_a_cloud_identity() -> None:
    placed = Placement(store="gs://naru", reaches_google=True)
    pod = component(render_deployment(project(request_log={}), STABLE, placed))["spec"]
    (container,) = pod["containers"]
    arguments = container["args"]
    for option, place in (("--log", "requests"), ("--monitoring", "monitoring"), ("--triggers", "triggers")):
        assert arguments[arguments.index(option) + 1] == f"gs://naru/flights/{place}"
    (variable,) = container["env"]
    assert variable["name"] == "GOOGLE_APPLICATION_CREDENTIALS"
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "google"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "google"]
    assert variable["value"] == f"{mount['mountPath']}/{volume['secret']['items'][0]['path']}" and mount["readOnly"]
    assert volume["secret"]["secretName"] == "naru-models"
    identity = component(render_deployment(project(request_log={}), STABLE, replace(placed, account="naru-models")))
    assert "env" not in identity["spec"]["containers"][0] and len(identity["spec"]["volumes"]) == 1
    assert "--monitoring" in identity["spec"]["containers"][0]["args"]
    unable = component(
        render_deployment(project(request_log={"uri": "s3://a/b"}), STABLE, Placement(store="gs://naru"))
    )
    assert "--monitoring" not in unable["spec"]["containers"][0]["args"] and len(unable["spec"]["volumes"]) == 1


def test_without_a_request_log_or_a_secret_the_server_is_given_no_keys() -> None:
    assert "envFrom" not in component(rendered())["spec"]["containers"][0]
    assert "envFrom" not in component(rendered(request_log={"uri": "s3://a/b"}, secret=""))["spec"]["containers"][0]


def test_the_stable_versions_servers_copy_requests_to_a_shadow_that_no_client_reaches() -> None:
    wanted, service = live_test(rollout="shadow", shadow={"share": 0.25})
    first, second = (component(wanted, place)["spec"]["containers"][0]["args"] for place in (0, 1))
    options = dict(zip(first[::2], first[1::2], strict=True))
    assert options["--live-test"] == "shadow" and options["--challenger"] == "http://flights-challenger:8080"
    assert options["--challenger-version"] == "4" and options["--live-test-share"] == "0.25"
    assert options["--live-test-log"] == "s3://logs/flights/live-tests/000001-a"
    assert service["metadata"]["name"] == "flights-challenger" and service["metadata"]["namespace"] == "models"
    assert service["spec"]["selector"] == {"naru/project": "flights", "naru/predictor": CANARY.key}
    assert service["spec"]["ports"][0]["targetPort"] == 8080
    assert not {"--log", "--feedback", "--live-test"} & set(second), "its answers are in the lines of the test only"


def test_what_the_version_of_an_ab_test_answers_is_in_the_request_log() -> None:
    wanted, _ = live_test(rollout="ab", ab={"effect": 0.1, "key": "carrier"})
    first, second = (component(wanted, place)["spec"]["containers"][0]["args"] for place in (0, 1))
    assert first[first.index("--live-test-key") + 1] == "carrier"
    assert "--log" in second and "--feedback" in first and "--feedback" not in second


@pytest.mark.parametrize(("protocol", "image"), [("v2", "server"), ("seldon", "server-seldon")])
def test_the_server_takes_the_options_of_a_live_test(protocol: str, image: str) -> None:
    from components.serve.__main__ import _parse

    entry = (ROOT / "images" / image / "Dockerfile").read_text().partition("ENTRYPOINT ")[2].partition("]\n")[0]
    _, _, _, *own = json.loads(f"{entry}]".replace("\\\n", ""))
    wanted, _ = live_test(rollout="ab", ab={"effect": 0.1, "share": 0.3}, protocol=protocol)
    options = _parse([*own, *component(wanted)["spec"]["containers"][0]["args"]])
    assert (options.live_test, options.live_test_share, options.challenger_version) == ("ab", 0.3, "4")


def test_seldons_own_shadow_is_a_predictor_that_the_mesh_copies_to() -> None:
    (wanted,) = live_test(rollout="shadow", by_mesh=True)
    first, second = predictors(wanted)
    assert (first["traffic"], second["traffic"], second["shadow"]) == (100, 100, True)
    assert "--live-test" not in component(wanted)["spec"]["containers"][0]["args"]
