"""The section of a join: short forms, what cannot be, and that a project without joins is written as before."""

from __future__ import annotations

from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import Project, parse_project


def read(*joins: dict[str, Any]) -> Project:
    data = {"source": "t.csv", "join": [{"source": "data/w.csv", **join} for join in joins]}
    return parse_project({"name": "p", "task": "regression", "label": "y", "data": data})


@pytest.mark.parametrize(
    ("on", "pairs"), [("a", {"a": "a"}), (["a", "b"], {"a": "a", "b": "b"}), ({"a": "c"}, {"a": "c"})]
)
def test_keys_may_be_written_shortly(on: Any, pairs: dict[str, str]) -> None:
    project = read({"on": on})
    assert project.data.join[0].on == pairs
    assert Project.model_validate_json(project.to_json()) == project


@pytest.mark.parametrize(
    ("within", "age"), [("90min", 5.4e9), ("3h", 1.08e10), ("0.5 s", 5e5), ("2w", 1.2096e12), (3, 3.0), (0.5, 0.5), (None, None)]
)  # fmt: skip
def test_an_age_has_a_unit_or_is_a_number(within: Any, age: float | None) -> None:
    assert read({"on": "a", "time": "t", "within": within} if within else {"on": "a"}).data.join[0].longest_age == age


@pytest.mark.parametrize(
    ("join", "message"),
    [
        ({}, r"data\.join\.0\.on: is missing"),
        *[({"on": on}, r"data\.join\.0\.on: found .*; allowed: a column, a list of columns, or pairs") for on in ([], {}, 3, "", [1], {"a": 1})],
        ({"on": "a", "within": "3h"}, r"data\.join\.0: within needs time"),
        ({"on": "a", "row_time": "t"}, r"data\.join\.0: row_time needs time"),
        ({"on": "a", "time": "t", "within": "3 months"}, r"data\.join\.0\.within: found '3 months'; allowed: a number with a unit"),
        ({"on": "a", "time": "t", "within": "0h"}, "must be above 0"),
        ({"on": "a", "time": "t", "within": -1}, "must be above 0"),
        ({"on": "a", "columns": ["b", "b"]}, "columns has 'b' twice"),
        ({"on": {"x": "a"}, "columns": ["a"]}, "columns has 'a', by which the tables are joined"),
        ({"on": {"x": "a", "z": "a"}}, "on has 'a' of the second table twice"),
        ({"on": "a", "spans": "all"}, r"data\.join\.0\.spans: unknown field"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_path(join: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(join)


def test_locations_are_replaced_and_nothing_else() -> None:
    data = read({"on": "a", "prefix": "w_"}).data
    moved = data.with_places(lambda location: f"s3://b/{location}")
    assert (moved.source, moved.join[0].source, moved.join[0].prefix) == ("t.csv", "s3://b/data/w.csv", "w_")


def test_a_project_without_joins_is_written_as_before() -> None:
    assert '"join"' not in read().to_json() and read().data.with_places(str.upper) == read().data
