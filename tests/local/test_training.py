"""The whole pipeline on a laptop, as a person runs it: one project through the turns that its life takes."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from components._core.stage.run_record import RunRecord
from pipelines.graphs.pipelines import TRAINING
from pipelines.local.run_state import task_root
from tests.architecture.interface import GOLDEN, record_keys
from tests.local.conftest import Ran, run_naru


@pytest.fixture(scope="module")
def project(new_project: Callable[[str], Path]) -> Path:
    """A project of its own, all of it committed to git."""
    folder = new_project("small")
    identity = ("-c", "user.name=me", "-c", "user.email=me@host", "-c", "commit.gpgsign=false")
    for command in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "-m", "first")):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def first(project: Path) -> Ran:
    return run_naru(str(project))


def test_a_first_run_ends_in_a_deployed_version(first: Ran) -> None:
    assert first.code == 0, first.errors
    assert (first.record["status"], first.record["deployed"]) == ("succeeded", True), first.record["reason"]
    assert first.record["model_version"] == "1"
    assert first.record["metrics"]["auc"] > 0.7
    verdicts = first.verdicts()
    assert set(verdicts) == set(TRAINING.stage_names)
    assert verdicts["tune"] == "skipped"
    assert {verdicts[stage] for stage in ("ingest", "transform", "train", "register", "deploy")} == {"ok"}


def test_the_seconds_of_a_run_are_imports_or_work(first: Ran) -> None:
    for state in first.record["stages"]:
        accounted_seconds = state["import_seconds"] + state["work_seconds"]
        assert accounted_seconds <= state["seconds"] + 0.1
    accounted = sum(state["seconds"] for state in first.record["stages"]) + first.record["other_seconds"]
    assert accounted == pytest.approx(first.record["seconds"], abs=1.0)


def test_the_report_is_one_page_that_needs_no_network(first: Ran) -> None:
    page = Path(first.record["paths"]["report"]).read_text()
    for title in ("Data", "Training", "Evaluation", "Explanation", "Registration", "Deployment"):
        assert f">{title}" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def _metadata(ran: Ran, stage: str) -> dict[str, dict[str, Any]]:
    """Metadata by output as KFP's launcher is handed it; strict JSON, as Go reads it."""
    root = task_root(Path(ran.record["paths"]["run"]))
    assert root is not None
    text = (root / stage / "executor_output.json").read_text()
    record = json.loads(text, parse_constant=lambda name: pytest.fail(f"{stage} writes {name}, which is not JSON"))
    return {name: listed["artifacts"][0]["metadata"] for name, listed in record["artifacts"].items()}


@pytest.mark.parametrize("stage", TRAINING.stage_names)
def test_what_a_stage_tells_is_of_the_types_that_kfp_can_record(first: Ran, stage: str) -> None:
    values = [value for metadata in _metadata(first, stage).values() for value in metadata.values()]
    assert values and all(isinstance(value, str | int | float | list | dict) for value in values)


def test_metrics_roc_and_confusion_matrix_are_as_the_kubeflow_ui_reads_them(first: Ran) -> None:
    """The checks of its viewers: `ConfidenceMetricsSection`, `ConfusionMatrixSection` and `ScalarMetricsSection`."""
    metadata = _metadata(first, "evaluate")
    assert metadata["metrics"]["auc"] == pytest.approx(first.record["metrics"]["auc"])
    points = metadata["classification"]["confidenceMetrics"]
    assert 2 < len(points) <= 200
    for point in points:
        assert set(point) == {"confidenceThreshold", "falsePositiveRate", "recall"}
        assert all(isinstance(value, float) and 0 <= value <= 1 for value in point.values())
    matrix = metadata["classification"]["confusionMatrix"]
    assert [one["displayName"] for one in matrix["annotationSpecs"]] == ["0", "1"]
    assert [len(row["row"]) for row in matrix["rows"]] == [2, 2] and sum(
        map(sum, (row["row"] for row in matrix["rows"]))
    )


