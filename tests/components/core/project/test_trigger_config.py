"""The section `triggers`: every form that the documentation shows is read, everything else is refused with what is allowed."""

from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import Project, parse_project
from components._core.project.trigger_config import (
    QuietTime,
    Triggers,
    WindowRule,
    is_quiet,
    parse_quiet,
    parse_windows,
)

SMALLEST = {"name": "p", "task": "binary_classification", "label": "y", "data": {"source": "t.csv", "exclude": ["id"]}}
WHOLE = {
    "limits": {
        "cooldown": "6h",
        "per_day": 4,
        "quiet": ["22:00-06:00", "Sat", "Sun"],
        "timezone": "Europe/Berlin",
        "concurrent": 1,
        "budget": {"run_hours_per_week": 10},
    },
    "breaker": {"runs": 3, "without": "promotion"},
    "on": [
        {"name": "nightly", "schedule": "0 30 3 * * *", "parameters": {"spans": "last 12"}},
        {"name": "data", "new_data": {"spans": 1, "rows": 10000, "settle": "15m"}},
        {"name": "worse", "performance": {"metric": "auc", "drop": 0.02, "windows": "2 of 3"}},
        {"name": "moved", "distribution": {"features": "important", "severity": "fail", "windows": "2 of 3"}},
        {"name": "asked", "demand": {"who": ["ml-lead"]}, "quiet": "ignore", "cooldown": "1h"},
    ],
}


def _parse(**triggers: Any) -> Project:
    return parse_project({**SMALLEST, "triggers": triggers})


def test_the_whole_section_is_read() -> None:
    triggers = _parse(**WHOLE).triggers
    assert [trigger.kind for trigger in triggers.on] == [
        "schedule",
        "new_data",
        "performance",
        "distribution",
        "demand",
    ]
    assert Triggers.model_validate(triggers.model_dump()) == triggers


def test_a_project_without_triggers_has_none_and_stages_never_see_them() -> None:
    assert parse_project(SMALLEST).triggers.on == []
    assert "triggers" not in _parse(**WHOLE).to_json()


@pytest.mark.parametrize(
    ("triggers", "message"),
    [
        ({"on": [{"name": "a"}]}, "needs exactly one kind; found none; allowed: demand, schedule, new_data"),
        ({"on": [{"name": "a", "demand": {}, "new_data": {}}]}, "found demand and new_data"),
        ({"on": [{"name": "a", "new_dat": {}}]}, "triggers.on.0.new_dat: unknown field; did you mean 'new_data'?"),
        ({"on": [{"name": "a", "new_data": {"span": 3}}]}, "new_data.span: unknown field; did you mean 'spans'?"),
        ({"on": [{"name": "a", "new_data": {"settle": 15}}]}, "found 15; must be a text such as 15m"),
        ({"on": [{"name": "a", "new_data": {"settle": "999w"}}]}, "a year at most"),
        ({"on": [{"name": "a", "schedule": "30 3 * * *"}]}, "with five fields"),
        ({"on": [{"name": "a", "performance": {"metric": "rmse"}}]}, "'rmse' is not a metric of a binary_class"),
        ({"on": [{"name": "a", "performance": {"drop": 0}}]}, "performance.drop: found 0"),
        ({"on": [{"name": "a", "distribution": {"windows": "3 of 2"}}]}, "allowed: N of M with 1 <= N <= M"),
        ({"on": [{"name": "a", "distribution": {"features": []}}]}, "allowed: all, important, or a list of feat"),
        ({"on": [{"name": "a", "distribution": {"features": ["y"]}}]}, "'y' is not a feature"),
        ({"on": [{"name": "a", "distribution": {"features": ["id"]}}]}, "'id' is not a feature"),
        ({"on": [{"name": "a", "demand": {}, "parameters": {"champion": "auto"}}]}, "unknown parameter 'champion'"),
        ({"on": [{"name": "a", "demand": {}, "parameters": {"epochs": 0}}]}, "epochs: found 0; allowed: a whole"),
        ({"on": [{"name": "a", "demand": {}, "parameters": {"trials": True}}]}, "trials: found True"),
        ({"on": [{"name": "a", "demand": {}, "parameters": {"spans": "{{workflow.uid}}"}}]}, "a placeholder that"),
        ({"on": [{"name": "a", "demand": {}}, {"name": "a", "demand": {}}]}, "duplicate trigger 'a'"),
        (
            {"on": [{"name": "a", "demand": {}}], "schedules": [{"name": "a", "cron": "0 0 3 * * *"}]},
            "duplicate trigger 'a'",
        ),
        ({"limits": {"cooldown": "6 hours"}}, "allowed: a number with a unit (s, min, h, d, w)"),
        ({"limits": {"quiet": ["22-6"]}}, "allowed: hours as in 22:00-06:00"),
        ({"limits": {"quiet": ["06:00-06:00"]}}, "with different ends"),
        ({"limits": {"quiet": ["00:00-12:00", "12:00-00:00"]}}, "the whole week is quiet"),
        ({"limits": {"timezone": "Berlin"}}, "did you mean 'Europe/Berlin'?"),
        ({"limits": {"budget": {"gpu_hours": 1}}}, "budget.gpu_hours: unknown field"),
        ({"breaker": {"runs": 0}}, "breaker.runs: found 0"),
        ({"breaker": {"without": "gain"}}, "breaker.without: found 'gain'"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(triggers: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        _parse(**triggers)
    assert message in str(error.value)


def test_texts_become_values() -> None:
    assert parse_windows("2 of 3") == WindowRule(2, 3)
    assert parse_quiet("22:30-06:00") == QuietTime(1_350, 360)
    assert parse_quiet("Sun") == QuietTime(weekday=6)


@pytest.mark.parametrize(
    ("weekday", "minute", "quiet"),
    [
        (0, 1_319, False),
        (0, 1_320, True),
        (0, 0, True),
        (0, 359, True),
        (0, 360, False),
        (5, 720, True),
        (4, 720, False),
    ],
)
def test_quiet_times_include_their_start_and_not_their_end(weekday: int, minute: int, quiet: bool) -> None:
    times = [parse_quiet("22:00-06:00"), parse_quiet("Sat")]
    assert is_quiet(times, weekday, minute) is quiet
