"""Every rule of the spec linter refuses what it is there for, and nothing of what we compile."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components._core.errors import ConfigError
from pipelines.spec_lint import LARGEST_PARAMETERS, find_violations, lint_spec
from pipelines.spec_text import read_spec

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "flights-training.yaml"
Change = Callable[[dict[str, Any], dict[str, Any]], Any]


@pytest.fixture(scope="module")
def golden() -> tuple[dict[str, Any], dict[str, Any]]:
    return read_spec(GOLDEN)


def _container(spec: dict[str, Any], stage: str) -> dict[str, Any]:
    found: dict[str, Any] = spec["deploymentSpec"]["executors"][f"exec-{stage}"]["container"]
    return found


def _task(spec: dict[str, Any], stage: str) -> dict[str, Any]:
    found: dict[str, Any] = spec["root"]["dag"]["tasks"][stage]
    return found


def _parameter(spec: dict[str, Any], name: str, value: str) -> None:
    spec["root"]["inputDefinitions"]["parameters"][name] = {"parameterType": "STRING", "defaultValue": value}


def _image(image: str) -> Change:
    return lambda spec, _: _container(spec, "train").update(image=image)


def _device(**device: str) -> Change:
    return lambda spec, _: _container(spec, "train")["resources"].update(accelerator=device)


def _variable(name: str, value: str) -> Change:
    return lambda spec, _: _container(spec, "train").update(env=[{"name": name, "value": value}])


WRONG: dict[str, tuple[Change, str, str]] = {
    "latest": (_image("registry/naru-stages:latest"), "moving tag", "train"),
    "no tag": (_image("registry:5000/naru-stages"), "moving tag", "train"),
    "a branch": (_image("registry/naru-stages:main"), "moving tag", "train"),
    "the local tag in a registry": (_image("registry/naru-stages:python3.12"), "moving tag", "train"),
    "a literal variable": (_variable("MLFLOW_TRACKING_PASSWORD", "x"), "literal secret", "train"),
    "a password in a URL": (lambda s, _: _parameter(s, "source", "https://me:word@host/x"), "literal secret", "root"),
    "a key in a constant": (lambda s, _: _parameter(s, "spans", "AKIA" + "A" * 16), "literal secret", "root"),
    "a secret parameter": (lambda s, _: _parameter(s, "api_token", "abc"), "literal secret", "api_token"),
    "a device without a pool": (_device(resourceType="nvidia.com/gpu", resourceCount="1"), "accelerator", "train"),
    "a device without a count": (_device(resourceType="nvidia.com/gpu"), "accelerator", "train"),
    "a count without a device": (_device(resourceCount="1"), "accelerator", "train"),
    "an image for devices": (_image("naru-stages-cuda:1"), "accelerator", "train"),
    "no memory limit": (lambda s, _: _container(s, "train").pop("resources"), "memory limit", "train"),
    "a cached deploy": (lambda s, _: _task(s, "deploy")["cachingOptions"].update(enableCache=True), "cached", "deploy"),
    "a retried register": (
        lambda s, _: _task(s, "register").update(retryPolicy={"maxRetryCount": 1}), "retried", "register"
    ),
    "a large parameter": (
        lambda s, _: _parameter(s, "project", "x" * LARGEST_PARAMETERS), "large parameters", "ingest"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_rule_refuses_what_it_is_there_for(golden: tuple[dict[str, Any], dict[str, Any]], name: str) -> None:
    change, rule, place = WRONG[name]
    spec, platform = copy.deepcopy(golden)
    change(spec, platform)
    faults = find_violations(spec, platform)
    assert {fault.rule for fault in faults} == {rule}
    assert any(fault.place.startswith(place) or fault.place.endswith(place) for fault in faults)
    assert all(fault.remedy for fault in faults)


def test_what_we_compile_has_no_faults() -> None:
    lint_spec(GOLDEN)


def test_a_step_is_known_by_the_stage_that_it_runs_not_by_its_name(
    golden: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    spec, platform = copy.deepcopy(golden)
    tasks = spec["root"]["dag"]["tasks"]
    tasks["ship-it"] = {**tasks.pop("deploy"), "retryPolicy": {"maxRetryCount": 2}}
    assert [(fault.rule, fault.place) for fault in find_violations(spec, platform)] == [("retried", "ship-it")]


def test_all_faults_are_reported_at_once_each_with_what_to_do(
    golden: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    spec, platform = copy.deepcopy(golden)
    _image("naru-stages:latest")(spec, platform)
    _container(spec, "ingest").pop("resources")
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(spec))
    with pytest.raises(ConfigError) as refused:
        lint_spec(file)
    assert "2 violations" in str(refused.value) and str(refused.value).count("->") == 2


@pytest.mark.parametrize("text", ["", "a: [", "a: 1\n", "- x\n"])
def test_what_is_no_pipeline_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="naru compile"):
        lint_spec(file)
