"""The watching pipeline: never cached, free of secrets, of the version that was applied; its stage starts one run for one cause."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from components._core.errors import ConfigError, RepeatedRunError, UnavailableError
from components._core.files import read_json
from components._core.project.approval_config import Approval
from components._core.project.placeholders import PER_RUN
from components._core.project.project_file import Project, parse_project
from components._core.setting_names import KFP_ENDPOINT, NOTICE_FILE, STORE
from components._core.store import claims
from components._core.store.ledger import Deployment, append_deployment
from components._core.store.run_claims import check_claim, read_holder, take_decision
from components._kfp.kfp_client import JsonObject
from components._kfp.server_state import Server
from components.watch import watcher as watcher_module
from components.watch.component import watch
from components.watch.records import History, open_records, read_history
from components.watch.watch import watch_project
from pipelines.graphs.pipelines import TRAINING, WATCHING
from pipelines.kfp.apply_changes import apply
from pipelines.kfp.desired_state import DesiredPipeline
from tests.components.kfp.kfp_server import KfpServer
from tests.components.notices.servers import webhook
from tests.pipelines.kfp.made import request_approval

ONE, OTHER = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"


@dataclass
class Artifact:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(autouse=True)
def _quick_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "SETTLE", 0.05)
    monkeypatch.setattr(claims, "_PAUSE", 0.01)
    monkeypatch.setattr(claims, "HURRY", 0.5)
    monkeypatch.setattr(claims, "EXPIRY", 1.0)  # a watcher that was killed in its turn holds up the others for so long


@pytest.fixture
def watching(pipelines: list[DesiredPipeline]) -> DesiredPipeline:
    return next(one for one in pipelines if one.kind == WATCHING)


@pytest.fixture
def applied(server: Server, pipelines: list[DesiredPipeline]) -> None:
    list(apply(server, pipelines, dry=False))


def _look(watching: DesiredPipeline, folder: Path, commit: str = "a1b2c3") -> str:
    """Run the stage as its pod does; returns its reason."""
    folder.mkdir(exist_ok=True)
    decisions = Artifact(str(folder / "decisions"))
    watch.python_func(
        project=watching.defaults["project"],
        training=watching.defaults["training"],
        code_commit=commit,
        decisions=decisions,
        page=Artifact(str(folder / "page.html")),
    )
    return str(decisions.metadata["reason"])


def _watch(watching: DesiredPipeline, folder: Path, now: Callable[[], datetime] | None = None) -> None:
    """The stage's function without the border of its process, which turns everything into an exit code."""
    (folder / "first").mkdir(parents=True)
    watch_project(
        parse_project(json.loads(watching.defaults["project"])),
        training=watching.defaults["training"],
        commit="",
        decisions=folder / "first",
        page=folder / "first.html",
        now=now,
    )


def _history() -> History:
    return read_history(open_records("memory://store", "flights"))


def _steps() -> list[str]:
    return [record.state for record in _history().records if record.state not in ("seen", "held")]


def test_it_is_one_stage_that_is_never_cached_or_retried_and_names_its_settings(watching: DesiredPipeline) -> None:
    spec, platform = yaml.safe_load_all(watching.spec)
    (task,) = spec["root"]["dag"]["tasks"].values()
    assert not task["cachingOptions"].get("enableCache") and "retryPolicy" not in task
    container = spec["deploymentSpec"]["executors"]["exec-watch"]["container"]
    assert "naru-light" in container["image"]
    executor = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-watch"]
    given = {each["envVar"] for each in executor["configMapAsEnv"][0]["keyToEnv"]}
    assert {STORE, KFP_ENDPOINT} <= given
    (secret,) = executor["secretAsVolume"]
    assert (secret["secretName"], secret["optional"]) == ("naru-notices", True)
    assert {NOTICE_FILE} == {each["name"] for each in container["env"]}


