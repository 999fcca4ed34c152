"""Unchanged stages are not run again, and the output says so."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.graphs.pipelines import TRAINING
from tests.local.conftest import ROOT, Ran, run_naru

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(new_project: Callable[[str], Path]) -> Path:
    return new_project("reuse")


@pytest.fixture(scope="module")
def settled(project: Path) -> Ran:
    """The first run makes the champion, the second is held against it; a third finds nothing new."""
    for _ in range(2):
        ran = run_naru(str(project))
        assert ran.code == 0, ran.errors
    return run_naru(str(project))


def reused(ran: Ran) -> set[str]:
    assert ran.code == 0, ran.errors
    return {state["stage"] for state in ran.record["stages"] if state["reused"]}


def before(stage: str) -> set[str]:
    return set(TRAINING.stage_names[: TRAINING.stage_names.index(stage)])


def test_a_run_in_which_nothing_changed_reuses_all_but_the_last_two_stages_and_says_so(settled: Ran) -> None:
    assert reused(settled) == before("register")
    assert settled.errors.count("(reused)") == len(before("register"))
    assert settled.record["metrics"]["auc"] > 0.7
    assert Path(settled.record["paths"]["report"]).exists()


def test_what_is_reused_names_the_run_that_made_it(project: Path, settled: Ran) -> None:
    made_by = {state["stage"]: state["reused"] for state in settled.record["stages"]}
    runs = sorted(path.name for path in (project / ".naru" / "runs").iterdir())
    assert (made_by["train"], made_by["evaluate"]) == (runs[0], runs[1])


@pytest.mark.usefixtures("settled")
def test_another_model_file_reuses_up_to_transform(project: Path) -> None:
    source = (project / "model.py").read_text()
    try:
        (project / "model.py").write_text(source + "\n# another thought\n")
        again = reused(run_naru(str(project)))
        # the model is fitted again, and since it came out the same, what follows it is reused
        assert set(TRAINING.stage_names) - again == {"tune", "train", "register", "deploy"}
    finally:
        (project / "model.py").write_text(source)


@pytest.mark.usefixtures("settled")
def test_another_gate_trains_no_model(project: Path) -> None:
    ran = run_naru(str(project), "--set", "gates.model.min_gain=0.01")
    assert reused(ran) == before("evaluate")


@pytest.mark.usefixtures("settled")
def test_from_a_stage_on_all_runs_again(project: Path) -> None:
    assert reused(run_naru(str(project), "--from", "evaluate")) == before("evaluate")


@pytest.mark.usefixtures("settled")
def test_without_the_cache_all_runs_again(project: Path) -> None:
    assert reused(run_naru(str(project), "--no-cache")) == set()


@pytest.mark.usefixtures("settled")
def test_more_rows_run_all_again(project: Path) -> None:
    assert reused(run_naru(str(project), "--spans", "1")) == set()


def test_the_runs_are_listed_with_what_they_reused(project: Path, settled: Ran) -> None:
    listed = naru_runs(str(project))
    assert settled.record["run"] in listed
    lines = [line for line in listed.splitlines() if line.startswith(settled.record["run"])]
    assert " 7 " in lines[0]
    compared = naru_runs(str(project), settled.record["run"], "last")
    assert "parameters" in compared and "results" in compared


def naru_runs(*arguments: str) -> str:
    command = [sys.executable, "-m", "pipelines", "runs", *arguments]
    world = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=world, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
