"""`naru watch --cluster`: decide here, run on a KFP server.

A run is named after the decision's key, `flights-t0123456789`, and is looked for by that name before it is started: the server has
no unique names, so a watcher that was killed between its claim and the server's answer finds the run that it started. A look does not
wait for runs; a later one records their end.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from components._core.errors import NaruError, first_line
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.project.trigger_config import Trigger
from components._core.store.append_log import AppendLog
from components._core.store.approvals import WAITS
from components._core.store.ledger import read_deployments
from components.watch.claim import claim_start
from components.watch.records import Decision, Record
from pipelines.approval import find_waiting
from pipelines.kfp.desired_state import DesiredProject, remote_store
from pipelines.kfp.failure_reasons import find_reason
from pipelines.kfp.kfp_client import JsonObject
from pipelines.kfp.run_watch import final_state
from pipelines.kfp.server_state import FINAL, Server
from pipelines.kfp.submit_run import submit
from pipelines.local.watch import TAKEOVER, Watcher, cluster_place, format_cause

_MOST_STARTS = 3
"""Times that a run is started which the server does not have afterwards."""
_TAKEN = "taken"
"""Reason of the record `started` that says that the server has the run."""
_VERDICTS = {"SUCCEEDED": "succeeded", "FAILED": "failed", "CANCELED": "interrupted"}

OpenServer = Callable[[], AbstractContextManager[tuple[Server, list[DesiredProject]]]]


class ClusterWatcher(Watcher):
    """Watches one project, and runs it on a KFP server.

    Args:
        path: The project's folder or file.
        say: Prints a line for a person.
        open_server: Connects to the server and compiles the project, for each look.
    """

    def __init__(self, path: Path, say: Callable[[str], None], open_server: OpenServer) -> None:
        super().__init__(path, say)
        self._open_server = open_server

    def look(self) -> None:
        """Record what ended, decide, and start at most one run; does not wait for it. Errors as in `Watcher.look`."""
        with self._open_server() as (server, desired):
            self._server, self._desired = server, desired[0]
            self.place = cluster_place(server.address)
            super().look()

    def _find_store(self) -> str:
        return remote_store()

    def _decide(self, project: Project, store: str, log: AppendLog) -> None:
        """Decide without `triggers.schedules`: they are recurring runs of the server."""
        others = project.triggers.model_copy(update={"schedules": []})
        super()._decide(project.model_copy(update={"triggers": others}), store, log)

    def _data_of(self, project: Project, trigger: Trigger) -> Data:
        return self._desired.data(project.triggers.parameters_of(trigger))

    def _advance(self, project: Project, store: str, log: AppendLog, decision: Decision) -> None:
        run = self._server.find_run(decision.claimed.run)
        if run is not None:
            self._follow(project, store, log, decision, run)
            return
        if self._is_elsewhere(log, decision):
            return
        last = decision.started[-1] if decision.started else decision.claimed
        is_recent = abs(self.now() - last.time) < TAKEOVER
        if is_recent and (decision.started or last.decider != self.decider):
            return  # another watcher is about to start it
        lost = self._find_loss(project, store, decision)
        if lost is not None:
            self._end(log, decision, lost)
            return
        started = self._sign(Record("started", self._at(), run=decision.claimed.run))
        if (ours := claim_start(log, decision, started)) is not None:
            claimed, cause = decision.claimed, format_cause(decision)
            submitted = submit(
                self._server,
                self._desired,
                claimed.parameters,
                cause=cause,
                cache=True,
                name=claimed.run,
                approve=claimed.approve,
            )
            self._say_taken(log, ours, f"run {submitted.id}")
            self.say(f"trigger {decision.claimed.number}  started run {submitted.name} ({submitted.id})")

    def _find_loss(self, project: Project, store: str, decision: Decision) -> Record | None:
        """Return how a decision ended whose run the server does not have; None: it may be started.

        A run that the server took is not started again when its record is gone: it may have promoted a version, or do so yet.
        """
        why = f"the KFP server has no run {decision.claimed.run}"
        if _is_taken(decision):
            why += " any more: it was deleted before its end was seen"
        else:
            why += f", after {len(decision.started)} starts"
        lost = Record("ended", self._at(), run=decision.claimed.run, verdict="lost", why=why)
        ended = self._find_promotion(project, store, decision, lost)
        is_over = _is_taken(decision) or len(decision.started) >= _MOST_STARTS
        return ended if is_over or ended is not lost else None

    def _say_taken(self, log: AppendLog, decision: Decision, why: str) -> bool:
        """Record that the server has the run; returns whether this watcher did."""
        taken = Record("started", self._at(), run=decision.claimed.run, reason=_TAKEN, why=why)
        return claim_start(log, decision, self._sign(taken)) is not None

    def _follow(self, project: Project, store: str, log: AppendLog, decision: Decision, found: JsonObject) -> None:
        """Adopt a run that was started, and record its end."""
        if not _is_taken(decision) and not self._say_taken(log, decision, "found on the server"):
            return
        if found.get("state") not in FINAL:
            return
        run = self._server.kfp.get(f"/runs/{found['run_id']}")
        state = final_state(run)
        verdict = _VERDICTS.get(state, state.lower())
        why = (
            self._find_reason(run) if verdict == "failed" else self._find_request(project, store, decision.claimed.run)
        )
        seconds = _seconds_of(run)
        ended = Record("ended", self._at(), run=decision.claimed.run, verdict=verdict, why=why, seconds=seconds)
        self._end(log, decision, self._find_promotion(project, store, decision, ended))

    def _find_reason(self, run: JsonObject) -> str:
        try:
            return find_reason(self._server, run).text.partition("\n")[0]
        except NaruError as error:
            return f"the reason cannot be read: {first_line(error)}"

    def _find_promotion(self, project: Project, store: str, decision: Decision, ended: Record) -> Record:
        """Add the version that the run made the champion, if it did."""
        lines = [line for line in read_deployments(store, project.name) if line.run == decision.claimed.run]
        if not lines:
            return ended
        return replace(ended, verdict="succeeded", promoted=lines[-1].version)

    def _find_request(self, project: Project, store: str, run: str) -> str:
        """Say which version of a run waits for an approval; empty: none does."""
        requests = [request for request in find_waiting(store, project.name) if request.asked.run == run]
        return f"{WAITS}: version {requests[-1].asked.version}" if requests else ""


def _seconds_of(run: JsonObject) -> float:
    """Return how long a run took by the server's times; 0 where it has none."""
    try:
        begin, end = (datetime.fromisoformat(str(run[name])) for name in ("created_at", "finished_at"))
        return max((end - begin).total_seconds(), 0.0)
    except (KeyError, ValueError, TypeError):
        return 0.0


def _is_taken(decision: Decision) -> bool:
    return any(record.reason == _TAKEN for record in decision.started)
