"""What starts a run, what holds one back, and what is never said or done twice."""

import random
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from components.watch.causes import find_broken, find_causes
from components.watch.decide import decide
from components.watch.limits import find_breaker
from components.watch.records import Cause, History, Record, format_time, make_key
from tests.components.watch.made import FREE, START, Log, alarms, check, hours, made_state, said, spans, window

DATA = {"name": "data", "new_data": {"settle": "0s"}}
MOVED = {"name": "moved", "distribution": {"windows": "2 of 3"}}
WORSE = {"name": "worse", "performance": {"metric": "auc", "drop": 0.02}}
NIGHTLY = {"name": "nightly", "schedule": "0 30 3 * * *"}
ASKED = {"name": "asked", "demand": {}}


def _requested(name: str = "asked", kind: str = "demand", nonce: str = "n") -> Record:
    cause = Cause(make_key("flights", name, nonce), kind, name, "asked by me", {"nonce": nonce})
    return Record("requested", format_time(START), (cause,), line=f"000000-{nonce}")


def test_a_new_span_starts_a_run_once_and_again_when_another_comes() -> None:
    log = Log()
    state = made_state([DATA], champion="1", champion_spans=frozenset("12"), sources={"data": spans("1", "2")})
    assert said(log.tick(state, START)) == []
    third = replace(state, sources={"data": spans("1", "2", "3")})
    (claimed,) = log.tick(third, START)
    assert claimed.state == "claimed" and claimed.causes[0].what == "new or changed: 3"
    assert claimed.run == f"flights-t{claimed.causes[0].key[:10]}"
    log.end(claimed, START)
    assert said(log.tick(third, START + hours(2))) == []
    fourth = replace(state, sources={"data": spans("1", "2", "3", "4")})
    assert log.tick(fourth, START + hours(3))[-1].causes[0].what == "new or changed: 4"


def test_of_a_champion_whose_spans_are_not_known_only_later_ones_are_new() -> None:
    log = Log()
    state = made_state([DATA], champion="1", champion_spans=None, sources={"data": spans("1", "2")})
    assert said(log.tick(state, START)) == []
    claimed = log.tick(replace(state, sources={"data": spans("1", "2", "3")}), START)[-1]
    assert claimed.causes[0].what == "new or changed: 3"


def test_a_span_whose_content_changed_is_new_data() -> None:
    log = Log()
    state = made_state([DATA], champion="1", champion_spans=frozenset("12"), sources={"data": spans("1", "2")})
    log.tick(state, START)
    corrected = replace(state, sources={"data": spans("1", "2", _1="b")})
    assert log.tick(corrected, START)[-1].causes[0].what == "new or changed: 1"
    assert said(log.tick(corrected, START)) == []


def test_a_repaired_span_runs_again_and_so_does_one_that_is_set_back() -> None:
    log = Log()
    state = made_state([DATA], sources={"data": spans("1")})
    for content in ("a", "b", "a"):
        log.tick(replace(state, sources={"data": spans("1", _1=content)}), START)
        for decision in History(log.records).in_flight:
            log.end(decision.claimed, START)
    # the third state is the first again, and the champion that did not take it is the same: the evidence is not new
    assert len(History(log.records).decisions) == 2
    log.tick(replace(state, sources={"data": spans("1", _1="a")}, champion="2"), START)
    assert len(History(log.records).decisions) == 3


def test_a_rejected_run_is_not_repeated_for_the_same_alarm_and_a_new_champion_expires_it() -> None:
    log = Log()
    state = made_state([MOVED], champion="1", windows=alarms("AA"))
    (claimed,) = log.tick(state, START)
    log.end(claimed, START)
    assert said(log.tick(state, START + hours(2))) == [("refused", "done")]
    for more in ("AAA", "AAAAAAAA", "AAPAPA"):
        assert said(log.tick(replace(state, windows=alarms(more)), START + hours(3))) == []
    (another,) = log.tick(replace(state, windows=alarms("AAPPPAA")), START + hours(4))
    log.end(another, START + hours(4))
    later = replace(state, champion="2", windows=alarms("AA") + alarms("AA", version="2"))
    assert said(log.tick(later, START + hours(5))) == [("claimed", "")]


def test_an_alarm_against_an_earlier_champion_starts_nothing() -> None:
    assert said(decide(made_state([MOVED], champion="2", windows=alarms("AAA")), START)) == []


