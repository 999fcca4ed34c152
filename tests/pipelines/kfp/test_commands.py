"""The commands as a person runs them: what they print, and how they end."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from components._core.errors import DataError, ServiceError
from components._core.stage.stage_end import failed
from pipelines.__main__ import app
from pipelines.kfp.desired_state import DesiredPipeline
from tests.components.kfp.kfp_server import KfpServer, task


@pytest.fixture
def project(compiled: DesiredPipeline, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, whose compilation is known."""

    def known(*_: Any) -> list[DesiredPipeline]:
        return [compiled]

    monkeypatch.setattr("pipelines.kfp.desired_state._read_pipelines", known)
    return compiled.folder


def _naru(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_plan_ends_with_1_until_it_was_applied(held: KfpServer, project: Path) -> None:
    due = _naru("plan", project)
    assert due.exit_code == 1 and "upload  version flights-training" in due.output
    applied = _naru("apply", project)
    assert applied.exit_code == 0 and applied.output.endswith(f"{held.endpoint}: 2 changed, 0 unchanged\n")
    again = _naru("plan", project)
    assert (again.exit_code, again.output) == (0, "nothing would change\n")
    assert _naru("prune", project).output == f"{held.endpoint}: 0 removed\n"


@pytest.mark.parametrize("command", ["plan", "apply", "submit"])
def test_what_is_not_cached_for_want_of_a_digest_is_said(
    held: KfpServer, project: Path, compiled: DesiredPipeline, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    remark = "the stages of naru-stages:1 are not cached: no registry is set"
    monkeypatch.setattr(
        "pipelines.kfp.desired_state._read_pipelines", lambda *_: [replace(compiled, remarks=(remark,))]
    )
    assert f"naru: {remark}" in _naru(command, project).output


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [
        ("SUCCEEDED", 0, "succeeded"),
        ("CANCELED", 130, "canceled"),
        ("FAILED", 4, "ingest: s3://b/x.csv: there is no such file"),
    ],
)
def test_submit_ends_as_its_run_did(
    held: KfpServer, project: Path, monkeypatch: pytest.MonkeyPatch, state: str, code: int, message: str
) -> None:
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "http://kfp")
    held.course = [{"state": state, "run_details": {"task_details": [task("ingest", state, "pod")]}}]
    held.logs["pod"] = "naru: " + json.dumps(failed("ingest", DataError("there is no such file", where="s3://b/x.csv")))
    done = _naru("submit", project, "--wait", "--cause", "trying")
    assert done.exit_code == code
    assert message in done.output and f"http://kfp/#/runs/details/{held.runs[0]['run_id']}" in done.output
    assert "✓ ingest" in done.output or state != "SUCCEEDED"


def test_an_interrupt_while_waiting_leaves_the_run_going_and_says_so(
    held: KfpServer, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.kfp.run_watch.time.sleep", interrupted)
    done = _naru("submit", project, "--wait")
    assert done.exit_code == 130 and f"the run continues: {held.runs[0]['run_id']}" in done.output
    assert held.runs[0]["state"] == "PENDING"
    assert not [path for _, path in held.requests if "terminate" in path]


def test_a_token_that_expires_while_waiting_says_that_the_run_goes_on(
    held: KfpServer, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expire(_: float) -> None:
        held.token = "another"

    monkeypatch.setattr("pipelines.kfp.run_watch.time.sleep", expire)
    done = _naru("submit", project, "--wait")
    assert isinstance(done.exception, ServiceError) and "continues" in str(done.exception)
