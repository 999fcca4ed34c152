"""The records of triggers: an append log beside the deployment ledger, one JSON object for each step of a decision.

    <store>/<project>/triggers/000042-0199c3a1b2c4d5e6f7a8b9c0.json      (`append_log.py` says what the name holds)

A decision to start a run is a line `claimed` with all its causes; `started` and `ended` follow and name it. `held`,
`refused` and `notice` say why none started. `requested` is a demand that waits, `seen` what there was when a trigger was first
looked at, `reset` closes the breaker. Lines are never changed: what holds now follows from all of them in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, get_args

from components._core.credentials import masked
from components._core.errors import ServiceError
from components._core.files import fingerprint_of
from components._core.store.append_log import AppendLog
from components._core.store.record_fields import content_of, line_of, read_fields
from components._core.store.store_addresses import triggers_folder

Step = Literal["requested", "seen", "held", "refused", "notice", "claimed", "started", "ended", "reset"]
_STEPS = frozenset(get_args(Step))


def make_key(project: str, name: str, *evidence: str) -> str:
    """Make the key of a cause: equal evidence gives an equal key, whenever and wherever it is looked at."""
    return fingerprint_of([project, name, *evidence])


@dataclass(frozen=True)
class Cause:
    """Why a run may start.

    Attributes:
        key: Identity of the evidence, from `make_key`.
        kind: Kind of the trigger, or `invariant` or `breaker` of a notice.
        name: The trigger's name; empty: none has it.
        what: The evidence in a sentence.
        evidence: The evidence for programs: addresses, hashes, spans, times.
    """

    key: str
    kind: str
    name: str
    what: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """One line.

    Attributes:
        state: The step.
        at: Time, as ISO 8601 in UTC.
        causes: Causes: all of the run for `claimed`, else one.
        reason: Why in one word, for programs: `quiet`, `cooldown`, `breaker`; recorded once for each key and reason.
        why: Why, in a sentence.
        champion: Version of the champion at that time; empty: none.
        parameters: Pipeline parameters of the run.
        approve: Who must approve what the run makes, as `serve.approve` of the project; empty: as the project says.
        decision: For `started` and `ended`: name of the line `claimed`, without `.json`.
        run: Name of the run; for `claimed` the name that it will have.
        verdict: For `ended`: status of the run.
        promoted: For `ended`: the version that it promoted; empty: none.
        seconds: For `ended`: how long the run took.
        policy: Fingerprint of `triggers` in project.yaml.
        decider: Program that wrote the line.
        place: Fingerprint of the machine and workspace that wrote it: a run on a laptop can be found only there.
        line: Name of the line without `.json`; known once it was written.
    """

    state: Step
    at: str
    causes: tuple[Cause, ...] = ()
    reason: str = ""
    why: str = ""
    champion: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    approve: dict[str, Any] = field(default_factory=dict)
    decision: str = ""
    run: str = ""
    verdict: str = ""
    promoted: str = ""
    seconds: float = 0.0
    policy: str = ""
    decider: str = ""
    place: str = ""
    line: str = field(default="", compare=False)

    @property
    def time(self) -> datetime:
        """The time."""
        return datetime.fromisoformat(self.at)

    @property
    def number(self) -> str:
        """Number of the line, as in `000042`; of a decision's later steps that of the decision."""
        return (self.decision or self.line).partition("-")[0]

    @property
    def is_automatic(self) -> bool:
        """Whether limits apply: a cause is not a demand."""
        return any(cause.kind != "demand" for cause in self.causes)


@dataclass(frozen=True)
class Decision:
    """A decision to start a run, with what came of it.

    Attributes:
        claimed: The line that claims the causes.
        started: The lines `started`, oldest first: more than one when a watcher died in between.
        ended: The first line `ended`; None while the run is in flight.
    """

    claimed: Record
    started: tuple[Record, ...] = ()
    ended: Record | None = None

    @property
    def name(self) -> str:
        """Name of the line that claims the causes."""
        return self.claimed.line


class History:
    """All records of a project, oldest first, and what follows from them.

    Args:
        records: The records, in the order of their lines.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    @cached_property
    def decisions(self) -> list[Decision]:
        """The valid decisions in order; a claim of a key that an earlier line has claimed is void."""
        steps: dict[str, tuple[list[Record], list[Record]]] = {}
        for record in self.records:
            if record.state in ("started", "ended"):
                steps.setdefault(record.decision, ([], []))[record.state == "ended"].append(record)
        taken: set[str] = set()
        valid = []
        for record in self.records:
            keys = {cause.key for cause in record.causes}
            if record.state == "claimed" and not keys & taken:
                taken |= keys
                started, ended = steps.get(record.line, ([], []))
                valid.append(Decision(record, tuple(started), ended[0] if ended else None))
        return valid

    @cached_property
    def by_key(self) -> dict[str, Decision]:
        """The decision that claimed a key."""
        return {cause.key: decision for decision in self.decisions for cause in decision.claimed.causes}

    @cached_property
    def said(self) -> set[tuple[str, str, str]]:
        """State, key and reason of each record of a single cause."""
        return {(record.state, cause.key, record.reason) for record in self.records for cause in record.causes}

    @property
    def in_flight(self) -> list[Decision]:
        """Decisions whose run has not ended."""
        return [decision for decision in self.decisions if decision.ended is None]

    def of_state(self, state: Step) -> Iterable[Record]:
        """Return the records of one state, oldest first."""
        return (record for record in self.records if record.state == state)


def open_records(store: str, project: str) -> AppendLog:
    """Open the log of a project's triggers."""
    return AppendLog(triggers_folder(store, project), "the log of triggers", store)


def append_record(log: AppendLog, record: Record) -> str:
    """Add a record; returns the name of its line, without `.json`.

    Raises:
        UnavailableError: When the store cannot be reached or written.
    """
    return line_of(log.append(masked(json.loads(json.dumps(content_of(record, (), 0.0))))))


def read_history(log: AppendLog) -> History:
    """Read all records.

    Raises:
        ServiceError: When a line is damaged: skipping it could start a run twice.
        UnavailableError: When the store cannot be reached.
    """
    return History([_parse(name, content) for name, content in log.read()])


def _parse(name: str, content: bytes) -> Record:
    """Parse a line; keys of a later Naru are ignored."""
    try:
        raw = json.loads(content)
        known = read_fields(raw, Record)
        causes = tuple(
            Cause(**{each.name: cause[each.name] for each in fields(Cause) if each.name in cause})
            for cause in raw.get("causes", ())
        )
        record = Record(**{**known, "causes": causes}, line=line_of(name))
        if record.state not in _STEPS or record.time.tzinfo is None:
            raise ValueError("unknown state, or a time without a zone")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        remedy = "restore the file, or move it away: what it decided is then forgotten"
        raise ServiceError(f"damaged line of the log of triggers: {error}", where=name, remedy=remedy) from None
    return record


def format_time(time: datetime) -> str:
    """Format a time as records have it: ISO 8601 in UTC, to the second."""
    return time.astimezone(UTC).isoformat(timespec="seconds")
