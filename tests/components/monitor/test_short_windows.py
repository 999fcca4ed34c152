"""A table whose values depend on the hour of the day, judged in windows of six hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components._core.monitoring.counts import Counts
from components._core.monitoring.feature_bins import count, number_bins
from components._core.monitoring.hours_of_days import count_by_hour, select_hours
from components._core.monitoring.reference import Column, MonitoringReference
from components._core.monitoring.reference_builder import build_features
from components._core.types.signature import Feature
from components.monitor.distribution_checks import Policy
from components.monitor.monitor_check import MonitorCheck
from components.monitor.short_windows import WindowJudge
from components.monitor.time_windows import TimeWindow, VersionHours

FEATURES = [Feature("load", "float32", True), Feature("kind", "string", True)]
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday: training has 42 days from here on."""
SERVED = FIRST + timedelta(days=70)
HOUR, SIX = timedelta(hours=1), timedelta(hours=6)
Rows = dict[str, list[object]]


def rows_of(hour: datetime, rows: int = 60) -> Rows:
    """Rows of an hour: the load rises until noon, at night other kinds come and values are missing; the day's weather moves the load."""
    weather = np.random.default_rng(hour.toordinal()).normal(0, 1)
    random = np.random.default_rng(int(hour.timestamp()))
    is_night = hour.hour < 6
    load = random.normal(30 - abs(hour.hour - 12) * 2 + weather, 4, rows)
    if is_night:
        load[random.random(rows) < 0.1] = np.nan
    return {
        "load": load.tolist(),
        "kind": random.choice(["a", "b", "c"], rows, p=[0.1, 0.2, 0.7] if is_night else [0.6, 0.3, 0.1]).tolist(),
    }


def to_batch(hour: datetime, rows: Rows) -> pa.RecordBatch:
    number = len(rows["load"])
    return pa.RecordBatch.from_pydict({**rows, "day": [hour.toordinal()] * number, "hour": [hour.hour] * number})


def make_reference(by_hour: bool = True, days: int = 42) -> MonitoringReference:
    hours = [FIRST + place * HOUR for place in range(24 * days)]
    batches = [to_batch(hour, rows_of(hour)) for hour in hours]
    built = build_features(
        lambda: iter(batches),
        60 * len(batches),
        FEATURES,
        lambda batch: np.asarray(batch["day"]),
        (lambda batch: np.asarray(batch["hour"])) if by_hour else None,
    )
    scores = pa.concat_arrays([batch["load"] for batch in batches])
    cells = number_bins(np.asarray(scores), "float32", 20)
    blocks = np.repeat(np.arange(days), 24 * 60)
    places, of_hours = cells.places(scores), np.tile(np.repeat(np.arange(24), 60), days)
    counted = count_by_hour(blocks, of_hours, places, (days, 24, cells.size))
    output = Column(cells, counted.sum(axis=1), hours=counted if by_hour else Column(cells, counted[:, 0]).hours)
    return MonitoringReference("day", built.days, built.features, {"score": output}, {}, built.days)


@pytest.fixture(scope="module")
def reference() -> MonitoringReference:
    return make_reference()


@pytest.fixture(scope="module")
def old_reference(reference: MonitoringReference) -> MonitoringReference:
    """The same reference as it was written before hours were counted."""
    features = {name: Column(each.bins, each.blocks, each.novel) for name, each in reference.features.items()}
    outputs = {name: Column(each.bins, each.blocks, each.novel) for name, each in reference.outputs.items()}
    return replace(reference, features=features, outputs=outputs)


def serve(
    reference: MonitoringReference, days: int, change: Callable[[Rows], None] = lambda rows: None
) -> VersionHours:
    """Count rows that were answered, from a week before `SERVED` on: the window before is there."""
    found = {}
    for place in range(-7 * 24, 24 * days):
        hour = SERVED + place * HOUR
        rows = rows_of(hour)
        if place >= 0:
            change(rows)
        batch = to_batch(hour, rows)
        cells = {name: count(column.bins, batch[name]) for name, column in reference.features.items()}
        outputs = {"score": count(reference.outputs["score"].bins, batch["load"])}
        found[hour] = Counts(rows=60, requests=60, cells=cells, outputs=outputs)
    return VersionHours(found)


def judge(reference: MonitoringReference, counted: VersionHours, window: TimeWindow) -> list[MonitorCheck]:
    return WindowJudge(reference, Policy(), window).judge(counted, window)


def alarms(checks: list[MonitorCheck]) -> set[str]:
    return {check.check.name for check in checks if check.alarms}


def windows(days: int, step: int, length: timedelta = SIX) -> list[TimeWindow]:
    begins = [SERVED + place * HOUR for place in range(0, 24 * days - 6, step)]
    return [TimeWindow(begin, begin + length) for begin in begins]


@pytest.mark.slow
def test_windows_of_six_hours_over_two_weeks_raise_no_alarm(reference: MonitoringReference):
    counted = serve(reference, 14)
    found = {window: alarms(judge(reference, counted, window)) for window in windows(14, 7)}
    assert len(found) == 48 and {window.since.hour for window in found} == set(range(24))  # over midnight, too
    assert {window: names for window, names in found.items() if names} == {}


