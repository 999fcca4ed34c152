"""The log of approvals: which versions wait for one, who approved or refused them and why, and what came of it.

    <store>/<project>/approvals/000001-0199c3a1b2c4d5e6f7a8b9c0.json      (`append_log.py` says what the name holds)

A line `requested` is written by deploy: the version with its evidence, until when it can be approved, and by whom. `approved` and
`refused` name that line and repeat the digest of its evidence. `began` and `ended` are the steps of the rollout that follows. Lines
are never changed; what holds now follows from all of them in their order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, get_args

from components._core.errors import ServiceError
from components._core.files import dump_json
from components._core.store.append_log import AppendLog
from components._core.store.ledger import Deployment, decode_deployment, identity_of
from components._core.store.record_fields import content_of, line_of, read_fields

WAITS = "waits for approval"
"""Begin of the reason of a deploy stage that asked for an approval."""
DEPLOYED = "deployed"
"""Verdict of a rollout that made the version the champion."""

Step = Literal["requested", "approved", "refused", "began", "ended"]
_STEPS = frozenset(get_args(Step))


def digest_evidence(evidence: Mapping[str, Any]) -> str:
    """Return the SHA-256 of evidence."""
    return hashlib.sha256(dump_json(dict(evidence)).encode()).hexdigest()


@dataclass(frozen=True)
class ApprovalRecord:
    """One line.

    Attributes:
        state: The step.
        at: Time, as ISO 8601 in UTC.
        version: The version.
        request: Name of the line `requested`, without `.json`; of that line itself empty.
        digest: SHA-256 of the evidence.
        by: Who, for a person: `user`, `email`, `subject`, as far as they are known.
        reason: Why, in the words of the person; for `ended` what came of it.
        verdict: For `ended`: `deployed` or `blocked`.
        place: For `began`: machine, process and a nonce of the command that rolls the version out.
        evidence: For `requested`: what the version was judged by.
        deployment: For `requested`: the line that the deployment ledger will get.
        who: For `requested`: who may approve; empty: everyone.
        expires: For `requested`: until when, as ISO 8601 in UTC.
        run: For `requested`: the run that asks.
        line: Name of the line without `.json`; known once it was written.
    """

    state: Step
    at: str
    version: str
    request: str = ""
    digest: str = ""
    by: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    verdict: str = ""
    place: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    deployment: dict[str, Any] = field(default_factory=dict)
    who: list[str] = field(default_factory=list)
    expires: str = ""
    run: str = ""
    line: str = field(default="", compare=False)

    @property
    def time(self) -> datetime:
        """The time."""
        return datetime.fromisoformat(self.at)

    @property
    def person(self) -> str:
        """Who it was, in a few words."""
        return next((self.by[name] for name in ("email", "user", "subject") if self.by.get(name)), "unknown")


@dataclass(frozen=True)
class Request:
    """A request with all that followed it.

    Attributes:
        asked: The line `requested`.
        approved: The first line `approved`; None: there is none, or it was refused first.
        refused: The first line `refused`, likewise.
        steps: The lines `began` and `ended`, oldest first.
    """

    asked: ApprovalRecord
    approved: ApprovalRecord | None = None
    refused: ApprovalRecord | None = None
    steps: tuple[ApprovalRecord, ...] = ()

    @property
    def name(self) -> str:
        """Name of the line `requested`."""
        return self.asked.line

    @property
    def identity(self) -> tuple[str, str]:
        """Identity of the version, as in the deployment ledger."""
        return identity_of(self.asked.version, str(self.asked.deployment["model"]))

    @property
    def champion(self) -> tuple[str, str] | None:
        """Identity of the champion that the version was judged against; None: there was none."""
        found = self.asked.evidence.get("champion")
        return (str(found[0]), str(found[1])) if found else None

    @property
    def is_deployed(self) -> bool:
        """Whether it was rolled out."""
        return any(step.verdict == DEPLOYED for step in self.steps)

    @property
    def in_progress(self) -> ApprovalRecord | None:
        """The newest line `began` without an `ended` after it; None: no rollout is open."""
        return self.steps[-1] if self.steps and self.steps[-1].state == "began" else None

    def has_expired(self, now: datetime) -> bool:
        """Return whether it can no longer be approved or rolled out."""
        return now >= datetime.fromisoformat(self.asked.expires)

    def waits(self, now: datetime) -> bool:
        """Return whether it waits for an approval, or is approved and not rolled out."""
        return not (self.refused or self.is_deployed or self.has_expired(now))

    def deployment(self, store: str, project: str) -> Deployment:
        """Return the line that the deployment ledger will get, with addresses in this store.

        Raises:
            ServiceError: When the request is damaged.
        """
        try:
            return decode_deployment(self.asked.deployment, store, project)
        except (ValueError, TypeError) as error:
            raise _damaged(self.name, error) from None


def open_approvals(store: str, project: str) -> AppendLog:
    """Open the log of a project's approvals."""
    return AppendLog(f"{store.rstrip('/')}/{project}/approvals", "the log of approvals", store)


