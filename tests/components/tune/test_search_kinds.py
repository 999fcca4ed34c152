"""A search over kinds of model finds one of them with its values, which train makes again, on real rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError, ModelError
from components._core.files import read_json
from components._core.project.project_file import load_project
from components._core.report.page import Page
from components._core.setting_names import STORE
from components._core.types.tasks import TASKS
from components._frameworks.contract import TrainingData
from components._frameworks.model_kinds import KindInput, find_kind, known_kinds
from components._frameworks.objective import Objective
from components._frameworks.table import find_framework, load_model
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from components.train.train import train_model
from components.tune import candidates
from components.tune.candidates import Candidate
from components.tune.kind_search import Attempt
from components.tune.leaderboard import pick
from components.tune.tune import tune_hyperparameters
from tests.components.small_flights import EXAMPLE, Small
from tests.components.small_penguins import Penguins, make_penguins

pytest.importorskip("sklearn")
Tuned = tuple[Penguins, Outcome, Path]


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))


def tune(penguins: Penguins, name: str = "hyperparameters") -> tuple[Outcome, Path]:
    inputs = {each: penguins.path(each) for each in ("code", "transform_graph", "transformed")}
    folder = penguins.path(name)
    folder.mkdir()
    return tune_hyperparameters(penguins.project, **inputs, hyperparameters=folder), folder


def make(root: Path, task: str = "binary_classification", framework: str = "auto", **tune: Any) -> Penguins:
    return make_penguins(root, task, framework=framework, tune={"folds": 0, **tune})


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    penguins = make(tmp_path_factory.mktemp("penguins"), "regression", models=["linear"], trials=2)
    return (penguins, *tune(penguins))


def test_the_baselines_come_first_and_each_trial_is_recorded(tuned: Tuned) -> None:
    _, outcome, folder = tuned
    trials = read_json(folder / "trials.json")
    assert [trial["kind"] for trial in trials[:2]] == ["linear", "boosted"]
    assert [trial["origin"] for trial in trials].count("searched") == 2
    assert outcome.metrics["trials"] == len(trials)
    assert Page.load(folder).blocks[-1].title == "Trials"


def test_the_leaderboard_has_a_constant_and_gains_with_their_intervals(tuned: Tuned) -> None:
    board = read_json(tuned[2] / "leaderboard.json")
    assert [entry["value"] for entry in board["entries"]] == sorted(entry["value"] for entry in board["entries"])
    constant = board["entries"][-1]
    assert constant["kind"] == "constant"
    assert 0 < constant["low"] < constant["gain"] < constant["high"]
    assert {entry["kind"] for entry in board["entries"]} == {"linear", "boosted", "constant"}


def test_train_makes_the_model_of_the_chosen_kind_and_its_signature_names_the_framework(tuned: Tuned) -> None:
    penguins, _, folder = tuned
    model, history = penguins.path("model"), penguins.path("history")
    for each in (model, history):
        each.mkdir()
    inputs = {name: penguins.path(name) for name in ("code", "schema", "transform_graph", "transformed")}
    outcome = train_model(penguins.project, **inputs, hyperparameters=folder, model=model, history=history)
    values, board = read_json(folder / "hyperparameters.json"), read_json(folder / "leaderboard.json")
    assert values["model.kind"] == board["chosen"]
    chosen = next(entry for entry in board["entries"] if entry["kind"] == board["chosen"])
    assert outcome.metrics["eval_loss"] == pytest.approx(chosen["loss"], rel=1e-9)
    assert load_model(model).signature.framework == "sklearn"


def test_the_same_search_finds_the_same(tuned: Tuned, tmp_path: Path) -> None:
    again = make(tmp_path, "regression", models=["linear"], trials=2)
    _, folder = tune(again)
    for file in ("trials.json", "hyperparameters.json", "leaderboard.json"):
        assert (folder / file).read_bytes() == (tuned[2] / file).read_bytes()


@pytest.mark.parametrize("name", known_kinds())
def test_a_fit_of_the_values_that_were_found_makes_the_same_model(tuned: Tuned, name: str) -> None:
    kind = find_kind(name)
    framework = find_framework(kind.framework)
    pytest.importorskip(framework.packages[0])
    penguins = tuned[0]
    train, held_out = (
        TransformedRows(transformed_file(penguins.path("transformed"), each)) for each in ("train", "eval")
    )
    data = TrainingData(train, held_out, penguins.path("transform_graph"))
    given = KindInput(TASKS["regression"], prepared=False, rows=train.rows)

    def fit(values: dict[str, Any]) -> Any:
        model = framework.build(kind.code(given), data, values, task=given.task, classes=[], seed=7)
        model.fit(data, penguins.project.train)
        return model

    values = kind.portfolio(given)[0]
    assert set(kind.space(given)) <= set(values)
    first = fit(values)
    found = first.found_hyperparameters()
    assert bool(found) == (name in ("boosted", "lightgbm", "xgboost")), "these stop early"
    again = fit({**values, **found})
    np.testing.assert_array_equal(first.score(held_out), again.score(held_out))
    assert again.found_hyperparameters() == {}


def test_without_time_only_the_baselines_are_tried_and_the_record_says_so(tmp_path: Path) -> None:
    penguins = make(tmp_path, models="auto", minutes=1e-9, trials=5)
    outcome, folder = tune(penguins)
    assert [trial["kind"] for trial in read_json(folder / "trials.json")] == ["linear", "boosted"]
    assert read_json(folder / "leaderboard.json")["out_of_time"]
    assert "until the minutes were over" in outcome.reason


def attempt(kind: str, order: int, objective: Objective, scores: Any) -> Attempt:
    candidate = Candidate(kind, kind, order, None, None, [], {}, is_baseline=False)  # type: ignore[arg-type]
    return Attempt(0, candidate, {}, "searched", value=objective.measure(scores), loss=0.0, scores=scores)


@pytest.mark.parametrize(("noise", "chosen"), [(1.001, "linear"), (1.5, "boosted")])
def test_a_simpler_kind_wins_where_the_gain_may_be_chance_unless_the_best_is_asked_for(
    noise: float, chosen: str
) -> None:
    random = np.random.default_rng(1)
    labels = random.normal(size=400)
    errors = random.normal(size=400)
    objective = Objective(TASKS["regression"], TASKS["regression"].metric("rmse"), "", labels, 7, "400 rows")
    boosted = attempt("boosted", 2, objective, labels + errors)
    linear = attempt("linear", 1, objective, labels + noise * random.permutation(errors))
    assert boosted.value < linear.value
    picked, why = pick([linear, boosted], objective, prefer_simple=True)
    assert picked.candidate.kind == chosen
    assert ("may be chance" in why) == (chosen == "linear")
    assert pick([linear, boosted], objective, prefer_simple=False) == (boosted, "")


def test_a_simpler_kind_with_the_same_scores_wins_and_no_gain_is_claimed() -> None:
    labels = np.arange(50.0)
    objective = Objective(TASKS["regression"], TASKS["regression"].metric("rmse"), "", labels, 7, "400 rows")
    same = [attempt(kind, order, objective, labels + 1.0) for kind, order in (("linear", 1), ("boosted", 2))]
    picked, why = pick([same[1], same[0]], objective, prefer_simple=True)
    assert (picked.candidate.kind, why) == ("linear", "no gain by boosted: the simpler kind is chosen")


def test_the_projects_own_model_is_one_of_the_kinds(tmp_path: Path) -> None:
    penguins = make_penguins(
        tmp_path, "regression", framework="sklearn", tune={"models": ["project"], "prefer": "best"}
    )
    board = read_json(tune(penguins)[1] / "leaderboard.json")
    assert {entry["kind"] for entry in board["entries"]} == {"project", "linear", "boosted", "constant"}


@pytest.mark.slow
def test_behind_a_preprocessing_fn_a_kind_takes_what_that_makes_beside_a_model_of_keras(small: Small) -> None:
    settings = {"tune.models": ["project"], "tune.prefer": "best", "train.epochs": 1, "tune.ensemble": 2}
    project, folder = load_project(EXAMPLE, settings), small.new("kinds")
    tune_hyperparameters(project, **small.before("tune"), hyperparameters=folder)
    board = read_json(folder / "leaderboard.json")
    assert {entry["kind"] for entry in board["entries"]} == {"project", "linear", "boosted", "ensemble", "constant"}
    for entry in board["entries"][:-1]:
        values = {"model.kind": entry["kind"], **entry["values"]}
        (folder / "hyperparameters.json").write_text(json.dumps(values))
        inputs = {name: path for name, path in small.before("train").items() if name != "hyperparameters"}
        model = small.new("model of a kind")
        history = small.new("history of a kind")
        outcome = train_model(project, **inputs, hyperparameters=folder, model=model, history=history)
        assert outcome.metrics["eval_loss"] == pytest.approx(entry["loss"], rel=1e-4)
        assert load_model(model).signature.framework == ("keras" if entry["kind"] == "project" else "sklearn")


def test_a_model_of_the_projects_own_that_cannot_be_fitted_ends_the_search(tmp_path: Path) -> None:
    broken = (
        "from sklearn.neighbors import KNeighborsRegressor\n\n\ndef build_model(h):\n    return KNeighborsRegressor()\n"
    )
    penguins = make_penguins(tmp_path, "regression", model=broken, framework="sklearn", tune={"models": ["project"]})
    with pytest.raises(ModelError, match="the project's build_model: the pipeline cannot be fitted"):
        tune(penguins)


def test_a_trial_that_is_behind_on_a_part_of_the_rows_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MANY_ROWS", 100)
    outcome, folder = tune(make(tmp_path, "regression", models=["linear"], trials=12))
    trials = read_json(folder / "trials.json")
    pruned = [trial for trial in trials if trial["state"] == "pruned"]
    assert pruned and all(trial["value"] is None for trial in pruned)
    assert len(trials) == outcome.metrics["trials"] and f"{len(pruned)} stopped early" in outcome.reason


@pytest.mark.parametrize("task", [pytest.param("multiclass_classification", marks=pytest.mark.slow), "regression"])
def test_the_average_of_the_best_kinds_is_one_of_them_and_train_makes_it_as_one_graph(
    task: str, tmp_path: Path
) -> None:
    pytest.importorskip("lightgbm")
    metric = "rmse" if task == "regression" else "log_loss"  # several kinds have every class right
    tuning = {"folds": 0, "models": ["lightgbm"], "ensemble": 3}
    penguins = make_penguins(tmp_path, task, framework="auto", tune=tuning, gates={"model": {"metric": metric}})
    _, folder = tune(penguins)
    board, trials = read_json(folder / "leaderboard.json"), read_json(folder / "trials.json")
    average = next(entry for entry in board["entries"] if entry["kind"] == "ensemble")
    assert trials[-1]["origin"] == "average"
    members = {name.partition(".")[0] for name in average["values"]}
    assert 2 <= len(members) <= 3
    assert all(average["value"] <= entry["value"] for entry in board["entries"]) or task != "regression"
    (folder / "hyperparameters.json").write_text(json.dumps({"model.kind": "ensemble", **average["values"]}))
    model, history = penguins.path("model"), penguins.path("history")
    for each in (model, history):
        each.mkdir()
    inputs = {name: penguins.path(name) for name in ("code", "schema", "transform_graph", "transformed")}
    outcome = train_model(penguins.project, **inputs, hyperparameters=folder, model=model, history=history)
    assert outcome.metrics["eval_loss"] == pytest.approx(average["loss"], rel=1e-5)
    assert load_model(model).signature.framework == "sklearn"


def refused(**sections: Any) -> ConfigError:
    from components._core.project.project_file import parse_project
    from components._frameworks.project_rules import check_framework

    raw = {"name": "penguins", "task": "regression", "label": "y", "data": {"source": "p.csv"}}
    with pytest.raises(ConfigError) as caught:
        check_framework(parse_project({**raw, **sections}))
    assert caught.value.remedy
    return caught.value


AUTO = {"framework": "auto"}
RANGE = {"low": 0.1, "high": 0.2}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"code": AUTO, "tune": {"models": ["liner"]}}, "unknown kind of model 'liner'; did you mean 'linear'?"),
        ({"code": AUTO, "tune": {"models": []}}, "must be auto, or kinds of model as in"),
        ({"code": AUTO, "tune": {"models": ["linear", "linear"]}}, "'linear' is named twice"),
        ({"code": AUTO, "tune": {"models": ["project"]}}, "names 'project', the project's own build_model"),
        (
            {"code": AUTO, "train": {"hyperparameters": {"C": 1.0}}},
            "train.hyperparameters: are those of the project's own",
        ),
        ({"code": AUTO, "train": {"epochs": 3}}, "train.epochs: has no meaning for 'auto', which fits in one call"),
        ({"code": AUTO, "tune": {"minutes": 0}}, "tune.minutes"),
        ({"code": AUTO, "tune": {"trials": -1}}, "tune.trials"),
        (
            {"code": AUTO, "tune": {"space": {"C": RANGE}}},
            "the space of the project's own build_model, which is not searched",
        ),
        (
            {"code": AUTO, "tune": {"models": ["linear"], "spaces": {"xgboost": {"eta": RANGE}}}},
            "kind 'xgboost' is not searched",
        ),
        (
            {"code": AUTO, "tune": {"spaces": {"linear": {"CC": RANGE}}}},
            "'CC' is not a hyperparameter of the kind 'linear'",
        ),
        ({"code": AUTO, "tune": {"ensemble": 1}}, "must be 0, or at least 2 models to average"),
        ({"code": AUTO, "tune": {"folds": 1}}, "must be 0 to judge by the eval rows, or at least 2"),
        (
            {"code": AUTO, "tune": {"folds": 5}, "data": {"source": "p.csv", "split": {"by": "owner"}}},
            "tune.folds: found 5, and rows are split by group",
        ),
        ({"tune": {"folds": 5}}, "folds has no meaning without models"),
        ({"code": AUTO, "tune": {"models": ["ensemble"]}}, "made of the other kinds"),
        ({"code": AUTO, "tune": {"workers": 0}}, "tune.workers"),
        ({"tune": {"minutes": 5}}, "minutes has no meaning without models"),
        ({"tune": {"prefer": "best"}}, "prefer has no meaning without models"),
        ({"train": {"hyperparameters": {"model.kind": "x"}}}, "reserved for the kind of model"),
    ],
)
def test_a_mistake_is_refused(sections: dict[str, Any], message: str) -> None:
    assert message in f"{refused(**sections).where}: {refused(**sections).message}"


def test_a_kind_whose_packages_are_missing_is_refused_and_auto_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from components._core import extras
    from components._core.project.project_file import parse_project
    from components._frameworks.model_rules import shipped_kinds

    real: Callable[[str], bool] = extras._is_installed
    monkeypatch.setattr(extras, "_is_installed", lambda name: name != "lightgbm" and real(name))
    error = refused(code=AUTO, tune={"models": ["lightgbm"]})
    assert "packages that are not installed: lightgbm" in error.message and "naru[lightgbm]" in error.remedy
    raw = {"name": "penguins", "task": "regression", "label": "y", "data": {"source": "p.csv"}, "code": AUTO}
    assert "lightgbm" not in {kind.name for kind in shipped_kinds(parse_project(raw))}


def test_rare_positives_are_judged_by_log_loss_unless_the_project_names_a_metric(tmp_path: Path) -> None:
    board = read_json(tune(make(tmp_path, minutes=1e-9))[1] / "leaderboard.json")
    assert (board["metric"], board["rows"]) == ("log_loss", 34)
    assert "eval rows of the rarer class are too few for auc" in board["metric_reason"]
    named = make_penguins(
        tmp_path / "named",
        "binary_classification",
        framework="auto",
        tune={"minutes": 1e-9, "folds": 0},
        gates={"model": {"metric": "accuracy"}},
    )
    assert read_json(tune(named)[1] / "leaderboard.json")["metric"] == "accuracy"
