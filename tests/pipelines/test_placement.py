"""Where stages are place_stages, what they are given, and what a wrong pools file is answered with."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components._core.errors import ConfigError
from components._core.project.project_file import load_project
from pipelines.compile_target import Target
from pipelines.compiler import compile_training
from pipelines.graphs.pipelines import TRAINING
from pipelines.pools import DEFAULT_POOLS, load_pools
from pipelines.spec_text import read_spec
from pipelines.stage_secrets import CREDENTIALS

ROOT = Path(__file__).resolve().parents[2]
FLIGHTS = load_project(ROOT / "examples" / "flights")
DIGEST = "sha256:" + "ab" * 32


def compiled(folder: Path, target: Target) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The containers and tasks by stage, and what only Kubernetes understands."""
    spec, platform = read_spec(compile_training(FLIGHTS, "0" * 32, folder / "training.yaml", target))
    containers = {
        stage: spec["deploymentSpec"]["executors"][f"exec-{stage}"]["container"] for stage in TRAINING.stage_names
    }
    return (
        containers,
        spec["root"]["dag"]["tasks"],
        {stage: platform[f"exec-{stage}"] for stage in TRAINING.stage_names},
    )


@pytest.fixture(scope="module")
def on_gpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    target = Target(
        registry="registry.example/team",
        tag="1.2.3",
        digests={"naru-light": DIGEST},
        profile="gpu",
        pull_secrets=("pull",),
        ca="company-ca",
        final_tags=True,
    )
    return compiled(tmp_path_factory.mktemp("gpu"), target)


def test_train_gets_its_image_to_record_it(on_gpus: Any) -> None:
    containers, _, _ = on_gpus
    images = {
        stage: variable["value"]
        for stage, container in containers.items()
        for variable in container.get("env", [])
        if variable["name"] == "NARU_IMAGE"
    }
    assert (
        images == {"train": containers["train"]["image"]} == {"train": "registry.example/team/naru-stages-cuda:1.2.3"}
    )