@pytest.mark.parametrize(
    ("pattern", "state"),
    [("AA", "claimed"), ("APA", "claimed"), ("A", "held"), ("APPA", "held"), ("PP", None), ("ASA", "claimed")],
)
def test_two_of_three_windows_must_alarm(pattern: str, state: str | None) -> None:
    records = decide(made_state([MOVED], champion="1", windows=alarms(pattern)), START)
    assert [record.state for record in records] == ([state] if state else [])


def test_windows_that_overlap_are_one() -> None:
    rolling = [window(day, check("skew: hour", "fail"), length=7) for day in range(6)]
    (held,) = decide(made_state([MOVED], champion="1", windows=rolling), START)
    assert (held.reason, held.why) == ("windows", "hour alarms in 1 of the last 3 windows; 2 are needed")
    rolling.append(window(7, check("skew: hour", "fail"), length=7))
    assert decide(made_state([MOVED], champion="1", windows=rolling), START)[0].state == "claimed"


def test_a_window_that_comes_late_does_not_make_another_cause() -> None:
    log, days = Log(), alarms("AAAPA")
    state = made_state([{"name": "moved", "distribution": {"windows": "1 of 1"}}], champion="1", windows=days[1:3])
    (claimed,) = log.tick(state, START)
    log.end(claimed, START)
    assert said(log.tick(replace(state, windows=days[:3]), START)) == [("refused", "done")]
    assert said(log.tick(replace(state, windows=days), START)) == [("claimed", "")]


@pytest.mark.parametrize("pattern", ["A" * 60, "AP" * 30])
def test_an_alarm_that_outlasts_the_results_that_are_read_is_one_cause(pattern: str) -> None:
    log, days = Log(), alarms(pattern)
    state = made_state([MOVED], champion="1", windows=days[:9])
    (claimed,) = log.tick(state, START)
    log.end(claimed, START)
    assert said(log.tick(state, START)) == [("refused", "done")]
    for end in range(10, 60):
        assert said(log.tick(replace(state, windows=days[end - 9 : end]), START + hours(end))) == []
    after = alarms("A" * 10 + "PPAA")[4:]
    assert said(log.tick(replace(state, windows=after), START + hours(90))) == [("claimed", "")]


def test_data_that_stays_broken_is_told_once_and_again_when_it_breaks_anew() -> None:
    log, days = Log(), alarms("A" * 40 + "PA", name="missing: hour")
    state = made_state([], champion="1", windows=days[:10])
    keys = set()
    for end in range(10, 40):
        log.tick(replace(state, windows=days[end - 10 : end]), START + hours(end))
        keys |= {
            cause.key
            for cause in find_broken(replace(state, history=History(log.records), windows=days[end - 10 : end]))
        }
    assert [record.state for record in log.records] == ["notice"] and keys == {log.records[0].causes[0].key}
    assert said(log.tick(replace(state, windows=days[35:]), START + hours(99))) == [("notice", "invariant")]


@pytest.mark.parametrize("status", ["skipped", "no_baseline", "pass"])
def test_performance_that_is_not_known_or_good_starts_nothing(status: str) -> None:
    known = window(1, check("performance: auc", status, measured=0.89, baseline=0.9))
    assert decide(made_state([WORSE], champion="1", windows=[known]), START) == []


def test_a_drop_of_the_metric_starts_a_run_in_the_direction_of_the_metric() -> None:
    worse = window(1, check("performance: auc", "warn", measured=0.87, baseline=0.9))
    assert decide(made_state([WORSE], champion="1", windows=[worse]), START)[0].state == "claimed"
    loss = {"name": "worse", "performance": {"metric": "log_loss", "drop": 0.02}}
    higher = window(1, check("performance: log_loss", "pass", measured=0.5, baseline=0.4))
    lower = window(1, check("performance: log_loss", "pass", measured=0.3, baseline=0.4))
    assert decide(made_state([loss], champion="1", windows=[higher]), START)[0].state == "claimed"
    assert decide(made_state([loss], champion="1", windows=[lower]), START) == []


def test_estimated_performance_is_never_a_cause() -> None:
    estimate = replace(check("performance: auc", "fail", measured=0.5, baseline=0.9), kind="estimate")
    assert decide(made_state([WORSE], champion="1", windows=[window(1, estimate)]), START) == []


@pytest.mark.parametrize(
    ("trigger", "broken"),
    [
        *(
            (trigger, name)
            for trigger in (MOVED, WORSE)
            for name in ("missing: hour", "range: dep_delay", "type: dep_delay")
        ),
        (MOVED, "unseen: hour"),
    ],
)
def test_broken_data_gives_a_notice_and_no_run(trigger: dict[str, object], broken: str) -> None:
    bad = [
        check("skew: hour", "fail"),
        check("performance: auc", "fail", measured=0.5, baseline=0.9),
        check(broken, "fail"),
    ]
    log = Log()
    state = made_state([trigger], champion="1", windows=[window(day, *bad) for day in range(5)])
    assert said(log.tick(state, START)) == [("notice", "invariant"), ("refused", "invariant")]
    assert broken in log.records[-1].why
    assert said(log.tick(state, START + hours(1))) == []


