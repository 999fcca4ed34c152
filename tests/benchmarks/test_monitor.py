"""What the monitors' benchmark makes of its counts."""

from __future__ import annotations

import pytest

from benchmarks.monitor import broken_bounds, make_table, summarise, wilson

NAMES = ("naru", "evidently", "nannyml")


def counted() -> dict[str, object]:
    days = {"1": {"naru": 4, "evidently": 18, "nannyml": 12}, "7": {"naru": 0, "evidently": 6, "nannyml": 0}}
    power = {
        "naru": {"others": 2, "seen": {"a": 4, "b": 3}},
        "evidently": {"others": 7, "seen": {"a": 4, "b": 0}},
        "nannyml": {"others": 0, "seen": {"a": 4, "b": 2}},
    }
    half = {name: {"others": 0, "seen": dict.fromkeys("ab", 1)} for name in NAMES}
    quiet, shifted = {"naru": 100, "evidently": 20, "nannyml": 20}, dict.fromkeys(NAMES, 4)
    null = {size: {"naru": 1, "evidently": 20, "nannyml": 0} for size in ("100", "1000", "10000")}
    found = {
        name: {"windows": quiet, "alarms": alarms}
        for name, alarms in (("null", null), ("days", days), ("weather", days))
    }
    for name, alarms in (("power", power), ("details-power", half)):
        found[name] = {"windows": shifted, "alarms": alarms}
    cost = {"1 million": {"seconds": 25.0, "peak_mib": 500.0}, "10 million": {"seconds": 1.0, "peak_mib": 505.0}}
    return {**found, "cost": cost}


def test_shares_are_of_the_windows_that_each_monitor_judged():
    found = summarise(counted())
    assert (found["false_alarms_day"], found["false_alarms_day_evidently"]) == (0.04, 0.9)
    assert (found["null_100"], found["null_100_evidently"]) == (0.01, 1.0)
    assert (found["power"], found["power_evidently"], found["power_nannyml"]) == (0.875, 0.5, 0.75)
    assert found["other_columns"] == 0.25 and found["details_power"] == 0.25
    low, high = found["intervals"]["false_alarms_day"]
    assert low < 0.04 < high


@pytest.mark.parametrize(("hits", "of", "expected"), [(0, 100, [0.0, 0.037]), (5, 10, [0.2366, 0.7634])])
def test_intervals_are_wilsons(hits: int, of: int, expected: list[float]):
    assert wilson(hits, of) == expected


def test_each_bound_that_is_broken_is_named():
    found = summarise(counted())
    assert found["rss_10m_over_1m"] == 1.01
    assert broken_bounds(found) == ["other_columns is 0.25, at most 0.05", "seconds_per_million is 25.0, at most 20.0"]
    worse = {**found, "seconds_per_million": 1.0, "other_columns": 0.0, "power": 0.7, "power_nannyml": 0.75}
    assert broken_bounds(worse) == ["power is 0.7, nannyml has 0.75"]
    assert "flights, a day" in make_table(found)
    others = {
        **found,
        "seconds_per_million": 1.0,
        "other_columns": 0.0,
        "weather_false_alarms_week": 0.03,
        "details_power": 0.2,
    }
    assert broken_bounds(others) == [
        "weather_false_alarms_week is 0.03, at most 0.02",
        "details_power is 0.2, evidently has 0.25",
        "details_power is 0.2, nannyml has 0.25",
    ]


def test_what_is_not_measured_is_no_bound_that_holds():
    found = summarise({"days": counted()["days"]})
    assert "power is not measured" in broken_bounds(found) and "seconds_per_million is not measured" in broken_bounds(
        found
    )
