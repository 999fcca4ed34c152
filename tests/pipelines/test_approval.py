"""`naru approve`: a version that waits is rolled out once, by a person who may, on the evidence that was judged."""

from __future__ import annotations

import base64
import json
import platform
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from typer.testing import CliRunner

from components._core.checks import Check
from components._core.errors import ConfigError, ModelError, NaruError, ServiceError
from components._core.store import claims
from components._core.store.append_log import AppendLog
from components._core.store.approvals import ApprovalRecord
from components._core.store.ledger import Deployment, append_deployment, now, read_deployments
from components.deploy.promotion import ChampionChangedError
from pipelines import approval
from pipelines.__main__ import app
from pipelines.approval import Decision, decide, list_requests
from pipelines.approver import find_identity
from pipelines.compile_target import Target
from tests.components.core.store.s3_stub import serving
from tests.pipelines.approving import InstantTarget, ask, requests_of, settings_of, write_project

LOOKS_RIGHT = Decision("2", "looks right")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project without a request; a new MLflow takes longer than a copy."""
    return write_project(tmp_path_factory.mktemp("approving"))


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> InstantTarget:
    found = InstantTarget()
    monkeypatch.setattr(approval, "find_target", lambda _: lambda *_: found)
    return found


@pytest.fixture
def project(template: Path, tmp_path: Path, target: InstantTarget, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 1 is the champion, version 2 waits; the person is ada."""
    for name in ("NARU_STORE", "MLFLOW_TRACKING_URI", "NARU_SERVING", "NARU_KFP_TOKEN", "KF_PIPELINES_SA_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "ada")
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    folder = shutil.copytree(template, tmp_path / "p")
    assert ask(folder).startswith("skipped: waits for approval of ada, grace@example.com: version 2, until ")
    return folder


def champions(project: Path) -> list[str]:
    return [line.version for line in read_deployments(settings_of(project).store, "tiny")]


def try_to(project: Path, decision: Decision = LOOKS_RIGHT) -> list[str]:
    said: list[str] = []
    decide(project, decision, Target(), said.append)
    return said


def states(project: Path) -> list[str]:
    log = approval.open_approvals(settings_of(project).store, "tiny")
    return [json.loads(content)["state"] for _, content in log.read()]


def test_an_approved_version_is_rolled_out_and_who_and_why_is_recorded_with_the_evidence(
    project: Path, target: InstantTarget
) -> None:
    assert champions(project) == ["1"] and states(project) == ["requested"]
    assert try_to(project) == ["version 2 is approved by ada: looks right", "version 2 is the champion of tiny"]
    assert champions(project) == ["1", "2"] and states(project) == ["requested", "approved", "began", "ended"]
    (request,) = requests_of(project)
    assert request.approved is not None and request.approved.by["user"] == "ada"
    assert request.approved.digest == request.asked.digest and request.is_deployed
    line = read_deployments(settings_of(project).store, "tiny")[-1]
    assert line.why == "training run run-2; approved by ada: looks right" and line.run == "run-2"
    assert target.compared == ["2"], "it was tested again before it came into service"


def test_the_same_run_of_deploy_again_asks_once(project: Path) -> None:
    ask(project)
    assert states(project) == ["requested"]


def test_a_version_that_fails_its_test_is_blocked_and_nobody_is_asked(project: Path) -> None:
    assert ask(project, "3", InstantTarget([Check("parity", "fail", reason="differs")])) == "blocked: differs"
    assert states(project) == ["requested"]


def test_a_refusal_is_recorded_and_holds(project: Path) -> None:
    said = try_to(project, Decision("2", "a day is missing", refuse=True))
    assert said == ["version 2 is refused by ada: a day is missing"]
    with pytest.raises(ConfigError, match=r"version 2 was refused by ada at .*: a day is missing") as error:
        try_to(project)
    assert "asks again for a new version" in error.value.remedy and champions(project) == ["1"]
    assert ask(project) == "skipped: version 2 was refused by ada: a day is missing"


def test_what_was_approved_cannot_be_refused(project: Path, target: InstantTarget) -> None:
    target.checks = [Check("parity", "fail", reason="differs by 0.1")]
    with pytest.raises(ServiceError, match=r"version 2 was not rolled out: differs by 0\.1"):
        try_to(project)
    with pytest.raises(ConfigError, match="was approved by ada"):
        try_to(project, Decision("2", "changed my mind", refuse=True))
    target.checks = [Check("parity", "pass")]
    assert try_to(project, Decision("2", ""))[-1] == "version 2 is the champion of tiny"
    assert states(project) == ["requested", "approved", "began", "ended", "began", "ended"]


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (Decision("7", "why not"), "version '7' waits for no approval; there are '2'"),
        (Decision("2", "  "), "--reason: is missing or too short"),
        (Decision("2", "x" * 1_001), "--reason: is longer than 1000 characters"),
        (Decision("2", "fine", evidence="0" * 12), "the evidence of version 2 is [0-9a-f]{12}, not 000000000000"),
    ],
)
def test_what_cannot_be_decided_is_refused_and_nothing_is_written(
    project: Path, decision: Decision, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        try_to(project, decision)
    assert error.match(message) or message in str(error.value)
    assert states(project) == ["requested"] and champions(project) == ["1"]


def test_a_person_who_is_not_in_the_list_may_not_decide(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "eve")
    for refuse in (False, True):
        with pytest.raises(
            ConfigError, match=r"eve.* may not decide about version 2; allowed: ada, grace@example\.com"
        ):
            try_to(project, Decision("2", "looks right", refuse=refuse))
    assert states(project) == ["requested"]


def test_the_subject_of_a_token_and_the_address_of_git_identify_a_person(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "team:1", "email": "grace@example.com"}).encode()).decode()
    monkeypatch.setenv("LOGNAME", "eve")
    monkeypatch.setenv("NARU_KFP_TOKEN", f"e30.{claims.rstrip('=')}.signature")
    found = find_identity(project)
    assert (found["user"], found["subject"], found["token_email"]) == ("eve", "team:1", "grace@example.com")
    try_to(project)
    (request,) = requests_of(project)
    assert request.approved is not None and request.approved.by["subject"] == "team:1"
    monkeypatch.setenv("NARU_KFP_TOKEN", "no.token")
    for name, value in {"COUNT": "1", "KEY_0": "user.email", "VALUE_0": "grace@example.com"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert find_identity(project) == {"user": "eve", "email": "grace@example.com"}


def test_an_expired_request_is_refused_and_a_new_run_asks_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz or UTC) + timedelta(days=2, seconds=1)

    with monkeypatch.context() as patched:
        patched.setattr(approval, "datetime", Later)
        with pytest.raises(ConfigError, match="the request of version 2 has expired"):
            try_to(project)
        assert list_requests(project)[0][2] == "expired"
        patched.setattr("components.deploy.approval.datetime", Later)
        ask(project)
    assert states(project) == ["requested", "requested"] and champions(project) == ["1"]
    assert [row[2] for row in list_requests(project)] == ["asked again", "waits"]