def test_values_never_seen_are_a_notice_and_a_cause_once_labelled_rows_have_them() -> None:
    unseen = check("unseen: carrier", "fail", importance=0.5)
    known = replace(unseen, learnable=True)
    log = Log()
    before = [window(day, unseen) for day in range(3)]
    assert said(log.tick(made_state([MOVED], champion="1", windows=before), START)) == [("notice", "invariant")]
    after = [*before, window(3, known), window(4, known)]
    found = log.tick(made_state([MOVED], champion="1", windows=after), START + hours(1))
    assert said(found) == [("claimed", "")]
    assert found[0].causes[0].evidence["check"] == "unseen: carrier"
    assert found[0].causes[0].evidence["first"] == format_time(after[3].since)
    assert said(log.tick(made_state([MOVED], champion="1", windows=after), START + hours(2))) == []


def test_values_that_can_be_learned_excuse_no_other_broken_data() -> None:
    known = replace(check("unseen: carrier", "fail"), learnable=True)
    bad = [window(day, known, check("missing: hour", "fail")) for day in range(4)]
    found = said(Log().tick(made_state([MOVED], champion="1", windows=bad), START))
    assert found == [("notice", "invariant"), ("notice", "invariant"), ("refused", "invariant")]


@pytest.mark.parametrize("trigger", [MOVED, WORSE])
def test_values_never_seen_of_another_feature_are_a_notice_and_hold_nothing_back(trigger: dict[str, object]) -> None:
    """A new airport stays new until a run has learned it: it must not keep that run from starting."""
    found = [
        check("skew: hour", "fail"),
        check("performance: auc", "fail", measured=0.5, baseline=0.9),
        check("unseen: carrier", "fail"),
    ]
    state = made_state([trigger], champion="1", windows=[window(day, *found) for day in range(5)])
    assert said(decide(state, START)) == [("notice", "invariant"), ("claimed", "")]


def test_a_refusal_names_what_is_broken_now_and_not_what_was_broken_before() -> None:
    days = [window(1, check("skew: hour", "fail"), check("missing: day", "fail"))]
    days += [window(day, check("skew: hour", "pass")) for day in (2, 3, 4)]
    days += [window(day, check("skew: hour", "fail"), check("range: hour", "fail")) for day in (5, 6)]
    refused = decide(made_state([MOVED], champion="1", windows=days), START)[-1]
    assert (refused.state, refused.reason) == ("refused", "invariant")
    assert "range: hour" in refused.why and "missing: day" not in refused.why


def test_alarms_in_sound_windows_beside_broken_ones_start_a_run() -> None:
    bad = check("missing: hour", "fail")
    days = [
        window(1, check("skew: hour", "fail")),
        window(2, check("skew: hour", "fail"), bad),
        window(3, check("skew: hour", "fail")),
    ]
    assert decide(made_state([MOVED], champion="1", windows=days), START)[-1].state == "claimed"


def test_only_important_features_count_unless_all_do() -> None:
    one = {"name": "moved", "distribution": {"windows": "1 of 1"}}
    checks = [check("skew: hour", "fail", importance=0.02), check("skew: day", "pass", importance=0.6)]
    both = {"windows": [window(1, *checks)], "champion": "1"}
    assert decide(made_state([one], **both), START) == []
    for features in ("all", ["hour"]):
        every = {"name": "moved", "distribution": {"windows": "1 of 1", "features": features}}
        assert decide(made_state([every], **both), START)[0].state == "claimed"
    other = {"name": "moved", "distribution": {"windows": "1 of 1", "features": ["day"]}}
    assert decide(made_state([other], **both), START) == []


def test_several_causes_start_one_run_with_all_of_them() -> None:
    same = {"parameters": {"spans": "all", "epochs": 3}}
    state = made_state(
        [{**DATA, **same}, {**MOVED, **same}, {**ASKED, **same}],
        [_requested()],
        champion="1",
        windows=alarms("AA"),
        sources={"data": spans("1")},
    )
    claimed = decide(state, START)[-1]
    assert [cause.name for cause in claimed.causes] == ["asked", "data", "moved"]
    assert claimed.parameters == {"spans": "all", "epochs": 3}
    log = Log()
    log.append([_requested()])
    log.tick(state, START)
    assert said(log.tick(state, START)) == []


