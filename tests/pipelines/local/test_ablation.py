"""Which run and which columns `naru ablate` takes; a whole ablation is in tests/local/test_ablate.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import Project
from components._core.types.column_choices import ColumnChoices, DroppedColumn
from components.evaluate.non_inferiority import Comparison
from pipelines.local.ablation import Ablation, choose_columns
from pipelines.local.ablation_session import result_lines, split_names
from pipelines.local.trained_run import Trained, find_trained
from pipelines.local.workspace import Workspace

SCHEMA = "".join(
    f'feature {{ name: "{name}" type: FLOAT presence {{ min_fraction: 1.0 }} }}\n'
    for name in ("age", "fare", "a,b", "id", "y")
)


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    raw = {"name": "t", "task": "regression", "label": "y", "data": {"source": "t.csv", "exclude": ["id"]}}
    (tmp_path / "schema.pbtxt").write_text(SCHEMA)
    (tmp_path / "importances.json").write_text(json.dumps({"unneeded": ["fare", "a,b"]}))
    artifacts = {"schema": tmp_path / "schema.pbtxt", "explanation": tmp_path}
    return Trained("run-1", Project.model_validate(raw), tmp_path / "code.zip", artifacts)


def test_without_names_the_proposed_columns_are_left_out_the_least_important_first(trained: Trained) -> None:
    assert choose_columns(trained, [], None) == ["fare", "a,b"]
    assert choose_columns(trained, [], 1) == ["fare"]


def test_a_column_that_transform_dropped_is_no_feature_to_leave_out(trained: Trained, tmp_path: Path) -> None:
    ColumnChoices((DroppedColumn("age", "transform.drop.missing", "97 % missing"),)).save(tmp_path)
    trained.artifacts["transform_graph"] = tmp_path
    assert trained.features == ["fare", "a,b"]
    with pytest.raises(ConfigError, match="'age' is not a feature of the model"):
        choose_columns(trained, ["age"], None)


def test_names_are_split_at_commas_unless_a_feature_has_one(trained: Trained) -> None:
    assert split_names(["age, fare", "a,b"], trained.features) == ["age", "fare", "a,b"]


def test_an_empty_name_is_refused_and_does_not_mean_the_proposed_columns(trained: Trained) -> None:
    with pytest.raises(ConfigError, match="names no column"):
        split_names(["", " ,"], trained.features)


@pytest.mark.parametrize(
    ("without", "proposed", "message"),
    [
        (["far"], None, "did you mean 'fare'?"),
        (["id"], None, "'id' is not a feature"),
        (["y"], None, "'y' is not a feature"),
        ([], 3, "explain proposes 2 columns (fare, a,b)"),
        (["age", "fare", "a,b"], None, "leaves no feature"),
    ],
)
def test_what_cannot_be_left_out_is_refused(
    trained: Trained, without: list[str], proposed: int | None, message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        choose_columns(trained, without, proposed)
    assert message in str(refused.value)


def test_nothing_proposed_is_said_with_the_remedy(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "importances.json").write_text("{}")
    with pytest.raises(ConfigError, match="proposes no column") as refused:
        choose_columns(trained, [], None)
    assert "--without a,b" in refused.value.remedy


def test_a_project_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run here has an explained model"):
        find_trained(Workspace(tmp_path), explained=True)


@pytest.mark.parametrize(
    ("interval", "first", "pastes"),
    [
        ((-0.004, 0.002), "As good without fare", True),
        ((-0.09, -0.02), "Worse", False),
        ((-0.09, 0), "Not decided", False),
    ],
)
def test_the_line_to_paste_is_shown_only_where_nothing_is_lost(
    interval: tuple[float, float], first: str, pastes: bool
) -> None:
    comparison = Comparison([0.9], [0.899], -0.001, interval, 0.01, 500)
    lines = result_lines(Ablation("run-1", ["fare"], "auc", [7], comparison, 'exclude: ["id", "fare"]'))
    assert lines[0].startswith(first) and "0.0100" in lines[1]
    assert ('  exclude: ["id", "fare"]' in lines) == pastes
    assert max(map(len, lines)) <= 100
