"""When missing, unseen and out-of-range values are more than usual."""

from __future__ import annotations

import numpy as np
import pytest

from components._core.monitoring.counts import Counts
from components._core.monitoring.feature_bins import number_bins
from components._core.monitoring.reference import Column, MonitoringReference
from components.monitor.invariant_checks import judge_invariants, stretch_tail, usual_maximum
from components.monitor.monitor_check import MonitorCheck

BINS = number_bins(np.arange(100.0), "float32")
ROWS = 500


def blocks_with(cell: int, counts: list[int]) -> np.ndarray:
    blocks = np.zeros((len(counts), BINS.size), dtype=np.int64)
    blocks[:, cell] = counts
    blocks[:, 1] = ROWS - np.asarray(counts)
    return blocks


def status(reference: MonitoringReference, cell: int, count: int, name: str, rows: int = ROWS) -> str:
    cells = np.zeros(BINS.size, dtype=np.int64)
    cells[cell], cells[1] = count, rows - count
    found = judge_invariants(reference, [Counts(rows=rows, cells={"x": cells})], 0.01, 50)
    return next(check.check.status for check in found if check.check.name == name)


def test_the_usual_maximum_is_of_stretches_as_long_as_the_window():
    counts, sizes = np.array([0, 10, 0, 0, 0, 0, 0, 0]), np.full(8, 100)
    assert usual_maximum(counts, sizes, 100) == pytest.approx(0.1)
    assert usual_maximum(counts, sizes, 200) == pytest.approx(0.05)


