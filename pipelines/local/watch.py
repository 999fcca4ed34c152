"""`naru watch`: host the decisions about a project's triggers on this machine, and start the runs.

A look completes what earlier looks began, observes, decides, and starts at most one run. Its steps are lines of the log of
triggers (`components/watch/records.py`), so it may be killed after any of them: the next look goes on from there.

1. `claimed`: the decision, after which no other watcher starts a run for its causes;
2. `started`: the run is started in a process of its own (`triggered_run.py`), which goes on if the watcher is killed;
3. `ended`: what came of it, from the run's record.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from components._data.sources.registry import span_unit
from components._data.sources.span_expression import parse_spans
from components.watch.claim import claim_decision, claim_start
from components.watch.decide import decide, describe_causes
from components.watch.observe import Observer
from components.watch.records import Decision, Record, append_record, format_time, open_records, read_history
from components.watch.state import State
from pipelines.local.file_lock import is_locked
from pipelines.local.runner import absolute_data
from pipelines.local.triggered_run import OVERRIDES, Request, find_folders, lock_file, refusal_file
from pipelines.local.workspace import RECORD, find_workspace
from pipelines.notices.channels import read_channels
from pipelines.notices.outbox import Outbox
from pipelines.notices.trigger_notices import find_ends, find_lasting

TAKEOVER = timedelta(minutes=5)
"""Age from which a decision of another machine that has not started is taken over."""
LOST = timedelta(hours=24)
"""Age from which a run of another machine that has not ended counts as lost."""
RUN = (sys.executable, "-m", "pipelines.local.triggered_run")
_MOST_RUNS = 2
"""Runs of one decision: the first one, and one more if that was killed."""
_MOST_STARTS = 10
"""Starts of a decision whose process ends without a trace of a run each time."""
_STARTS_AT_ONCE = 2
_PAUSE = timedelta(minutes=1)
"""Time before the third start; it doubles before each later one."""
_TAG_DIGITS = 10
_CLUSTER = "kfp-"
"""Begin of the `place` of a KFP server: a machine takes no run over from a cluster, nor a cluster one from a machine."""
_LEAST_SECONDS = 1.0


class Watcher:
    """Watches one project.

    Args:
        path: The project's folder or file.
        say: Prints a line for a person.
        command: Command of a run, to which the request is added (`triggered_run.py`).
        now: The clock; None: the system's.

    Attributes:
        now: Returns the present, with a zone.

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
        self.path, self.say, self._command = path, say, command
        self.now = now or utc_now
        self.workspace = find_workspace(path)
        self.place = fingerprint_of([platform.node(), str(self.workspace.home)])[:8]
        self.decider = f"naru watch, process {os.getpid()} on {platform.node()}"
        self.channels = read_channels()
        self._observer: Observer | None = None
        self._outbox: Outbox | None = None
        self._said: set[str] = set()

    def run(self, every: float) -> None:
        """Look until interrupted, every so many seconds; an error is printed, and the next look tries again.

        Args:
            every: Seconds between the end of a look and the next one.
        """
        while True:
            try:
                self.look()
            except NaruError as error:
                self._warn(str(error))
            sleep(max(every, _LEAST_SECONDS))

    def look(self) -> None:
        """Complete what is open, decide, and run at most one run to its end.

        Raises:
            ConfigError: When the project file is wrong, or the store may not be written.
            ServiceError: When a line of the log is damaged.
            UnavailableError: When the store cannot be reached.
        """
        project = load_project(self.path)
        with self.workspace.settings_applied():
            store = self._find_store()
            log = open_records(store, project.name)
            for decision in read_history(log).in_flight:
                self._advance(project, store, log, decision)
            self._send_ends(project, store, log)  # before the decision, which may fail
            self._decide(project, store, log)

    def _find_store(self) -> str:
        return self.workspace.settings().store

    def _decide(self, project: Project, store: str, log: AppendLog) -> None:
        _check_parameters(project)
        if self._observer is None or self._observer.store != store:
            self._observer = Observer(store, project.name)
        history = read_history(log)
        state = self._observer.observe(project, history, lambda trigger: self._data_of(project, trigger))
        for remark in self._observer.results.remarks:
            self._warn(remark)
        for record in decide(state, self.now()):
            signed = replace(record, decider=self.decider, place=self.place)
            if signed.state != "claimed":
                line = append_record(log, signed)
                self._tell(replace(signed, line=line))
                continue
            self._notify(state, store, log)  # before the run, which may take hours
            decision = claim_decision(log, history, signed)
            if decision is None:
                self.say("another watcher decided first")
            else:
                self._tell(decision.claimed)
                self._advance(project, store, log, decision)
        self._notify(state, store, log)

    def _notify(self, state: State, store: str, log: AppendLog) -> None:
        if not self.channels:
            return
        at, current, outbox = (
            self.now(),
            replace(state, history=read_history(log)),
            self._open_outbox(store, state.project),
        )
        ends = find_ends(state.project, current.history, self.workspace.project, at, outbox.find_begin(at))
        outbox.send([*find_lasting(current, self.workspace.project), *ends], at)

    def _send_ends(self, project: Project, store: str, log: AppendLog) -> None:
        """Send how runs ended, also those that did while no watcher was there."""
        if not self.channels:
            return
        at, outbox = self.now(), self._open_outbox(store, project.name)
        ends = find_ends(project.name, read_history(log), self.workspace.project, at, outbox.find_begin(at))
        if ends:
            outbox.send(ends, at)

    def _open_outbox(self, store: str, project: str) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(store, project, self.channels, self._warn)
        return self._outbox

    def _data_of(self, project: Project, trigger: Trigger) -> Data:
        parameters = project.triggers.parameters_of(trigger)
        given = {name: value for name, value in parameters.items() if name in ("source", "spans")}
        changed = project.model_copy(update={"data": project.data.model_copy(update=given)})
        return absolute_data(self.workspace, changed)

    def _advance(self, project: Project, store: str, log: AppendLog, decision: Decision) -> None:
        """Take a decision one step on: start its run, wait for it, or record how it ended."""
        if self._is_elsewhere(log, decision):
            return
        tag = tag_of(decision)
        if is_locked(lock_file(self.workspace, tag)):  # first: a run writes its record before it lets the lock go
            return
        ended = self._find_end(project, store, decision)
        if ended is not None:
            self._end(log, decision, ended)
        elif len(decision.started) >= _MOST_STARTS:  # the watcher was killed with the last of them
            self._end(log, decision, _give_up(self._at(), len(decision.started), "its process was killed"))
        elif not _is_pausing(decision, self.now()) and self._claim_start(log, decision):
            code = 0
            try:
                code = self._run(decision)
            finally:  # also after Ctrl-C, which ends the run too
                ended = self._find_end(project, store, decision)
                starts = len(decision.started) + 1
                if ended is None and code and starts >= _MOST_STARTS:
                    ended = _give_up(self._at(), starts, f"its process ended with code {code}")
                if ended is not None:
                    self._end(log, decision, ended)

    def _claim_start(self, log: AppendLog, decision: Decision) -> bool:
        return claim_start(log, decision, self._sign(Record("started", self._at()))) is not None

    def _is_elsewhere(self, log: AppendLog, decision: Decision) -> bool:
        """Return whether another machine has the run; one that is lost is recorded as such."""
        last = decision.started[-1] if decision.started else decision.claimed
        if last.place == self.place:
            return False
        age = abs(self.now() - last.time)
        if not decision.started and _is_on_cluster(last.place) == _is_on_cluster(self.place):
            return age < TAKEOVER
        if age > LOST:
            self._end(
                log, decision, Record("ended", self._at(), verdict="lost", why=f"no end was recorded by {last.decider}")
            )
        return True

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
                return _read_end(self._at(), read_json(folder / RECORD))
        if (refused := refusal_file(self.workspace, tag)).is_file():
            return Record(
                "ended", self._at(), verdict="failed", why=str(NaruError.from_dict(read_json(refused)).message)
            )
        names = {folder.name for folder in folders}
        for deployment in read_deployments(store, project.name) if folders else ():
            if deployment.run in names:  # killed between its deployment and its record
                return Record("ended", self._at(), run=deployment.run, verdict="succeeded", promoted=deployment.version)
        if len(folders) >= _MOST_RUNS:
            why = f"its runs were killed: {', '.join(sorted(names))}"
            return Record("ended", self._at(), run=folders[-1].name, verdict="killed", why=why)
        return None

    def _end(self, log: AppendLog, decision: Decision, record: Record) -> None:
        signed = self._sign(replace(record, decision=decision.name))
        append_record(log, signed)
        self._tell(signed)

    def _sign(self, record: Record) -> Record:
        return replace(record, decider=self.decider, place=self.place)

    def _at(self) -> str:
        return format_time(self.now())

    def _tell(self, record: Record) -> None:
        self.say(describe(record))

    def _warn(self, text: str) -> None:
        """Print a warning, the same one only once."""
        if text not in self._said:
            self._said.add(text)
            self.say(f"naru: warning: {text}")


