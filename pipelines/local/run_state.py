"""Read how a run stands from what its stages leave in their folders; nothing is told twice and nothing is guessed from logs."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from components._core.errors import NaruError
from components._core.stage.stage_end import ERROR_FILE, error_of, read_end
from components._core.system_errors import find_full_disk
from pipelines.graphs.pipelines import TRAINING

_KILLED = 128
_LOST = -1
"""How a stage ended of which nobody could say how: its launcher was killed, or found no room to write in."""

_MEMORY = "the machine may have run out of memory: give it more, or lower train.batch_size; "
_SPACE = "the disk may have been full: free some space; "
_AGAIN = "run again: what was finished is kept"

State = Literal["waiting", "running", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class StageState:
    """How one stage stands.

    Attributes:
        stage: Its name.
        state: `waiting` (not begun), `running`, `done`, `failed` or `interrupted` (a person ended the run meanwhile).
        seconds: From when it was asked for until it ended, or until now.
        import_seconds: Of those, spent starting the process, importing, or waiting for the shared imports.
        work_seconds: Of those, spent in the stage's own function.
        verdict: What it said of its work; `failed` if it did not get so far.
        reason: In one line.
        metrics: The numbers it tells.
        max_rss_kib: Its largest resident memory, KiB, as the system accounts it; 0 when not known.
        outputs: Path by artifact name.
        reused: The earlier run whose outputs it took; empty: it ran.
    """

    stage: str
    state: State = "waiting"
    seconds: float = 0.0
    import_seconds: float = 0.0
    work_seconds: float = 0.0
    verdict: str = ""
    reason: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    max_rss_kib: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    reused: str = ""


def read_states(run: Path) -> list[StageState]:
    """How every stage of a run stands now, in their order."""
    folder = task_root(run)
    return [read_state(folder / stage, stage) if folder else StageState(stage) for stage in TRAINING.stage_names]


def task_root(run: Path) -> Path | None:
    """The folder below which kfp.local keeps a folder per task; None before it is there."""
    return next((path for path in sorted(run.glob(f"{TRAINING.name}-*")) if path.is_dir()), None)


def read_state(task: Path, stage: str) -> StageState:
    """How one stage stands, from its task folder."""
    launch = _read(task / "launch.json")
    if not launch:
        return StageState(stage)
    asked, began = launch["asked"], launch.get("began")
    seconds = launch.get("ended", time.time()) - asked
    waited = (began or time.time()) - asked
    if "ended" not in launch:
        return StageState(stage, "running", seconds, waited)
    if launch["exit_code"]:
        return StageState(
            stage, "failed", seconds, waited, verdict="failed", reason=_failure(task, stage, launch).message
        )
    told, outputs = _outputs(task)
    work = told.get("work_seconds", 0.0)
    return StageState(
        stage,
        "done",
        seconds,
        max(seconds - work, 0.0),
        work,
        told.get("verdict", "failed"),
        told.get("reason", "" if told else "it ended without telling its outcome"),
        {key.removeprefix("metric_"): value for key, value in told.items() if key.startswith("metric_")},
        int(launch.get("max_rss_kib") or 0),
        outputs,
        launch.get("reused", ""),
    )


def read_failure(run: Path) -> NaruError | None:
    """The error of the stage that ended a run; None when none did."""
    folder = task_root(run)
    if folder is None:
        return None
    for stage in TRAINING.stage_names:
        launch = _read(folder / stage / "launch.json")
        if launch and launch.get("exit_code", _LOST):
            return _failure(folder / stage, stage, launch)
    return None


def _failure(task: Path, stage: str, launch: dict[str, Any]) -> NaruError:
    if error := error_of(read_end(task / ERROR_FILE)):
        return error
    guess = _guess(task, launch.get("exit_code", _LOST))
    guess.where = guess.where or stage
    return guess


def _guess(task: Path, code: int) -> NaruError:
    """Why a stage ended that left no word of it: killed from outside, or with no room to write in."""
    if code > _KILLED:
        number = code - _KILLED
        name = signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"
        memory = _MEMORY if number == signal.SIGKILL else ""
        return NaruError(f"the stage was killed from outside ({name})", remedy=memory + _AGAIN)
    if lack := find_full_disk(task):
        return lack
    if code == _LOST:
        return NaruError(
            "the stage died without an error report (out of memory or disk?)", remedy=_SPACE + _MEMORY + _AGAIN
        )
    return NaruError(f"the stage ended with exit code {code}", remedy="see the run's log")


def _outputs(task: Path) -> tuple[dict[str, Any], dict[str, str]]:
    raw = _read(task / "executor_output.json") or {}
    told: dict[str, Any] = {}
    outputs: dict[str, str] = {}
    for name, listed in raw.get("artifacts", {}).items():
        for artifact in listed["artifacts"]:
            outputs[name] = artifact["uri"]
            if "verdict" in artifact.get("metadata", {}):
                told = artifact["metadata"]
    return told, outputs


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return value
