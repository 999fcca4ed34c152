"""A watcher that runs on a KFP server starts one run for one cause, adopts what it started before it was killed, and records the end."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import UnavailableError
from components._core.project.approval_config import Approval
from components._core.project.project_file import Project
from components._core.store import claims
from components._core.store.ledger import Deployment, append_deployment
from components._kfp.server_state import Server
from components.watch import cluster_watcher
from components.watch import watcher as watch
from components.watch.records import Cause, History, Record, append_record, format_time, open_records, read_history
from pipelines.kfp import cluster_watch
from pipelines.kfp.cluster_watch import ProjectWatcher
from pipelines.kfp.desired_state import DesiredPipeline
from tests.components.kfp.kfp_server import KfpServer
from tests.pipelines.kfp.made import request_approval

TRIGGERS = """
triggers:
  limits: {cooldown: 0s}
  on:
    - {name: data, new_data: {settle: 0s}, parameters: {epochs: 2}}
"""


@pytest.fixture(autouse=True)
def _quick_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "SETTLE", 0.05)
    monkeypatch.setattr(claims, "_PAUSE", 0.01)


@pytest.fixture
def watched(server: Server, compiled: DesiredPipeline, tmp_path: Path) -> ProjectWatcher:
    folder = tmp_path / "flights"
    folder.mkdir()
    text = (compiled.folder / "project.yaml").read_text()
    (folder / "project.yaml").write_text(text + TRIGGERS)

    @contextmanager
    def open_server() -> Iterator[tuple[Server, list[DesiredPipeline]]]:
        yield server, [compiled]

    return ProjectWatcher(folder, print, open_server)


def _history() -> History:
    return read_history(open_records("memory://store", "flights"))


def test_new_data_starts_a_run_by_the_name_of_its_key_and_its_end_is_recorded(
    watched: ProjectWatcher, held: KfpServer
) -> None:
    for _ in range(3):
        watched.look()
    (run,) = held.runs
    (decision,) = _history().decisions
    assert run["display_name"] == decision.claimed.run == f"flights-t{decision.claimed.causes[0].key[:10]}"
    given = run["runtime_config"]["parameters"]
    assert given["cause"] == f"trigger {decision.claimed.number}: data (new or changed: 1)"
    assert (given["epochs"], given["run"]) == (2, decision.claimed.run)
    assert decision.ended is None
    append_deployment(
        "memory://store", "flights", Deployment("5", "m", "s", "s", {}, "f", run["display_name"], "t", "me", "w")
    )
    run["state"] = "SUCCEEDED"
    watched.look()
    ended = _history().decisions[0].ended
    assert ended is not None and (ended.verdict, ended.promoted) == ("succeeded", "5")
    watched.look()
    assert len(held.runs) == 1


def test_a_run_trains_on_the_spans_of_the_section(watched: ProjectWatcher, held: KfpServer) -> None:
    file = watched.workspace.project / "project.yaml"
    file.write_text(file.read_text().replace("triggers:\n", "triggers:\n  retrain: {spans: last 12}\n"))
    watched.look()
    (run,) = held.runs
    given = run["runtime_config"]["parameters"]
    assert (given["spans"], given["epochs"]) == ("last 12", 2) and given["cause"].endswith(", on spans last 12")


def test_a_run_whose_trigger_needs_an_approval_asks_for_it_and_its_end_says_that_it_waits(
    watched: ProjectWatcher, held: KfpServer
) -> None:
    file = watched.workspace.project / "project.yaml"
    file.write_text(file.read_text().replace("parameters: {epochs: 2}", "approve: [ada]"))
    for _ in range(2):
        watched.look()
    (run,) = held.runs
    given = Project.model_validate_json(run["runtime_config"]["parameters"]["project"])
    assert given.serve.approve == Approval(who=["ada"])
    request_approval(run["display_name"])
    run["state"] = "SUCCEEDED"
    watched.look()
    ended = _history().decisions[0].ended
    assert ended is not None and (ended.promoted, ended.why) == ("", "waits for approval: version 5")


def test_schedules_are_left_to_the_server(watched: ProjectWatcher, compiled: DesiredPipeline) -> None:
    file = watched.workspace.project / "project.yaml"
    file.write_text(file.read_text() + '  schedules: [{name: often, cron: "* * * * * *"}]\n')
    watched.look()
    assert {cause.name for record in _history().records for cause in record.causes} == {"data"}


@pytest.mark.parametrize("lost", ["claim", "request", "answer"])
def test_killed_between_its_claim_and_the_answer_it_starts_one_run(
    watched: ProjectWatcher, held: KfpServer, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    real = cluster_watch.submit

    class Killed(BaseException):
        pass

    def killed(*arguments: Any, **options: Any) -> Any:
        if lost == "answer":
            real(*arguments, **options)
        raise Killed

    def not_started(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(cluster_watch, "submit", killed)
    if lost == "claim":
        monkeypatch.setattr(cluster_watcher, "claim_start", not_started)
    with pytest.raises(Killed):
        watched.look()
    monkeypatch.undo()
    monkeypatch.setattr(claims, "SETTLE", 0.05)
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", held.endpoint)
    monkeypatch.setenv("NARU_STORE", "memory://store")
    watched.decider = "another process"
    watched.look()
    assert len(held.runs) == (1 if lost == "answer" else 0)  # the watcher that claimed it may be about to start it
    later = watch.utc_now() + watch.TAKEOVER
    watched.now = lambda: later
    watched.look()
    watched.look()
    started = [record.reason for record in _history().decisions[0].started]
    assert len(held.runs) == 1 and started == (["", "", "taken"] if lost == "request" else ["", "taken"])


@pytest.mark.parametrize("steps", ["claimed", "started"])
def test_a_run_of_a_laptop_on_the_same_store_is_left_to_it(
    watched: ProjectWatcher, held: KfpServer, monkeypatch: pytest.MonkeyPatch, steps: str
) -> None:
    log = open_records("memory://store", "flights")
    cause = Cause("0123456789ab", "demand", "asked", "by me")
    at, place = format_time(watch.utc_now()), "1a2b3c4d"
    line = append_record(log, Record("claimed", at, (cause,), run="flights-t0123456789", place=place))
    if steps == "started":
        append_record(log, Record("started", at, decision=line, place=place))
    for age in (watch.TAKEOVER * 3, watch.LOST + watch.TAKEOVER):
        assert _history().decisions[0].ended is None
        later = watch.utc_now() + age
        watched.now = lambda later=later: later
        watched.look()
        assert "flights-t0123456789" not in [run["display_name"] for run in held.runs]
    ended = _history().decisions[0].ended
    assert ended is not None and ended.verdict == "lost"


@pytest.mark.parametrize(("state", "verdict"), [("FAILED", "failed"), ("SKIPPED", "skipped")])
def test_a_run_that_promotes_nothing_ends_the_decision(
    watched: ProjectWatcher, held: KfpServer, state: str, verdict: str
) -> None:
    watched.look()
    held.runs[0]["state"] = state
    watched.look()
    ended = _history().decisions[0].ended
    assert ended is not None and (ended.verdict, ended.promoted) == (verdict, "")


def test_a_run_that_the_server_never_has_is_given_up(
    watched: ProjectWatcher, held: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise UnavailableError("the server does not answer")

    monkeypatch.setattr(cluster_watch, "submit", refuse)
    start = watch.utc_now()
    for number in range(4):
        at = start + number * watch.TAKEOVER
        watched.now = lambda at=at: at
        with contextlib.suppress(UnavailableError):
            watched.look()
    ended = _history().decisions[0].ended
    assert ended is not None and ended.verdict == "lost" and "after 3 starts" in ended.why


@pytest.mark.parametrize(("promoted", "verdict"), [("5", "succeeded"), ("", "lost")])
def test_a_run_whose_record_is_gone_is_not_started_again(
    watched: ProjectWatcher, held: KfpServer, monkeypatch: pytest.MonkeyPatch, promoted: str, verdict: str
) -> None:
    watched.look()
    name = held.runs[0]["display_name"]
    held.runs.clear()
    if promoted:
        line = Deployment(promoted, "m", "s", "s", {}, "f", name, "t", "me", "w")
        append_deployment("memory://store", "flights", line)
    later = watch.utc_now() + watch.TAKEOVER
    watched.now = lambda: later
    watched.look()
    decision = _history().decisions[0]
    assert decision.ended is not None and (decision.ended.verdict, decision.ended.promoted) == (verdict, promoted)
    assert name not in [run["display_name"] for run in held.runs]


def test_a_server_that_refuses_is_an_error_of_one_look(watched: ProjectWatcher, held: KfpServer) -> None:
    held.refuse("POST", "/runs", 503, 14, "try again")
    with pytest.raises(UnavailableError):
        watched.look()
    assert replace(_history().decisions[0].claimed, line="").state == "claimed"
