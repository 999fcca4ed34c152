"""A new stage is a row of the table, and a pipeline that has it is a list: nothing else lists stages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import compiler, dsl

from components._core.checks import Outcome
from components._core.errors import ConfigError
from components._core.setting_names import STORE
from components._core.stage.lifecycle import stage
from components._core.stage.stage_spec import StageSpec
from components.stages import EVALUATE, STAGES, register
from pipelines.compile_target import Target
from pipelines.graphs.pipelines import Pipeline
from pipelines.local import stage_cache
from pipelines.placement import place_stages
from pipelines.pools import DEFAULT_POOLS, load_pools
from pipelines.spec_text import read_spec
from pipelines.stage_secrets import CREDENTIALS, Places

AUDIT = StageSpec("audit", "naru-light", reads=("data",), environment=(STORE,), side_effects=True)


@dataclass
class Artifact:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def registered() -> Iterator[StageSpec]:
    yield register(AUDIT)
    del STAGES[AUDIT.name]


@pytest.fixture
def pools(tmp_path: Path) -> Path:
    """The pools file of a cluster, with a row for the new stage."""
    raw = yaml.safe_load(DEFAULT_POOLS.read_text())
    raw["stages"]["audit"] = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    (tmp_path / "pools.yaml").write_text(yaml.safe_dump(raw))
    return tmp_path / "pools.yaml"


@dsl.component(base_image=AUDIT.base_image, install_kfp_package=False)
def audit(project: str) -> None:
    """Stand for the stage's component."""


def test_it_sees_its_part_of_the_project_and_ends_as_every_stage(registered: StageSpec, tmp_path: Path) -> None:
    output = Artifact(str(tmp_path / "output"))
    with stage(registered, output) as running:
        text = '{"name": "x", "task": "regression", "label": "y", "data": {"source": "t.csv"}, "train": {"epochs": 9}}'
        project = running.project(text)
        running.folder(output)
        running.done(Outcome(reason="watched"))
    assert (project.data.source, project.train.epochs == 9) == ("t.csv", False)
    assert (output.metadata["stage"], output.metadata["reason"]) == ("audit", "watched")


@pytest.mark.usefixtures("registered")
def test_a_pipeline_that_lists_it_is_placed_by_its_row_and_the_rows_of_the_pools_file(
    pools: Path, tmp_path: Path
) -> None:
    def graph(project: str) -> None:
        audit(project=project)

    auditing = Pipeline("auditing", (AUDIT,))
    target = Target(registry="registry.example/team", tag="1.2.3", pools=pools, final_tags=True)
    file = tmp_path / auditing.file_name
    compiler.Compiler().compile(
        dsl.pipeline(name=auditing.name)(place_stages(auditing, graph, target, Places("s3://naru", ()))), str(file)
    )
    spec, platform = read_spec(file)
    executor = spec["deploymentSpec"]["executors"]["exec-audit"]["container"]
    assert executor["image"] == "registry.example/team/naru-light:1.2.3"
    assert not spec["root"]["dag"]["tasks"]["audit"]["cachingOptions"].get("enableCache")
    assert [each["envVar"] for each in platform["exec-audit"]["configMapAsEnv"][0]["keyToEnv"]] == [STORE]
    assert {each["envVar"] for each in platform["exec-audit"]["secretAsEnv"][0]["keyToEnv"]} == set(CREDENTIALS)
    assert auditing.name_of("flights") == "flights-auditing"


@pytest.mark.usefixtures("registered")
def test_the_pools_file_must_have_it_and_the_cache_knows_its_side_effects(
    pools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="audit missing"):
        load_pools()
    assert load_pools(pools).stages["audit"].limits.memory == "1Gi"
    monkeypatch.setenv(stage_cache.HOME, str(tmp_path))
    monkeypatch.delenv(stage_cache.FRESH, raising=False)
    assert not stage_cache.may_reuse("audit") and stage_cache.may_reuse(EVALUATE.name)


def test_a_name_is_given_once(registered: StageSpec) -> None:
    with pytest.raises(ValueError, match="duplicate stage 'audit'"):
        register(registered)
