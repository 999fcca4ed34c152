"""`serve.optimize` has short forms and bounds; what is wrong is refused with what is allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.optimize_config import Optimize
from components._core.project.project_file import Project, parse_project

BASE = {"name": "x", "task": "regression", "label": "y", "data": {"source": "t.csv"}}


def parse(optimize: Any) -> Project:
    return parse_project({**BASE, "serve": {"optimize": optimize}})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("off", None),
        ("auto", Optimize()),
        (["int8"], Optimize(variants=["int8"])),
        ({"max_difference": 0.1}, Optimize(max_difference=0.1)),
        ({"variants": ["folded", "int8"], "min_speedup": 1.5}, Optimize(variants=["folded", "int8"], min_speedup=1.5)),
    ],
)
def test_short_and_long_forms(written: Any, meant: Optimize | None) -> None:
    found = parse(written).serve.optimize
    assert found == meant
    again = parse_project(json.loads(parse(written).to_json()))
    assert again.serve.optimize == meant


def test_a_project_without_it_is_the_text_that_it_was() -> None:
    assert "optimize" not in parse("off").to_json() and parse("off").to_json() == parse_project(BASE).to_json()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (True, r"serve\.optimize: found True; must be off, auto, a list of variants"),
        ("int8", r"serve\.optimize: found 'int8'; must be off, auto, a list of variants as in \[int8\]"),
        ([], r"serve\.optimize\.variants: found \[\]; must be auto, or a list"),
        ([3], r"serve\.optimize\.variants: found \[3\]; must be auto, or a list"),
        (["int8", "int8"], r"serve\.optimize\.variants: names 'int8' twice"),
        ({"variants": "all"}, r"serve\.optimize\.variants: found 'all'; must be auto, or a list"),
        ({"max_difference": 2}, r"serve\.optimize\.max_difference: found 2; .*less than or equal to 1"),
        ({"max_changed_classes": -1}, r"serve\.optimize\.max_changed_classes: found -1; .*greater than or equal to 0"),
        ({"max_metric_loss": True}, r"serve\.optimize\.max_metric_loss: found true; must be a number"),
        ({"min_speedup": 0.5}, r"serve\.optimize\.min_speedup: found 0\.5; .*greater than or equal to 1"),
        ({"max_diff": 0.1}, r"serve\.optimize\.max_diff: unknown field; .*'max_difference'"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(written: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(written)
