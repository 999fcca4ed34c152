"""The benchmark of findings about pictures: what it counts, and the bounds it reports."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.pictures.clean_sets import CLEAN_SETS
from benchmarks.pictures.faults import FAULTS, CleanSet, Counted, broken_bounds, clean_file, inject, summary, table
from benchmarks.pictures.measured_examples import measure_file


@pytest.fixture(scope="module")
def drawings() -> CleanSet:
    pictures = CLEAN_SETS["drawings-28"]()[:80]
    return CleanSet("drawings-28", pictures, [measure_file(*clean_file(picture), label) for picture, label in pictures])


@pytest.mark.parametrize("kind", ["misnamed_pictures", "dark_pictures", "duplicate_pictures"])
def test_pictures_with_a_fault_are_added_and_counted(drawings: CleanSet, kind: str) -> None:
    fault = next(fault for fault in FAULTS if fault.kind == kind)
    assert inject(drawings, fault, 60) == Counted(right=3, missed=0, wrong=0)


def test_recall_is_over_the_sets_in_which_a_fault_is_judged_and_every_broken_bound_is_named() -> None:
    counted = {fault.kind: {"scenes-64": Counted(9, 1, 0), "scenes-16": Counted(0, 10, 0)} for fault in FAULTS}
    counted["dark_pictures"] = {"scenes-64": Counted(5, 5, 5), "tiles-40": Counted(0, 10, 0)}
    result = summary(counted, {"scenes-64": Counter({"dark pictures": 2})}, 300, 20)
    assert result["kinds"]["blurred_pictures"]["recall"] == 0.9
    assert (result["kinds"]["dark_pictures"]["precision"], result["kinds"]["dark_pictures"]["recall"]) == (0.5, 0.5)
    broken = " ".join(broken_bounds(result))
    assert "dark_pictures: precision 0.500" in broken and "2 false alarms" in broken and "blurred" not in broken
    assert "from 28 px, not tiles, digits" in table(result)