def append_approval(log: AppendLog, record: ApprovalRecord) -> ApprovalRecord:
    """Add a record; returns it with the name of its line.

    Raises:
        UnavailableError: When the store cannot be reached or written.
    """
    return replace(record, line=line_of(log.append(content_of(record))))


def read_requests(log: AppendLog) -> list[Request]:
    """Read all requests, oldest first, each with what followed it.

    Raises:
        ServiceError: When a line is damaged: skipping it could roll out what was refused.
        UnavailableError: When the store cannot be reached.
    """
    records = [_parse(name, content) for name, content in log.read()]
    followed: dict[str, list[ApprovalRecord]] = {}
    for record in records:
        followed.setdefault(record.request, []).append(record)
    return [_join(record, followed.get(record.line, ())) for record in records if record.state == "requested"]


def find_request(requests: Sequence[Request], version: str) -> Request | None:
    """Return the newest request of a version; None when there is none."""
    return next((request for request in reversed(requests) if request.asked.version == version), None)


def _join(asked: ApprovalRecord, steps: Sequence[ApprovalRecord]) -> Request:
    """Join a request with its steps: of approval and refusal the first decides, and one of other evidence is void."""
    valid = [step for step in steps if step.digest == asked.digest]
    decision = next((step for step in valid if step.state in ("approved", "refused")), None)
    return Request(
        asked,
        decision if decision and decision.state == "approved" else None,
        decision if decision and decision.state == "refused" else None,
        tuple(step for step in valid if step.state in ("began", "ended")),
    )


def _parse(name: str, content: bytes) -> ApprovalRecord:
    """Parse a line; keys of a later Naru are ignored."""
    try:
        record = ApprovalRecord(**read_fields(json.loads(content), ApprovalRecord), line=line_of(name))
        if record.state not in _STEPS or record.time.tzinfo is None:
            raise ValueError("unknown state, or a time without a zone")
        if record.state == "requested":
            _check_request(record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(name, error) from None
    return record


def _check_request(record: ApprovalRecord) -> None:
    if digest_evidence(record.evidence) != record.digest:
        raise ValueError("its evidence is not that of its digest")
    if datetime.fromisoformat(record.expires).tzinfo is None or not isinstance(record.deployment["model"], str):
        raise ValueError("no time at which it expires, or no model")
    if not isinstance(record.who, list) or not all(isinstance(name, str) for name in record.who):
        raise ValueError("who must be a list of names")


def _damaged(name: str, error: Exception) -> ServiceError:
    remedy = "restore the file, or move it away and run again: that asks for a new approval"
    return ServiceError(f"damaged line of the log of approvals: {error}", where=name, remedy=remedy)


def find_waiting(store: str, project: str, now: datetime) -> list[Request]:
    """Return the requests that wait for a decision or for their rollout, oldest first: of each version the newest.

    Raises:
        ServiceError: When the log of approvals is damaged.
        UnavailableError: When the store does not answer.
    """
    newest = {request.asked.version: request for request in read_requests(open_approvals(store, project))}
    return [request for request in newest.values() if request.waits(now)]
