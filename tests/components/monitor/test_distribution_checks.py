"""Windows of days that share their weather, of which none drifted or one thing did."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from components._core.monitoring.counts import Counts
from components._core.monitoring.feature_bins import count
from components._core.monitoring.reference import MonitoringReference
from components._core.monitoring.reference_builder import build_features
from components._core.types.signature import Feature
from components.monitor.distribution_checks import Policy, WindowBlock, holm, judge_window
from components.monitor.monitor_check import MonitorCheck

FEATURES = [Feature("delay", "float32", True), Feature("carrier", "string", True), Feature("hour", "int64", False)]
MONDAY = 739_000 - (739_000 - 1) % 7
Table = dict[str, list[object]]


def day_rows(day: int, rows: int = 600) -> Table:
    """Rows of a day: its weather moves all delays, its weekday the hours."""
    random = np.random.default_rng(day)
    weather, is_weekend = random.normal(0, 3), (day - 1) % 7 >= 5
    return {
        "delay": list(random.normal(10 + weather, 15, rows)),
        "carrier": random.choice(["UA", "B6", "EV"], rows, p=[0.5, 0.3, 0.2]).tolist(),
        "hour": [int(value) for value in np.clip(random.normal(14 if is_weekend else 11, 3, rows), 5, 22)],
    }


def to_table(rows: Table) -> pa.Table:
    return pa.table({"delay": pa.array(rows["delay"], pa.float64()), "carrier": rows["carrier"], "hour": rows["hour"]})


@pytest.fixture(scope="module")
def reference() -> MonitoringReference:
    return make_reference(range(MONDAY, MONDAY + 70))


def make_reference(days: range, by_day: bool = True) -> MonitoringReference:
    batches = [
        to_table(day_rows(day)).append_column("day", pa.array([day] * 600)).combine_chunks().to_batches()[0]
        for day in days
    ]
    built = build_features(
        lambda: iter(batches),
        600 * len(batches),
        FEATURES,
        (lambda batch: np.asarray(batch["day"])) if by_day else None,
    )
    return MonitoringReference("day" if by_day else "rows", built.days, built.features)


def window(
    reference: MonitoringReference,
    days: list[int],
    change: Callable[[Table], None] = lambda rows: None,
    rows: int = 600,
) -> list[WindowBlock]:
    blocks = []
    for day in days:
        own = day_rows(day, rows)
        change(own)
        table = to_table(own)
        cells = {name: count(column.bins, table[name].combine_chunks()) for name, column in reference.features.items()}
        blocks.append(WindowBlock(day, Counts(rows=rows, requests=rows, cells=cells)))
    return blocks


def alarms(checks: list[MonitorCheck]) -> set[str]:
    return {check.check.name for check in checks if check.alarms}


WEEK = list(range(MONDAY + 700, MONDAY + 707))


def test_weather_alone_alarms_on_few_days_and_on_no_week(reference: MonitoringReference):
    days = range(MONDAY + 700, MONDAY + 800)
    assert sum(bool(alarms(judge_window(reference, window(reference, [day])))) for day in days) <= 5
    weeks = [list(range(day, day + 7)) for day in days[::7]]
    assert sum(bool(alarms(judge_window(reference, window(reference, week)))) for week in weeks) <= 1


def test_a_saturday_is_compared_with_saturdays(reference: MonitoringReference):
    assert "skew: hour" not in alarms(judge_window(reference, window(reference, [MONDAY + 705])))


def test_a_monday_that_looks_like_a_saturday_alarms_with_the_season_and_not_without(reference: MonitoringReference):
    saturday = window(reference, [MONDAY + 705])[0]
    monday = [WindowBlock(MONDAY + 707, saturday.counts)]
    assert "skew: hour" in alarms(judge_window(reference, monday))
    assert "skew: hour" not in alarms(judge_window(reference, monday, Policy(season="none")))


def test_a_share_that_falls_by_half_alarms_with_the_value(reference: MonitoringReference):
    def fewer(rows: Table) -> None:
        rows["carrier"] = [
            "B6" if value == "UA" and place % 2 else value for place, value in enumerate(rows["carrier"])
        ]

    found = judge_window(reference, window(reference, WEEK, fewer))
    assert alarms(found) == {"skew: carrier"}
    check = next(check for check in found if check.alarms)
    assert check.check.status == "fail" and check.calibrated and check.cell is not None
    assert check.cell.name in ("'UA'", "'B6'")
    assert check.cell.expected == pytest.approx(0.5 if check.cell.name == "'UA'" else 0.3, abs=0.02)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [("missing: delay", "delay", math.nan), ("range: delay", "delay", 9_999.0), ("unseen: carrier", "carrier", "ZZ")],
)
def test_two_percent_of_broken_values_break_an_invariant_and_no_distribution(
    reference: MonitoringReference, name: str, column: str, value: object
):
    def breaks(rows: Table) -> None:
        rows[column] = [value if place % 50 == 0 else known for place, known in enumerate(rows[column])]

    found = judge_window(reference, window(reference, WEEK, breaks))
    assert name in alarms(found)
    check = next(check for check in found if check.check.name == name)
    assert check.kind == "invariant" and check.check.measured == pytest.approx(0.02, abs=0.002)


def test_new_values_at_their_usual_rate_move_no_distribution():
    """A fleet: each day has some aircraft that no other day has, and so has the window."""

    def fleet(day: int) -> pa.Table:
        random = np.random.default_rng(day)
        names = [f"N{value}" for value in random.integers(0, 200, 592)]
        return pa.table({"tail": [*names, *(f"D{day}-{place}" for place in range(8))], "day": [day] * 600})

    batches = [fleet(day).to_batches()[0] for day in range(MONDAY, MONDAY + 40)]
    tail = [Feature("tail", "string", False)]
    built = build_features(lambda: iter(batches), 24_000, tail, lambda batch: np.asarray(batch["day"]))
    reference = MonitoringReference("day", built.days, built.features)
    blocks = []
    for day in WEEK:
        cells = {"tail": count(reference.features["tail"].bins, fleet(day)["tail"].combine_chunks())}
        blocks.append(WindowBlock(day, Counts(rows=600, requests=600, cells=cells)))
    assert alarms(judge_window(reference, blocks)) == set()


def test_fewer_than_ten_blocks_are_not_calibrated_and_only_warn():
    reference = make_reference(range(MONDAY, MONDAY + 9))

    def moves(rows: Table) -> None:
        rows["delay"] = [float(value) + 40 for value in rows["delay"]]

    found = {check.check.name: check for check in judge_window(reference, window(reference, WEEK, moves))}
    assert found["skew: delay"].check.status == "warn" and found["skew: delay"].calibrated is False


@pytest.mark.parametrize("days", [4, 6, 9])
def test_weather_alone_alarms_hardly_where_training_has_few_days(days: int):
    few = make_reference(range(MONDAY, MONDAY + days))
    weekdays = [day for day in range(MONDAY + 700, MONDAY + 800) if (day - MONDAY) % 7 < min(days, 5)]
    found = [judge_window(few, window(few, [day])) for day in weekdays]
    assert sum(any(check.alarms for check in checks if check.kind == "skew") for checks in found) <= 2


def test_of_two_days_nothing_is_said_of_distributions():
    two = make_reference(range(MONDAY, MONDAY + 2))
    found = {check.check.name: check.check for check in judge_window(two, window(two, WEEK))}
    assert found["skew: delay"].status == "no_baseline" and "fewer than three days" in found["skew: delay"].reason
    assert found["missing: delay"].status == "pass"


def test_a_small_shift_in_a_direction_in_which_days_do_not_differ_alarms(reference: MonitoringReference):
    """The weather moves all delays of a day by 3 minutes (standard deviation); rounding to tens moves no mean."""

    def rounds(rows: Table) -> None:
        rows["delay"] = [
            round(float(value), -1) if place % 3 == 0 else value for place, value in enumerate(rows["delay"])
        ]

    def moves(rows: Table) -> None:
        rows["delay"] = [float(value) + 1.5 for value in rows["delay"]]

    assert alarms(judge_window(reference, window(reference, WEEK, rounds))) == {"skew: delay"}
    assert alarms(judge_window(reference, window(reference, WEEK, moves))) == set()


def test_a_feature_that_the_model_hardly_uses_only_warns(reference: MonitoringReference):
    def moves(rows: Table) -> None:
        rows["delay"] = [float(value) + 40 for value in rows["delay"]]

    weighed = MonitoringReference(
        "day", reference.days, reference.features, {}, {"delay": 0.005, "carrier": 0.995, "hour": 0}
    )
    for known, status in ((reference, "fail"), (weighed, "warn")):
        found = {check.check.name: check for check in judge_window(known, window(known, WEEK, moves))}
        assert found["skew: delay"].check.status == status


def test_too_few_rows_are_no_silent_pass(reference: MonitoringReference):
    found = judge_window(reference, window(reference, [WEEK[0]], rows=49))
    assert {check.check.status for check in found} == {"no_baseline"}


def test_blocks_of_rows_are_calibrated_without_a_season(reference: MonitoringReference):
    by_rows = make_reference(range(MONDAY, MONDAY + 70), by_day=False)
    found = judge_window(by_rows, window(by_rows, WEEK))
    assert all(check.calibrated for check in found if check.kind == "skew") and not alarms(found)


def test_holm_rejects_step_by_step():
    assert holm({"a": 0.004, "b": 0.02, "c": 0.2}, 0.05) == {"a", "b"}
    assert holm({"a": 0.02, "b": 0.001, "c": 0.03}, 0.05) == {"b", "a", "c"}
    assert holm({"a": 0.02, "b": 0.03, "c": 0.04}, 0.05) == set()
