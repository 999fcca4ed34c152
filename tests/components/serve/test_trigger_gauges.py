"""The log of triggers at /metrics, as the watcher writes it: how often and when what was decided, and what happens when it cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from components._core.errors import UnavailableError
from components._core.store.store_addresses import triggers_folder
from components.serve import trigger_gauges
from components.serve.prometheus_metrics import Metrics
from components.serve.trigger_gauges import MOST_RECORDS, MOST_SERIES, TriggerGauges
from components.watch.decide import decide
from components.watch.records import Cause, Record, append_record, format_time, open_records, read_history
from components.watch.state import SpanSet
from tests.components.watch.made import made_state, spans

Found = dict[str, dict[tuple[str, str, str, str], float]]
NOW = datetime.now(UTC)
DATA, WORSE = ("data", "new_data"), ("worse", "performance")
DATA_TRIGGER = {"name": "data", "new_data": {"settle": "0s"}}


class Log:
    """A log of triggers in a folder, and what a server shows of it."""

    def __init__(self, store: Path) -> None:
        self.log = open_records(str(store), "tiny")
        self.folder = store / "tiny" / "triggers"
        self.gauges = TriggerGauges(triggers_folder(str(store), "tiny"))

    def write(self, state: str, *causes: tuple[str, str], hours: float = 1.0, **more: str) -> str:
        """Write a record of some hours ago; returns its name."""
        found = tuple(Cause(f"{name}-{hours}", kind, name, "what") for name, kind in causes)
        return append_record(self.log, Record(state, format_time(NOW - timedelta(hours=hours)), found, **more))  # type: ignore[arg-type]

    def run(self, *causes: tuple[str, str], hours: float = 1.0, **end: str) -> None:
        """Write a decision with its start and its end."""
        decision = self.write("claimed", *causes, hours=hours)
        self.write("started", hours=hours, decision=decision)
        self.write("ended", hours=hours - 0.5, decision=decision, **end)

    def shown(self) -> Found:
        """Values by labels, by metric."""
        self.gauges.update()
        metrics = Metrics("tiny", "3")
        metrics.add_collector(self.gauges)
        found: Found = {}
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
            for sample in family.samples:
                key = tuple(sample.labels.get(name, "") for name in ("trigger", "kind", "state", "reason"))
                found.setdefault(sample.name, {})[key] = sample.value  # type: ignore[index]
        return found


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def age_of(hours: float) -> float:
    """Seconds since a record that was written some hours ago, as `Log.write` dates it."""
    return (datetime.now(UTC) - NOW).total_seconds() + hours * 3_600


def alone(found: Found, name: str) -> float:
    return found[f"naru_trigger_{name}"]["", "", "", ""]


def test_each_trigger_has_its_records_of_a_week_by_what_they_say_and_why_and_the_age_of_the_newest(log: Log) -> None:
    log.write("seen", DATA, hours=400)
    log.write("held", DATA, hours=200, reason="quiet")
    log.write("held", DATA, hours=30, reason="cooldown")
    log.write("held", DATA, hours=5, reason="cooldown")
    log.write("refused", WORSE, hours=4, reason="invariant")
    log.write("notice", ("", "invariant"), hours=4, reason="invariant")
    log.run(DATA, WORSE, hours=3, verdict="succeeded", promoted="7")
    log.run(DATA, hours=2, verdict="failed")
    found = log.shown()
    assert found["naru_trigger_records"] == {
        (*DATA, "held", "quiet"): 0,
        (*DATA, "held", "cooldown"): 2,
        (*WORSE, "refused", "invariant"): 1,
        ("", "invariant", "notice", "invariant"): 1,
        (*DATA, "claimed", ""): 2,
        (*WORSE, "claimed", ""): 1,
        (*DATA, "ended", "promoted"): 1,
        (*WORSE, "ended", "promoted"): 1,
        (*DATA, "ended", "failed"): 1,
    }
    ages = found["naru_trigger_record_age_seconds"]
    assert ages[*DATA, "held", "cooldown"] == pytest.approx(age_of(5), abs=60)
    assert ages[*DATA, "held", "quiet"] == pytest.approx(age_of(200), abs=60)
    assert alone(found, "runs_in_flight") == 0 and alone(found, "read_failures_total") == 0


def test_a_run_is_in_flight_until_its_end_is_recorded(log: Log) -> None:
    decision = log.write("claimed", DATA)
    assert alone(log.shown(), "runs_in_flight") == 1
    log.write("ended", decision=decision, verdict="succeeded")
    assert alone(log.shown(), "runs_in_flight") == 0


def _reset(log: Log) -> None:
    log.write("reset")


def _promotes(log: Log) -> None:
    log.run(("asked", "demand"), verdict="succeeded", promoted="8")


def _starts_again(log: Log) -> None:
    log.write("claimed", WORSE)


@pytest.mark.parametrize("closes", [_reset, _promotes, _starts_again])
def test_the_breaker_is_open_until_it_is_reset_a_version_is_promoted_or_a_trigger_starts_a_run_again(
    log: Log, closes: Callable[[Log], None]
) -> None:
    assert alone(log.shown(), "breaker_open") == 0
    log.write("notice", ("", "breaker"), reason="breaker")
    log.write("refused", WORSE, reason="breaker")
    log.run(("asked", "demand"), verdict="succeeded")
    assert alone(log.shown(), "breaker_open") == 1, "a demand passes an open breaker"
    closes(log)
    assert alone(log.shown(), "breaker_open") == 0


def test_a_source_is_away_until_a_record_says_otherwise_however_long_ago_it_was_found_so(log: Log) -> None:
    log.write("held", DATA, hours=400, reason="source")
    log.write("held", ("other", "new_data"), hours=300, reason="source")
    log.write("held", ("third", "new_data"), hours=200, reason="source")
    log.write("held", ("other", "new_data"), hours=100, reason="quiet")
    log.write("seen", ("third", "new_data"), hours=90, reason="first look")
    away = ("data", "", "", ""), ("other", "", "", ""), ("third", "", "", "")
    assert log.shown()["naru_trigger_source_unreadable"] == dict.fromkeys(away, 1)
    log.write("seen", DATA, reason="readable")
    log.write("seen", ("other", "new_data"), reason="unwatched")
    log.write("claimed", ("third", "new_data"), WORSE)
    assert log.shown()["naru_trigger_source_unreadable"] == dict.fromkeys(away, 0)
    log.write("held", DATA, reason="source")
    assert log.shown()["naru_trigger_source_unreadable"] == {away[0]: 1, away[1]: 0, away[2]: 0}


def test_the_gauge_of_a_source_follows_what_the_decisions_record(log: Log) -> None:
    state, away = made_state([DATA_TRIGGER]), replace(spans(), error="no file matches")

    def look(hours: float, sources: SpanSet) -> float:
        seen = replace(state, history=read_history(log.log), sources={"data": sources})
        for record in decide(seen, NOW + timedelta(hours=hours)):
            append_record(log.log, record)
        return log.shown()["naru_trigger_source_unreadable"]["data", "", "", ""]

    assert [look(hour, away) for hour in (0, 5, 200)] == [1, 1, 1]
    assert look(201, spans("1")) == 0
    assert look(202, away) == 1


def test_the_end_of_a_run_has_the_triggers_of_a_decision_that_is_older_than_all_that_is_looked_at(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger_gauges, "MOST_RECORDS", 3)
    decision = log.write("claimed", WORSE, hours=50)
    for _ in range(4):
        log.write("held", DATA, reason="quiet")
    log.write("ended", decision=decision, verdict="failed")
    found = log.shown()
    assert found["naru_trigger_records"][*WORSE, "ended", "failed"] == 1
    assert found["naru_trigger_records"][*DATA, "held", "quiet"] == 2


def test_records_are_read_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(uri: str, limit: int) -> bytes | None:
        read.append(uri)
        return Path(uri).read_bytes()

    monkeypatch.setattr(trigger_gauges, "read_bytes", counted)
    for number in range(5):
        log.write("held", DATA, reason=f"r{number}")
    log.shown()
    log.write("held", DATA, reason="last")
    log.shown()
    log.shown()
    assert len(read) == 6


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"state": "held", "at": 7}', "[" * 100_000])
def test_a_damaged_record_is_counted_once_and_hides_no_other(log: Log, content: str) -> None:
    log.write("held", DATA, reason="quiet")
    (log.folder / "000007-0199c3a1b2c4d5e6f7a8b9c0.json").write_text(content)
    log.shown()
    log.write("held", WORSE, reason="quiet")
    found = log.shown()
    assert set(found["naru_trigger_records"]) == {(*DATA, "held", "quiet"), (*WORSE, "held", "quiet")}
    assert alone(found, "read_failures_total") == 1


def test_a_store_that_is_away_leaves_the_last_numbers_and_counts(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write("held", DATA, reason="quiet")
    before = log.shown()["naru_trigger_records"]

    def away(_: str) -> list[str]:
        raise UnavailableError("the object store failed", where="s3://naru")

    monkeypatch.setattr(trigger_gauges, "list_names", away)
    found = log.shown()
    assert found["naru_trigger_records"] == before and alone(found, "read_failures_total") == 1


def test_a_project_without_a_log_of_triggers_shows_no_records_and_no_failure(log: Log) -> None:
    found = log.shown()
    assert "naru_trigger_records" not in found and alone(found, "read_failures_total") == 0


def test_thousands_of_records_are_bounded_in_what_is_read_and_shown(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_RECORDS < 2_000
    names = [f"{number:06d}-0199c3a1b2c4{number:012x}.json" for number in range(1, 2_000)]
    monkeypatch.setattr(trigger_gauges, "list_names", lambda _: names)

    def read(uri: str, _: int) -> bytes:
        number = int(uri[-8:-5], 16)
        at = (NOW - timedelta(hours=1) + timedelta(seconds=number)).isoformat()
        return json.dumps({"state": "held", "at": at, "causes": [{"name": f"t{number}", "kind": "schedule"}]}).encode()

    monkeypatch.setattr(trigger_gauges, "read_bytes", read)
    found = log.shown()
    shown = {int(labels[0].removeprefix("t")) for labels in found["naru_trigger_records"]}
    assert shown == set(range(2_000 - MOST_SERIES, 2_000))