def test_it_starts_the_version_that_is_applied_with_it_and_changes_with_it(
    watching: DesiredPipeline, pipelines: list[DesiredPipeline]
) -> None:
    training = next(one for one in pipelines if one.kind == TRAINING)
    assert watching.defaults["training"] == f"{training.pipeline}/{training.version}"
    assert json.loads(watching.defaults["project"])["triggers"]["on"][0]["name"] == "data"
    assert "triggers" not in json.loads(training.defaults["project"])


@pytest.mark.usefixtures("applied")
def test_new_data_starts_one_run_of_that_version_with_its_cause_and_its_end_is_recorded(
    watching: DesiredPipeline, held: KfpServer, tmp_path: Path
) -> None:
    for number in range(3):
        _look(watching, tmp_path / str(number))
    (run,) = held.runs
    (decision,) = _history().decisions
    ids = run["pipeline_version_reference"]
    (version,) = held.versions[ids["pipeline_id"]]
    assert version["name"] == watching.defaults["training"].partition("/")[2]
    assert run["display_name"] == decision.claimed.run and run["service_account"] == "naru-runner"
    given = run["runtime_config"]["parameters"]
    assert given["cause"] == f"trigger {decision.claimed.number}: data (new or changed: 1)"
    assert given["claim"] == f"{decision.name}/{PER_RUN}"
    assert (given["code_commit"], given["champion"], given["run"]) == ("a1b2c3", "none", decision.claimed.run)
    assert given["source_fingerprint"] != PER_RUN
    line = Deployment("5", "m", "s", "s", {}, "f", run["display_name"], "t", "me", "w")
    append_deployment("memory://store", "flights", line)
    run["state"] = "SUCCEEDED"
    assert "version 5 promoted" in _look(watching, tmp_path / "ended")
    assert _steps() == ["claimed", "started", "started", "ended"]
    assert (tmp_path / "ended" / "page.html").read_text().count("starts a run: data") == 1
    _look(watching, tmp_path / "after")
    assert len(held.runs) == 1


@pytest.mark.usefixtures("applied")
def test_a_run_trains_on_the_spans_of_the_section_asks_for_the_approval_of_its_trigger_and_its_end_says_that_it_waits(
    watching: DesiredPipeline, held: KfpServer, tmp_path: Path
) -> None:
    project = json.loads(watching.defaults["project"])
    project["triggers"] |= {"retrain": {"spans": "last 12"}}
    project["triggers"]["on"][0] |= {"approve": {"who": ["ada"]}}
    changed = replace(watching, defaults={**watching.defaults, "project": json.dumps(project)})
    _look(changed, tmp_path / "first")
    (run,) = held.runs
    given = run["runtime_config"]["parameters"]
    assert given["spans"] == "last 12" and given["cause"].endswith(", on spans last 12")
    assert Project.model_validate_json(given["project"]).serve.approve == Approval(who=["ada"])
    request_approval(given["run"])
    run["state"] = "SUCCEEDED"
    assert "waits for approval: version 5" in _look(changed, tmp_path / "second")


@pytest.mark.usefixtures("applied")
def test_spans_that_the_source_cannot_have_are_refused_before_anything_starts(
    watching: DesiredPipeline, held: KfpServer, tmp_path: Path
) -> None:
    project = json.loads(watching.defaults["project"])
    project["triggers"] |= {"retrain": {"spans": "since 90d"}}
    changed = replace(watching, defaults={**watching.defaults, "project": json.dumps(project)})
    with pytest.raises(ConfigError, match=r"triggers\.retrain\.spans"):
        _watch(changed, tmp_path)
    assert held.runs == []


