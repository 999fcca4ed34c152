"""The section data.split: methods, their columns, older keys, and combinations that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import Project, parse_project


def parse(split: dict[str, Any], source: str = "t.csv", **data: Any) -> Project:
    raw = {"name": "p", "task": "binary_classification", "label": "y"}
    return parse_project({**raw, "data": {"source": source, "split": split, **data}})


@pytest.mark.parametrize(
    ("split", "kind", "hashed", "time"),
    [
        ({}, "hash", [], ""),
        ({"method": "hash"}, "hash", [], ""),
        ({"by": ["a", "b"]}, "group", ["a", "b"], ""),
        ({"method": "group", "by": "a"}, "group", ["a"], ""),
        ({"by_time": "t"}, "time", [], "t"),
        ({"method": "time", "by": ["t"]}, "time", [], "t"),
        ({"method": "time", "by_time": "t"}, "time", [], "t"),
        ({"method": "stratified"}, "stratified", [], ""),
        ({"method": "given", "by": ["s"]}, "given", [], ""),
    ],
)
def test_a_method_and_its_columns_or_the_older_keys_alone(
    split: dict[str, Any], kind: str, hashed: list[str], time: str
) -> None:
    project = parse(split)
    found = project.data.split
    assert (found.kind, found.hashed_columns, found.time_column) == (kind, hashed, time)
    assert parse_project(json.loads(project.to_json())) == project


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"by": ["a"], "by_time": "t"}, "give by or by_time, not both"),
        ({"method": "hash", "by": ["a"]}, "method: hash takes no columns"),
        ({"method": "stratified", "by": ["a"]}, "method: stratified takes no columns"),
        ({"method": "group"}, "method: group needs by"),
        ({"method": "time"}, "needs one column in by, found 0"),
        ({"method": "time", "by": ["a", "b"]}, "needs one column in by, found 2"),
        ({"method": "group", "by_time": "t"}, "by_time is of method: time; method: group takes by"),
        ({"method": "given"}, r"given needs by, .* or \{split\} in source"),
        ({"method": "given", "by": ["a", "b"]}, "takes one column in by, found 2"),
        ({"values": {"train": ["a"]}}, "values are of method: given; method: hash takes no columns"),
        ({"method": "given", "by": "s", "values": {"train": ["a"], "test": "A "}}, "values has 'a' twice"),
        ({"method": "given", "by": "y"}, "data.exclude names the label"),
        ({"method": "random"}, "'hash', 'group', 'time', 'stratified'"),
    ],
)
def test_wrong_combinations_are_refused_with_what_is_allowed(split: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(split)


@pytest.mark.parametrize("split", [{}, {"method": "given", "by": "s"}])
def test_splits_in_the_source_need_their_method(split: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"source has \{split\}: set split to \{method: given\}, without by"):
        parse(split, "{split}.csv")
    assert parse({"method": "given"}, "{split}.csv").data.split.kind == "given"


def test_the_column_of_given_splits_is_left_out_with_its_reason() -> None:
    data = parse({"method": "given", "by": "s"}, exclude=["id"]).data
    assert data.exclude == ["id", "s"] and data.exclusion_reasons == {"s": "names the split of each row"}
