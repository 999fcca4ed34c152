"""The runs that a project has had: found by name, listed, held side by side."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components._core.errors import ConfigError
from pipelines.graphs.pipelines import TRAINING
from pipelines.local.run_history import find_run, print_comparison, print_runs, read_runs
from pipelines.local.workspace import Workspace

NAMES = ("20260101-100000-aaaa", "20260102-100000-aabb", "20260103-100000-ccdd")


def keep(folder: Path, name: str, *, epochs: int = 2, auc: float = 0.87, **others: Any) -> None:
    """A run's record and parameters as a run of an earlier Naru left them: without data, code, environment and parameters."""
    stages = [{"stage": stage, "seconds": 1.0, "verdict": "ok", "reused": ""} for stage in TRAINING.stage_names]
    stages[0]["reused"] = NAMES[0] if name != NAMES[0] else ""
    record = {
        "run": name,
        "status": "succeeded",
        "reason": "version 1 is the champion\nand more",
        "deployed": True,
        "model_version": "1",
        "seconds": 20.0,
        "stages": stages,
        "metrics": {"auc": auc},
    }
    home = folder / ".naru" / "runs" / name
    home.mkdir(parents=True)
    (home / "run.json").write_text(json.dumps({**record, **others}))
    project = json.dumps({"name": "small", "train": {"epochs": epochs}})
    (home / "parameters.json").write_text(json.dumps({"project": project, "champion": "none", "run": name}))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    keep(tmp_path, NAMES[1], epochs=3, auc=0.9)
    keep(tmp_path, NAMES[0])
    keep(tmp_path, NAMES[2], status="failed", reason="it broke", deployed=False, model_version="", metrics={})
    (tmp_path / ".naru" / "runs" / "20260104-100000-dead").mkdir()  # one that was killed has no record
    return Workspace(tmp_path)


def printed(print_: Any, *arguments: Any, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_(console, *arguments)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_runs_are_listed_oldest_first_whole_by_name(workspace: Workspace) -> None:
    output = printed(print_runs, read_runs(workspace), width=100)
    assert [line.split()[0] for line in output.splitlines() if line.startswith("2026")] == list(NAMES)
    assert "0.9000" in output and "1 (champion)" in output and "and more" not in output


def test_no_runs_are_an_empty_list(tmp_path: Path) -> None:
    assert read_runs(Workspace(tmp_path)) == []


def test_a_run_is_found_by_its_beginning_its_end_and_as_the_last(workspace: Workspace) -> None:
    runs = read_runs(workspace)
    assert [find_run(runs, name).name for name in (NAMES[0], "20260102", "ccdd", "last")] == [*NAMES, NAMES[2]]


@pytest.mark.parametrize(("name", "message"), [("2026", "matches 3 runs"), ("20260101-100000-aaab", "there is no run")])
def test_a_name_that_fits_none_or_several_is_reported(workspace: Workspace, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_run(read_runs(workspace), name)


def test_of_two_runs_only_what_differs_is_shown(workspace: Workspace) -> None:
    one, other, _ = read_runs(workspace)
    output = printed(print_comparison, one, other)
    assert "train.epochs" in output and "+1" in output
    assert "auc" in output and "+0.0300" in output
    assert "name" not in output and "champion" not in output


def test_two_equal_runs_are_said_to_be_the_same(workspace: Workspace) -> None:
    one = read_runs(workspace)[0]
    assert printed(print_comparison, one, one).count("the same") == 3


def test_the_list_fits_eighty_columns_and_shows_what_a_search_found(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "hyperparameters.json").write_text('{"learning_rate": 0.00123, "units": 64}')
    keep(
        tmp_path,
        NAMES[0],
        reason="nothing was deployed: " + "a long reason " * 10,
        model_version="123",
        metrics={"accuracy": 0.9012},
        artifacts={"hyperparameters": str(tmp_path / "found")},
    )
    output = printed(print_runs, read_runs(Workspace(tmp_path)), width=80)
    assert max(len(line.rstrip()) for line in output.splitlines()) <= 80
    assert "learning_rate 0.00123  units 64" in output
    assert "accuracy 0.9012" in output and "123 (champion)" in output
    keep(tmp_path, NAMES[1], metrics={"rmse": 123_456.789})
    assert "rmse 123,457" in printed(print_runs, read_runs(Workspace(tmp_path)), width=80)


MEASURED = {"auc": 0.9234, "accuracy": 0.8123, "f1": 0.7001, "pr_auc": 0.6002, "log_loss": 0.3003}


@pytest.mark.parametrize(
    ("task", "named", "shown"),
    [
        ("multiclass_classification", "", "accuracy 0.8123"),
        ("binary_classification", "", "auc 0.9234"),
        ("binary_classification", "pr_auc", "pr_auc 0.6002"),
        ("binary_classification", "log_loss", "log_loss 0.3003"),
    ],
)
def test_the_metric_that_decides_is_the_one_in_the_list_and_the_first_of_a_comparison(
    tmp_path: Path, task: str, named: str, shown: str
) -> None:
    project = {"task": task, "gates": {"model": {"metric": named}}} if named else {"task": task}
    for name, change in ((NAMES[0], 0.0), (NAMES[1], 0.01)):
        metrics = {metric: value + change for metric, value in sorted(MEASURED.items())}
        keep(tmp_path, name, metrics=metrics, parameters={"project": project})
    runs = read_runs(Workspace(tmp_path))
    listed = printed(print_runs, runs)
    metric = shown.partition(" ")[0]
    assert shown in listed and sum(f" {name} 0." in listed for name in MEASURED) == 1
    rows = printed(print_comparison, *runs).partition("results")[2].split()
    assert rows[0] == metric and set(rows) >= MEASURED.keys()


def test_a_project_that_is_not_there_has_no_runs_and_no_report(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such project"):
        Workspace(tmp_path / "nosuch").last_report()
    with pytest.raises(ConfigError, match=r"there is no project\.yaml here"):
        Workspace(tmp_path).check_project()
    (tmp_path / "project.yaml").touch()
    with pytest.raises(ConfigError, match="has no report yet"):
        Workspace(tmp_path).last_report()