def test_a_file_that_changed_since_it_was_registered_is_never_approved(project: Path) -> None:
    model = Path(settings_of(project).store) / "tiny" / "models" / "2" / "artifacts" / "model"
    (model / "saved_model" / "saved_model.pb").write_text("another")
    with pytest.raises(ModelError, match=r"saved_model\.pb has changed since it was registered"):
        try_to(project)
    assert states(project) == ["requested"] and champions(project) == ["1"]


def test_evidence_that_was_changed_in_the_log_is_an_error(project: Path) -> None:
    (line,) = (Path(settings_of(project).store) / "tiny" / "approvals").glob("*.json")
    raw = json.loads(line.read_text())
    line.write_text(json.dumps({**raw, "evidence": {**raw["evidence"], "champion": None}}))
    with pytest.raises(
        ServiceError, match="damaged line of the log of approvals: its evidence is not that of its digest"
    ):
        try_to(project)


def test_a_champion_that_changed_since_the_version_was_judged_refuses_the_approval(project: Path) -> None:
    other = Deployment("9", "elsewhere", "", "", {}, "f", "run-9", "2026-01-02T00:00:00+00:00", "grace", "a rollback")
    append_deployment(settings_of(project).store, "tiny", other)
    with pytest.raises(
        ChampionChangedError, match="since version 2 was judged: it was version 1, and is version 9"
    ) as error:
        try_to(project)
    assert "judges against the new champion" in error.value.remedy and states(project) == ["requested"]
    assert try_to(project, Decision("2", "too late", refuse=True)) == ["version 2 is refused by ada: too late"]


def test_of_eight_approvals_at_once_one_rolls_out(project: Path, target: InstantTarget) -> None:
    start = Barrier(8)

    def one(number: int) -> list[str]:
        start.wait()
        return try_to(project, Decision("2", f"reason {number}"))

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(one, range(8)))
    assert champions(project) == ["1", "2"] and target.compared == ["2"]
    assert states(project) == ["requested", "approved", "began", "ended"]
    assert all("version 2 is the champion of tiny" in lines[-1] for lines in said)


class _KilledError(BaseException):
    pass


