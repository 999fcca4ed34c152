"""The result of a run as one object: the table, `--json` and `run.json` show it."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from components._core.checks import Outcome
from components._core.errors import INTERRUPTED_EXIT_CODE, NaruError
from components._core.files import read_json, write_bytes, write_json
from components._core.types.artifact_files import OUTCOME, REGISTRATION
from pipelines.local.run_state import StageState, read_states, task_root
from pipelines.local.workspace import LOG, RECORD, REPORT

_REPEATED_WARNINGS = {"evaluation": ("baseline", "classes", "labels"), "explanation": ("leaks",)}
"""Checks by artifact whose warnings are repeated in the last lines."""

Status = Literal["succeeded", "failed", "interrupted"]


@dataclass(frozen=True)
class RunRecord:
    """The result of a run.

    Attributes:
        run: Its name.
        project: The project's name.
        status: `succeeded` (also when a gate rejected the model), `failed` or `interrupted`.
        exit_code: The exit code of `naru run`.
        reason: The most important line: why it failed, what was not good enough, or what was deployed.
        deployed: Whether the model became the champion.
        model_version: Its version in the registry; empty when it was not registered.
        seconds: From the command's start to its end.
        other_seconds: Seconds outside the stages: the command's own imports, kfp, the time between stages.
        stages: How every stage ended.
        metrics: The model's metrics on the test rows.
        error: Kind, message, place and remedy of the error if it failed.
        paths: The run's folder, report and log.
        artifacts: Path by name of the stages' artifacts.
        serve: The command that serves the champion.
        warnings: Warnings that are repeated in the last lines, a sentence each.
    """

    run: str
    project: str
    status: Status
    exit_code: int
    reason: str
    deployed: bool
    model_version: str
    seconds: float
    other_seconds: float
    stages: list[StageState]
    metrics: dict[str, float]
    error: dict[str, Any] | None = None
    paths: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    serve: str = ""
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return asdict(self)


def make_record(
    run: Path, project: str, folder: Path, seconds: float, error: NaruError | None, interrupted: bool
) -> RunRecord:
    """Make the record of a run from its folder.

    Args:
        run: The run's folder.
        project: The project's name.
        folder: The project's folder, as the person named it.
        seconds: How long the command took.
        error: The error that ended it, if it failed.
        interrupted: Whether a person ended it.
    """
    states = [_mark_interrupted(state, interrupted) for state in read_states(run)]
    by_stage = {state.stage: state for state in states}
    outputs = {name: path for state in states for name, path in state.outputs.items()}
    status: Status = "interrupted" if interrupted else "failed" if error else "succeeded"
    return RunRecord(
        run=run.name,
        project=project,
        status=status,
        exit_code=_exit_code(error, interrupted),
        reason=_reason(states, error, interrupted),
        deployed=by_stage["deploy"].state == "done" and by_stage["deploy"].verdict in ("ok", "warn"),
        model_version=_version(outputs.get("registration")),
        seconds=round(seconds, 3),
        other_seconds=round(max(seconds - sum(state.seconds for state in states), 0.0), 3),
        stages=states,
        metrics=by_stage["evaluate"].metrics,
        error=error.to_dict() if error else None,
        paths={"run": str(run), "log": str(run / LOG), "report": _report(run, outputs, states)},
        artifacts=outputs,
        warnings=_warnings(states, outputs),
        serve=f"naru serve {shlex.quote(str(folder))}",
    )


def save_record(run: Path, record: RunRecord) -> None:
    """Write the record into the run's folder.

    Raises:
        OSError: When it cannot be written.
    """
    write_json(run / RECORD, record.to_dict())


def _mark_interrupted(state: StageState, interrupted: bool) -> StageState:
    """Mark a stage that was running when a person ended the run as interrupted, not failed."""
    if interrupted and state.state in ("running", "failed"):
        return replace(state, state="interrupted", verdict="interrupted", reason="")
    return state


def _exit_code(error: NaruError | None, interrupted: bool) -> int:
    if interrupted:
        return INTERRUPTED_EXIT_CODE
    return error.exit_code if error else 0


def _reason(states: list[StageState], error: NaruError | None, interrupted: bool) -> str:
    if interrupted:
        return "what was finished is kept, and reused by the next run"
    if error:
        return str(error.message)
    blocked = next((state for state in states if state.verdict == "blocked"), None)
    if not blocked:  # the model is the champion already: no gate blocked, and there is nothing to deploy
        blocked = next((state for state in states if state.stage == "evaluate" and state.verdict == "skipped"), None)
    return f"nothing was deployed: {blocked.reason}" if blocked else states[-1].reason


def _warnings(states: list[StageState], outputs: dict[str, str]) -> list[str]:
    """Collect the warnings to repeat; what blocked the run is its reason already."""
    found = [state.reason for state in states if state.stage == "ingest" and state.verdict == "warn"]
    for artifact, names in _REPEATED_WARNINGS.items():
        file = Path(outputs.get(artifact, "")) / OUTCOME
        if artifact in outputs and file.is_file():
            checks = Outcome.load(file).checks
            found += [check.reason for check in checks if check.name in names and check.status == "warn"]
    return found


def _version(registration: str | None) -> str:
    file = Path(registration) / REGISTRATION if registration else None
    return str(read_json(file).get("version") or "") if file and file.exists() else ""


def _report(run: Path, outputs: dict[str, str], states: list[StageState]) -> str:
    """Copy the report into the run's folder; for a run that failed, bind the pages of the stages that ended."""
    target = run / REPORT
    with contextlib.suppress(OSError):  # no room for it: reported as the run's error
        if bound := outputs.get("report"):
            write_bytes(target, Path(bound).read_bytes())
        elif task_root(run) is not None:
            _bind_partial_report(run, outputs, states, target)
    return str(target) if target.exists() else ""


def _bind_partial_report(run: Path, outputs: dict[str, str], states: list[StageState], target: Path) -> None:
    from components._core.report.html import write_report
    from components._core.report.page import Page
    from components._core.types.artifact_files import PAGE

    pages = [Page.load(Path(path)) for path in outputs.values() if (Path(path) / PAGE).exists()]
    lines = [
        {
            "stage": state.stage,
            "verdict": state.verdict,
            "reason": state.reason,
            "import_seconds": state.import_seconds,
            "work_seconds": state.work_seconds,
        }
        for state in states
        if state.state in ("done", "failed")
    ]
    if lines:
        write_report(f"{run.name} (not finished)", pages, lines, {}, target)
