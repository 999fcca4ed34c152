"""`data.checks` and `data.rows` of a project file: short forms, shares, and what is refused before anything runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.check_config import Checks
from components._core.project.project_file import Project, parse_project
from components._core.project.stage_config import restrict
from components._core.project.yaml_text import parse_yaml
from components.stages import STAGES


def project(**data: Any) -> Project:
    raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv", **data}}
    return parse_project(json.loads(json.dumps(raw)))


def of_yaml(text: str) -> Checks:
    return project(checks=parse_yaml(text, "t")).data.checks


def test_a_project_without_them_is_passed_on_as_before() -> None:
    data = json.loads(project().to_json())["data"]
    assert "checks" not in data and "rows" not in data


def test_they_survive_the_way_through_a_pipelines_parameter() -> None:
    given = project(
        checks={
            "columns": {"a": {"in": ["x", 1, 2.5, True], "missing": "1%"}, "b": {"min": "2024-01-01", "unique": True}},
            "rows": {"min": 3},
            "unique": [["a", "b"], {"columns": ["c"], "severity": "warn"}],
            "order": ["a <= b", {"rule": "x y > z", "allow": "5%"}],
        },
        rows={"dedupe": ["a"], "drop": [{"column": "a", "in": ["x"]}, {"column": "b", "missing": True}]},
    )
    assert parse_project(json.loads(given.to_json())) == given


def test_short_forms_mean_what_the_long_ones_do() -> None:
    assert of_yaml("{unique: [a, b], order: a <= b}") == of_yaml(
        "{unique: [{columns: [a, b]}], order: [{rule: a <= b}]}"
    )
    assert [key.columns for key in of_yaml("unique: [[a, b], [c]]").unique] == [["a", "b"], ["c"]]
    assert of_yaml("columns: {x: {missing: 1.5%}}") == of_yaml("columns: {x: {missing: 0.015}}")
    assert of_yaml("order: Date Out <= Date In").order[0].parts == ("Date Out", "<=", "Date In")
    assert project(rows={"dedupe": "id"}) == project(rows={"dedupe": ["id"]})


@pytest.mark.parametrize("thousandths", [3, 7, 11, 14, 29])
def test_a_percentage_is_the_nearest_number_to_its_share(thousandths: int) -> None:
    (column,) = of_yaml(f"columns: {{x: {{missing: {thousandths / 10}%}}}}").columns.values()
    assert column.missing == thousandths / 1000


@pytest.mark.parametrize("pattern", [r"\p{L}+", r"\pN{2}", r"[[:alpha:]]+", r"\Q+\E\z"])
def test_a_pattern_that_only_re2_reads_is_allowed(pattern: str) -> None:
    assert project(checks={"columns": {"x": {"pattern": pattern}}}).data.checks.columns["x"].pattern == pattern
    assert project(rows={"drop": [{"column": "x", "pattern": pattern}]}).data.rows.drop[0].pattern == pattern


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ("colums: {}", "data.checks.colums: unknown field; did you mean 'columns'?"),
        ("columns: {f: {mni: 0}}", "data.checks.columns.f.mni: unknown field; did you mean 'min'?"),
        ("columns: {f: {}}", "expects nothing: give min, max, missing, in, pattern or unique"),
        ("columns: {f: {severity: warn}}", "expects nothing"),
        ("columns: {f: {min: 3, max: 1}}", "min (3) must not be above max (1)"),
        ("columns: {f: {min: a, max: 3}}", "give two numbers, or two texts"),
        ("columns: {f: {min: .inf}}", "found inf"),
        ("columns: {f: {min: true}}", "must be text, a number"),
        ("columns: {f: {missing: 2%%}}", "found '2%%'; must be a share, as in 1% or 0.01"),
        ("columns: {f: {missing: 200%}}", "less than or equal to 1"),
        ("columns: {f: {missing: true}}", "must be a share"),
        ("columns: {f: {pattern: '['}}", "found '[', which is not a regular expression"),
        ("columns: {f: {in: []}}", "at least 1 item"),
        ("columns: {f: {max: 1, severity: ignore}}", "'fail' or 'warn'"),
        ("rows: {min: 5, mx: 3}", "data.checks.rows.mx: unknown field; did you mean 'max'?"),
        ("rows: {min: 5, max: 3}", "min (5) must not be above max (3)"),
        ("unique: a", "must be a list of columns"),
        (
            "unique: [{columns: [a], severty: warn}]",
            "data.checks.unique.0.severty: unknown field; did you mean 'severity'?",
        ),
        ("order: a<=b", "found 'a<=b'; allowed: two columns with"),
    ],
)
def test_what_no_table_can_meet_or_nobody_can_mean_is_refused(checks: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        of_yaml(checks)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("drop: [{column: x}]", "has 0 conditions; give one of below, above, missing, in, pattern"),
        ("drop: [{column: x, below: 0, above: 3}]", "has 2 conditions"),
        ("drop: [{colum: x, below: 0}]", "data.rows.drop.0.colum: unknown field; did you mean 'column'?"),
        ("drop: [{column: y, missing: true}]", "rows without the label 'y' are set aside already"),
        ("dedupe: 3", "found 3; allowed: true, or a list of columns"),
        ("dedupe: []", "found []; allowed: true"),
        ("dedup: true", "data.rows.dedup: unknown field; did you mean 'dedupe'?"),
    ],
)
def test_a_rule_that_says_no_one_thing_is_refused(rows: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        project(rows=parse_yaml(rows, "t"))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("stage", "given"), [("ingest", False), ("validate", True), ("train", False), ("register", True)]
)
def test_only_stages_that_check_or_record_it_see_what_is_expected(stage: str, given: bool) -> None:
    raw = json.loads(project(checks={"rows": {"min": 5}}, rows={"dedupe": True}).to_json())
    seen = restrict(raw, STAGES[stage].reads)["data"]
    assert ("checks" in seen) == given
    assert ("rows" in seen) == (stage in ("ingest", "register"))
    assert "checks" in raw["data"]
