"""Read the state of a run from the files in its stages' folders; logs are not parsed."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from components._core.errors import NaruError
from components._core.stage.run_record import StageRecord, find_metrics
from components._core.stage.stage_end import ERROR_FILE, error_of, read_end
from components._core.system_errors import find_full_disk
from pipelines.graphs.pipelines import TRAINING

_KILLED = 128
_LOST = -1
"""Exit code of a stage without a recorded one: its launcher was killed, or the disk was full."""

_MEMORY = "the machine may have run out of memory: give it more, or lower train.batch_size; "
_SPACE = "the disk may have been full: free some space; "
_AGAIN = "run again: what was finished is kept"

State = Literal["waiting", "running", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class StageState(StageRecord):
    """State of one stage: its record and more. Import seconds include the start of the process, or the wait for shared imports.

    Attributes:
        state: `waiting` (not begun), `running`, `done`, `failed` or `interrupted` (a person ended the run meanwhile).
        seconds: Seconds from its request until it ended, or until now.
        max_rss_kib: Its largest resident memory, KiB, as the system accounts it; 0 when not known.
        outputs: Path by artifact name.
        reused: The earlier run whose outputs it reused; empty: it ran.
    """

    state: State = "waiting"
    seconds: float = 0.0
    max_rss_kib: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    reused: str = ""


def read_states(run: Path) -> list[StageState]:
    """Read the state of every stage of a run, in order."""
    folder = task_root(run)
    return [read_state(folder / stage, stage) if folder else StageState(stage) for stage in TRAINING.stage_names]


def task_root(run: Path) -> Path | None:
    """Find the folder in which kfp.local keeps a folder per task; None before it exists."""
    return next((path for path in sorted(run.glob(f"{TRAINING.name}-*")) if path.is_dir()), None)


def read_state(task: Path, stage: str) -> StageState:
    """Read the state of one stage from its task folder."""
    launch = _read(task / "launch.json")
    if not launch:
        return StageState(stage)
    requested, began = launch["requested"], launch.get("began")
    seconds = launch.get("ended", time.time()) - requested
    waited = (began or time.time()) - requested
    if "ended" not in launch:
        return StageState(stage, state="running", seconds=seconds, import_seconds=waited)
    if launch["exit_code"]:
        reason = _find_failure(task, stage, launch).message
        return StageState(stage, "failed", reason, waited, state="failed", seconds=seconds)
    metadata, outputs = _outputs(task)
    work = metadata.get("work_seconds", 0.0)
    return StageState(
        stage,
        verdict=metadata.get("verdict", "failed"),
        reason=metadata.get("reason", "" if metadata else "it ended without reporting its outcome"),
        import_seconds=max(seconds - work, 0.0),
        work_seconds=work,
        metrics=find_metrics(metadata),
        state="done",
        seconds=seconds,
        max_rss_kib=int(launch.get("max_rss_kib") or 0),
        outputs=outputs,
        reused=launch.get("reused", ""),
    )


def read_failure(run: Path) -> NaruError | None:
    """Read the error of the stage that failed; None when none did."""
    folder = task_root(run)
    if folder is None:
        return None
    for stage in TRAINING.stage_names:
        launch = _read(folder / stage / "launch.json")
        if launch and launch.get("exit_code", _LOST):
            return _find_failure(folder / stage, stage, launch)
    return None


def _find_failure(task: Path, stage: str, launch: dict[str, Any]) -> NaruError:
    if error := error_of(read_end(task / ERROR_FILE)):
        return error
    inferred = _infer_failure(task, launch.get("exit_code", _LOST))
    inferred.where = inferred.where or stage
    return inferred


def _infer_failure(task: Path, code: int) -> NaruError:
    """Infer why a stage ended without an error report: killed from outside, or a full disk."""
    if code > _KILLED:
        number = code - _KILLED
        name = signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"
        memory = _MEMORY if number == signal.SIGKILL else ""
        return NaruError(f"the stage was killed from outside ({name})", remedy=memory + _AGAIN)
    if no_room := find_full_disk(task):
        return no_room
    if code == _LOST:
        return NaruError(
            "the stage died without an error report (out of memory or disk?)", remedy=_SPACE + _MEMORY + _AGAIN
        )
    return NaruError(f"the stage ended with exit code {code}", remedy="see the run's log")


def _outputs(task: Path) -> tuple[dict[str, Any], dict[str, str]]:
    raw = _read(task / "executor_output.json") or {}
    metadata: dict[str, Any] = {}
    outputs: dict[str, str] = {}
    for name, listed in raw.get("artifacts", {}).items():
        for artifact in listed["artifacts"]:
            outputs[name] = artifact["uri"]
            if "verdict" in artifact.get("metadata", {}):
                metadata = artifact["metadata"]
    return metadata, outputs


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return value