@pytest.mark.slow
def test_the_same_data_again_changes_nothing_and_ends_well(project: Path, first: Ran) -> None:
    again = run_naru(str(project))
    assert again.code == 0, again.errors
    assert (again.record["status"], again.record["deployed"]) == ("succeeded", False)
    assert again.verdicts()["evaluate"] == "skipped"
    assert {again.verdicts()[stage] for stage in ("explain", "register", "deploy")} == {"skipped"}
    assert "nothing changed since version 1" in again.record["reason"]
    assert again.record["champion"]["version"] == "1"
    assert again.record["metrics"] == first.record["metrics"]
    assert Path(again.record["paths"]["report"]).exists()


@pytest.mark.slow
@pytest.mark.usefixtures("first")
def test_data_that_validation_blocks_ends_the_run_with_its_own_code(project: Path) -> None:
    rows = (project / "flights-3.csv").read_text().splitlines()
    broken = [rows[0], *(",".join([*row.split(",")[:-1], "0"]) for row in rows[1:])]
    other = project / "broken"
    other.mkdir()
    (other / "flights-3.csv").write_text("\n".join(broken) + "\n")
    blocked = run_naru(str(project), "--spans", "3", "--set", f"data.source={other}/flights-{{span}}.csv")
    assert blocked.code == 5
    assert blocked.record["error"]["kind"] == "data_blocked"
    assert blocked.record["data"]["spans"] == [3] and blocked.record["code"]["commit"]
    assert blocked.record["environment"] and blocked.record["champion"] is None
    assert blocked.verdicts()["validate"] == "blocked"
    assert "late" in blocked.record["error"]["message"]
    states = {state["stage"]: state["state"] for state in blocked.record["stages"]}
    assert (states["transform"], states["train"]) == ("failed", "waiting")
    assert "late" in Path(blocked.record["paths"]["report"]).read_text()


@pytest.mark.slow
def test_a_fault_in_the_persons_code_shows_their_own_line(project: Path) -> None:
    source = (project / "preprocessing.py").read_text()
    try:
        (project / "preprocessing.py").write_text(
            source + "\n\ndef preprocessing_fn(inputs):\n    return inputs['nothing']\n"
        )
        ran = run_naru(str(project))
    finally:
        (project / "preprocessing.py").write_text(source)
    assert ran.code == 3
    assert "return inputs['nothing']" in ran.record["error"]["message"]
    assert "site-packages" not in ran.record["error"]["message"]


def test_the_keys_of_the_record_are_those_that_were_reviewed(first: Ran) -> None:
    """Programs read them: `naru run --json`, `run.json`. A new key is added to the file by hand; one that is gone is an issue.

    Those of the project file are held by its schema (docs/project.schema.json).
    """
    keys = {key for key in record_keys(first.record) if not key.startswith("parameters.project.")}
    assert sorted(keys) == json.loads(GOLDEN.read_text())["run"]


def test_the_record_says_what_made_the_model(project: Path, first: Ran) -> None:
    record = first.record
    assert record["data"]["source"] == str(project / "flights-{span}.csv") and record["data"]["spans"] == [1, 2]
    assert sum(record["data"]["rows"].values()) == next(
        state["metrics"]["rows"] for state in record["stages"] if state["stage"] == "ingest"
    )
    commit = subprocess.run(
        ["git", "-C", str(project), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert (record["code"]["commit"], record["code"]["dirty"]) == (commit, False)
    assert record["environment"]["where"] == "laptop" and record["environment"]["packages"]["tensorflow"]
    assert (record["parameters"]["epochs"], record["parameters"]["project"]["label"]) == (2, "late")
    assert record["champion"] is None and record["cause"] == ""


def test_the_record_that_deploy_leaves_agrees_with_the_laptops(first: Ran) -> None:
    """On a cluster deploy's is the only one."""
    left = json.loads((Path(first.record["artifacts"]["rollout"]) / "run.json").read_text())
    assert left.keys() == {field.name for field in fields(RunRecord)} and left.keys() < first.record.keys()
    here = {name: first.record[name] for name in left}
    for record in (left, here):
        record["stages"] = [_common_part(stage) for stage in record["stages"]]
    assert left == here


def _common_part(stage: dict[str, Any]) -> dict[str, Any]:
    """Without seconds, which the laptop measures from outside."""
    return {name: stage[name] for name in ("stage", "verdict", "reason", "metrics")}


def test_the_record_of_a_run_is_kept(first: Ran) -> None:
    kept = json.loads((Path(first.record["paths"]["run"]) / "run.json").read_text())
    assert kept == first.record