def test_days_that_lose_rows_in_bursts_need_a_larger_burst_than_ever():
    """A tenth of the days lose up to a fifth of the rows; a day that loses a quarter is no wonder, one that loses all is."""
    random = np.random.default_rng(1)
    counts = [int(ROWS * random.uniform(0.05, 0.2)) if day % 10 == 0 else 0 for day in range(60)]
    reference = MonitoringReference("day", (), {"x": Column(BINS, blocks_with(BINS.missing, counts))})
    assert status(reference, BINS.missing, ROWS // 4, "missing: x") == "pass"
    assert status(reference, BINS.missing, ROWS, "missing: x") == "fail"


def test_bursts_of_two_days_are_no_reason_to_alarm_sooner_than_those_of_three() -> None:
    """Of two days the bound of the variance is so large that its gamma distribution has no tail."""
    two, three = np.array([0, 100]), np.array([0, 100, 20])
    tails = [stretch_tail(counts, np.full(len(counts), 5_000), 5_000, 0.04) for counts in (two, three)]
    assert min(tails) > 0.01
    reference = MonitoringReference("day", (), {"x": Column(BINS, blocks_with(BINS.missing, [0, 10]))})
    assert status(reference, BINS.missing, 20, "missing: x") == "pass"
    assert status(reference, BINS.missing, ROWS, "missing: x") == "fail"


def test_a_feature_that_was_never_missing_breaks_with_two_percent():
    reference = MonitoringReference("day", (), {"x": Column(BINS, blocks_with(BINS.missing, [0] * 60))})
    assert status(reference, BINS.missing, ROWS // 50, "missing: x") == "fail"
    assert status(reference, BINS.missing, 1, "missing: x") == "pass"


def test_usual_out_of_range_is_what_each_day_has_beyond_all_others():
    """A record of cold: no row of training lies far beyond its range, which these days are themselves a part of."""
    novel = np.array([0, 60, 0, 40, 0, 0, 90, 0, 20, 0, 0, 0])
    blocks = blocks_with(0, [0] * 12)
    known = MonitoringReference("day", (), {"x": Column(BINS, blocks, novel)})
    unknown = MonitoringReference("day", (), {"x": Column(BINS, blocks)})
    assert status(unknown, 0, ROWS // 10, "range: x") == "fail"
    assert status(known, 0, ROWS // 10, "range: x") == "pass"
    assert status(known, 0, ROWS, "range: x") == "fail"


@pytest.mark.parametrize(("cell", "name"), [(0, "range: x"), (BINS.missing, "missing: x")])
def test_one_day_in_a_week_is_enough_for_what_training_never_has_but_for_a_record(cell: int, name: str):
    reference = MonitoringReference("day", (), {"x": Column(BINS, blocks_with(cell, [0] * 60), np.zeros(60, np.int64))})

    def judge(bad_days: int) -> str:
        days = []
        for day in range(7):
            cells = np.zeros(BINS.size, dtype=np.int64)
            cells[cell], cells[1] = (100, ROWS - 100) if day < bad_days else (0, ROWS)
            days.append(Counts(rows=ROWS, cells={"x": cells}))
        found = judge_invariants(reference, days, 0.01, 50)
        return next(check.check.status for check in found if check.check.name == name)

    assert judge(2) == "fail"
    assert judge(1) == ("pass" if name == "range: x" else "fail")


def test_differences_that_chance_makes_have_no_tail():
    random = np.random.default_rng(2)
    sizes = np.full(100, ROWS)
    assert stretch_tail(np.full(100, 5), sizes, ROWS, 0.02) == 0.0
    assert stretch_tail(np.zeros(100, dtype=int), sizes, ROWS, 0.02) == 0.0
    bursts = np.where(random.random(100) < 0.1, 100, 0)
    assert 0.05 < stretch_tail(bursts, sizes, ROWS, 0.1) < 0.2


def few_days(random: np.random.Generator, features: int, days: int, often: float) -> MonitoringReference:
    """A reference of a few days: each number is out of the range of the other days on some, with up to a third of its rows."""
    columns = {}
    for feature in range(features):
        novel = np.array([day_of_records(random, often) for _ in range(days)])
        columns[f"x{feature}"] = Column(BINS, blocks_with(0, [0] * days), novel)
    return MonitoringReference("day", (), columns)


def day_of_records(random: np.random.Generator, often: float) -> int:
    return int(ROWS * random.uniform(0.02, 0.33)) if random.random() < often else 0


def out_of_range(reference: MonitoringReference, days: list[list[int]]) -> list[MonitorCheck]:
    """The range checks of a window: out-of-range rows of each feature, day by day."""
    counts = []
    for day in days:
        cells = {}
        for name, count in zip(reference.features, day, strict=True):
            cells[name] = np.zeros(BINS.size, dtype=np.int64)
            cells[name][0], cells[name][1] = count, ROWS - count
        counts.append(Counts(rows=ROWS, cells=cells))
    found = judge_invariants(reference, counts, 0.01, 50)
    return [check for check in found if check.check.name.startswith("range")]


@pytest.mark.parametrize("length", [1, 7])
@pytest.mark.parametrize("days", [3, 9])
def test_records_are_usual_where_other_numbers_have_them_and_training_has_few_days(days: int, length: int) -> None:
    """Weather: each day has some number out of the range of all days that training happens to have."""
    random, alarmed = np.random.default_rng([days, length]), 0
    for _ in range(60):
        reference = few_days(random, 8, days, 0.25)
        window = [[day_of_records(random, 0.25) for _ in range(8)] for _ in range(length)]
        alarmed += any(check.alarms for check in out_of_range(reference, window))
    assert alarmed <= 2, "by the days of each number alone a fifth to four fifths of the windows would"


@pytest.mark.parametrize("days", [3, 9])
def test_numbers_out_of_range_of_few_quiet_days_are_a_warning_that_says_that_it_is_not_calibrated(days: int) -> None:
    reference = few_days(np.random.default_rng(1), 4, days, 0.0)
    (own, *others) = out_of_range(reference, [[ROWS // 20, 0, 0, 0]])
    assert (own.check.status, own.calibrated) == ("warn", False)
    assert not [check for check in others if check.alarms]


def test_half_of_the_rows_far_out_of_range_break_a_number_also_where_another_one_counts_the_days() -> None:
    """Flights in the order of their days: 9 blocks, of which one alone has the first days of a month, and delays of 90,000 minutes."""
    reference = few_days(np.random.default_rng(3), 4, 9, 0.0)
    counting = reference.features["x3"]
    reference.features["x3"] = Column(BINS, counting.blocks, np.array([0, 0, 0, 0, ROWS // 2, 0, 0, 0, 0]))
    (broken, *others) = out_of_range(reference, [[ROWS // 2, 0, 0, 0]])
    assert (broken.check.status, broken.calibrated) == ("fail", None)
    assert not [check for check in others if check.alarms]


def test_ten_days_are_judged_by_each_number_alone() -> None:
    reference = few_days(np.random.default_rng(2), 4, 10, 0.25)
    quiet = next(name for name, column in reference.features.items() if not column.novel.any())
    found = out_of_range(reference, [[ROWS // 20 if name == quiet else 0 for name in reference.features]])
    (own,) = [check for check in found if check.feature == quiet]
    assert (own.check.status, own.calibrated) == ("fail", None)
