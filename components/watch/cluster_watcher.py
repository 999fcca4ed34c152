"""A watcher that runs on a KFP server, from a machine (`naru watch --cluster`) or from a pod of the server's cluster (the stage watch).

A run is named after the decision's key, `flights-t0123456789`, and is looked for by that name before it is started: the server has
no unique names, so a watcher that was killed between its claim and the server's answer finds the run that it started. If two were started
all the same, the one whose first stage took the decision counts (`components/_core/store/run_claims.py`). A look does not wait for runs; a
later one records their end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from components._core.errors import NaruError, first_line
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.project.trigger_config import Trigger
from components._core.store.append_log import AppendLog
from components._core.store.approvals import WAITS, find_waiting
from components._core.store.ledger import read_deployments
from components._core.store.run_claims import format_claim, read_holder, take_decision
from components._kfp.kfp_client import JsonObject
from components._kfp.server_state import FINAL, Server, final_state
from components.watch.claim import claim_start
from components.watch.records import Decision, Record
from components.watch.watcher import TAKEOVER, Watcher, cluster_place, format_cause

_MOST_STARTS = 3
"""Times that a run is started which the server does not have afterwards."""
_TAKEN = "taken"
"""Reason of the record `started` that says that the server has the run."""
_NO_RUN = "00000000-0000-0000-0000-000000000000"
"""Holder of a decision that was given up: a run of it that the server starts all the same ends without doing anything."""
_VERDICTS = {"SUCCEEDED": "succeeded", "FAILED": "failed", "CANCELED": "interrupted"}


class TrainingRuns(Protocol):
    """The training pipeline of a project on a KFP server, as a watcher starts it."""

    @property
    def server(self) -> Server:
        """The server."""

    def data(self, given: dict[str, Any]) -> Data:
        """Return the section `data` of a run with these parameters, with locations that can be read from here."""

    def start(self, given: dict[str, Any], cause: str, name: str, claim: str, approve: Mapping[str, Any]) -> str:
        """Start a run under a name, whose version needs an approval as in `serve.approve` (empty: as the project says); returns its id.

        Raises what the server raises.
        """

    def find_reason(self, run: JsonObject) -> str:
        """Find why a run failed, in a line; empty: not known."""


class ClusterWatcher(Watcher):
    """Watches one project, and runs it on a KFP server.

    Args:
        say: Prints a line for a person.
        decider: Program that writes the records.
        runs: The training pipeline on the server.
        folder: The project's folder or name, for the commands in notices.
        now: The clock; None: the system's.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        decider: str,
        runs: TrainingRuns,
        folder: Path,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(say, decider, cluster_place(runs.server.address), now)
        self.runs, self._folder = runs, folder

    @property
    def folder(self) -> Path:
        return self._folder

    def look_at(self, project: Project, store: str) -> None:
        """Look without `triggers.schedules`: they are recurring runs of the server. Errors as in `Watcher.look_at`."""
        others = project.triggers.model_copy(update={"schedules": []})
        super().look_at(project.model_copy(update={"triggers": others}), store)

    def data_of(self, project: Project, trigger: Trigger) -> Data:
        return self.runs.data(project.triggers.parameters_of(trigger))

    def advance(self, project: Project, store: str, log: AppendLog, decision: Decision) -> None:
        found = self.runs.server.find_runs(decision.claimed.run)
        if found:
            self._follow(project, store, log, decision, found)
            return
        if self.is_elsewhere(log, decision):
            return
        last = decision.started[-1] if decision.started else decision.claimed
        is_recent = abs(self.now() - last.time) < TAKEOVER
        if is_recent and (decision.started or last.decider != self.decider):
            return  # another watcher is about to start it
        lost = self._find_loss(project, store, decision)
        if lost is not None:
            self.end(log, decision, lost)
            return
        started = self.sign(Record("started", self.at(), run=decision.claimed.run))
        if (ours := claim_start(log, decision, started)) is not None:
            claimed, claim = decision.claimed, format_claim(decision.name)
            run_id = self.runs.start(claimed.parameters, format_cause(decision), claimed.run, claim, claimed.approve)
            self._say_taken(log, ours, f"run {run_id}")
            self.say(f"trigger {claimed.number}  started run {claimed.run} ({run_id})")

    def _find_loss(self, project: Project, store: str, decision: Decision) -> Record | None:
        """Return how a decision ended whose run the server does not have; None: it may be started.

        A run that the server took is not started again when its record is gone: it may have promoted a version, or do so yet.
        """
        why = f"the KFP server has no run {decision.claimed.run}"
        if _is_taken(decision):
            why += " any more: it was deleted before its end was seen"
        else:
            why += f", after {len(decision.started)} starts"
        lost = Record("ended", self.at(), run=decision.claimed.run, verdict="lost", why=why)
        ended = self._find_promotion(project, store, decision, lost)
        if ended is lost and not _is_taken(decision) and len(decision.started) < _MOST_STARTS:
            return None
        take_decision(store, project.name, decision.name, _NO_RUN)
        return ended

    def _say_taken(self, log: AppendLog, decision: Decision, why: str) -> bool:
        """Record that the server has the run; returns whether this watcher did."""
        taken = Record("started", self.at(), run=decision.claimed.run, reason=_TAKEN, why=why)
        return claim_start(log, decision, self.sign(taken)) is not None

    def _follow(
        self, project: Project, store: str, log: AppendLog, decision: Decision, found: Sequence[JsonObject]
    ) -> None:
        """Adopt a run that was started, and record its end."""
        if not _is_taken(decision) and not self._say_taken(log, decision, "found on the server"):
            return
        counts = self._choose(store, project, decision, found)
        if counts.get("state") not in FINAL:
            return
        run = self.runs.server.kfp.get(f"/runs/{counts['run_id']}")
        state = final_state(run)
        verdict = _VERDICTS.get(state, state.lower())
        why = self._find_reason(run) if verdict == "failed" else self._find_request(project, store, decision)
        ended = Record("ended", self.at(), run=decision.claimed.run, verdict=verdict, why=why, seconds=_seconds_of(run))
        self.end(log, decision, self._find_promotion(project, store, decision, ended))

    def _choose(self, store: str, project: Project, decision: Decision, found: Sequence[JsonObject]) -> JsonObject:
        """Choose the run that counts: the one that has the decision; before one has it, one that may yet take it."""
        holder = read_holder(store, project.name, decision.name) if len(found) > 1 else ""
        going = [run for run in found if run.get("state") not in FINAL]
        held = [run for run in found if run["run_id"] == holder]
        return next(iter([*held, *going, *found]))

    def _find_reason(self, run: JsonObject) -> str:
        try:
            return self.runs.find_reason(run).partition("\n")[0]
        except NaruError as error:
            return f"the reason cannot be read: {first_line(error)}"

    def _find_promotion(self, project: Project, store: str, decision: Decision, ended: Record) -> Record:
        """Add the version that the run made the champion, if it did."""
        lines = [line for line in read_deployments(store, project.name) if line.run == decision.claimed.run]
        if not lines:
            return ended
        return replace(ended, verdict="succeeded", promoted=lines[-1].version)

    def _find_request(self, project: Project, store: str, decision: Decision) -> str:
        """Say which version of the run waits for an approval; empty: none does."""
        waiting = find_waiting(store, project.name, self.now())
        versions = [request.asked.version for request in waiting if request.asked.run == decision.claimed.run]
        return f"{WAITS}: version {versions[-1]}" if versions else ""


def _seconds_of(run: JsonObject) -> float:
    """Return how long a run took by the server's times; 0 where it has none."""
    try:
        begin, end = (datetime.fromisoformat(str(run[name])) for name in ("created_at", "finished_at"))
        return max((end - begin).total_seconds(), 0.0)
    except (KeyError, ValueError, TypeError):
        return 0.0


def _is_taken(decision: Decision) -> bool:
    return any(record.reason == _TAKEN for record in decision.started)