def test_causes_that_ask_for_different_runs_get_a_run_each() -> None:
    log = Log()
    log.append([_requested()])
    on = [{**DATA, "parameters": {"spans": "last 1"}}, {**MOVED, "parameters": {"epochs": 3}}, ASKED]
    state = made_state(on, champion="1", windows=alarms("AA"), sources={"data": spans("1")})
    runs = []
    for _ in range(3):
        claimed = log.tick(state, START)[-1]
        runs.append(([cause.name for cause in claimed.causes], claimed.parameters))
        log.end(claimed, START)
    assert runs == [(["asked"], {}), (["data"], {"spans": "last 1"}), (["moved"], {"epochs": 3})]


def test_an_alarm_that_is_still_on_starts_another_run_after_the_time_of_again_and_only_then() -> None:
    moved = {**MOVED, "distribution": {**MOVED["distribution"], "again": "28d"}}
    log, state = Log(), made_state([moved], champion="1", windows=alarms("AAA"))
    claimed = log.tick(state, START)[-1]
    log.end(claimed, START)
    assert said(log.tick(state, START + hours(24 * 28))) == [("refused", "done")]
    assert log.tick(state, START + hours(24 * 28 + 0.5)) == []
    again = log.tick(state, START + hours(24 * 28 + 1))[-1]
    assert again.state == "claimed" and again.causes[0].key != claimed.causes[0].key
    assert again.causes[0].evidence == claimed.causes[0].evidence
    log.end(again, START + hours(24 * 29))
    assert said(log.tick(state, START + hours(24 * 50))) == [("refused", "done")]
    log.end(log.tick(state, START + hours(24 * 60))[-1], START + hours(24 * 60), promoted="2")
    assert log.tick(state, START + hours(24 * 100)) == [], "what promoted a version is not repeated"


def test_an_alarm_is_not_repeated_where_the_version_of_its_run_was_approved_later() -> None:
    moved = {**MOVED, "distribution": {**MOVED["distribution"], "again": "28d"}}
    log, state = Log(), made_state([moved], champion="1", windows=alarms("AAA"))
    claimed = log.tick(state, START)[-1]
    log.append([Record("ended", format_time(START), decision=claimed.line, run="r", verdict="succeeded")])
    later = START + hours(24 * 29)
    approved = replace(state, history=History(log.records), promoting_runs=frozenset({"r"}))
    assert said(decide(approved, later)) == [("refused", "done")]
    assert decide(replace(approved, promoting_runs=frozenset()), later)[-1].state == "claimed"


def test_runs_train_on_the_spans_of_the_section_unless_their_trigger_names_others() -> None:
    log = Log()
    on = [{**DATA, "parameters": {"spans": "all"}}, {**MOVED, "parameters": {"epochs": 3}}]
    section = {"retrain": {"spans": "last 12"}}
    state = made_state(on, champion="1", windows=alarms("AA"), sources={"data": spans("1")}, section=section)
    runs = []
    for _ in range(2):
        claimed = log.tick(state, START)[-1]
        runs.append(([cause.name for cause in claimed.causes], claimed.parameters))
        log.end(claimed, START)
    assert runs == [(["data"], {"spans": "all"}), (["moved"], {"spans": "last 12", "epochs": 3})]
    same = made_state(
        [{**DATA, "parameters": {"spans": "last 12"}}, MOVED],
        champion="1",
        windows=alarms("AA"),
        sources={"data": spans("1")},
        section=section,
    )
    assert [cause.name for cause in decide(same, START)[-1].causes] == ["data", "moved"], "equal spans make one run"


def test_causes_whose_runs_need_another_approval_get_a_run_each() -> None:
    log = Log()
    on = [{**DATA, "approve": ["ada"]}, MOVED]
    state = made_state(on, champion="1", windows=alarms("AA"), sources={"data": spans("1")})
    runs = []
    for _ in range(2):
        claimed = log.tick(state, START)[-1]
        runs.append(([cause.name for cause in claimed.causes], claimed.approve))
        log.end(claimed, START)
    assert runs == [(["data"], {"who": ["ada"], "expires": "7d"}), (["moved"], {})]


def test_runs_whose_versions_were_approved_later_do_not_open_the_breaker() -> None:
    log = Log()
    section = {"breaker": {"runs": 1}}
    state = made_state([DATA], section=section, sources={"data": spans("1")})
    claimed = log.tick(state, START)[-1]
    log.append([Record("ended", format_time(START), decision=claimed.line, run="r", verdict="succeeded")])
    tripped = replace(state, history=History(log.records))
    assert find_breaker(tripped) is not None
    assert find_breaker(replace(tripped, promoting_runs=frozenset({"r"}))) is None


