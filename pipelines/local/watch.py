"""`naru watch`: host the decisions about a project's triggers on this machine, and start the runs.

A run is a process of its own (`triggered_run.py`), which goes on if the watcher is killed; a look waits for it, and reads what came of
it from the run's record.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

from components._core.errors import ConfigError, NaruError
from components._core.files import fingerprint_of, read_json
from components._core.project.data_config import Data
from components._core.project.project_file import Project, load_project
from components._core.project.trigger_config import Trigger
from components._core.store.append_log import AppendLog
from components._core.store.ledger import read_deployments
from components._core.suggestions import suggest
from components.watch.claim import claim_start
from components.watch.records import Decision, Record
from components.watch.watcher import Watcher, format_cause
from pipelines.local.file_lock import is_locked
from pipelines.local.runner import absolute_data
from pipelines.local.triggered_run import OVERRIDES, Request, find_folders, lock_file, refusal_file
from pipelines.local.workspace import RECORD, find_workspace

RUN = (sys.executable, "-m", "pipelines.local.triggered_run")
_MOST_RUNS = 2
"""Runs of one decision: the first one, and one more if that was killed."""
_MOST_STARTS = 10
"""Starts of a decision whose process ends without a trace of a run each time."""
_STARTS_AT_ONCE = 2
_PAUSE = timedelta(minutes=1)
"""Time before the third start; it doubles before each later one."""
_TAG_DIGITS = 10
_LEAST_SECONDS = 1.0


class LocalWatcher(Watcher):
    """Watches one project, and runs it on this machine.

    Args:
        path: The project's folder or file.
        say: Prints a line for a person.
        command: Command of a run, to which the request is added (`triggered_run.py`).
        now: The clock; None: the system's.

    Raises:
        ConfigError: When an address of notices is malformed.
    """

    def __init__(
        self,
        path: Path,
        say: Callable[[str], None],
        command: Sequence[str] = RUN,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.path, self._command = path, command
        self.workspace = find_workspace(path)
        place = fingerprint_of([platform.node(), str(self.workspace.home)])[:8]
        super().__init__(say, f"naru watch, process {os.getpid()} on {platform.node()}", place, now)

    @property
    def folder(self) -> Path:
        return self.workspace.project

    def run(self, every: float) -> None:
        """Look until interrupted, every so many seconds; an error is printed, and the next look tries again.

        Args:
            every: Seconds between the end of a look and the next one.
        """
        keep_looking(self.look, self.warn, every)

    def look(self) -> None:
        """Complete what is open, decide, and run at most one run to its end.

        Raises:
            ConfigError: When the project file is wrong, or the store may not be written.
            ServiceError: When a line of the log is damaged.
            UnavailableError: When the store cannot be reached.
        """
        project = load_project(self.path)
        with self.workspace.settings_applied():
            self.look_at(project, self.workspace.settings().store)

    def check_parameters(self, project: Project) -> None:
        """Refuse also parameters of `triggers.schedules` that a run here does not take; a KFP server takes a few more."""
        super().check_parameters(project)
        for schedule in project.triggers.schedules:
            for name in schedule.parameters if schedule.enabled else ():
                if name not in OVERRIDES:
                    message = f"schedule {schedule.name}: unknown parameter {name!r}; {suggest(name, [*OVERRIDES])}"
                    raise ConfigError(message, where="project.yaml, triggers.schedules", remedy="correct its name")

    def data_of(self, project: Project, trigger: Trigger) -> Data:
        parameters = project.triggers.parameters_of(trigger)
        given = {name: value for name, value in parameters.items() if name in ("source", "spans")}
        changed = project.model_copy(update={"data": project.data.model_copy(update=given)})
        return absolute_data(self.workspace, changed)

    def advance(self, project: Project, store: str, log: AppendLog, decision: Decision) -> None:
        if self.is_elsewhere(log, decision):
            return
        tag = tag_of(decision)
        if is_locked(lock_file(self.workspace, tag)):  # first: a run writes its record before it lets the lock go
            return
        ended = self._find_end(project, store, decision)
        if ended is not None:
            self.end(log, decision, ended)
        elif len(decision.started) >= _MOST_STARTS:  # the watcher was killed with the last of them
            self.end(log, decision, _give_up(self.at(), len(decision.started), "its process was killed"))
        elif not _is_pausing(decision, self.now()) and self._claim_start(log, decision):
            code = 0
            try:
                code = self._run(decision)
            finally:  # also after Ctrl-C, which ends the run too
                ended = self._find_end(project, store, decision)
                starts = len(decision.started) + 1
                if ended is None and code and starts >= _MOST_STARTS:
                    ended = _give_up(self.at(), starts, f"its process ended with code {code}")
                if ended is not None:
                    self.end(log, decision, ended)

    def _claim_start(self, log: AppendLog, decision: Decision) -> bool:
        return claim_start(log, decision, self.sign(Record("started", self.at()))) is not None

    def _run(self, decision: Decision) -> int:
        """Run it to its end, in a process that outlives this one if it must; returns its exit code."""
        parameters = decision.claimed.parameters
        overrides = {OVERRIDES[name]: value for name, value in parameters.items() if name in OVERRIDES}
        if decision.claimed.approve:
            overrides["serve.approve"] = decision.claimed.approve
        request = Request(str(self.path), tag_of(decision), format_cause(decision), overrides)
        with subprocess.Popen([*self._command, request.to_json()]) as process:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the run was interrupted as well, and records it
                process.wait()
                raise

    def _find_end(self, project: Project, store: str, decision: Decision) -> Record | None:
        """Find how the run of a decision ended; None: it has not run, or was killed and may run again."""
        tag = tag_of(decision)
        folders = find_folders(self.workspace, tag)
        for folder in folders:
            if (folder / RECORD).is_file():
                return _read_end(self.at(), read_json(folder / RECORD))
        if (refused := refusal_file(self.workspace, tag)).is_file():
            why = str(NaruError.from_dict(read_json(refused)).message)
            return Record("ended", self.at(), verdict="failed", why=why)
        names = {folder.name for folder in folders}
        for deployment in read_deployments(store, project.name) if folders else ():
            if deployment.run in names:  # killed between its deployment and its record
                return Record("ended", self.at(), run=deployment.run, verdict="succeeded", promoted=deployment.version)
        if len(folders) >= _MOST_RUNS:
            why = f"its runs were killed: {', '.join(sorted(names))}"
            return Record("ended", self.at(), run=folders[-1].name, verdict="killed", why=why)
        return None


def keep_looking(look: Callable[[], None], warn: Callable[[str], None], every: float) -> None:
    """Look until interrupted, every so many seconds; an error is printed, and the next look tries again."""
    while True:
        try:
            look()
        except NaruError as error:
            warn(str(error))
        sleep(max(every, _LEAST_SECONDS))


def _is_pausing(decision: Decision, now: datetime) -> bool:
    """Return whether the next start waits: the first two do not, so that a run that was killed goes on at once."""
    starts = len(decision.started)
    return starts >= _STARTS_AT_ONCE and abs(now - decision.started[-1].time) < _PAUSE * 2 ** (starts - _STARTS_AT_ONCE)


def _give_up(at: str, starts: int, why: str) -> Record:
    return Record("ended", at, verdict="failed", why=f"{starts} starts left no record of a run; {why}")


def tag_of(decision: Decision) -> str:
    """Return the end of the name of a decision's run: from the key of its first cause."""
    return f"t{decision.claimed.causes[0].key[:_TAG_DIGITS]}"


def _read_end(at: str, record: dict[str, Any]) -> Record:
    promoted = str(record.get("model_version") or "") if record.get("deployed") else ""
    return Record(
        "ended",
        at,
        why=str(record.get("reason") or "").partition("\n")[0],
        run=str(record.get("run") or ""),
        verdict=str(record.get("status") or ""),
        promoted=promoted,
        seconds=float(record.get("seconds") or 0.0),
    )
