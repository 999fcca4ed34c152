"""Checks of the service when the log has a share of the requests, and when there are few."""

from __future__ import annotations

import pytest

from components._core.monitoring.counts import Counts
from components._core.monitoring.reference import MonitoringReference
from components._core.project.monitor_config import Monitor
from components.monitor.service_checks import check_coverage, check_errors, check_volume

REFERENCE = MonitoringReference("rows", (), {})


def test_dropped_requests_are_set_against_those_that_should_be_logged():
    found = check_coverage(Counts(requests=1_000, represented=100_000.0, dropped=1_000), 0, REFERENCE).check
    assert (found.status, found.measured) == ("warn", 0.5)


def test_dropped_requests_count_in_the_volume_by_the_share_that_is_logged():
    before = [Counts(requests=1_000, represented=100_000.0)] * 4
    found = check_volume(Counts(requests=300, represented=30_000.0, dropped=700), before).check
    assert (found.status, found.measured, found.baseline) == ("pass", 100_000, 100_000)
    assert check_volume(Counts(dropped=70), [Counts(requests=70, represented=70.0)] * 2).check.status == "pass"


@pytest.mark.parametrize(
    ("answers", "refused", "status"),
    [(10, 1, "pass"), (1_000, 45, "pass"), (900, 100, "fail"), (10, 5, "fail"), (0, 1, "fail")],
)
def test_refusals_alarm_above_the_bound_and_not_by_chance(answers: int, refused: int, status: str):
    counts = Counts(requests=answers, represented=float(answers), errors={"bad": refused})
    assert check_errors(counts, Monitor()).check.status == status


def test_any_refusal_is_too_many_where_none_is_allowed():
    counts = Counts(requests=10, represented=10.0, errors={"bad": 1})
    assert check_errors(counts, Monitor(max_error_share=0.0)).check.status == "fail"


def test_the_share_of_refusals_is_that_of_all_requests_that_were_asked():
    counts = Counts(requests=100, represented=1_000.0, dropped=100, errors={"bad": 500})
    assert check_errors(counts, Monitor()).check.measured == pytest.approx(500 / 2_500)