class _Killed(BaseException):
    pass


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("write", range(1, 6))
def test_killed_before_any_of_its_writes_the_next_looks_have_one_run_that_trains(
    watching: DesiredPipeline, held: KfpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    """Writes: the records seen, claimed, started; the request to the server, before and after its answer; the record of the answer."""
    count = [0]

    def killing(function: Any, *, after: bool = False) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            count[0] += 1
            if count[0] == write and not after:
                raise _Killed
            found = function(*arguments, **options)
            if after:
                count[0] += 1
                if count[0] == write:
                    raise _Killed
            return found

        return run

    with monkeypatch.context() as patch:
        patch.setattr("components.watch.watcher.append_record", killing(watcher_module.append_record))
        patch.setattr("components.watch.claim.append_record", killing(watcher_module.append_record))
        patch.setattr(Server, "start_run", killing(Server.start_run, after=True))
        with pytest.raises(_Killed):
            _watch(watching, tmp_path)
    start = watcher_module.utc_now()
    for number in range(4):
        later = start + number * watcher_module.TAKEOVER
        _watch(watching, tmp_path / f"later-{number}", lambda later=later: later)
    assert len(held.runs) == 1 and len(_history().decisions) == 1


@pytest.mark.usefixtures("applied")
def test_of_two_runs_that_the_server_took_for_one_cause_the_one_that_took_it_counts(
    watching: DesiredPipeline, held: KfpServer, tmp_path: Path
) -> None:
    _look(watching, tmp_path / "first")
    (run,) = held.runs
    run["run_id"] = ONE
    held.runs.append({**run, "run_id": OTHER})
    (decision,) = _history().decisions
    claim = run["runtime_config"]["parameters"]["claim"]
    check_claim("flights", claim.replace(PER_RUN, OTHER))
    with pytest.raises(RepeatedRunError):
        check_claim("flights", claim.replace(PER_RUN, ONE))
    held.runs[0]["state"] = "FAILED"
    _look(watching, tmp_path / "second")
    assert _history().decisions[0].ended is None, "the run that has the decision goes on"
    held.runs[1]["state"] = "SUCCEEDED"
    _look(watching, tmp_path / "third")
    ended = _history().decisions[0].ended
    assert ended is not None and ended.verdict == "succeeded"
    assert read_holder("memory://store", "flights", decision.name) == OTHER


@pytest.mark.usefixtures("applied")
def test_a_run_that_comes_after_its_decision_was_given_up_does_nothing(
    watching: DesiredPipeline, held: KfpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: Any) -> JsonObject:
        raise UnavailableError("no answer")

    start = watcher_module.utc_now()
    with monkeypatch.context() as patch:
        patch.setattr(Server, "start_run", lose)
        for number in range(5):
            later = start + number * watcher_module.TAKEOVER
            with pytest.raises(UnavailableError) if number < 3 else nullcontext():
                _watch(watching, tmp_path / str(number), lambda later=later: later)
    (decision,) = _history().decisions
    assert decision.ended is not None and decision.ended.verdict == "lost"
    with pytest.raises(RepeatedRunError):
        check_claim("flights", f"{decision.name}/{ONE}")
    assert take_decision("memory://store", "flights", decision.name, ONE) != ONE


def test_a_version_that_the_server_does_not_have_is_an_error_that_names_the_remedy(
    watching: DesiredPipeline, held: KfpServer, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"(?s)has no version \w{12} of the pipeline flights-training.*naru apply"):
        _watch(watching, tmp_path)
    assert held.runs == []


@pytest.mark.usefixtures("applied")
def test_notices_go_to_the_addresses_of_the_secret(
    watching: DesiredPipeline, held: KfpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NARU_NOTIFY_URLS", raising=False)
    with webhook() as (address, taken):
        (tmp_path / "urls").write_text(f"http://{address}/hook")
        monkeypatch.setenv(NOTICE_FILE, str(tmp_path / "urls"))
        _look(watching, tmp_path / "first")
        held.runs[0]["state"] = "FAILED"
        _look(watching, tmp_path / "second")
        assert [notice["state"] for notice in taken] == ["failed"]
    assert address not in json.dumps(read_json(tmp_path / "second" / "decisions" / "page.json"))
