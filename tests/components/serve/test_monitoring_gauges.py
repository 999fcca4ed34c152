"""The monitor's newest result at /metrics: its numbers, their age, and what happens when it cannot be read."""

from __future__ import annotations

import logging
import math
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from components._core.errors import UnavailableError
from components._core.monitoring.result_files import LARGEST_RESULT
from components.serve import monitoring_gauges
from components.serve.monitoring_gauges import MOST_CHECKS, MonitoringGauges
from components.serve.prometheus_metrics import Metrics
from tests.components.monitor.result_files import check, section, served, write_result

NOW = datetime.now(UTC)
UNTIL = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
Found = dict[str, dict[tuple[tuple[str, str], ...], float]]


def exported(gauges: MonitoringGauges) -> Found:
    """Values by labels, by metric, as a Prometheus reads them."""
    metrics = Metrics("tiny", "3")
    metrics.add_collector(gauges)
    found: Found = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def age_of(moment: datetime) -> float:
    """Seconds since a time."""
    return (datetime.now(UTC) - moment).total_seconds()


def labels(name: str, kind: str, feature: str = "", source: str = "server") -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"check": name, "kind": kind, "feature": feature, "source": source}.items()))


def test_each_check_of_the_served_version_is_a_gauge_with_its_bound_and_an_age(tmp_path: Path) -> None:
    own = section(
        "3",
        UNTIL,
        check("skew: delay", "skew", "fail", "delay", measured=0.21, threshold=0.1),
        check("missing: month", "invariant", "warn", "month", measured=0.02),
        check("volume", "volume", "no_baseline"),
        performance=[
            served("final", 0.88, UNTIL - timedelta(days=9)),
            served("final", 0.87, UNTIL - timedelta(days=8)),
            served("partial", None, UNTIL),
        ],
    )
    batch = section("3", UNTIL, check("skew: delay", "skew", feature="delay"), rows=50, source="batch")
    write_result(tmp_path, NOW, own, batch=[batch])
    gauges = MonitoringGauges(str(tmp_path), "3")
    gauges.update()
    found = exported(gauges)
    assert found["naru_monitor_status"] == {
        labels("skew: delay", "skew", "delay"): 2,
        labels("missing: month", "invariant", "month"): 1,
        labels("volume", "volume"): -1,
        labels("skew: delay", "skew", "delay", "batch"): 0,
    }
    assert found["naru_monitor_measured"][labels("skew: delay", "skew", "delay")] == 0.21
    assert found["naru_monitor_threshold"] == {labels("skew: delay", "skew", "delay"): 0.1}
    assert found["naru_monitor_alarms"][("severity", "fail"), ("source", "server")] == 1
    assert found["naru_monitor_rows"] == {(("source", "server"),): 700, (("source", "batch"),): 50}
    final, partial = (("state", "final"),), (("state", "partial"),)
    assert found["naru_monitor_metric"] == {final: 0.87}, (
        "the newest final window; a partial one without labels has none"
    )
    assert found["naru_monitor_metric_low"][final] == pytest.approx(0.86)
    assert found["naru_monitor_label_coverage"] == {final: 0.857, partial: 0.857}
    passed = age_of(UNTIL)
    assert found["naru_monitor_window_age_seconds"][()] == pytest.approx(passed, abs=30)
    assert found["naru_monitor_result_age_seconds"][()] == pytest.approx(age_of(NOW), abs=30)


def test_a_canary_exports_its_own_section_and_never_the_champions(tmp_path: Path) -> None:
    champion = section("2", UNTIL, check("skew: delay", "skew", "fail", "delay"))
    canary = section("3", UNTIL - timedelta(hours=1), check("skew: delay", "skew", "pass", "delay"))
    write_result(tmp_path, NOW, champion, other_versions=[canary])
    gauges = MonitoringGauges(str(tmp_path), "3")
    gauges.update()
    assert exported(gauges)["naru_monitor_status"] == {labels("skew: delay", "skew", "delay"): 0}


def test_a_version_without_requests_shows_an_infinite_age_and_no_numbers(tmp_path: Path) -> None:
    write_result(tmp_path, NOW, section("2", UNTIL, check("volume", "volume")))
    gauges = MonitoringGauges(str(tmp_path), "3")
    assert exported(gauges)["naru_monitor_result_age_seconds"][()] == math.inf, "nothing was read yet"
    gauges.update()
    found = exported(gauges)
    assert found["naru_monitor_window_age_seconds"][()] == math.inf and "naru_monitor_status" not in found
    assert found["naru_monitor_result_age_seconds"][()] == pytest.approx(age_of(NOW), abs=30)


