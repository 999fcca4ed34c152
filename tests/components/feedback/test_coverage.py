"""Coverage by day and decile, against counts by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from components._feedback.coverage import Coverage, by_decile, share_labelled, why_not_final

DAY = datetime(2026, 1, 10, tzinfo=UTC)


def answers(scores: list[float | None], at: datetime = DAY) -> pa.Table:
    times = np.full(len(scores), int(at.timestamp() * 1_000_000))
    return pa.table({"time": times, "score": pa.array(scores, pa.float64())})


def test_rows_are_counted_by_day_and_decile() -> None:
    coverage = Coverage()
    coverage.set_edges(np.arange(100) / 100)
    coverage.add(answers([0.05, 0.95, 0.951, None]), 0)
    coverage.add(answers([0.95]), 1)
    coverage.add(answers([0.5], DAY + timedelta(days=3)), 0)
    found = coverage.mature(DAY + timedelta(days=4), timedelta(days=2))
    assert found[0].tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2] and found[1].tolist() == [0] * 9 + [1]
    assert share_labelled(found) == 0.25 and by_decile(found)[9] == 0.5
    assert Coverage.from_json(coverage.to_json()).to_json() == coverage.to_json()


def test_a_day_is_mature_when_all_of_it_is_older_than_the_wait() -> None:
    coverage = Coverage([0.5] * 9)
    coverage.add(answers([0.1]), 0)
    for hours, count in ((71, 0), (72, 1)):
        assert coverage.mature(DAY + timedelta(hours=hours), timedelta(days=2)).sum() == count
    coverage.forget(DAY + timedelta(days=1))
    assert coverage.days == {}


def test_borders_are_set_again_while_few_answers_were_counted_and_then_stay() -> None:
    coverage = Coverage()
    coverage.set_edges(np.array([0.5, 0.6]))
    coverage.set_edges(np.arange(100) / 100)
    settled = coverage.edges
    assert settled[0] == pytest.approx(0.099)
    coverage.add(answers([0.5] * 1_000), 0)
    coverage.set_edges(np.array([7.0, 8.0]))
    assert coverage.edges == settled


def test_closed_answers_do_not_count_and_none_has_no_share() -> None:
    found = np.zeros((3, 10), np.int64)
    assert share_labelled(found) is None and "no answer is older" in why_not_final(found, 0.8)
    found[:, 0] = (10, 4, 5)
    assert share_labelled(found) == 0.8 and why_not_final(found, 0.8) == ""
    assert why_not_final(found, 0.9).startswith("80.0% of the answers older than feedback.wait have a label")
