"""What project.yaml may say of live tests, and what is refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.live_test_config import metric_of
from components._core.project.project_file import Project, parse_project

BASE: dict[str, Any] = {"name": "tiny", "task": "binary_classification", "label": "y", "data": {"source": "t.csv"}}
LABELS: dict[str, Any] = {"feedback": {"endpoint": True}}


def project(serve: dict[str, Any], **others: Any) -> Project:
    return parse_project({**BASE, "serve": {"request_log": {}, **serve}, **others})


def test_without_a_word_a_new_version_takes_over_as_a_canary_and_nothing_is_serialized() -> None:
    plain = parse_project(BASE)
    assert plain.serve.rollout == "canary" and plain.serve.live_test is None
    assert not {"rollout", "shadow", "ab"} & plain.serve.model_dump().keys(), "stages' work is known by this text"


def test_the_section_of_the_mode_is_the_test() -> None:
    assert project({"rollout": "shadow", "shadow": {"requests": 7}}).serve.live_test.requests == 7  # type: ignore[union-attr]
    found = project({"rollout": "ab", "ab": {"effect": 0.02}}, **LABELS).serve.live_test
    assert found is not None and metric_of(found, "binary_classification") == "accuracy"
    assert metric_of(found, "regression") == "mae"


def test_a_rule_that_came_later_is_serialized_only_where_it_is_set() -> None:
    """A version that was tested by an earlier Naru was tested by the same rules, and is not tested again."""
    usual, own = ({"rollout": "shadow", "shadow": rules} for rules in ({}, {"min_compared": 0.9}))
    assert "min_compared" not in project(usual).serve.shadow.model_dump()
    assert project(own).serve.shadow.model_dump()["min_compared"] == 0.9


@pytest.mark.parametrize(
    ("serve", "others", "message"),
    [
        ({"rollout": "mirror"}, {}, "input should be 'canary', 'shadow' or 'ab'"),
        ({"rollout": "ab"}, LABELS, "needs serve.ab with the test that is stated beforehand"),
        ({"rollout": "ab", "ab": {"effect": 0.02}}, {}, "is judged by labels, and there is no section feedback"),
        ({"rollout": "ab", "ab": {"effect": 0.02, "share": 1.5}}, LABELS, "serve.ab.share: found 1.5"),
        ({"rollout": "ab", "ab": {"effect": 0}}, LABELS, "serve.ab.effect"),
        ({"rollout": "ab", "ab": {"effect": 0.02, "power": 0.3}}, LABELS, "serve.ab.power: found 0.3"),
        (
            {"rollout": "ab", "ab": {"effect": 0.02, "metric": "auc"}},
            LABELS,
            "no mean over rows.*allowed here: accuracy",
        ),
        ({"rollout": "ab", "ab": {"effect": 0.02, "metric": "acuracy"}}, LABELS, "is not a metric of a binary"),
        ({"rollout": "ab", "ab": {"effect": 0.02, "metric": "log_loss"}}, LABELS, "log_loss needs serve.ab.spread"),
        ({"rollout": "ab", "ab": {"effect": 0.02, "key": "y"}}, LABELS, "serve.ab.key: 'y' is not a feature"),
        (
            {"rollout": "ab", "ab": {"effect": 0.02, "key": "who"}, "request_log": {"mask": ["who"]}},
            LABELS,
            "'who' is in serve.request_log.mask",
        ),
        (
            {"rollout": "ab", "ab": {"effect": 0.02}},
            {"feedback": {"labels": {"source": "l.csv", "key": ["day"]}}},
            "joins labels with answers by their id",
        ),
        ({"rollout": "shadow", "request_log": None}, {}, "needs serve.request_log"),
        ({"rollout": "shadow", "shadow": {"share": 0}}, {}, "serve.shadow.share: found 0"),
        ({"rollout": "shadow", "shadow": {"labels": 50}}, {}, "serve.shadow.labels waits for labels"),
        ({"rollout": "shadow", "shadow": {"deadline": "soon"}}, {}, "serve.shadow.deadline: found 'soon'"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_what_to_do(
    serve: dict[str, Any], others: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        project(serve, **others)