def test_data_of_a_void_claim_is_still_new() -> None:
    """Another decider claimed the request alone, before it saw the data."""
    state = made_state([DATA, ASKED], [_requested()])
    log = Log()
    log.append([_requested(), *decide(state, START)])
    void = decide(replace(state, sources={"data": spans("1")}), START)[-1]
    assert [cause.name for cause in void.causes] == ["asked", "data"]
    log.append([void])
    log.end(log.records[1], START)
    claimed = log.tick(replace(state, sources={"data": spans("1")}), START)[-1]
    assert (claimed.state, [cause.name for cause in claimed.causes]) == ("claimed", ["data"])


def test_a_schedule_counts_from_the_first_look_and_once_for_each_time() -> None:
    log, state = Log(), made_state([NIGHTLY])
    assert [record.state for record in log.tick(state, START)] == ["seen"]
    assert log.tick(state, START + hours(15)) == []
    (claimed,) = log.tick(state, START + hours(15.6))
    assert claimed.causes[0].evidence["tick"] == "2026-03-03T03:30:00+00:00"
    log.end(claimed, START + hours(16), promoted="2")
    assert log.tick(replace(state, champion="2"), START + hours(20)) == []
    (last,) = log.tick(state, START + timedelta(days=4))  # of those that were missed the last is made up for
    assert last.causes[0].evidence["tick"] == "2026-03-06T03:30:00+00:00"


def test_a_schedule_that_was_switched_off_counts_from_when_it_is_on_again() -> None:
    log, on, off = Log(), made_state([NIGHTLY]), made_state([{**NIGHTLY, "enabled": False}])
    assert log.tick(off, START) == []
    log.tick(on, START)
    assert said(log.tick(off, START + hours(1))) == [("held", "disabled")]
    assert log.tick(off, START + timedelta(days=9)) == []
    assert [record.state for record in log.tick(on, START + timedelta(days=30))] == ["seen"]
    assert log.tick(on, START + timedelta(days=30)) == []
    assert said(log.tick(on, START + timedelta(days=31))) == [("claimed", "")]


def test_a_request_that_was_refused_starts_nothing_later() -> None:
    log = Log()
    log.append([_requested()])
    assert said(log.tick(made_state([{**ASKED, "enabled": False}]), START)) == [("refused", "disabled")]
    assert log.tick(made_state([ASKED]), START + timedelta(days=30)) == []


def test_a_schedule_of_triggers_schedules_is_a_trigger_in_its_own_zone() -> None:
    one = {"name": "old", "cron": "0 30 3 * * *", "timezone": "Asia/Seoul", "parameters": {"spans": "all"}}
    log, state = Log(), made_state([], section={"schedules": [one]})
    log.tick(state, START)
    (claimed,) = log.tick(state, START + hours(7))
    assert claimed.causes[0].evidence["tick"] == "2026-03-02T18:30:00+00:00"
    assert claimed.parameters == {"spans": "all"}


def test_quiet_times_hold_a_cause_until_they_end() -> None:
    quiet = {**FREE, "quiet": ["12:00-14:00"], "timezone": "Europe/Berlin"}  # 11:00 to 13:00 UTC
    log, state = Log(), made_state([DATA], limits=quiet, sources={"data": spans("1")})
    assert [record.why for record in log.tick(state, START)[1:]] == ["quiet until 2026-03-02T14:00+01:00"]
    assert said(log.tick(state, START + hours(0.9))) == []
    assert said(log.tick(state, START + hours(1))) == [("claimed", "")]


def test_a_held_alarm_that_ended_meanwhile_starts_nothing() -> None:
    quiet = {**FREE, "quiet": ["Mon"]}
    log, state = Log(), made_state([MOVED], limits=quiet, champion="1", windows=alarms("AA"))
    assert said(log.tick(state, START)) == [("held", "quiet")]
    over = replace(state, windows=alarms("AAPP"))
    assert said(log.tick(over, START + hours(24))) == []


def test_a_trigger_may_ignore_quiet_times_and_then_answers_those_that_wait() -> None:
    quiet = {**FREE, "quiet": ["Mon"]}
    both = [DATA, {**MOVED, "quiet": "ignore"}]
    claimed = decide(
        made_state(both, limits=quiet, champion="1", windows=alarms("AA"), sources={"data": spans("1")}), START
    )[-1]
    assert [cause.name for cause in claimed.causes] == ["data", "moved"]