def test_a_profile_moves_its_stages_to_the_pool_and_no_others(on_gpus: Any) -> None:
    containers, _, platform = on_gpus
    on_pool = {stage for stage in TRAINING.stage_names if platform[stage].get("nodeSelector")}
    with_device = {stage for stage in TRAINING.stage_names if "accelerator" in containers[stage]["resources"]}
    assert on_pool == with_device == {"tune", "train"}
    assert platform["train"]["nodeSelector"]["labels"] == {"pool": "gpu"}
    assert platform["train"]["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert containers["train"]["resources"]["accelerator"]["resourceCount"] == "1"
    assert platform["train"]["emptyDirMounts"][0]["mountPath"] == "/dev/shm"


def test_an_image_has_registry_and_version_and_a_digest_goes_first(on_gpus: Any) -> None:
    containers = on_gpus[0]
    assert containers["ingest"]["image"] == "registry.example/team/naru-stages:1.2.3"
    assert containers["train"]["image"] == "registry.example/team/naru-stages-cuda:1.2.3"
    assert containers["deploy"]["image"] == f"registry.example/team/naru-light@{DIGEST}"


def test_every_stage_has_requests_and_limits(on_gpus: Any) -> None:
    for container in on_gpus[0].values():
        resources = container["resources"]
        assert resources["resourceMemoryLimit"] and resources["resourceMemoryRequest"]
        assert resources["resourceCpuLimit"] and resources["resourceCpuRequest"]


def test_what_acts_or_looks_outside_is_not_cached_and_what_acts_is_not_retried(on_gpus: Any) -> None:
    tasks = on_gpus[1]
    cached = {stage for stage in TRAINING.stage_names if tasks[stage]["cachingOptions"].get("enableCache")}
    retried = {stage for stage in TRAINING.stage_names if "retryPolicy" in tasks[stage]}
    assert cached == {stage.name for stage in TRAINING.stages if stage.is_cached_by_kfp}
    assert retried and not retried & {stage.name for stage in TRAINING.stages if stage.side_effects}


def test_credentials_are_named_and_only_given_where_the_store_is_used(on_gpus: Any) -> None:
    containers, _, platform = on_gpus
    given = {stage: platform[stage].get("secretAsEnv") for stage in TRAINING.stage_names}
    assert {stage for stage in TRAINING.stage_names if given[stage]} == {
        "ingest", "validate", "transform", "tune", "train", "evaluate", "register", "deploy"
    }  # fmt: skip
    assert {pair["envVar"] for pair in given["deploy"][0]["keyToEnv"]} == set(CREDENTIALS)
    assert not any(name in str(containers) for name in CREDENTIALS)


def test_pull_secrets_and_a_custom_ca_are_named_by_the_target(on_gpus: Any) -> None:
    containers, _, platform = on_gpus
    assert all(platform[stage]["imagePullSecret"][0]["secretName"] == "pull" for stage in TRAINING.stage_names)
    assert platform["ingest"]["configMapAsVolume"][0]["configMapName"] == "company-ca"
    assert {"name": "AWS_CA_BUNDLE", "value": "/etc/naru-ca/ca.crt"} in containers["ingest"]["env"]


def test_the_default_profile_needs_no_label_and_no_device(tmp_path: Path) -> None:
    containers, _, platform = compiled(tmp_path, Target())
    assert not any(
        "nodeSelector" in platform[stage] or "tolerations" in platform[stage] for stage in TRAINING.stage_names
    )
    assert not any("accelerator" in containers[stage]["resources"] for stage in TRAINING.stage_names)


def changed(tmp_path: Path, *places: str, value: Any) -> Path:
    """Our pools file with one value changed, or removed when it is None."""
    raw = yaml.safe_load(DEFAULT_POOLS.read_text())
    section = raw
    for place in places[:-1]:
        section = section[place]
    if value is None:
        del section[places[-1]]
    else:
        section[places[-1]] = value
    file = tmp_path / "pools.yaml"
    file.write_text(yaml.safe_dump(raw))
    return file


@pytest.mark.parametrize(
    ("places", "value", "message"),
    [
        (("pools", "gpu", "accelerator"), {"type": "nvidia.com/gpu"}, "count: is missing"),
        (("pools", "gpu", "selectr"), {}, "did you mean 'selector'"),
        (("pools", "cpu"), None, "pools.cpu is missing"),
        (("profiles", "gpu", "train"), "gpus", "did you mean 'gpu'"),
        (("profiles", "gpu", "trian"), "gpu", "did you mean 'train'"),
        (("profiles", "gpu-spot", "deploy"), "gpu-spot", "nodes may be taken away"),
        (("stages", "deploy", "retries"), 1, "may not be retried"),
        (("stages", "train"), None, "train missing"),
        (("stages", "train", "limits", "memory"), "8 GB", "found '8 GB'"),
    ],
)
def test_a_pools_file_that_does_not_fit_is_refused(
    tmp_path: Path, places: tuple[str, ...], value: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_pools(changed(tmp_path, *places, value=value))


def test_a_pools_file_that_is_not_there_says_how_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="NARU_POOLS"):
        load_pools(tmp_path / "none.yaml")


def test_the_environment_says_the_target_and_the_command_line_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_REGISTRY", "registry.example:5000/")
    monkeypatch.setenv("NARU_TAG", "1")
    monkeypatch.setenv("NARU_PULL_SECRETS", "one, two")
    target = Target.from_environment(tag="2")
    assert target.image("naru-light:python3.12") == "registry.example:5000/naru-light:2"
    assert target.pull_secrets == ("one", "two")


@pytest.mark.parametrize(
    ("registry", "tag", "message"),
    [
        ("https://registry.example", "1", "without https"),
        ("registry.example", "", "without a version"),
        ("", "a b", "letters"),
    ],
)
def test_a_target_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, registry: str, tag: str, message: str
) -> None:
    for name in ("NARU_REGISTRY", "NARU_TAG", "NARU_DIGESTS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=message):
        Target.from_environment(registry=registry, tag=tag)


def test_digests_must_be_digests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "digests.yaml"
    file.write_text("naru-light: 1.2.3\n")
    monkeypatch.setenv("NARU_DIGESTS", str(file))
    with pytest.raises(ConfigError, match="sha256"):
        Target.from_environment()
