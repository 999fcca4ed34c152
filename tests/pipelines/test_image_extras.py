"""A project that needs an extra compiles where the images were built with it, and is refused with the command that builds them elsewhere."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from components._core import extras
from components._core.errors import ConfigError
from components._core.project.project_file import Project
from components._frameworks.project_rules import check_framework
from pipelines.cluster.server_placement import all_placements
from pipelines.compile_target import Target
from pipelines.compiler import compile_project
from pipelines.graphs.pipelines import TRAINING
from pipelines.image_extras import check_image_extras, leave_out_kinds

BASE = {"name": "flights", "task": "regression", "label": "delay", "data": {"source": "t.csv"}}
CSV, AVRO = {"source": "t.csv"}, {"source": "t.avro"}
POSTGRES = {"source": "postgresql://${FLIGHTS_DB}", "sql": {"table": "flights"}}
SKLEARN = {"framework": "sklearn"}
SCHEDULE = {"schedules": [{"name": "n", "cron": "0 0 3 * * *", "timezone": "UTC", "parameters": {"source": "gs://b/t.csv"}}]}  # fmt: skip
DIGEST = "sha256:" + "ab" * 32


def check(target: Target, store: str = "s3://naru", **sections: Any) -> None:
    project = Project.model_validate({**BASE, **sections})
    check_image_extras(project, check_framework(project), TRAINING, store, target, "project.yaml")


@pytest.mark.parametrize(
    ("sections", "store", "extras", "lines"),
    [
        ({"data": AVRO}, "s3://naru", "avro", ["data.format needs the extra 'avro', which naru-stages is"]),
        ({"data": POSTGRES}, "s3://naru", "postgresql", ["data.source needs the extra 'postgresql', which naru-stages is"]),
        ({}, "gs://naru", "gcs", ["the store (NARU_STORE=gs://naru) needs the extra 'gcs', which naru-stages and naru-light are"]),
        ({"code": SKLEARN}, "s3://naru", "sklearn", ["code.framework needs the extra 'sklearn', which naru-stages is"]),
        ({"serve": {"request_log": {"uri": "gs://b/log"}}}, "s3://naru", "gcs", ["serve.request_log.uri needs the extra 'gcs', which"]),
        ({"serve": {"optimize": "auto"}}, "s3://naru", "onnx", ["serve.optimize needs the extra 'onnx', which naru-stages is"]),
        ({"triggers": SCHEDULE}, "s3://naru", "gcs", ["the source of the schedule n needs the extra 'gcs', which naru-stages is"]),
        (
            {"data": AVRO, "code": SKLEARN}, "gs://naru", "avro gcs sklearn",
            ["data.format needs the extra 'avro'", "code.framework needs the extra 'sklearn'", "needs the extra 'gcs'"],
        ),
    ],
)  # fmt: skip
def test_an_extra_that_the_images_lack_is_reported_with_the_command_that_builds_it_in(
    sections: dict[str, Any], store: str, extras: str, lines: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        check(Target(), store, **sections)
    assert all(line in refused.value.message for line in lines)
    assert f'make images EXTRAS="{extras}"' in refused.value.remedy
    assert f'NARU_EXTRAS="{extras}"' in refused.value.remedy
    check(Target(extras=tuple(extras.split())), store, **sections)


def test_what_is_built_in_already_stays_in_the_command() -> None:
    with pytest.raises(ConfigError, match="'postgresql'") as refused:
        check(Target(extras=("avro",)), data=POSTGRES)
    assert 'EXTRAS="avro postgresql"' in refused.value.remedy


def test_a_project_that_needs_none_compiles_for_any_image() -> None:
    check(Target(), data=CSV)
    check(Target(extras=("avro",)), data=CSV)


def test_the_digests_file_says_what_was_built_into_each_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "digests.yaml"
    digests = "".join(f"{image}: {DIGEST}\n" for image in ("naru-stages", "naru-light", "naru-server"))
    file.write_text(f"{digests}extras: {{naru-stages: [avro, gcs], naru-server: [sklearn]}}\n")
    monkeypatch.setenv("NARU_DIGESTS", str(file))
    monkeypatch.setenv("NARU_EXTRAS", "postgresql")  # of other images than those that were pushed
    target = Target.from_environment()
    assert target.digests == dict.fromkeys(("naru-stages", "naru-light", "naru-server"), DIGEST)
    check(target, data=AVRO)
    with pytest.raises(ConfigError, match="'postgresql'"):
        check(target, data=POSTGRES)
    with pytest.raises(ConfigError, match="'gcs', which naru-light is"):
        check(target, "gs://naru")


def test_a_server_that_was_pushed_without_the_framework_is_reported_before_anything_runs() -> None:
    built = {"naru-stages": ("sklearn",), "naru-server": ()}
    target = Target(digests=dict.fromkeys(built, DIGEST), built_extras=built)
    with pytest.raises(ConfigError, match="'sklearn', which naru-server is"):
        check(target, code=SKLEARN)
    alone = {"naru-stages": ("sklearn",)}  # a cluster that serves nothing has no servers
    check(dataclasses.replace(target, digests={"naru-stages": DIGEST}, built_extras=alone), code=SKLEARN)


@pytest.mark.parametrize("models", ["auto", ["project"]])
def test_the_baselines_of_a_search_need_their_extra_in_stages_and_servers(models: str | list[str]) -> None:
    with pytest.raises(
        ConfigError, match=r"the kind linear of tune\.models needs the extra 'sklearn', which naru-stages is"
    ):
        check(Target(), tune={"models": models})
    built = {"naru-stages": ("sklearn",), "naru-server": ()}
    target = Target(digests=dict.fromkeys(built, DIGEST), built_extras=built)
    with pytest.raises(ConfigError, match="'sklearn', which naru-server is"):
        check(target, tune={"models": models})
    check(Target(extras=("sklearn",)), tune={"models": models})


def test_baselines_need_their_extra_where_the_model_is_fitted_and_nowhere_else() -> None:
    with pytest.raises(ConfigError, match=r"tune\.baselines needs the extra 'sklearn', which naru-stages is"):
        check(Target(), tune={"baselines": "on"})
    built = {"naru-stages": ("sklearn",), "naru-server": ()}
    check(Target(digests=dict.fromkeys(built, DIGEST), built_extras=built), tune={"baselines": "on"})


def test_a_kind_that_is_named_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_is_installed", lambda name: True)
    searched: dict[str, Any] = {"code": {"framework": "auto"}, "tune": {"models": ["lightgbm"]}}
    with pytest.raises(ConfigError, match=r"the kind lightgbm of tune\.models needs the extra 'lightgbm'"):
        check(Target(extras=("sklearn",)), **searched)
    check(Target(extras=("sklearn", "lightgbm")), **searched)


AUTO: dict[str, Any] = {"tune": {"models": "auto"}}
SKLEARN_ONLY = {"naru-stages": ("sklearn",), "naru-server": ("sklearn",)}


def test_kinds_that_the_images_lack_are_left_out_of_auto_and_named() -> None:
    project = Project.model_validate({**BASE, **AUTO})
    all_built = Target(extras=("sklearn", "lightgbm", "xgboost"))
    assert leave_out_kinds(project, check_framework(project), all_built) == (project, "")
    kept, said = leave_out_kinds(project, check_framework(project), Target(extras=("sklearn",)))
    assert kept.tune.models == ["linear", "boosted", "extra_trees", "project"]
    assert said.startswith(
        "flights: tune.models: auto leaves out lightgbm and xgboost: naru-stages is not known to have their extras"
    )
    assert 'NARU_EXTRAS="lightgbm sklearn xgboost"' in said


def test_a_kind_that_the_servers_alone_lack_is_left_out_where_they_need_its_extra() -> None:
    """Behind a preprocessing_fn the server needs the extra; a model of raw columns is served from the image of ONNX."""
    built = {"naru-stages": ("sklearn", "lightgbm", "xgboost"), "naru-server": ("sklearn", "xgboost")}
    target = Target(digests=dict.fromkeys([*built, "naru-server-onnx"], DIGEST), built_extras=built)
    prepared = Project.model_validate({**BASE, **AUTO})
    kept, said = leave_out_kinds(prepared, check_framework(prepared), target)
    assert kept.tune.models == ["linear", "boosted", "xgboost", "extra_trees", "project"]
    assert "leaves out lightgbm: naru-server is not known to have its extra" in said
    raw = Project.model_validate({**BASE, **AUTO, "code": {"framework": "auto"}})
    assert leave_out_kinds(raw, check_framework(raw), target) == (raw, "")


def test_a_kind_whose_space_the_project_gives_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_is_installed", lambda name: True)
    spaces = {"tune": {"models": "auto", "spaces": {"lightgbm": {"num_leaves": {"choices": [7, 15]}}}}}
    with pytest.raises(ConfigError, match=r"the kind lightgbm of tune\.models needs the extra 'lightgbm'"):
        check(Target(extras=("sklearn",)), **spaces)


def test_what_is_compiled_searches_over_the_kinds_that_are_left_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(
        "name: flights\ntask: regression\nlabel: delay\ndata: {source: 's3://b/t.csv'}\ncode: {framework: auto}\n"
    )
    target = Target(digests=dict.fromkeys(SKLEARN_ONLY, DIGEST), built_extras=SKLEARN_ONLY)
    spec, *_ = compile_project(tmp_path, tmp_path / "build", {}, target)
    parameters = next(yaml.safe_load_all(spec.read_text()))["root"]["inputDefinitions"]["parameters"]
    searched = Project.model_validate_json(parameters["project"]["defaultValue"])
    assert searched.tune.models == ["linear", "boosted", "extra_trees"]
    [said] = target.remarks()
    assert "leaves out lightgbm and xgboost" in said


def test_a_log_in_google_cloud_storage_needs_servers_with_the_extra_and_gauges_too(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(
        "name: flights\ntask: regression\nlabel: delay\ndata: {source: 's3://b/t.csv'}\ncode: {framework: auto}\n"
    )
    all_stages = {"naru-stages": ("sklearn", "lightgbm", "xgboost", "gcs"), "naru-light": ("gcs",)}

    def compiled(name: str, log: dict[str, str], **servers: tuple[str, ...]) -> list[str]:
        built = {**all_stages, **{f"naru-{server.replace('_', '-')}": extras for server, extras in servers.items()}}
        target = Target(digests=dict.fromkeys(built, DIGEST), built_extras=built)
        compile_project(tmp_path, tmp_path / name, {"serve.request_log": log}, target)
        return target.remarks()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NARU_STORE", "gs://naru")
        both = {"server": ("sklearn", "lightgbm", "xgboost", "gcs"), "server_onnx": ("gcs",)}
        assert compiled("both", {}, **both) == []
        with pytest.raises(
            ConfigError, match="not known to have the extra 'gcs', which the log gs://naru/flights/requests"
        ):
            compiled("one", {}, **{**both, "server_onnx": ()})
        [said] = compiled("elsewhere", {"uri": "s3://logs/flights"}, **{**both, "server": both["server"][:-1]})
        assert said.startswith(
            "flights: the servers show no gauges of monitor and triggers: they do not reach gs://naru"
        )
        assert compiled("no servers", {}) == []


def test_a_profile_moves_the_need_to_its_images() -> None:
    built = {"naru-stages": ("gcs",), "naru-light": ("gcs",), "naru-stages-cuda": ()}
    target = Target(digests=dict.fromkeys(built, DIGEST), built_extras=built, profile="gpu")
    with pytest.raises(ConfigError, match="'gcs', which naru-stages-cuda is"):
        check(target, "gs://naru")


def test_the_deploy_stage_learns_the_frameworks_that_its_servers_have_and_nothing_else() -> None:
    placements = all_placements(Target(extras=("gcs", "sklearn")))
    assert {one.extras for pools in placements.values() for one in pools.values()} == {("sklearn",)}
    assert {one.extras for pools in all_placements(Target()).values() for one in pools.values()} == {()}


def test_pytorch_is_fitted_in_an_image_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_is_installed", lambda name: True)
    torch = {"framework": "torch"}
    with pytest.raises(
        ConfigError, match=r"fitted in naru-stages-torch, and tune and train would run in naru-stages\n"
    ) as refused:
        check(Target(extras=("torch",)), code=torch)
    assert "--profile torch" in refused.value.remedy
    with pytest.raises(ConfigError, match="needs the extra 'torch', which naru-stages and naru-stages-torch are"):
        check(Target(profile="torch"), code=torch)
    for profile in ("torch", "torch-gpu"):
        check(Target(extras=("torch",), profile=profile), code=torch)


@pytest.mark.parametrize(
    ("text", "extras"), [("gcs avro", ("avro", "gcs")), ("gcs,gcs , avro", ("avro", "gcs")), ("", ())]
)
def test_the_setting_takes_blanks_and_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, extras: tuple[str, ...]
) -> None:
    monkeypatch.setenv("NARU_EXTRAS", text)
    assert Target.from_environment().extras == extras


@pytest.mark.parametrize("extras", ["[gcs]", "{naru-stages: gcs}"])
def test_extras_that_are_not_by_image_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extras: str) -> None:
    file = tmp_path / "digests.yaml"
    file.write_text(f"naru-stages: {DIGEST}\nextras: {extras}\n")
    monkeypatch.setenv("NARU_DIGESTS", str(file))
    with pytest.raises(ConfigError, match="extras by image"):
        Target.from_environment()