@pytest.mark.parametrize(
    ("limits", "reason", "free_after"),
    [
        ({"cooldown": "6h"}, "cooldown", 6),
        ({"cooldown": "0s", "per_day": 1}, "per_day", 12),
        ({"cooldown": "0s", "budget": {"run_hours_per_week": 0.5}}, "budget", 7 * 24 + 0.6),
    ],
)
def test_a_limit_holds_the_next_cause(limits: dict[str, object], reason: str, free_after: float) -> None:
    log, state = Log(), made_state([DATA], limits=limits, sources={"data": spans("1")})
    log.end(log.tick(state, START)[-1], START)
    second = replace(state, sources={"data": spans("1", "2")})
    assert said(log.tick(second, START + hours(free_after - 0.1))) == [("held", reason)]
    assert said(log.tick(second, START + hours(free_after))) == [("claimed", "")]


def test_the_budget_counts_the_run_and_not_the_time_until_its_end_was_seen() -> None:
    limits = {"cooldown": "0s", "budget": {"run_hours_per_week": 10}}
    log, state = Log(), made_state([DATA], limits=limits, sources={"data": spans("1")})
    claimed, late = log.tick(state, START)[-1], START + hours(48)
    log.append([Record("started", format_time(START), decision=claimed.line)])
    log.append([Record("ended", format_time(late), decision=claimed.line, verdict="succeeded", seconds=300.0)])
    assert said(log.tick(replace(state, sources={"data": spans("1", "2")}), late)) == [("claimed", "")]


def test_a_run_in_flight_holds_the_next_cause() -> None:
    log, state = Log(), made_state([DATA], sources={"data": spans("1")})
    claimed = log.tick(state, START)[-1]
    second = replace(state, sources={"data": spans("1", "2")})
    assert said(log.tick(second, START)) == [("held", "concurrent")]
    log.end(claimed, START)
    assert said(log.tick(second, START)) == [("claimed", "")]


def test_a_trigger_has_its_own_cooldown() -> None:
    log = Log()
    state = made_state([{**DATA, "cooldown": "1h"}], limits={"cooldown": "6h"}, sources={"data": spans("1")})
    log.end(log.tick(state, START)[-1], START)
    assert said(log.tick(replace(state, sources={"data": spans("1", "2")}), START + hours(1))) == [("claimed", "")]


def test_no_limit_holds_a_demand() -> None:
    log = Log()
    limits = {"cooldown": "7d", "per_day": 1, "quiet": ["Mon"], "budget": {"run_hours_per_week": 0.1}}
    state = made_state([ASKED], limits=limits, section={"breaker": {"runs": 1}})
    for nonce in "abc":
        log.append([replace(_requested(nonce=nonce), line="")])
        assert said(log.tick(state, START)) == [("claimed", "")]


def test_a_request_for_another_trigger_has_its_limits_and_one_for_none_is_refused() -> None:
    log = Log()
    log.append([_requested("data", "new_data"), _requested("gone", "demand")])
    state = made_state([DATA], limits={**FREE, "quiet": ["Mon"]})
    assert said(log.tick(state, START)) == [("refused", "disabled"), ("held", "quiet")]


def test_the_source_must_settle_and_have_enough_spans_and_rows() -> None:
    log = Log()
    state = made_state(
        [{"name": "data", "new_data": {"spans": 2, "rows": 100, "settle": "15m"}}], sources={"data": spans("1")}
    )
    assert said(log.tick(state, START)) == [("held", "spans")]
    two = replace(state, sources={"data": spans("1", "2")}, rows={"data": 99})
    assert said(log.tick(two, START)) == [("held", "rows")]
    enough = replace(two, rows={"data": 100})
    assert said(log.tick(enough, START)) == [("held", "settle")]
    assert said(log.tick(enough, START + hours(0.2))) == []
    written = replace(enough, sources={"data": spans("1", "2", _2="b")})
    assert said(log.tick(written, START + hours(0.3))) == [("held", "settle")]
    assert said(log.tick(written, START + hours(0.56))) == [("claimed", "")]


def test_a_source_settles_also_when_the_clock_was_ahead_at_the_first_look() -> None:
    log, state = Log(), made_state([{"name": "data", "new_data": {"settle": "15m"}}], sources={"data": spans("1")})
    log.tick(state, START + timedelta(days=900))
    log.tick(state, START)
    assert said(log.tick(state, START + hours(0.25))) == [("claimed", "")]


