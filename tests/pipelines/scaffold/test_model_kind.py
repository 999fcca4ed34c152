"""`naru new --model`: a linear model and boosted trees, on the columns as they are or behind a preprocessing_fn where they need one."""

from __future__ import annotations

import datetime
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components._core import extras
from components._core.errors import ConfigError
from components._core.project.project_file import load_project
from components._frameworks.project_rules import check_framework
from pipelines.scaffold import new_project, quick_look
from pipelines.scaffold.choices import Choices
from tests.components.debian_torch import REASON, import_torch
from tests.pipelines.scaffold.conftest import Table

KINDS = ["linear", "boosted"]
ROWS = 300


def run_written_test(folder: Path) -> list[str]:
    """Run the functions of the project's own test; returns their names."""
    written = runpy.run_path(str(folder / "tests" / "test_project.py"))
    result = written["run_code"](folder, written["COLUMNS"])
    tests = [name for name in written if name.startswith("test_")]
    for name in tests:
        written[name](result)
    return tests


@pytest.mark.parametrize("label", ["species", "body_mass_g"])
@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_numbers_and_categories_need_no_preprocessing(
    kind: str, label: str, penguins: Path, tmp_path: Path
) -> None:
    created = new_project(tmp_path / "p", data=penguins, label=label, choices=Choices.parse(model=kind))
    files = {path.relative_to(created.folder).as_posix() for path in created.files}
    assert "preprocessing.py" not in files and "model.py" in files
    assert "preprocessing" not in (created.folder / "README.md").read_text()
    project = load_project(created.folder)
    assert check_framework(project).name == "sklearn" and project.code.files == ("model.py",)
    assert len(run_written_test(created.folder)) == 1


def test_what_is_done_with_a_column_is_what_the_kind_does(penguins: Path, tmp_path: Path) -> None:
    said = {
        kind: {
            decision.column.name: decision.reason
            for decision in new_project(
                tmp_path / kind, data=penguins, label="species", choices=Choices.parse(model=kind)
            ).decisions
        }
        for kind in KINDS
    }
    assert said["linear"]["bill_length_mm"] == "z-score, the median where missing"
    assert said["boosted"]["bill_length_mm"] == "as it is, missing has a way of its own"
    assert said["linear"]["sex"] == "2 different values: a coefficient for each, missing is one of them"
    assert said["boosted"]["sex"] == "2 different values: a category in the trees, missing has a way of its own"


def test_numbers_that_are_categories_are_read_as_texts(table: Table, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    zones = random.integers(1, 9, ROWS)
    data = table(
        {
            "zone_code": zones,
            "size": random.normal(10, 3, ROWS).round(2),
            "y": (zones % 3 == 0) ^ (random.random(ROWS) < 0.3),
        }
    )
    for kind in KINDS:
        folder = new_project(tmp_path / kind, data=data, label="y", choices=Choices.parse(model=kind)).folder
        assert load_project(folder).data.columns["zone_code"].type == "category"
        assert run_written_test(folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_dates_and_texts_are_prepared_in_front(kind: str, table: Table, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(day)) for day in random.integers(0, 700, ROWS)]
    columns = {
        "in come": [
            None if row % 9 == 0 else round(float(value), 2)
            for row, value in enumerate(np.exp(random.normal(8, 2, ROWS)))
        ],
        "plan/type": random.choice(["gold", "silver", ""], ROWS),
        "shop_id": [None if row % 50 == 0 else value for row, value in enumerate(random.integers(1, 9, ROWS))],
        "review": [" ".join(random.choice("cheap fast great slow broken love".split(), 6)) for _ in range(ROWS)],
        "visited": [day.isoformat() for day in days],
        "left": random.choice(["no", "yes"], ROWS),
    }
    folder = new_project(tmp_path / "p", data=table(columns), label="left", choices=Choices.parse(model=kind)).folder
    code = (folder / "preprocessing.py").read_text()
    assert ("standardise" in code) == (kind == "linear")
    assert load_project(folder).code.files == ("preprocessing.py", "model.py")
    assert len(run_written_test(folder)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("label", ["species", "body_mass_g"])
def test_a_network_of_pytorch_runs_as_it_is_written(label: str, penguins: Path, tmp_path: Path) -> None:
    if not import_torch():
        pytest.skip(REASON)
    folder = new_project(tmp_path / "p", data=penguins, label=label, choices=Choices.parse(model="torch")).folder
    project = load_project(folder)
    assert check_framework(project).name == "torch" and project.code.files == ("preprocessing.py", "model.py")
    assert {"learning_rate", "units", "dropout"} == set(project.train.hyperparameters) == set(project.tune.space)
    assert len(run_written_test(folder)) == 3


def test_a_network_of_pytorch_is_refused_without_pytorch(
    penguins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[str], bool] = extras._is_installed
    monkeypatch.setattr(extras, "_is_installed", lambda name: name != "torch" and real(name))
    with pytest.raises(ConfigError, match="packages that are not installed: torch") as refused:
        new_project(tmp_path / "p", data=penguins, label="species", choices=Choices.parse(model="torch"))
    assert refused.value.where == "--model torch" and not (tmp_path / "p").exists()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--model: unknown kind 'bosted'; did you mean 'boosted'\?"):
        Choices.parse(model="bosted")


@pytest.mark.parametrize(("shape", "kind"), [("straight", "linear"), ("chequered", "boosted")])
def test_a_quick_look_at_the_table_chooses_the_kind_and_says_why(
    shape: str, kind: str, table: Table, tmp_path: Path
) -> None:
    random = np.random.default_rng(5)
    one, other = random.normal(size=(2, 600))
    value = one + other if shape == "straight" else np.sign(one * other) * 3
    shop = random.choice(["north", "south"], 600)
    noise = random.normal(0, 0.3, 600)
    data = table({"a": one.round(3), "b": other.round(3), "shop": shop, "y": (value + noise).round(3)})
    created = new_project(tmp_path / "p", data=data, label="y", choices=Choices.parse(model="auto"))
    assert (
        load_project(created.folder).train.hyperparameters.keys()
        >= {"linear": {"alpha"}, "boosted": {"max_iter"}}[kind]
    )
    note = next(note for note in created.notes if note.startswith("the kind of model is"))
    assert note.startswith(f"the kind of model is {kind}: ")
    assert "rmse in 3 folds of 600 rows: linear" in note
    assert note in (created.folder / "README.md").read_text().replace("\\", "")


def test_a_quick_look_at_a_sorted_table_sees_all_of_it(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_look, "_MOST_ROWS", 300)
    one, noise = np.random.default_rng(5).normal(size=(2, 800)).round(3)
    label = np.where(one + noise > 0, "yes", "no")
    order = np.argsort(label)  # the first 300 rows have one class
    data = table({"a": one[order], "y": label[order]})
    created = new_project(tmp_path / "p", data=data, label="y", choices=Choices.parse(model="auto"))
    assert "auc in 3 folds of 300 rows" in next(note for note in created.notes if "the kind of model is" in note)


def test_without_enough_rows_a_quick_look_chooses_the_simpler_kind(table: Table, tmp_path: Path) -> None:
    rows = range(40)
    data = table({"size": [row * 7 % 13 for row in rows], "y": [row % 2 for row in rows]})
    created = new_project(tmp_path / "p", data=data, label="y", choices=Choices.parse(model="auto"))
    assert "the kind of model is linear: too few rows to compare kinds of model" in created.notes
