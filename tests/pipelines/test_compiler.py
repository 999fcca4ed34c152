"""The compiled pipeline is reviewed as a file: `make golden` renews it, and the diff is read."""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from components._core.project.placeholders import PER_RUN
from pipelines.__main__ import app
from pipelines.compile_target import Target
from pipelines.compiler import compile_project, project_schema
from pipelines.graphs.pipelines import TRAINING
from pipelines.spec_text import read_spec

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "flights-training.yaml"
LARGEST = 59_900
"""Bytes that the spec may take."""


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    before = os.environ.get("NARU_STORE")
    os.environ["NARU_STORE"] = "s3://naru"
    try:
        return compile_project(
            ROOT / "examples" / "flights", tmp_path_factory.mktemp("build"), {}, Target(final_tags=True)
        )[0]
    finally:
        os.environ.pop("NARU_STORE") if before is None else os.environ.update(NARU_STORE=before)


def _without_version(text: str) -> str:
    """Both families of kfp come to the same bytes but for their own version."""
    return re.sub(r"^sdkVersion: .*$", "", text, flags=re.MULTILINE)


def test_the_spec_is_the_one_that_was_reviewed(compiled: Path) -> None:
    assert _without_version(compiled.read_text()) == _without_version(GOLDEN.read_text()), (
        "run `make golden` and read the diff"
    )


def test_the_prediction_pipeline_is_the_one_that_was_reviewed(compiled: Path) -> None:
    spec, golden = compiled.with_name("prediction.yaml"), GOLDEN.with_name("flights-prediction.yaml")
    assert _without_version(spec.read_text()) == _without_version(golden.read_text()), (
        "run `make golden` and read the diff"
    )
    root = read_spec(spec)[0]["root"]
    parameters = root["inputDefinitions"]["parameters"]
    assert set(root["dag"]["tasks"]) == {"predict"}
    assert parameters["output"]["defaultValue"] == f"s3://naru/flights/answers/{PER_RUN}"
    assert all(parameter.get("description") for parameter in parameters.values())


def test_the_spec_is_small(compiled: Path) -> None:
    assert compiled.stat().st_size < LARGEST


def test_the_graph_in_the_page_has_few_edges(compiled: Path) -> None:
    """Each artifact that a stage takes is an edge in the Kubeflow page; what only travels goes in bundles."""
    tasks = read_spec(compiled)[0]["root"]["dag"]["tasks"]
    takes = {name: sorted(task.get("inputs", {}).get("artifacts", {})) for name, task in tasks.items()}
    assert takes["deploy"] == ["registration"]
    assert sum(map(len, takes.values())) <= 20
    passed = [
        name
        for name, task in tasks.items()
        for given in task["inputs"].get("parameters", {}).values()
        if "taskOutputParameter" in given
    ]
    assert passed == ["transform"]  # why validate blocked the data
    after = {name: task.get("dependentTasks", []) for name, task in tasks.items()}
    line = TRAINING.stage_names
    assert after == {line[0]: [], **{stage: [earlier] for earlier, stage in pairwise(line)}}


def test_parameters_have_the_projects_values_as_defaults(compiled: Path) -> None:
    spec, _ = read_spec(compiled)
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["spans"]["defaultValue"] == "1-11"
    assert parameters["code_uri"]["defaultValue"].startswith("s3://naru/flights/code/")
    assert all(parameter.get("description") for parameter in parameters.values())


def test_a_run_can_be_started_without_filling_in_anything_and_is_never_answered_by_a_stale_cache(
    compiled: Path,
) -> None:
    root = read_spec(compiled)[0]["root"]
    defaults = {name: one["defaultValue"] for name, one in root["inputDefinitions"]["parameters"].items()}
    new_in_every_run = {name for name, value in defaults.items() if PER_RUN in str(value)}
    assert new_in_every_run == {"source_fingerprint", "champion", "run"}
    for stage, looked_up in (("ingest", "source_fingerprint"), ("validate", "champion")):
        assert looked_up in root["dag"]["tasks"][stage]["inputs"]["parameters"], "it is part of the cache's key"


def test_a_relative_source_is_taken_from_the_projects_folder_in_the_store(compiled: Path) -> None:
    parameters = read_spec(compiled)[0]["root"]["inputDefinitions"]["parameters"]
    assert parameters["source"]["defaultValue"] == "s3://naru/flights/data/flights-{span}.csv"


def test_the_command_tells_size_and_seconds(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["compile", str(ROOT / "examples" / "flights"), "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert re.search(r"training\.yaml: [\d.]+ KB, compiled in [\d.]+ s", done.stderr)


@pytest.mark.slow
def test_two_compilations_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        command = [
            sys.executable,
            "-m",
            "pipelines",
            "compile",
            str(ROOT / "examples" / "flights"),
            "--output",
            str(tmp_path / name),
        ]
        environment = {**os.environ, "NARU_STORE": "s3://naru", "PYTHONHASHSEED": (name[0] == "o" and "1") or "2"}
        subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True)
        written.append([(path.name, path.read_bytes()) for path in sorted((tmp_path / name).iterdir())])
    assert written[0] == written[1]


def test_the_json_schema_accepts_the_example_and_refuses_a_typo() -> None:
    schema = json.loads(project_schema())
    example = yaml.safe_load((ROOT / "examples" / "flights" / "project.yaml").read_text())
    jsonschema.validate(example, schema)
    with pytest.raises(jsonschema.ValidationError, match="lable"):
        jsonschema.validate({**example, "lable": "late"}, schema)


def test_the_json_schema_in_the_docs_is_the_programs_own() -> None:
    kept = json.loads((ROOT / "docs" / "project.schema.json").read_text())
    assert kept == json.loads(project_schema()), "run `make golden`"