def test_the_newest_run_that_has_ended_counts(tmp_path: Path) -> None:
    gauges = MonitoringGauges(str(tmp_path), "3")
    for hours, status in ((3, "fail"), (2, "warn")):
        write_result(tmp_path, NOW - timedelta(hours=hours), section("3", UNTIL, check("volume", "volume", status)))
    (tmp_path / "runs" / f"{NOW:%Y%m%dT%H%M%SZ}-0a0a0a0a").mkdir()
    gauges.update()
    assert exported(gauges)["naru_monitor_status"] == {labels("volume", "volume"): 1}
    write_result(tmp_path, NOW, section("3", UNTIL, check("volume", "volume")))
    gauges.update()
    assert exported(gauges)["naru_monitor_status"] == {labels("volume", "volume"): 0}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"at": 7}',
        "[" * 100_000,
        " " * (LARGEST_RESULT + 1),
        '{"at": "2026-01-31", "version": "3", "window": {"until": 3}}',
    ],
    ids=["cut", "a list", "empty", "no time", "deep", "large", "no end"],
)
def test_a_result_that_cannot_be_read_keeps_the_last_numbers_with_their_age(tmp_path: Path, content: str) -> None:
    gauges = MonitoringGauges(str(tmp_path), "3")
    before = NOW - timedelta(hours=5)
    write_result(tmp_path, before, section("3", UNTIL, check("volume", "volume", "fail")))
    gauges.update()
    write_result(tmp_path, NOW, section("3", UNTIL)).write_text(content)
    gauges.update()
    found = exported(gauges)
    assert found["naru_monitor_status"] == {labels("volume", "volume"): 2}
    assert (
        found["naru_monitor_result_age_seconds"][()] >= 5 * 3_600 and found["naru_monitor_read_failures_total"][()] == 1
    )


def test_a_store_that_is_away_is_logged_once_and_counted_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: str) -> list[str]:
        raise UnavailableError("the object store failed", where="s3://naru")

    monkeypatch.setattr(monitoring_gauges, "list_names", away)
    gauges = MonitoringGauges(str(tmp_path), "3")
    with caplog.at_level(logging.WARNING, "naru.serve"):
        gauges.update()
        gauges.update()
    assert exported(gauges)["naru_monitor_read_failures_total"][()] == 2 and len(caplog.records) == 1


def test_ten_thousand_checks_of_long_names_are_some_hundred_series_with_the_alarms_first(tmp_path: Path) -> None:
    many = [check(f"skew: {'x' * 500}{number}", "skew", "pass", "x" * 500, importance=0.5) for number in range(5_000)]
    many += [check(f"skew: f{number}", "skew", "pass", f"f{number}") for number in range(5_000)]
    write_result(tmp_path, NOW, section("3", UNTIL, *many, check("type: y", "invariant", "fail", "y")))
    gauges = MonitoringGauges(str(tmp_path), "3")
    gauges.update()
    found = exported(gauges)
    assert found["naru_monitor_status"][labels("type: y", "invariant", "y")] == 2
    assert len(found["naru_monitor_status"]) <= MOST_CHECKS
    assert found["naru_monitor_checks_left_out"][()] == 10_001 - MOST_CHECKS
    assert max(len(text) for found_labels in found["naru_monitor_status"] for _, text in found_labels) <= 120


@pytest.mark.parametrize(("name", "shown"), [('a"b\\\nc', 'a"b\\\nc'), ("half \ud83d", "half ?")])
def test_a_scrape_survives_any_name_of_a_column(tmp_path: Path, name: str, shown: str) -> None:
    write_result(tmp_path, NOW, section("3", UNTIL, check(name, "skew", "fail", name)))
    gauges = MonitoringGauges(str(tmp_path), "3")
    gauges.update()
    assert exported(gauges)["naru_monitor_status"] == {labels(shown, "skew", shown): 2}


def test_a_scrape_never_waits_for_a_read_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, release = threading.Event(), threading.Event()

    def hang(_: str) -> list[str]:
        begun.set()
        release.wait(60)
        return []

    monkeypatch.setattr(monitoring_gauges, "list_names", hang)
    gauges = MonitoringGauges(str(tmp_path), "3")
    with gauges.kept_up_to_date():
        assert begun.wait(60)
        assert exported(gauges)["naru_monitor_result_age_seconds"][()] == math.inf
    assert not release.is_set(), "the end did not wait either"
    release.set()
