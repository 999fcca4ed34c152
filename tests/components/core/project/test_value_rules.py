"""Rules for every value of a project file, whatever its field."""

from __future__ import annotations

from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import parse_project

PROJECT = {"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv"}}


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("data.source", {"data": {"source": "a\0.csv"}}),
        ("label", {"label": "y\0"}),
        ("data.exclude", {"data": {"source": "t.csv", "exclude": ["a", "b\0"]}}),
        ("train.hyperparameters.a", {"train": {"hyperparameters": {"a\0": 1}}}),
        ("serve.request_log.uri", {"serve": {"request_log": {"uri": "s3://b/\0"}}}),
    ],
)
def test_a_nul_is_refused_with_its_path_wherever_it_is(path: str, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_project({**PROJECT, **changed})
    assert raised.value.message.startswith(path) and "NUL" in raised.value.message and "\0" not in str(raised.value)


@pytest.mark.parametrize(("low", "high", "is_right"), [(0.1, 0.9, True), (0.5, 0.5, True), (0.9, 0.1, False)])
def test_a_bound_that_no_value_meets_is_refused(low: float, high: float, is_right: bool) -> None:
    raw = {**PROJECT, "gates": {"model": {"thresholds": {"rmse": {"min": low, "max": high}}}}}
    if is_right:
        parse_project(raw)
        return
    with pytest.raises(ConfigError, match=r"min \(0\.9\) must not be above max \(0\.1\)"):
        parse_project(raw)