def test_a_window_of_one_hour_is_judged_by_that_hour(reference: MonitoringReference):
    counted = serve(reference, 2)
    found = [judge(reference, counted, window) for window in windows(2, 1, HOUR)]
    assert not any(map(alarms, found))
    assert all(
        check.check.status == "pass" and check.calibrated for each in found for check in each if check.kind == "skew"
    )


@pytest.mark.parametrize("begin", [0, 9, 21])
def test_a_drift_in_six_hours_is_seen(reference: MonitoringReference, begin: int):
    def moves(rows: Rows) -> None:
        rows["load"] = [value + 8 for value in rows["load"]]

    window = TimeWindow(SERVED + begin * HOUR, SERVED + begin * HOUR + SIX)
    found = alarms(judge(reference, serve(reference, 2, moves), window))
    assert {"skew: load", "drift: load", "prediction: score"} <= found and "skew: kind" not in found


def test_what_is_usual_at_night_is_an_alarm_by_day(reference: MonitoringReference):
    def by_night(rows: Rows) -> None:
        rows.update(rows_of(FIRST + timedelta(days=60, hours=2)))

    counted = serve(reference, 1, by_night)
    night, noon = (TimeWindow(SERVED + hour * HOUR, SERVED + hour * HOUR + SIX) for hour in (0, 9))
    assert "skew: kind" not in alarms(judge(reference, counted, night))
    assert {"skew: kind", "missing: load"} <= alarms(judge(reference, counted, noon))


def test_with_a_reference_of_whole_days_a_short_window_has_no_baseline(old_reference: MonitoringReference):
    window = TimeWindow(SERVED, SERVED + SIX)
    found = judge(old_reference, serve(old_reference, 1), window)
    assert not alarms(found)
    by_name = {check.check.name: check.check for check in found}
    for name in ("skew: load", "drift: kind", "prediction: score", "missing: load", "range: load"):
        assert by_name[name].status == "no_baseline" and "24h or more" in by_name[name].reason, name
    assert by_name["unseen: kind"].status == by_name["missing: kind"].status == "pass"


def test_what_no_row_of_training_has_alarms_without_hours_too(old_reference: MonitoringReference):
    def breaks(rows: Rows) -> None:
        rows["kind"] = ["z" if place % 10 == 0 else value for place, value in enumerate(rows["kind"])]

    assert alarms(judge(old_reference, serve(old_reference, 1, breaks), TimeWindow(SERVED, SERVED + SIX))) == {
        "unseen: kind"
    }


@pytest.mark.parametrize("length", [1, 2, 7])
def test_windows_of_whole_days_are_judged_alike_with_and_without_hours(
    reference: MonitoringReference, old_reference: MonitoringReference, length: int
):
    window = TimeWindow(SERVED, SERVED + timedelta(days=length))
    counted = serve(reference, length)
    assert judge(reference, counted, window) == judge(old_reference, counted, window)


def test_hours_that_training_hardly_has_have_no_baseline(reference: MonitoringReference):
    by_day = {}
    for name, column in reference.features.items():
        hours = column.hours.copy()
        hours[2:, :6] = 0
        by_day[name] = replace(column, hours=hours)
    window = TimeWindow(SERVED, SERVED + SIX)
    found = judge(replace(reference, features=by_day), serve(reference, 1), window)
    skew = next(check.check for check in found if check.check.name == "skew: load")
    assert skew.status == "no_baseline" and "00:00 to 06:00 UTC on fewer than three days" in skew.reason


@pytest.mark.parametrize(("first", "length"), [(0, 6), (9, 1), (20, 9), (1, 23)])
def test_selected_hours_are_the_counts_of_their_rows(reference: MonitoringReference, first: int, length: int):
    found = select_hours(reference.features, reference.days, first, length)
    begins = [FIRST + timedelta(days=day, hours=first) for day in range(42)]
    begins = [begin for begin in begins if begin + length * HOUR <= FIRST + timedelta(days=42)]
    assert [date.fromordinal(day) for day in found.days] == [begin.date() for begin in begins]
    for name in ("load", "kind"):
        column = found.columns[name]
        for place in (0, len(begins) - 1):
            own = [begins[place] + hour * HOUR for hour in range(length)]
            values = pa.concat_arrays([to_batch(hour, rows_of(hour))[name] for hour in own])
            assert column.blocks[place].tolist() == count(column.bins, values).tolist()


def test_hours_survive_the_file_and_add_up_to_their_days(reference: MonitoringReference, tmp_path: Path):
    reference.save(tmp_path / "reference.json")
    loaded = MonitoringReference.load(tmp_path / "reference.json")
    for name, column in reference.features.items():
        other = loaded.features[name]
        assert np.array_equal(other.hours, column.hours) and np.array_equal(other.novel_hours, column.novel_hours)
        assert np.array_equal(column.hours.sum(axis=1), column.blocks)
    number = reference.features["load"]
    assert np.array_equal(number.novel_hours.sum(axis=1), number.novel) and number.novel.any()
    assert np.array_equal(loaded.outputs["score"].hours, reference.outputs["score"].hours)
