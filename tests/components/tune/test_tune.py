from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError
from components._core.files import read_json
from components._core.project.project_file import Project, load_project
from components._core.report.page import Page
from components.tune.tune import tune_hyperparameters
from tests.components.small_flights import EXAMPLE, Small


def project(trials: int, **others: object) -> Project:
    return load_project(EXAMPLE, {"tune.trials": trials, "tune.epochs": 1, **others})


def tune(small: Small, trials: int, **others: object) -> tuple[Outcome, Path]:
    folder = small.new("hyperparameters")
    return tune_hyperparameters(project(trials, **others), **small.before("tune"), hyperparameters=folder), folder


def test_without_trials_the_defaults_pass_through(small: Small):
    outcome, folder = tune(small, 0)
    assert (outcome.verdict, outcome.reason) == ("skipped", "0 trials: the defaults are used")
    assert read_json(folder / "hyperparameters.json") == {"embedding": 8, "learning_rate": 0.002}


def test_without_trials_tensorflow_is_not_imported(small: Small, tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from components._core.project.project_file import load_project;"
        "from components.tune.tune import tune_hyperparameters; nowhere = Path('nowhere');"
        "tune_hyperparameters(load_project(Path(sys.argv[1])), code=nowhere, transform_graph=nowhere,"
        " transformed=nowhere, hyperparameters=Path(sys.argv[2]));"
        "sys.exit('tensorflow' in sys.modules or 'optuna' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(EXAMPLE), str(tmp_path)], check=True)


@pytest.fixture(scope="module")
def searched(small: Small) -> tuple[Outcome, Path]:
    return tune(small, 2)


def test_the_defaults_are_the_first_trial_and_the_best_trial_wins(searched: tuple[Outcome, Path]):
    outcome, folder = searched
    trials = read_json(folder / "trials.json")
    assert trials[0]["values"] == {"embedding": 8, "learning_rate": 0.002}
    best = min((trial for trial in trials if trial["state"] == "complete"), key=lambda trial: trial["eval_loss"])
    assert read_json(folder / "hyperparameters.json") == best["values"]
    assert outcome.metrics["eval_loss"] == best["eval_loss"] <= outcome.metrics["eval_loss_of_defaults"]
    assert {"Search", "Trials"} <= {block.title for block in Page.load(folder).blocks}


@pytest.mark.slow
def test_the_same_search_finds_the_same(small: Small, searched: tuple[Outcome, Path]):
    _, again = tune(small, 2)
    assert read_json(again / "trials.json") == read_json(searched[1] / "trials.json")


def test_a_default_outside_its_space_is_a_mistake_in_the_project(small: Small):
    with pytest.raises(ConfigError, match=r"tune\.space\.learning_rate: does not hold the default 3\.0"):
        tune(small, 1, **{"train.hyperparameters.learning_rate": 3.0})


def test_a_hyperparameter_without_a_default_is_reported(small: Small):
    with pytest.raises(ConfigError, match=r"tune\.space\.depth: has no default"):
        tune(small, 1, **{"tune.space.depth": {"low": 1, "high": 3, "integer": True}})
