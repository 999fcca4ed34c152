"""A watcher on a laptop: what it starts, what it records, and what holds whenever it or its run is killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError, UnavailableError
from components._core.store import s3
from components.watch import watcher as watcher_module
from components.watch.records import Record, append_record, format_time, open_records
from pipelines.local import watch
from pipelines.local.file_lock import is_locked, try_lock
from pipelines.local.trigger_requests import list_triggers, request_run, reset_breaker
from pipelines.local.triggered_run import OVERRIDES
from pipelines.local.workspace import RECORD
from tests.components.notices.servers import webhook
from tests.pipelines.local.watching.made import add_span, forking, history_of, make_project, promoted, watcher

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def forks() -> Iterator[Any]:
    with forking() as start:
        yield start


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch, forks: Any) -> None:
    for name in ("NARU_STORE", "MLFLOW_TRACKING_URI", "FAKE_RUN", "FAKE_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(watch.subprocess, "Popen", forks)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "p")


def _look(project: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "look.py"), str(project), *environment.pop("arguments", "").split()]
    world = {**os.environ, **environment}
    return subprocess.Popen(command, env=world, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _wait(condition: Callable[[], object], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_new_data_starts_a_run_with_its_cause_once(project: Path) -> None:
    watched, said = watcher(project)
    watched.look()
    (decision,) = history_of(project).decisions
    assert decision.ended is not None and decision.ended.promoted == "7" and decision.ended.verdict == "succeeded"
    (run,) = (project / ".naru" / "runs").iterdir()
    assert run.name.endswith(f"-t{decision.claimed.causes[0].key[:10]}")
    record = watch.read_json(run / RECORD)
    assert record["cause"] == f"trigger {decision.claimed.number}: data (new or changed: 1)"
    assert record["overrides"] == {"train.epochs": 3}
    assert [line.partition("  ")[2][:14] for line in said] == [
        "seen data: 0 o",
        "starts a run: ",
        f"run {run.name[:10]}",
    ]
    watched.look()
    assert promoted(project) == [run.name]
    add_span(project, 2)
    watched.look()
    assert len(history_of(project).decisions) == 2


def test_a_run_whose_trigger_needs_an_approval_asks_for_it(tmp_path: Path) -> None:
    triggers = "triggers: {on: [{name: data, new_data: {settle: 0s}, approve: {who: [ada], expires: 1d}}]}\n"
    project = make_project(tmp_path / "q", triggers)
    watcher(project)[0].look()
    (run,) = (project / ".naru" / "runs").iterdir()
    assert watch.read_json(run / RECORD)["overrides"] == {"serve.approve": {"who": ["ada"], "expires": "1d"}}


def test_what_is_recorded_says_who_decided_and_by_which_rules(project: Path) -> None:
    watcher(project)[0].look()
    claimed, started, ended = history_of(project).records[-3:]
    assert claimed.decider.startswith("naru watch, process ") and claimed.policy
    assert started.decision == ended.decision == claimed.line
    assert {claimed.place, started.place, ended.place} == {watcher(project)[0].place}


def test_a_run_that_promotes_nothing_is_not_repeated(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RUN", "rejects")
    watched, _ = watcher(project)
    for _ in range(3):
        watched.look()
    history = history_of(project)
    assert len(history.decisions) == 1 and history.in_flight == []
    add_span(project, 2)
    watched.look()
    assert len(history_of(project).decisions) == 2


def test_a_run_that_cannot_begin_is_an_end(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RUN", "refuses")
    watched, _ = watcher(project)
    watched.look()
    ended = history_of(project).decisions[0].ended
    assert ended is not None and (ended.verdict, ended.why) == ("failed", "the table has no rows")


def test_a_run_without_a_store_is_tried_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RUN", "store away")
    watched, _ = watcher(project)
    start = watcher_module.utc_now()
    watched.now = lambda: start
    for _ in range(3):  # the third is too early for another start
        watched.look()
    (decision,) = history_of(project).decisions
    assert decision.ended is None and len(decision.started) == 2
    monkeypatch.delenv("FAKE_RUN")
    watched.now = lambda: start + timedelta(minutes=1)
    watched.look()
    assert len(promoted(project)) == 1


def test_a_run_that_dies_without_a_record_is_given_up_with_its_exit_code(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    watched = watch.LocalWatcher(project, said.append, [sys.executable, "-c", "raise SystemExit(7)"])
    start = watcher_module.utc_now()
    for hour in range(14):  # more than the longest pause each
        at = start + timedelta(hours=3 * hour)
        watched.now = lambda at=at: at
        watched.look()
    (decision,) = history_of(project).decisions
    assert decision.ended is not None and decision.ended.verdict == "failed" and len(decision.started) == 10
    assert "ended with code 7" in decision.ended.why


def test_the_watcher_goes_on_when_the_store_is_away(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, said = watcher(project)
    watched.look()
    add_span(project, 2)
    store, away = project / ".naru" / "store", project / ".naru" / "away"
    store.rename(away)
    store.write_text("in the place of the folder")
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            store.unlink()
            away.rename(store)
        if len(looks) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(watch, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        watched.run(5)
    assert looks == [5, 5, 5, 5]
    assert sum(line.startswith("naru: warning: ") for line in said) == 1
    assert len(promoted(project)) == 2


def _count_writes(project: Path, variable: str, **environment: str) -> int:
    file = project.parent / "writes"
    assert _look(project, COUNT_WRITES=str(file), **environment).wait(60) == 0
    return int(Path(f"{file}.{variable}").read_text())


def _expect_one_promotion(project: Path) -> None:
    watched, _ = watcher(project)
    _wait(lambda: not any(is_locked(path) for path in (project / ".naru" / "triggers").glob("*.lock")))
    for _ in range(3):
        watched.look()
    history = history_of(project)
    assert len(promoted(project)) == 1
    assert [decision.ended.promoted for decision in history.decisions if decision.ended] == ["7"]
    assert history.in_flight == []


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["KILL_WATCH_AT", "KILL_RUN_AT"])
def test_killed_before_any_write_one_run_promotes_once(tmp_path: Path, variable: str) -> None:
    writes = _count_writes(make_project(tmp_path / "counted"), variable)
    assert writes >= 10
    for number in range(1, writes + 1):
        project = make_project(tmp_path / f"p{number}")
        _look(project, **{variable: str(number)}).wait(60)
        _expect_one_promotion(project)


def test_a_killed_watcher_finds_its_run_at_work_and_then_ended(project: Path) -> None:
    process = _look(project, FAKE_SECONDS="2")
    _wait(lambda: list((project / ".naru" / "runs").glob("*-t*")))
    process.kill()
    process.wait()
    watched, _ = watcher(project)
    watched.look()
    assert len(history_of(project).in_flight) == 1 and promoted(project) == []
    _expect_one_promotion(project)
    assert len(list((project / ".naru" / "runs").iterdir())) == 1


@pytest.mark.slow
def test_a_run_that_is_killed_each_time_is_given_up(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SECONDS", "60")
    watched, _ = watcher(project)
    folders = project / ".naru" / "runs"
    for attempt in (1, 2):
        process = _look(project)
        _wait(lambda count=attempt: folders.exists() and len(list(folders.iterdir())) == count)
        (lock,) = (project / ".naru" / "triggers").glob("*.lock")
        _wait(lambda file=lock: is_locked(file) and file.read_text().strip())
        os.kill(int(lock.read_text()), 9)
        process.wait(30)
    watched.look()
    ended = history_of(project).decisions[0].ended
    assert ended is not None and ended.verdict == "killed"


@pytest.mark.slow
@pytest.mark.parametrize("places", [1, 2])
def test_of_two_watchers_at_once_one_starts_the_run(tmp_path: Path, places: int) -> None:
    """In one workspace, and in two that share a store."""
    for attempt in range(5):
        store, start = str(tmp_path / f"store{attempt}"), tmp_path / f"start{attempt}"
        projects = [make_project(tmp_path / f"{attempt}{place}" / "p") for place in range(places)]
        for one in projects[1:]:  # the same data: the spans' fingerprint must agree
            (one / "data" / "t-1.csv").unlink()
            (one / "data").rmdir()
            (one / "data").symlink_to(projects[0] / "data")
        looks = [_look(projects[number % places], NARU_STORE=store, arguments=str(start)) for number in range(4)]
        time.sleep(0.5)
        start.touch()
        for one in looks:
            output, _ = one.communicate(timeout=60)
            assert one.returncode == 0 and "Traceback" not in output, output
        assert len(promoted(projects[0], store)) == 1
        assert len(history_of(projects[0], store).decisions) == 1


def test_a_decision_of_another_machine_is_left_alone_until_it_is_old(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.LocalWatcher, "advance", lambda *_: None)
    watcher(project)[0].look()  # killed after its claim
    monkeypatch.undo()
    other, _ = watcher(project)
    other.place = "elsewhere"
    other.look()
    assert history_of(project).decisions[0].started == ()
    now = watcher_module.utc_now()
    other.now = lambda: now + watcher_module.TAKEOVER
    other.look()
    assert len(promoted(project)) == 1


def test_a_claim_of_a_cluster_is_not_taken_over(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch.LocalWatcher, "advance", lambda *_: None)
    cluster, _ = watcher(project)
    cluster.place = watcher_module.cluster_place("https://kfp")
    cluster.look()  # killed after its claim
    monkeypatch.undo()
    now = watcher_module.utc_now()
    later, _ = watcher(project)
    later.now = lambda: now + 3 * watcher_module.TAKEOVER
    later.look()
    assert promoted(project) == [] and history_of(project).decisions[0].ended is None


def test_the_same_evidence_asks_again_after_a_promotion(project: Path, tmp_path: Path) -> None:
    evidence = tmp_path / "labels.csv"
    evidence.write_text("1")
    request_run(project, "asked", str(evidence))
    watcher(project)[0].look()
    assert len(promoted(project)) == 1
    assert "requested asked" in request_run(project, "asked", str(evidence))
    assert "was reported before" in request_run(project, "asked", str(evidence))


def test_a_parameter_of_a_schedule_that_no_run_takes_is_refused(tmp_path: Path) -> None:
    one = '{name: often, cron: "0 0 3 * * *", parameters: {epoch: 3}}'
    project = make_project(tmp_path / "p", f"triggers: {{schedules: [{one}]}}\n")
    with pytest.raises(ConfigError, match="unknown parameter 'epoch'; did you mean 'epochs'"):
        watcher(project)[0].look()


def test_a_run_trains_on_the_spans_of_the_section_and_its_cause_says_so(tmp_path: Path) -> None:
    on = "on: [{name: data, new_data: {settle: 0s}}]"
    project = make_project(
        tmp_path / "p", f"triggers: {{limits: {{cooldown: 0s}}, retrain: {{spans: last 2}}, {on}}}\n"
    )
    for number in (2, 3):
        add_span(project, number)
    watcher(project)[0].look()
    (decision,) = history_of(project).decisions
    assert decision.claimed.parameters == {"spans": "last 2"}
    (run,) = (project / ".naru" / "runs").iterdir()
    record = watch.read_json(run / RECORD)
    assert record["cause"] == f"trigger {decision.claimed.number}: data (new or changed: 2, 3), on spans last 2"
    assert record["overrides"] == {"data.spans": "last 2"}


@pytest.mark.parametrize("spans", ["since 90d", "newest 12", "2024-01"])
def test_spans_that_the_source_cannot_have_are_refused_before_anything_starts(tmp_path: Path, spans: str) -> None:
    project = make_project(
        tmp_path / "p", f"triggers: {{retrain: {{spans: {spans}}}, on: [{{name: asked, demand: {{}}}}]}}\n"
    )
    request_run(project, "asked", "")
    with pytest.raises(ConfigError, match=r"triggers\.retrain\.spans") as caught:
        watcher(project)[0].look()
    assert repr(spans) in str(caught.value) and not (project / ".naru" / "runs").exists()


def test_a_notice_goes_out_before_the_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(watcher_module.Outbox, "send", lambda *_: steps.append("notices"))
    monkeypatch.setattr(watch.LocalWatcher, "_run", lambda *_: steps.append("run"))
    monkeypatch.setenv("NARU_NOTIFY_URLS", "http://127.0.0.1:9/x")
    watcher(project)[0].look()
    assert steps == ["notices", "run", "notices"]


def test_a_request_may_only_be_recorded(project: Path) -> None:
    from typer.testing import CliRunner

    from pipelines.__main__ import app

    result = CliRunner().invoke(app, ["triggers", "fire", "asked", str(project), "--record-only"])
    assert result.exit_code == 0 and "requested asked" in result.output
    assert [record.state for record in history_of(project).records] == ["requested"]


def test_a_run_of_another_machine_without_an_end_is_lost_after_a_day(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.LocalWatcher, "_run", lambda *_: None)
    watcher(project)[0].look()
    other, _ = watcher(project)
    other.place = "elsewhere"
    now = watcher_module.utc_now()
    for age, ended in (
        (watcher_module.LOST - timedelta(minutes=1), False),
        (watcher_module.LOST + timedelta(minutes=1), True),
    ):
        other.now = lambda age=age: now + age
        other.look()
        found = history_of(project).decisions[0].ended
        assert (found is not None) == ended
    assert found is not None and found.verdict == "lost"


def test_a_request_is_recorded_once_for_its_evidence_and_starts_a_run(project: Path, tmp_path: Path) -> None:
    watched, _ = watcher(project)
    watched.look()
    evidence = tmp_path / "labels.csv"
    evidence.write_text("1")
    assert "requested asked" in request_run(project, "asked", str(evidence))
    assert "was reported before" in request_run(project, "asked", str(evidence))
    watched.look()
    watched.look()
    assert len(history_of(project).decisions) == 2
    evidence.write_text("2")
    request_run(project, "asked", str(evidence))
    request_run(project, "asked", "")
    watched.look()
    last = history_of(project).decisions[2]
    assert [cause.name for cause in last.claimed.causes] == ["asked", "asked"]
    assert last.claimed.causes[0].evidence["uri"] == str(evidence)


def test_a_request_is_refused_with_what_is_allowed(tmp_path: Path) -> None:
    section = "triggers: {on: [{name: asked, demand: {who: [nobody-else]}}, {name: off, demand: {}, enabled: false}]}\n"
    project = make_project(tmp_path / "p", section)
    for name, evidence, message in (
        ("aske", "", "did you mean 'asked'?"),
        ("off", "", "is switched off"),
        ("asked", "", "may not ask; allowed: nobody-else"),
        ("asked", str(tmp_path / "none.csv"), "there is no such evidence"),
        ("asked", "s3://me:secret@host/t.csv", "holds a user name or password"),
    ):
        with pytest.raises(ConfigError) as error:
            request_run(project, name, evidence)
        assert message in str(error.value)
    assert [record.reason for record in history_of(project).of_state("refused")] == ["who"]


def test_the_list_says_what_ran_and_why_not(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RUN", "rejects")
    watched, _ = watcher(project)
    watched.look()
    watched.look()
    triggers, rows = list_triggers(project, everything=False)
    assert [row[:2] for row in triggers] == [["data", "new_data"], ["asked", "demand"]]
    assert triggers[1][3] == "never" and triggers[0][3].startswith("trigger 000002")
    assert [(row[0], row[2]) for row in rows] == [("000001", "seen"), ("000002", "ended")]
    assert rows[1][5].endswith("succeeded, nothing promoted")


def test_the_list_shows_names_that_look_like_markup(project: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from pipelines.__main__ import app

    evidence = tmp_path / "labels[b]x.csv"
    evidence.write_text("1")
    request_run(project, "asked", str(evidence))
    result = CliRunner().invoke(app, ["triggers", "ls", str(project)], env={"COLUMNS": "600"})
    assert result.exit_code == 0 and "labels[b]x.csv" in result.output


def test_a_reset_ends_the_outage_of_a_source_that_no_trigger_reads_any_more(project: Path) -> None:
    file = project / "project.yaml"
    with_triggers = file.read_text()
    for data in (project / "data").iterdir():
        data.unlink()
    watcher(project)[0].look()
    assert "nothing to reset" in reset_breaker(project), "its trigger is there, and says itself when the source is back"
    file.write_text(with_triggers.partition("triggers:")[0])
    assert "nothing looks at it any more" in reset_breaker(project)
    assert "nothing to reset" in reset_breaker(project)


def test_the_breaker_opens_and_is_reset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RUN", "rejects")
    section = "triggers: {limits: {cooldown: 0s}, breaker: {runs: 1}, on: [{name: data, new_data: {settle: 0s}}]}\n"
    project = make_project(tmp_path / "p", section)
    watched, _ = watcher(project)
    assert "nothing to reset" in reset_breaker(project)
    watched.look()
    add_span(project, 2)
    watched.look()
    assert len(history_of(project).decisions) == 1
    assert "triggered runs start again" in reset_breaker(project)
    watched.look()
    assert len(history_of(project).decisions) == 2


def test_a_damaged_line_stops_the_watcher(project: Path) -> None:
    log = open_records(str(project / ".naru" / "store"), "p")
    line = append_record(log, Record("reset", format_time(watcher_module.utc_now())))
    file = project / ".naru" / "store" / "p" / "triggers" / f"{line}.json"
    file.write_text("{}")
    with pytest.raises(Exception, match="damaged line of the log of triggers"):
        watcher(project)[0].look()


def test_parameters_of_triggers_are_those_that_a_run_here_takes() -> None:
    from components._core.project.trigger_config import _PARAMETERS

    assert set(OVERRIDES) == set(_PARAMETERS)


def test_a_lock_is_free_when_its_holder_is_gone(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "a.lock")
    assert held is not None and try_lock(tmp_path / "a.lock") is None and is_locked(tmp_path / "a.lock")
    held.close()
    assert not is_locked(tmp_path / "a.lock")


def test_a_store_that_is_away_is_an_error_of_one_look(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_STORE", "s3://bucket/store")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setattr(s3, "_RETRIES", s3._RETRIES.new(backoff_factor=0))
    with pytest.raises(UnavailableError):
        watcher(project)[0].look()


def test_a_record_is_read_as_it_was_written(project: Path) -> None:
    log = open_records(str(project / ".naru" / "store"), "p")
    watcher(project)[0].look()
    for record in history_of(project).records:
        line = append_record(log, record)
        assert history_of(project).records[-1] == replace(record, line=line)


def test_a_watcher_tells_how_a_run_ended_and_never_the_address(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as (host, got):
        monkeypatch.setenv("NARU_NOTIFY_URLS", f"http://{host}/s3cr3t")
        watched, said = watcher(project)
        watched.look()
        watched.look()
    (notice,) = got
    assert notice["state"] == "promoted" and "cause: data (new or changed: 1)" in notice["text"]
    kept = [path for path in (project / ".naru").rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]
    assert kept == [] and "s3cr3t" not in "\n".join(said)


def test_a_notice_that_is_not_taken_stops_no_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_NOTIFY_URLS", "http://127.0.0.1:9/s3cr3t")
    watched, said = watcher(project)
    watched.look()
    assert len(promoted(project)) == 1
    assert [line for line in said if "warning" in line] == [
        "naru: warning: a notice was not taken: address 1 (http): cannot be reached (ConnectionRefusedError)"
    ]