@pytest.mark.parametrize("is_written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(4), ids=["approved", "began", "ledger", "ended"])
def test_an_approval_that_was_killed_at_a_write_ends_the_same_when_it_is_run_again(
    project: Path, write: int, is_written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, append = [0], AppendLog.append

    def killed(self: AppendLog, *given: Any, **named: Any) -> str:
        done[0] += 1
        if done[0] != write + 1:
            return append(self, *given, **named)
        if is_written:
            append(self, *given, **named)
        raise _KilledError

    with monkeypatch.context() as patched:
        patched.setattr(AppendLog, "append", killed)
        with pytest.raises(_KilledError):
            try_to(project)
    assert "version 2 is the champion of tiny" in try_to(project)[-1]
    assert champions(project) == ["1", "2"]
    (request,) = requests_of(project)
    assert request.is_deployed and request.in_progress is None and states(project).count("approved") == 1
    assert "version 2 is the champion" in try_to(project)[-1], "and a third time changes nothing"
    assert champions(project) == ["1", "2"]


def test_a_rollout_that_was_killed_after_the_ledger_and_was_rolled_back_is_not_repeated(
    project: Path, target: InstantTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = AppendLog.append

    def killed(self: AppendLog, content: dict[str, Any], *given: Any, **named: Any) -> str:
        if content.get("state") == "ended":
            raise _KilledError
        return append(self, content, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(AppendLog, "append", killed)
        with pytest.raises(_KilledError):
            try_to(project)
    first = read_deployments(settings_of(project).store, "tiny")[0]
    append_deployment(settings_of(project).store, "tiny", replace(first, at=now(), why="rolled back to version 1"))
    for _ in range(2):
        with pytest.raises(ConfigError, match="was deployed by its approval, and is no longer the champion") as error:
            try_to(project)
        assert "naru rollback --to 2" in error.value.remedy
    assert champions(project) == ["1", "2", "1"] and target.compared == ["2"]
    assert states(project) == ["requested", "approved", "began", "ended"], "and nobody is asked for it any more"


@pytest.fixture
def on_s3(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same store at an S3 address, whose claims have no lock."""
    with serving("atomic") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        home = project / ".naru" / "store"
        for path in home.rglob("*"):
            if path.is_file():
                server.objects[f"/bucket/{path.relative_to(home).as_posix()}"] = (path.read_bytes(), time.time())
        monkeypatch.setenv("NARU_STORE", "s3://bucket")
        monkeypatch.setattr(claims, "SETTLE", 1.1)
        monkeypatch.setattr(claims, "_PAUSE", 0.05)
        yield project


@pytest.mark.slow
def test_of_three_approvals_at_once_on_s3_one_rolls_out(on_s3: Path, target: InstantTarget) -> None:
    start = Barrier(3)

    def one(number: int) -> list[str]:
        start.wait()
        return try_to(on_s3, Decision("2", f"reason {number}"))

    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(one, range(3)))
    lines = [line.version for line in read_deployments("s3://bucket", "tiny")]
    assert lines == ["1", "2"] and target.compared == ["2"] and any(said)
    (request,) = approval.read_requests(approval.open_approvals("s3://bucket", "tiny"))
    assert request.is_deployed and request.in_progress is None


@pytest.mark.slow
def test_a_model_that_is_read_for_longer_than_a_claim_is_valid_is_rolled_out_once(
    on_s3: Path, target: InstantTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, verify = Barrier(2), approval.fetch_version

    def slow(*given: Any) -> Any:
        time.sleep(4)
        return verify(*given)

    monkeypatch.setattr(approval, "fetch_version", slow)
    monkeypatch.setattr(claims, "HURRY", 2.0)
    monkeypatch.setattr(claims, "EXPIRY", 3.0)

    def one(number: int) -> list[str]:
        start.wait()
        return try_to(on_s3, Decision("2", f"reason {number}"))

    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(one, range(2)))
    log = approval.open_approvals("s3://bucket", "tiny")
    steps = [json.loads(content)["state"] for _, content in log.read()]
    assert target.compared == ["2"] and steps == ["requested", "approved", "began", "ended"]


@pytest.mark.slow
def test_a_rollout_of_a_dead_process_is_taken_over_and_one_of_another_machine_is_left_alone(
    on_s3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = approval.open_approvals("s3://bucket", "tiny")
    (request,) = approval.read_requests(log)
    common = {"version": "2", "request": request.name, "digest": request.asked.digest, "by": {"user": "ada"}}
    approval.append_approval(log, ApprovalRecord("approved", now(), reason="fine", **common))
    approval.append_approval(log, ApprovalRecord("began", now(), place="elsewhere 1 n", **common))
    assert try_to(on_s3)[0].startswith("version 2 is being rolled out: by ada since ")
    approval.append_approval(log, ApprovalRecord("began", now(), place=f"{platform.node()} {2**22 + 1} n", **common))
    assert try_to(on_s3)[-1] == "version 2 is the champion of tiny"


def test_the_commands_show_what_waits_and_end_with_the_codes_of_the_tree(project: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "160", "LOGNAME": "ada"})
        error = done.exception
        return (error.exit_code if isinstance(error, NaruError) else done.exit_code), done.output

    folder = str(project)
    assert "version 2 waits for approval of ada, grace@example.com until" in run("runs", folder)[1]
    assert "waits" in run("approvals", folder)[1]
    assert run("approve", "7", folder, "--reason", "why not")[0] == 2
    assert run("approve", "2", folder, "--reason", "looks right") == (
        0,
        "version 2 is approved by ada: looks right\nversion 2 is the champion of tiny\n",
    )
    assert "deployed" in run("approvals", folder)[1] and "waits" not in run("runs", folder)[1]
    assert "approved version 2" in run("ledger", folder)[1]