def test_the_breaker_stops_a_row_without_promotion_until_it_is_reset() -> None:
    log, state = Log(), made_state([DATA], section={"breaker": {"runs": 2}}, sources={"data": spans("1")})
    labels = ["1"]
    for promoted in ("", "7", "", ""):
        claimed = log.tick(replace(state, sources={"data": spans(*labels)}), START)[-1]
        assert claimed.state == "claimed"
        log.end(claimed, START, promoted)
        labels.append(str(len(labels) + 1))
    last = replace(state, sources={"data": spans(*labels)})
    assert said(log.tick(last, START)) == [("notice", "breaker"), ("refused", "breaker")]
    assert said(log.tick(last, START + hours(100))) == []
    log.append([Record("reset", format_time(START))])
    assert said(log.tick(last, START)) == [("claimed", "")]


def test_a_disabled_trigger_and_an_unreadable_source_start_nothing() -> None:
    off = [{**each, "enabled": False} for each in (DATA, MOVED, NIGHTLY)]
    assert decide(made_state(off, champion="1", windows=alarms("AA"), sources={"data": spans("1")}), START) == []
    unreadable = replace(spans(), error="no file matches")
    (held,) = decide(made_state([DATA], sources={"data": unreadable}), START)
    assert (held.reason, held.why) == ("source", "the source cannot be read: no file matches")


def test_an_outage_of_another_kind_is_told_too() -> None:
    log, state = Log(), made_state([DATA])
    for error, notices in (("no file matches", 1), ("no file matches", 0), ("access denied", 1)):
        assert len(log.tick(replace(state, sources={"data": replace(spans(), error=error)}), START)) == notices


def _reasons(records: Iterable[Record]) -> list[tuple[str, str]]:
    return [(record.state, record.reason) for record in records]


def test_an_outage_of_a_source_is_recorded_until_it_is_over_and_the_next_one_again() -> None:
    log, state = Log(), made_state([DATA], champion="1", champion_spans=frozenset("1"))
    away = replace(state, sources={"data": replace(spans(), error="no file matches")})
    back = replace(state, sources={"data": spans("1")})
    assert _reasons(log.tick(away, START)) == [("held", "source")]
    assert log.tick(away, START + hours(23)) == []
    assert _reasons(log.tick(away, START + hours(24))) == [("held", "source")], "daily, among the newest records"
    (over, first) = log.tick(back, START + hours(25))
    assert (over.state, over.reason, first.reason) == ("seen", "readable", "first look")
    assert over.why == f"the source can be read again; it was away since {format_time(START)}"
    assert log.tick(back, START + hours(26)) == []
    assert _reasons(log.tick(away, START + hours(27))) == [("held", "source")], "the same error is another outage"
    claimed = log.tick(replace(state, sources={"data": spans("1", "2")}), START + hours(28))[-1]
    assert claimed.causes[0].what == "new or changed: 2", "what the outages recorded counts for no data"


def test_errors_of_a_source_that_take_turns_are_recorded_once_each() -> None:
    log, state = Log(), made_state([DATA])
    errors = ["no file matches", "access denied"] * 5
    looks = [replace(state, sources={"data": replace(spans(), error=error)}) for error in errors]
    assert [len(log.tick(look, START + hours(number))) for number, look in enumerate(looks)] == [1, 1] + [0] * 8


@pytest.mark.parametrize("left", [[], [{**DATA, "enabled": False}], [{**DATA, "name": "renamed"}]])
def test_the_outage_of_a_trigger_that_is_gone_or_switched_off_is_over(left: list[dict[str, object]]) -> None:
    log = Log()
    log.tick(made_state([DATA], sources={"data": replace(spans(), error="no file matches")}), START)
    without = made_state(left)
    assert _reasons(log.tick(without, START + hours(1))) == [("seen", "unwatched")]
    assert log.tick(without, START + hours(50)) == []


