"""Labels that come before the hour of their answer is closed: they wait, and the report says until when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from components._core.errors import DataError
from tests.components.feedback.made import NOON, Place, request

NOW = NOON + timedelta(hours=1, minutes=30)
OPEN = NOON + timedelta(hours=1)
CLOSED_AT = NOON + timedelta(hours=2, minutes=10)


def _place(tmp_path: Path, *, known: str = "", open_ids: range = range(100, 150)) -> Place:
    """A closed hour with 50 answers, an open one with 50 others, and labels of those in the open one."""
    place = Place(tmp_path, labels={"time": "known"} if known else {})
    place.write_log([request(number) for number in range(50)])
    place.write_log([request(number, OPEN) for number in open_ids], hour=OPEN)
    extra = {"known": known} if known else {}
    place.write_labels([{"request": f"r{number}", "outcome": 1, **extra} for number in range(100, 150)])
    return place


@pytest.mark.parametrize("known", ["", "2026-01-10T13:20:00Z", "2026-01-10"])
def test_the_first_labels_of_an_open_hour_wait_until_it_is_closed(tmp_path: Path, known: str) -> None:
    place = _place(tmp_path, known=known)
    report = place.run(NOW)
    assert report.span is None and report.counts["waiting"] == 50 and not report.counts["unknown"]
    assert report.waits_until == CLOSED_AT
    early = place.run(CLOSED_AT - timedelta(minutes=1))
    assert early.counts["waiting"] == 50 and early.waits_until == CLOSED_AT
    late = place.run(CLOSED_AT)
    assert late.rows == 50 and late.waits_until is None and not late.counts["waiting"]


def test_ids_of_both_sides_are_shown_while_none_has_been_found(tmp_path: Path) -> None:
    report = _place(tmp_path).run(NOW)
    assert report.strangers == (["r100", "r101", "r102"], ["r0", "r1", "r2"])


@pytest.mark.parametrize("known", ["", "2026-01-10"])
def test_a_wrong_column_is_refused_when_the_hour_is_closed_at_the_latest(tmp_path: Path, known: str) -> None:
    place = _place(tmp_path, known=known, open_ids=range(200, 250))
    if known:
        with pytest.raises(DataError, match=r"50 of 50 labels have an id that no logged answer has"):
            place.run(NOW)
    else:
        assert place.run(NOW).counts["waiting"] == 50
    with pytest.raises(DataError, match=r"50 of 50 labels have an id that no logged answer has"):
        place.run(CLOSED_AT)


def test_with_nothing_logged_in_an_open_hour_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(50)])
    place.write_labels([{"request": f"x{number}", "outcome": 1} for number in range(50)])
    with pytest.raises(DataError, match=r"50 of 50 labels"):
        place.run(NOON + timedelta(hours=2, minutes=5))
