"""A search on few rows judges models by folds of the train rows, and the eval rows play no part in it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from components._core.errors import ConfigError
from components._core.files import read_json
from components._core.project.project_file import Project
from components._core.project.tune_config import Tune
from components._core.setting_names import STORE
from components._core.types.tasks import TASKS
from components._frameworks.contract import TrainingData
from components._frameworks.model_kinds import FEW_ROWS, KindInput, find_kind
from components._frameworks.objective import read_labels
from components._frameworks.table import find_framework
from components._frameworks.transformed_rows import TransformedRows, TransformedWriter, transformed_file
from components.tune import search_kinds
from components.tune.candidates import Fitter, list_candidates
from components.tune.folds import USUAL_FOLDS, assign_folds, choose_folds, make_parts
from components.tune.tune import tune_hyperparameters
from tests.components.small_penguins import Penguins, make_penguins

pytest.importorskip("sklearn")
FOLDS = 3


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))


@pytest.fixture(scope="module")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Penguins:
    settings = {"models": ["linear"], "folds": FOLDS, "minutes": 1e-9}
    return make_penguins(tmp_path_factory.mktemp("penguins"), "regression", framework="auto", tune=settings)


def read(penguins: Penguins) -> TrainingData:
    train, held_out = (
        TransformedRows(transformed_file(penguins.path("transformed"), each)) for each in ("train", "eval")
    )
    return TrainingData(train, held_out, penguins.path("transform_graph"))


def tune(penguins: Penguins, folder: Path) -> Any:
    folder.mkdir()
    inputs = {each: penguins.path(each) for each in ("code", "transform_graph", "transformed")}
    tune_hyperparameters(penguins.project, **inputs, hyperparameters=folder)
    return read_json(folder / "leaderboard.json"), read_json(folder / "trials.json")


@pytest.mark.parametrize("folds", [2, 5])
def test_each_fold_has_its_share_of_every_class_and_of_all_numbers(folds: int) -> None:
    random = np.random.default_rng(0)
    classes = random.choice(3, 203, p=[0.9, 0.07, 0.03])
    assigned = assign_folds(classes, folds, 7)
    for each in range(3):
        counts = np.bincount(assigned[classes == each], minlength=folds)
        assert counts.max() - counts.min() <= 1
    numbers = random.normal(size=203)
    means = [numbers[assign_folds(numbers, folds, 7) == fold].mean() for fold in range(folds)]
    assert np.ptp(means) < 0.1, "folds of random numbers alone would differ by more"
    np.testing.assert_array_equal(assigned, assign_folds(classes, folds, 7))
    assert (assigned != assign_folds(classes, folds, 8)).any()


def test_each_train_row_is_held_out_once_and_fitted_in_the_other_folds(penguins: Penguins) -> None:
    data = read(penguins)
    ((whole, labels),) = data.train.batches(data.train.rows)
    parts = make_parts(data, FOLDS, 7)
    np.testing.assert_array_equal(np.sort(np.concatenate([part.places for part in parts])), np.arange(len(labels)))
    for part in parts:
        ((features, held_out),) = part.data.held_out.batches(len(labels))
        np.testing.assert_array_equal(held_out, labels[part.places])
        fitted = np.setdiff1d(np.arange(len(labels)), part.places)
        np.testing.assert_array_equal(read_labels(part.data.train), labels[fitted])
        for name, values in features.items():
            np.testing.assert_array_equal(values, whole[name][part.places])
        assert part.data.train.rows + part.data.held_out.rows == data.train.rows


def test_taken_rows_are_thinned_and_counted_as_those_of_a_file(tmp_path: Path) -> None:
    with TransformedWriter(tmp_path / "rows.parquet") as writer:
        writer.write({"x": np.arange(10, dtype=np.float32)}, np.arange(10) % 3)
    taken = TransformedRows(tmp_path / "rows.parquet").take(np.array([9, 1, 2, 5, 8]))
    assert taken.count_labels(3).tolist() == [1, 1, 3]
    ((features, labels),) = taken.thin(3).batches(100)
    assert (features["x"].tolist(), labels.tolist()) == ([9, 2, 8], [0, 2, 2])


def test_the_models_of_a_search_are_judged_by_scores_of_rows_that_they_were_not_fitted_on(
    penguins: Penguins, tmp_path: Path
) -> None:
    board, trials = tune(penguins, tmp_path / "found")
    data, kind = read(penguins), find_kind("linear")
    task, labels = TASKS["regression"], read_labels(data.train)
    given = KindInput(task, prepared=False, rows=data.train.rows)
    scores = np.empty(len(labels))
    for part in make_parts(data, FOLDS, penguins.project.train.seed):
        model = find_framework("sklearn").build(
            kind.code(given), part.data, trials[0]["values"], task=task, classes=[], seed=7
        )
        model.fit(part.data, penguins.project.train)
        scores[part.places] = model.score(part.data.held_out)
    assert (board["judged_by"], board["rows"]) == (f"{data.train.rows} train rows in {FOLDS} folds", data.train.rows)
    assert trials[0]["value"] == pytest.approx(np.sqrt(np.mean((scores - labels) ** 2)))


def test_the_rounds_of_boosted_trees_are_the_mean_over_the_folds(penguins: Penguins, tmp_path: Path) -> None:
    _, trials = tune(penguins, tmp_path / "found")
    data, kind = read(penguins), find_kind("boosted")
    given = KindInput(TASKS["regression"], prepared=False, rows=data.train.rows)
    values = {name: value for name, value in trials[1]["values"].items() if name != "max_iter"}
    rounds = []
    for part in make_parts(data, FOLDS, penguins.project.train.seed):
        model = find_framework("sklearn").build(
            kind.code(given), part.data, values, task=given.task, classes=[], seed=7
        )
        model.fit(part.data, penguins.project.train)
        rounds.append(model.found_hyperparameters()["max_iter"])
    assert trials[1]["values"]["max_iter"] == round(np.mean(rounds))


def test_the_eval_rows_play_no_part_in_a_search_with_folds(penguins: Penguins, tmp_path: Path) -> None:
    first = tune(penguins, tmp_path / "first")
    file = transformed_file(penguins.path("transformed"), "eval")
    kept = file.read_bytes()
    try:
        ((features, labels),) = read(penguins).held_out.batches(1_000)
        with TransformedWriter(file) as writer:
            writer.write(features, labels[::-1] * 9)
        assert tune(penguins, tmp_path / "second") == first
    finally:
        file.write_bytes(kept)


@pytest.mark.parametrize(
    ("sections", "rows", "folds"),
    [
        ({}, 500, USUAL_FOLDS),
        ({}, FEW_ROWS, 0),
        ({}, 4, 0),
        ({"data": {"source": "p.csv", "split": {"method": "stratified"}}}, 500, USUAL_FOLDS),
        ({"data": {"source": "p.csv", "split": {"by": "island"}}}, 500, 0),
        ({"data": {"source": "p.csv", "split": {"by_time": "year"}}}, 500, 0),
        ({"code": {"framework": "sklearn"}, "tune": {"models": ["project"]}}, 500, 0),
        ({"code": {"framework": "sklearn"}, "tune": {"models": ["project"], "folds": 4}}, 500, 4),
        ({"tune": {"folds": 0}}, 500, 0),
        ({"tune": {"folds": 10}}, 50_000, 10),
        ({"tune": {"folds": 10}}, 3, 3),
        ({"tune": {"folds": 10}}, 1, 0),
    ],
)
def test_folds_are_made_where_rows_are_few_and_were_split_at_random_unless_the_project_says_more(
    sections: dict[str, Any], rows: int, folds: int
) -> None:
    raw = {"name": "penguins", "task": "multiclass_classification", "label": "species", "data": {"source": "p.csv"}}
    project = Project.model_validate({**raw, "code": {"framework": "auto"}, **sections})
    assert choose_folds(project, rows) == folds


@pytest.mark.parametrize("positives", [1, 2])
def test_a_search_with_one_row_of_a_class_is_judged_by_the_eval_rows(positives: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split in ("train", "eval"):
        labels = np.array([0] * 30 + [1] * positives)
        with TransformedWriter(tmp_path / f"{split}.parquet") as writer:
            writer.write({"x": (labels + random.normal(size=len(labels))).astype(np.float32)}, labels)
    rows, held_out = (TransformedRows(tmp_path / f"{split}.parquet") for split in ("train", "eval"))
    raw = {"name": "rare", "task": "binary_classification", "label": "y", "data": {"source": "p.csv"}}
    project = Project.model_validate({**raw, "code": {"framework": "auto"}, "tune": {"models": ["linear"]}})
    data = TrainingData(rows, held_out, tmp_path / "graph")
    fitter, objective = search_kinds._prepare(project, data, ["no", "yes"], [])
    judged = "31 eval rows" if positives == 1 else "32 train rows in 5 folds"
    assert objective.judged_by == judged
    for part in fitter.parts:
        assert set(read_labels(part.data.train)) == {0, 1}
    if positives == 1:
        named = project.model_copy(update={"tune": project.tune.model_copy(update={"folds": 5})})
        with pytest.raises(ConfigError, match="the train rows have 1 of the rarer class") as raised:
            search_kinds._prepare(named, data, ["no", "yes"], [])
        assert raised.value.where == "tune.folds" and "set 0" in raised.value.remedy


@pytest.mark.parametrize(
    ("tune", "seconds", "folds"),
    [
        ({"minutes": 1}, 0.01, 5),
        ({"minutes": 1}, 1.0, 4),
        ({"minutes": 1}, 9.0, 2),
        ({}, 9.0, 5),
        ({"minutes": 1, "folds": 5}, 9.0, 5),
    ],
)
def test_fewer_folds_judge_where_minutes_are_few_for_fits_that_are_slow(
    penguins: Penguins, tune: dict[str, Any], seconds: float, folds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 60.0, 60.0, 60.0 + seconds])  # the first fit imports and compiles
    monkeypatch.setattr(search_kinds, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(Fitter, "look", lambda *_: None)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(search_kinds, "_FEWEST_JUDGED", 100)
    settings = penguins.project.model_copy(update={"tune": Tune.model_validate({"models": ["linear"], **tune})})
    data = read(penguins)
    fitter, objective = search_kinds._prepare(settings, data, [], list_candidates(settings, Path(), data))
    assert len(fitter.parts) == folds
    assert objective.judged_by.endswith("in 5 folds" if folds == 5 else f"in {folds} of 5 folds")
    places = np.concatenate([part.places for part in fitter.parts])
    np.testing.assert_array_equal(np.sort(places), np.arange(len(objective.labels)))
    for part in fitter.parts:
        np.testing.assert_array_equal(objective.labels[part.places], read_labels(part.data.held_out))
