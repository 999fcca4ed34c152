"""The tree is the contents page: wherever the stages are listed, they are the same."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stages import STAGES
from pipelines.graphs.pipelines import PIPELINES, TRAINING, Pipeline

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from kfp import compiler

    from pipelines.graphs.training import training

    file = tmp_path_factory.mktemp("spec") / "training.yaml"
    compiler.Compiler().compile(training, str(file))
    loaded: dict[str, Any] = yaml.safe_load(file.read_text())
    return loaded


def _folders_with(pattern: str) -> set[str]:
    return {path.parent.name for path in ROOT.glob(pattern)}


def test_a_folder_with_a_component_is_a_stage() -> None:
    assert _folders_with("components/**/component.py") == set(STAGES)


def test_every_stage_has_tests() -> None:
    assert set(STAGES) <= _folders_with("tests/components/**/test_*.py")


def test_every_stage_has_a_page_in_the_docs() -> None:
    assert {path.stem for path in (ROOT / "docs" / "stages").glob("*.md")} == set(STAGES)


def test_the_pipeline_runs_every_stage_in_order(spec: dict[str, Any]) -> None:
    tasks = set(spec["root"]["dag"]["tasks"])
    assert tasks == set(TRAINING.stage_names)


def test_every_stage_is_in_a_pipeline() -> None:
    assert {name for pipeline in PIPELINES.values() for name in pipeline.stage_names} == set(STAGES)


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=list(PIPELINES))
def test_a_pipelines_docstring_lists_its_stages_in_order(pipeline: Pipeline) -> None:
    text = (ROOT / "pipelines" / "graphs" / f"{pipeline.name}.py").read_text()
    assert tuple(re.findall(r"^    \d+\. (\w+):", text, re.MULTILINE)) == pipeline.stage_names


def test_the_image_table_says_where_each_stage_runs(spec: dict[str, Any]) -> None:
    record: dict[str, str] = {}
    for image, stages in re.findall(
        r"^\| `([\w-]+)` \| (.+) \|$", (ROOT / "images" / "README.md").read_text(), re.MULTILINE
    ):
        record.update({stage.strip(): image for stage in stages.split(",") if stage.strip() in STAGES})
    executors = spec["deploymentSpec"]["executors"]
    named = {
        stage: executors[f"exec-{stage}"]["container"]["image"].partition(":")[0] for stage in TRAINING.stage_names
    }
    assert {stage: record[stage] for stage in named} == named
    assert record == {stage.name: stage.image for stage in STAGES.values()}


def test_the_readme_names_the_lifecycle_in_order() -> None:
    assert ", ".join(TRAINING.stage_names[:-1]) in (ROOT / "README.md").read_text().replace("\n", " ")


def test_components_are_thin() -> None:
    for path in (ROOT / "components").rglob("component.py"):
        body = path.read_text().partition("with stage(")[2].splitlines()
        assert 0 < len(body) <= 30, f"{path} does more than call its stage"


def test_every_file_that_where_to_change_names_is_there() -> None:
    text = (ROOT / "docs" / "where-to-change.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`([\w./-]+)`", text) if "/" in name}
    assert len(named) > 20
    assert {name for name in named if not (ROOT / name).exists()} == set()