def _check_parameters(project: Project) -> None:
    """Refuse spans that no run of the source can have, and parameters of `triggers.schedules` that a run here does not take."""
    if spans := project.triggers.retrain.spans:
        try:
            parse_spans(spans, span_unit(project.data))
        except ConfigError as error:
            raise ConfigError(
                error.message, where="project.yaml, triggers.retrain.spans", remedy=error.remedy
            ) from None
    for schedule in project.triggers.schedules:
        for name in schedule.parameters if schedule.enabled else ():
            if name not in OVERRIDES:
                message = f"schedule {schedule.name}: unknown parameter {name!r}; {suggest(name, [*OVERRIDES])}"
                raise ConfigError(message, where="project.yaml, triggers.schedules", remedy="correct its name")


def _is_pausing(decision: Decision, now: datetime) -> bool:
    """Return whether the next start waits: the first two do not, so that a run that was killed goes on at once."""
    starts = len(decision.started)
    return starts >= _STARTS_AT_ONCE and abs(now - decision.started[-1].time) < _PAUSE * 2 ** (starts - _STARTS_AT_ONCE)


def _give_up(at: str, starts: int, why: str) -> Record:
    return Record("ended", at, verdict="failed", why=f"{starts} starts left no record of a run; {why}")


def cluster_place(address: str) -> str:
    """Return the `place` of the records of a watcher that runs on a KFP server."""
    return f"{_CLUSTER}{fingerprint_of([address])[:8]}"


def _is_on_cluster(place: str) -> bool:
    return place.startswith(_CLUSTER)


def format_cause(decision: Decision) -> str:
    """Format the cause of a decision's run, for the report and the deployment ledger."""
    spans = decision.claimed.parameters.get("spans")
    return f"trigger {decision.claimed.number}: {describe_causes(decision.claimed.causes)}{f', on spans {spans}' if spans else ''}"


def describe(record: Record) -> str:
    """Describe a record in a line."""
    names = ", ".join(cause.name or cause.kind for cause in record.causes)
    came = f"version {record.promoted} promoted" if record.promoted else "nothing promoted"
    said = {
        "claimed": f"starts a run: {record.why}",
        "ended": f"run {record.run or 'did not begin'}: {record.verdict}, {came}{f': {record.why}' if record.why else ''}",
    }
    what = said.get(record.state) or " ".join(filter(None, [record.state, names])) + f": {record.why}"
    return f"trigger {record.number}  {what}"


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


def utc_now() -> datetime:
    """Return the system's time."""
    return datetime.now(UTC)
