"""The record of a run on this machine: the table, `--json` and `run.json` show it. Its schema is `components/_core/stage/run_record.py`."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from components._core.checks import Outcome
from components._core.errors import INTERRUPTED_EXIT_CODE, NaruError
from components._core.files import read_json, write_bytes, write_json
from components._core.project.project_file import Project
from components._core.stage.environment import describe_environment
from components._core.stage.run_record import RunRecord, make_run_record, parse_commit
from components._core.store.approvals import WAITS
from components._core.types.artifact_files import IMPORTANCES, OUTCOME
from components._core.types.column_choices import ColumnChoices
from components._core.types.leak_rules import LEAK_REASONS
from pipelines.local.leaderboard_lines import describe_leaderboard
from pipelines.local.run_state import StageState, read_states, task_root
from pipelines.local.variant_lines import describe_variants
from pipelines.local.workspace import LOG, PARAMETERS, RECORD, REPORT

_REPEATED_WARNINGS = {
    "validation": ("data check",),
    "history": ("unused features",),
    "evaluation": ("baseline", "classes", "threshold", "labels"),
    "explanation": ("leaks", "importance beside the champion"),
}
"""Checks by artifact, up to a colon in their name, whose warnings are repeated in the last lines."""
_MOST_SUSPECTS, _LONGEST_NAME = 3, 40
_INTERRUPTED = "what was finished is kept, and reused by the next run"


@dataclass(frozen=True)
class LocalRunRecord(RunRecord):
    """The record of a run on this machine: the keys that every run has, and more.

    Attributes:
        stages: How every stage ended, with its state, seconds and outputs.
        exit_code: The exit code of `naru run`.
        seconds: From the command's start to its end.
        other_seconds: Seconds outside the stages: the command's own imports, kfp, the time between stages.
        error: Kind, message, place and remedy of the error if it failed.
        paths: The run's folder, report and log.
        artifacts: Path by name of the stages' artifacts.
        serve: The command that serves the champion.
        approve: The command that approves the version; empty when none waits.
        warnings: Warnings that are repeated in the last lines, a sentence each.
        unneeded: Features that explain proposes to leave out, the least important first.
        proposal: The line of project.yaml, below `data`, that leaves them out; empty when there are none.
        ablate: The command that measures what the model loses without them.
        leaderboard: The kinds of model that were compared, a line each; empty without a search over kinds.
        variants: The optimised variants of the model, a line each; empty without `serve.optimize`.
    """

    stages: list[StageState]
    exit_code: int
    seconds: float
    other_seconds: float
    error: dict[str, Any] | None = None
    paths: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    serve: str = ""
    approve: str = ""
    warnings: list[str] = field(default_factory=list)
    unneeded: list[str] = field(default_factory=list)
    proposal: str = ""
    ablate: str = ""
    leaderboard: list[str] = field(default_factory=list)
    variants: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return asdict(self)


def make_record(
    run: Path, project: Project, folder: Path, seconds: float, error: NaruError | None, interrupted: bool
) -> LocalRunRecord:
    """Make the record of a run from its folder.

    Args:
        run: The run's folder.
        project: The project, with the command line's overrides.
        folder: The project's folder, as the person named it.
        seconds: How long the command took.
        error: The error that ended it, if it failed.
        interrupted: Whether a person ended it.
    """
    states = [_mark_interrupted(state, interrupted) for state in read_states(run)]
    outputs = {name: path for state in states for name, path in state.outputs.items()}
    common = _make_common_record(run, project, states, outputs)
    proposed = _read_proposal(outputs)
    return LocalRunRecord(
        **{
            **{each.name: getattr(common, each.name) for each in fields(common)},
            "status": "interrupted" if interrupted else "failed" if error else "succeeded",
            "reason": _INTERRUPTED if interrupted else str(error.message) if error else common.reason,
            "stages": states,
        },
        exit_code=_exit_code(error, interrupted),
        seconds=round(seconds, 3),
        other_seconds=round(max(seconds - sum(state.seconds for state in states), 0.0), 3),
        error=error.to_dict() if error else None,
        paths={"run": str(run), "log": str(run / LOG), "report": _report(run, outputs, states)},
        artifacts=outputs,
        warnings=[*_warnings(states, outputs), *_suspects(project)],
        serve=f"naru serve {shlex.quote(str(folder))}",
        approve=_approve_command(common, folder),
        **proposed,
        ablate=f"naru ablate {shlex.quote(str(folder))}" if proposed else "",
        leaderboard=_leaderboard(outputs),
        variants=describe_variants(Path(outputs.get("evaluation", ""))),
    )


def _leaderboard(outputs: dict[str, str]) -> list[str]:
    """Describe the kinds of model that tune compared, or those that evaluate held beside the project's own."""
    found = (describe_leaderboard(Path(outputs[name])) for name in ("hyperparameters", "evaluation") if name in outputs)
    return next(filter(None, found), [])


