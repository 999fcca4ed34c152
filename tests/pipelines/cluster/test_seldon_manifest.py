"""`naru cluster seldon`: what is printed is what would be applied, and what is wrong with it is reported before."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from components._core.errors import ConfigError
from components._core.store.ledger import Deployment, append_deployment
from pipelines.__main__ import app
from pipelines.cluster.seldon_manifest import Choice, place_servers, render_manifest
from pipelines.compile_target import Target
from tests.components.deploy.targets.seldon.made import project as made_project
from tests.kubernetes.api_server import ApiServer

MODEL = "s3://naru/tiny/models/3/artifacts/model"
SECRET = "/api/v1/namespaces/models/secrets/naru-models"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "NARU_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    raw = {"name": "tiny", "task": "regression", "label": "y", "data": {"source": "t.csv"}}
    (folder / "project.yaml").write_text(yaml.safe_dump(raw))
    return folder


def _deployed(project: Path, model: str) -> None:
    line = Deployment("7", model, "", "", {}, "f", "run", "2026-01-01T00:00:00+00:00", "me", "a test")
    append_deployment(str(project / ".naru" / "store"), "tiny", line)


def test_the_object_is_printed_alone_and_what_was_not_looked_at_is_reported_aside(project: Path) -> None:
    command = ["cluster", "seldon", str(project), "--model", MODEL, "--version", "3", "--tag", "1.0"]
    ran = CliRunner().invoke(app, command)
    assert ran.exit_code == 0, ran.output
    wanted: dict[str, Any] = yaml.safe_load(ran.stdout)
    assert wanted["kind"] == "SeldonDeployment" and "&id" not in ran.stdout
    assert wanted["spec"]["predictors"][0]["graph"]["modelUri"] == MODEL
    assert wanted["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]["image"] == "naru-server:1.0"
    assert f"naru: not looked at: {MODEL}" in ran.stderr


def test_the_champion_is_what_is_served_by_default(project: Path) -> None:
    _deployed(project, MODEL)
    rendered = render_manifest(project, Choice(), Target())
    container = yaml.safe_load(rendered.text)["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]
    assert container["args"][-2:] == ["--version", "7"]


def test_a_champion_of_this_machine_is_reported_to_be_out_of_reach_and_what_its_folder_lacks(project: Path) -> None:
    _deployed(project, str(project / "gone"))
    with pytest.raises(ConfigError, match="allowed: s3://bucket/folder") as caught:
        render_manifest(project, Choice(), Target())
    assert "signature.json" in str(caught.value) and "saved_model/saved_model.pb" in str(caught.value)


def test_a_project_without_a_champion_is_reported_what_to_name(project: Path) -> None:
    with pytest.raises(ConfigError, match="no champion to serve yet") as caught:
        render_manifest(project, Choice(), Target())
    assert "--model" in caught.value.remedy


@pytest.mark.parametrize(
    "half", [{"model": MODEL}, {"version": "3"}, {"canary_model": MODEL, "model": MODEL, "version": "3"}]
)
def test_half_a_version_is_refused(project: Path, half: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="found one of --"):
        render_manifest(project, Choice(**half), Target())  # type: ignore[arg-type]


def test_a_canary_stands_beside_the_stable_version(project: Path) -> None:
    choice = Choice(MODEL, "3", f"{MODEL}-4", "4", weight=25)
    spec = yaml.safe_load(render_manifest(project, choice, Target()).text)["spec"]
    assert [one["traffic"] for one in spec["predictors"]] == [75, 25]


def _rollout(project: Path, **serve: Any) -> None:
    raw = yaml.safe_load((project / "project.yaml").read_text())
    raw |= {"serve": {"request_log": {"uri": "s3://logs/tiny"}, **serve}, "feedback": {"endpoint": True}}
    (project / "project.yaml").write_text(yaml.safe_dump(raw))


def test_a_live_test_is_printed_with_the_service_between_both_versions(project: Path) -> None:
    _rollout(project, rollout="shadow")
    choice = Choice(MODEL, "3", challenger_model=f"{MODEL}-4", challenger_version="4")
    deployment, service = yaml.safe_load_all(render_manifest(project, choice, Target()).text)
    assert len(deployment["spec"]["predictors"]) == 2 and service["metadata"]["name"] == "tiny-challenger"
    choice = replace(choice, mesh_shadow=True)
    _rollout(project, rollout="shadow", mesh="istio")
    (deployment,) = yaml.safe_load_all(render_manifest(project, choice, Target()).text)
    assert deployment["spec"]["predictors"][1]["shadow"] is True


@pytest.mark.parametrize(
    ("serve", "choice", "message"),
    [
        ({"rollout": "shadow"}, {"challenger_version": ""}, "found one of --challenger-model"),
        ({}, {}, "the project has no live test"),
        ({"rollout": "shadow"}, {"mesh_shadow": True}, "Seldon's own shadow needs a mesh"),
        ({"rollout": "shadow", "mesh": "istio"}, {}, "would send users' requests to the version under test"),
        (
            {"rollout": "shadow"},
            {"canary_model": MODEL, "canary_version": "5"},
            "a canary and a version in a live test",
        ),
    ],
)
def test_a_live_test_that_cannot_be_is_refused(
    project: Path, serve: dict[str, Any], choice: dict[str, Any], message: str
) -> None:
    _rollout(project, **serve)
    named = Choice(MODEL, "3", challenger_model=f"{MODEL}-4", challenger_version="4")
    with pytest.raises(ConfigError, match=message):
        render_manifest(project, replace(named, **choice), Target())


def test_the_pool_says_nodes_devices_and_image() -> None:
    placement = place_servers(made_project(pool="gpu"), Target(registry="r.example", tag="2", pull_secrets=("pull",)))
    assert placement.selector == {"pool": "gpu"} and placement.devices == {"nvidia.com/gpu": 1}
    assert placement.tolerations == ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},)
    assert placement.image == "r.example/naru-server:2" and placement.pull_secrets == ("pull",)


def test_the_protocol_says_the_image() -> None:
    assert place_servers(made_project(protocol="seldon"), Target()).image == "naru-server-seldon:python3.11"


def test_a_pool_that_is_not_there_is_reported_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"no pool 'gpus' .*did you mean 'gpu'"):
        place_servers(made_project(pool="gpus"), Target())


def test_the_secrets_keys_are_looked_at_when_asked(project: Path, store: ApiServer) -> None:
    choice = Choice(MODEL, "3", namespace="models", check_secret=True)
    with pytest.raises(ConfigError, match="there is no such Secret"):
        render_manifest(project, choice, Target())
    store.put(SECRET, data={"RCLONE_CONFIG_MINIO_TYPE": "czM="})
    with pytest.raises(ConfigError, match="RCLONE_CONFIG_S3_TYPE among them"):
        render_manifest(project, choice, Target())
    store.put(SECRET, data={"RCLONE_CONFIG_S3_TYPE": "czM="})
    assert "namespace: models" in render_manifest(project, choice, Target()).text


def _log(project: Path, **log: Any) -> None:
    file = project / "project.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "serve": {"request_log": log}}))


def test_the_request_log_goes_to_the_store_that_pods_reach(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _log(project)
    with pytest.raises(ConfigError, match=r"--log: found .*allowed: s3://"):
        render_manifest(project, Choice(MODEL, "3"), Target())
    monkeypatch.setenv("NARU_STORE", "s3://naru")
    assert "s3://naru/tiny/requests" in render_manifest(project, Choice(MODEL, "3"), Target()).text


def test_a_mask_is_held_against_what_the_model_takes(project: Path) -> None:
    from tests.components.tiny_models import write_model

    _log(project, uri="s3://logs/tiny", mask=["carier"])
    assert "carier" in render_manifest(project, Choice(MODEL, "3"), Target()).text  # the store is out of reach
    model = write_model(project / "model", "regression")
    with pytest.raises(ConfigError, match=r"--log-mask: found 'carier'; .*'carrier'"):
        render_manifest(project, Choice(model.as_uri(), "3"), Target())


def test_looking_at_the_secret_needs_a_namespace(project: Path) -> None:
    with pytest.raises(ConfigError, match="needs --namespace"):
        render_manifest(project, Choice(MODEL, "3", check_secret=True), Target())


def test_a_model_without_tensorflow_has_the_image_without_it() -> None:
    placement = place_servers(made_project(), Target(registry="r.example", tag="2"))
    assert placement.image_for(needs_tensorflow=False) == "r.example/naru-server-onnx:2"
    assert placement.image_for(needs_tensorflow=True) == "r.example/naru-server:2"
    seldon = place_servers(made_project(protocol="seldon"), Target())
    assert seldon.image_for(needs_tensorflow=False) == seldon.image == "naru-server-seldon:python3.11"


def test_an_image_that_was_not_pushed_serves_nothing() -> None:
    digest = "sha256:" + "ab" * 32
    placement = place_servers(made_project(), Target(registry="r.example", digests={"naru-server": digest}))
    assert placement.image_for(needs_tensorflow=False) == f"r.example/naru-server@{digest}"
