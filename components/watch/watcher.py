"""What every watcher does in a look, wherever it runs: complete what earlier looks began, observe, decide, start at most one run.

Its steps are lines of the log of triggers (`records.py`), so it may be killed after any of them: the next look goes on from there.

1. `claimed`: the decision, after which no other watcher starts a run for its causes;
2. `started`: the run is started, and goes on if the watcher is killed;
3. `ended`: what came of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from components._core.errors import ConfigError
from components._core.files import fingerprint_of
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.project.trigger_config import Trigger
from components._core.store.append_log import AppendLog
from components._data.sources.registry import span_unit
from components._data.sources.span_expression import parse_spans
from components._notices.channels import read_channels
from components._notices.outbox import Outbox
from components.watch.claim import claim_decision
from components.watch.decide import decide, describe_causes
from components.watch.observe import Observer
from components.watch.records import Decision, Record, append_record, format_time, open_records, read_history
from components.watch.state import State
from components.watch.trigger_notices import find_ends, find_lasting

TAKEOVER = timedelta(minutes=5)
"""Age from which a decision of another machine that has not started is taken over."""
LOST = timedelta(hours=24)
"""Age from which a run of another machine that has not ended counts as lost."""
_CLUSTER = "kfp-"
"""Begin of the `place` of a KFP server: a machine takes no run over from a cluster, nor a cluster one from a machine."""


class Watcher(ABC):
    """Watches one project.

    Args:
        say: Prints a line for a person.
        decider: Program that writes the records.
        place: Where the runs are, in the records.
        now: The clock; None: the system's.

    Attributes:
        now: Returns the present, with a zone.

    Raises:
        ConfigError: When an address of notices is malformed.
    """

    def __init__(
        self, say: Callable[[str], None], decider: str, place: str, now: Callable[[], datetime] | None = None
    ) -> None:
        self.say, self.decider, self.place = say, decider, place
        self.now = now or utc_now
        self.channels = read_channels()
        self._observer: Observer | None = None
        self._outbox: Outbox | None = None
        self._said: set[str] = set()

    @abstractmethod
    def data_of(self, project: Project, trigger: Trigger) -> Data:
        """Return the section `data` of a run that a trigger starts, with locations that can be read from here."""

    @abstractmethod
    def advance(self, project: Project, store: str, log: AppendLog, decision: Decision) -> None:
        """Take a decision one step on: start its run, wait for it, or record how it ended."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The project's folder, for the commands in notices."""

    def look_at(self, project: Project, store: str) -> None:
        """Complete what is open, decide, and start at most one run.

        Raises:
            ConfigError: When the store may not be written, or the parameters of the runs are wrong.
            ServiceError: When a line of the log is damaged.
            UnavailableError: When the store cannot be reached.
        """
        log = open_records(store, project.name)
        for decision in read_history(log).in_flight:
            self.advance(project, store, log, decision)
        self._send_ends(project, store, log)  # before the decision, which may fail
        self._decide(project, store, log)

    def check_parameters(self, project: Project) -> None:
        """Refuse spans that no run of the source can have.

        Raises:
            ConfigError: When a run would not take what the project file says; the message says what is allowed.
        """
        if spans := project.triggers.retrain.spans:
            try:
                parse_spans(spans, span_unit(project.data))
            except ConfigError as error:
                where = "project.yaml, triggers.retrain.spans"
                raise ConfigError(error.message, where=where, remedy=error.remedy) from None

    def _decide(self, project: Project, store: str, log: AppendLog) -> None:
        self.check_parameters(project)
        if self._observer is None or self._observer.store != store:
            self._observer = Observer(store, project.name)
        history = read_history(log)
        state = self._observer.observe(project, history, lambda trigger: self.data_of(project, trigger))
        for remark in self._observer.results.remarks:
            self.warn(remark)
        for record in decide(state, self.now()):
            signed = self.sign(record)
            if signed.state != "claimed":
                line = append_record(log, signed)
                self.tell(replace(signed, line=line))
                continue
            self._notify(state, store, log)  # before the run, which may take hours
            decision = claim_decision(log, history, signed)
            if decision is None:
                self.say("another watcher decided first")
            else:
                self.tell(decision.claimed)
                self.advance(project, store, log, decision)
        self._notify(state, store, log)

    def _notify(self, state: State, store: str, log: AppendLog) -> None:
        if not self.channels:
            return
        current = replace(state, history=read_history(log))
        at, outbox = self.now(), self._open_outbox(store, state.project)
        ends = find_ends(state.project, current.history, self.folder, at, outbox.find_begin(at))
        outbox.send([*find_lasting(current, self.folder), *ends], at)

    def _send_ends(self, project: Project, store: str, log: AppendLog) -> None:
        """Send how runs ended, also those that did while no watcher was there."""
        if not self.channels:
            return
        at, outbox = self.now(), self._open_outbox(store, project.name)
        ends = find_ends(project.name, read_history(log), self.folder, at, outbox.find_begin(at))
        if ends:
            outbox.send(ends, at)

    def _open_outbox(self, store: str, project: str) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(store, project, self.channels, self.warn)
        return self._outbox

    def is_elsewhere(self, log: AppendLog, decision: Decision) -> bool:
        """Return whether another machine has the run; one that is lost is recorded as such."""
        last = decision.started[-1] if decision.started else decision.claimed
        if last.place == self.place:
            return False
        age = abs(self.now() - last.time)
        if not decision.started and _is_on_cluster(last.place) == _is_on_cluster(self.place):
            return age < TAKEOVER
        if age > LOST:
            why = f"no end was recorded by {last.decider}"
            self.end(log, decision, Record("ended", self.at(), verdict="lost", why=why))
        return True

    def end(self, log: AppendLog, decision: Decision, record: Record) -> None:
        """Record how the run of a decision ended."""
        signed = self.sign(replace(record, decision=decision.name))
        append_record(log, signed)
        self.tell(signed)

    def sign(self, record: Record) -> Record:
        """Add who writes a record, and where its run is."""
        return replace(record, decider=self.decider, place=self.place)

    def at(self) -> str:
        """Return the present as records have it."""
        return format_time(self.now())

    def tell(self, record: Record) -> None:
        """Print a record for a person."""
        self.say(describe(record))

    def warn(self, text: str) -> None:
        """Print a warning, the same one only once."""
        if text not in self._said:
            self._said.add(text)
            self.say(f"naru: warning: {text}")


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
        "reset": f"reset {record.why}: triggered runs start again",
        "ended": f"run {record.run or 'did not begin'}: {record.verdict}, {came}{f': {record.why}' if record.why else ''}",
    }
    what = said.get(record.state) or " ".join(filter(None, [record.state, names])) + f": {record.why}"
    return f"trigger {record.number}  {what}"


def utc_now() -> datetime:
    """Return the system's time."""
    return datetime.now(UTC)