def _make_common_record(run: Path, project: Project, states: list[StageState], outputs: dict[str, str]) -> RunRecord:
    """Make the keys that every run has; a run that failed early may have no parameters, and lacks artifacts."""
    given = read_json(run / PARAMETERS) if (run / PARAMETERS).is_file() else {}
    data = project.data.model_copy(update={"source": given.get("source") or project.data.source})
    record = make_run_record(
        project.model_copy(update={"data": data}),
        run=run.name,
        cause=given.get("cause", ""),
        code=parse_commit(given.get("code_commit", ""), given.get("code_fingerprint")),
        stages=states,
        artifacts={name: Path(path) for name, path in outputs.items()},
    )
    return record if record.environment else replace(record, environment=describe_environment())


def _approve_command(record: RunRecord, folder: Path) -> str:
    waits = record.reason.startswith(WAITS)
    return f"naru approve {record.model_version} {shlex.quote(str(folder))} --reason '...'" if waits else ""


def save_record(run: Path, record: LocalRunRecord) -> None:
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


def _warnings(states: list[StageState], outputs: dict[str, str]) -> list[str]:
    """Collect the warnings to repeat; what blocked the run is its reason already."""
    ingested = [state for state in states if state.stage == "ingest"]
    # rows and columns that rules leave out are not a warning, but a person must know of them
    found = [state.reason for state in ingested if state.verdict == "warn" or state.metrics.get("dropped")]
    if "transform_graph" in outputs and (
        dropped := ColumnChoices.load(Path(outputs["transform_graph"])).describe_dropped()
    ):
        found.append(f"the model does not take, by transform.drop: {dropped}")
    for artifact, names in _REPEATED_WARNINGS.items():
        file = Path(outputs.get(artifact, "")) / OUTCOME
        if artifact in outputs and file.is_file():
            checks = Outcome.load(file).checks
            found += [
                check.reason for check in checks if check.name.partition(":")[0] in names and check.status == "warn"
            ]
    return found


def _read_proposal(outputs: dict[str, str]) -> dict[str, Any]:
    """Read what explain proposes to leave out; empty when it proposes nothing, or did not run."""
    file = Path(outputs.get("explanation", "")) / IMPORTANCES
    found = read_json(file) if "explanation" in outputs and file.is_file() else {}
    return {name: found[name] for name in ("unneeded", "proposal")} if found.get("unneeded") else {}


def _suspects(project: Project) -> list[str]:
    """Repeat which columns are left out because they may leak the label: the person has to decide whether that is right."""
    reasons = project.data.exclusion_reasons.items()
    found = [(name, " ".join(reason.split())) for name, reason in reasons if reason.startswith(LEAK_REASONS)]
    lines = [f"look at {_short(name)}, which is left out (data.exclude): {reason}" for name, reason in found]
    hidden = len(lines) - _MOST_SUSPECTS
    more = [f"look at {hidden:,} more columns that are left out: data.exclusion_reasons"] if hidden > 0 else []
    return lines[:_MOST_SUSPECTS] + more


def _short(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…")


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