def test_a_claim_of_a_key_that_is_claimed_is_void() -> None:
    state = made_state([DATA, MOVED], champion="1", windows=alarms("AA"), sources={"data": spans("1")})
    log = Log()
    ours, theirs = decide(state, START)[-1], decide(replace(state, windows=()), START)[-1]
    log.append([ours, theirs])
    assert [decision.name for decision in History(log.records).decisions] == [log.records[0].line]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_clock_and_the_order_no_evidence_starts_two_runs_and_each_starts_one(seed: int) -> None:
    """Spans and windows come in any order, the clock jumps back and forth, two deciders look, runs promote or not."""
    luck = random.Random(seed)
    log, champion = Log(), "1"
    on = [DATA, MOVED, NIGHTLY, ASKED, {"name": "any", "distribution": {"windows": "1 of 1", "features": "all"}}]
    every = [window(day, check("skew: hour", luck.choice(["fail", "pass", "skipped"]))) for day in range(12)]
    labels, windows, now = ["1"], [], START
    for step in range(60):
        now += timedelta(hours=luck.choice([-400, -30, -1, 0, 1, 1, 5, 30, 400]))
        if luck.random() < 0.3 and len(labels) < 9:
            labels.append(str(len(labels) + 1))
        if luck.random() < 0.5 and every:
            windows.append(every.pop(luck.randrange(len(every))))
        if luck.random() < 0.1:
            log.append([replace(_requested(nonce=str(step)), line="")])
        held = luck.sample(windows, len(windows))
        state = made_state(
            on,
            log.records,
            champion=champion,
            windows=held,
            sources={"data": spans(*labels)},
            section={"breaker": {"runs": 100}},
        )
        first, second = decide(state, now), decide(replace(state, windows=held[::-1]), now)
        assert first == second
        log.append([*first, *second] if luck.random() < 0.3 else first)
        assert said(log.tick(state, now)) == []  # a second look at the same says nothing
        for decision in History(log.records).in_flight:
            if luck.random() < 0.6:
                champion = str(int(champion) + 1) if luck.random() < 0.2 else champion
                log.end(decision.claimed, now, champion if luck.random() < 0.2 else "")
    history = History(log.records)
    keys = [cause.key for decision in history.decisions for cause in decision.claimed.causes]
    assert len(keys) == len(set(keys))
    assert (
        len([key for key in history.by_key if history.by_key[key].claimed.causes[0].kind == "new_data"])
        <= len(labels) * 12
    )
    for decision in history.in_flight:
        log.end(decision.claimed, now)
    final = made_state(
        on,
        log.records,
        champion=champion,
        windows=windows,
        sources={"data": spans(*labels)},
        section={"breaker": {"runs": 100}},
    )
    open_before = {found.cause.key for found in find_causes(final, now) if not found.reason}
    log.tick(final, now)
    assert open_before <= set(History(log.records).by_key)  # nothing holds them: each has its run


def test_a_decision_reads_no_file_no_network_and_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    state = made_state(
        [DATA, MOVED, NIGHTLY], limits={"quiet": ["Mon"], "timezone": "Asia/Seoul"}, champion="1", windows=alarms("AA"),
        sources={"data": spans("1")},
    )  # fmt: skip

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a decision is made from its state alone")

    for name in ("builtins.open", "os.open", "socket.socket", "time.time", "time.time_ns", "time.monotonic"):
        monkeypatch.setattr(name, refuse)
    assert said(decide(state, START)) == [("held", "quiet"), ("held", "quiet")]


def test_a_decision_over_years_of_records_takes_less_than_half_a_second() -> None:
    log = Log()
    on = [DATA, NIGHTLY, ASKED, *({**MOVED, "name": f"m{number}"} for number in range(5))]
    for number in range(2_000):
        cause = Cause(
            make_key("flights", "data", str(number)), "new_data", "data", "new", {"states": {str(number): "a"}}
        )
        (claimed,) = log.append([Record("claimed", format_time(START - hours(number)), (cause,), run="r")])
        log.end(claimed, START - hours(number), "1" if number % 3 else "")
    checks = [check(f"{kind}: f{number}", "pass") for kind in ("skew", "drift", "missing") for number in range(30)]
    windows = [window(day, *checks, check("skew: f1", "fail")) for day in range(500)]
    sources = {"data": spans(*(str(number) for number in range(3_000)))}
    state = made_state(
        on, log.records, limits={"quiet": ["Mon", "Tue", "Wed"]}, champion="1", windows=windows, sources=sources
    )
    started = time.process_time()
    records = decide(state, START)
    assert time.process_time() - started < 0.5
    assert {record.state for record in records} == {"seen", "held"}


def test_a_served_metric_of_a_time_with_broken_data_starts_nothing() -> None:
    on = [{"name": "worse", "performance": {"windows": "1 of 1"}}]
    labelled = replace(window(1, check("performance: auc", "fail")), is_labelled=True)
    broken = window(1, check("missing: hour", "fail"))
    later = window(20, check("missing: hour", "pass"))
    assert said(decide(made_state(on, windows=[later, labelled], champion="1"), START)) == [("claimed", "")]
    refused = decide(made_state(on, windows=[broken, later, labelled], champion="1"), START)
    assert said(refused) == [("refused", "invariant")]
