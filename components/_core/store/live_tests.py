"""The log of live tests: which version was tested beside which champion on the requests of users, by which rules, and what came of it.

    <store>/<project>/live-tests/000001-0199c3a1b2c4d5e6f7a8b9c0.json      (`append_log.py` says what the name holds)

A line `began` is written by deploy, with everything that the test will be judged by: it is stated beforehand and never changed. A line
`ended` names it and has the verdict, the checks and the figures. Of two lines `ended` the first holds. No process and no pod waits in between.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, get_args

from components._core.errors import ServiceError
from components._core.store.append_log import AppendLog
from components._core.store.ledger import Deployment, decode_deployment, identity_of
from components._core.store.record_fields import content_of, line_of, read_fields

LiveVerdict = Literal["promoted", "waits", "refused", "inconclusive", "stopped"]
"""`promoted`; `waits` for an approval; `refused`, as a bound was broken; `inconclusive`, and the champion stays; `stopped` by a person or by
another champion."""
STOPPED: LiveVerdict = "stopped"
Step = Literal["began", "ended"]


@dataclass(frozen=True)
class LiveTestRecord:
    """One line.

    Attributes:
        state: The step.
        at: Time, as ISO 8601 in UTC.
        version: The version under test.
        test: For `ended`: name of the line `began`, without `.json`.
        by: User of the process that wrote the line.
        mode: For `began`: `shadow` or `ab`.
        settings: For `began`: the section of project.yaml, `serve.shadow` or `serve.ab`.
        metric: For `began`: the metric of the test on labels.
        needed: For `began`: compared requests (shadow) or labelled rows (ab) at which it is judged.
        until: For `began`: the deadline, as ISO 8601 in UTC.
        champion: For `began`: identity of the champion beside it.
        deployment: For `began`: the line that the deployment ledger will get.
        approve: For `began`: who must approve the version once it passes, as in `serve.approve` of its run; empty: nobody.
        verdict: For `ended`: what came of it.
        reason: For `ended`: why, in a sentence.
        checks: For `ended`: the checks behind the verdict.
        figures: For `ended`: the numbers behind it, by name.
        line: Name of the line without `.json`; known once it was written.
    """

    state: Step
    at: str
    version: str
    test: str = ""
    by: str = ""
    mode: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    metric: str = ""
    needed: int = 0
    until: str = ""
    champion: list[str] = field(default_factory=list)
    deployment: dict[str, Any] = field(default_factory=dict)
    approve: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""
    reason: str = ""
    checks: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    line: str = field(default="", compare=False)


@dataclass(frozen=True)
class LiveTest:
    """A test with its end.

    Attributes:
        began: The line `began`.
        ended: The first line `ended`; None: it goes on.
    """

    began: LiveTestRecord
    ended: LiveTestRecord | None = None

    @property
    def name(self) -> str:
        """Name of the line `began`."""
        return self.began.line

    @property
    def since(self) -> datetime:
        """When it began."""
        return datetime.fromisoformat(self.began.at)

    @property
    def deadline(self) -> datetime:
        """When it is judged at the latest."""
        return datetime.fromisoformat(self.began.until)

    @property
    def identity(self) -> tuple[str, str]:
        """Identity of the version under test, as in the deployment ledger."""
        return identity_of(self.began.version, str(self.began.deployment["model"]))

    @property
    def champion(self) -> tuple[str, str]:
        """Identity of the champion beside it."""
        return self.began.champion[0], self.began.champion[1]

    def deployment(self, store: str, project: str) -> Deployment:
        """Return the line that the deployment ledger will get, with addresses in this store.

        Raises:
            ServiceError: When the line is damaged.
        """
        try:
            return decode_deployment(self.began.deployment, store, project)
        except (ValueError, TypeError) as error:
            raise _damaged(self.name, error) from None


def open_live_tests(store: str, project: str) -> AppendLog:
    """Open the log of a project's live tests."""
    return AppendLog(f"{store.rstrip('/')}/{project}/live-tests", "the log of live tests", store)


def append_live_test(log: AppendLog, record: LiveTestRecord) -> LiveTestRecord:
    """Add a record; returns it with the name of its line.

    Raises:
        UnavailableError: When the store cannot be reached or written.
    """
    return replace(record, line=line_of(log.append(content_of(record))))


def read_live_tests(store: str, project: str) -> list[LiveTest]:
    """Read all tests of a project, oldest first.

    Raises:
        ServiceError: When a line is damaged: skipping it could begin again what has ended.
        UnavailableError: When the store cannot be reached.
    """
    records = [_parse(name, content) for name, content in open_live_tests(store, project).read()]
    ends: dict[str, LiveTestRecord] = {}
    for record in records:
        if record.state == "ended":
            ends.setdefault(record.test, record)
    return [LiveTest(record, ends.get(record.line)) for record in records if record.state == "began"]


def find_open(tests: Sequence[LiveTest]) -> LiveTest | None:
    """Return the test that goes on; None when there is none. Of two that began at once it is the first."""
    return next((test for test in tests if test.ended is None), None)


def _parse(name: str, content: bytes) -> LiveTestRecord:
    """Parse a line; keys of a later Naru are ignored."""
    try:
        record = LiveTestRecord(**read_fields(json.loads(content), LiveTestRecord), line=line_of(name))
        if record.state not in get_args(Step) or datetime.fromisoformat(record.at).tzinfo is None:
            raise ValueError("unknown state, or a time without a zone")
        if record.state == "began":
            _check_began(record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(name, error) from None
    return record


def _check_began(record: LiveTestRecord) -> None:
    if datetime.fromisoformat(record.until).tzinfo is None or not isinstance(record.deployment["model"], str):
        raise ValueError("no time at which it ends, or no model")
    if len(record.champion) != 2 or not all(isinstance(part, str) for part in record.champion):
        raise ValueError("no champion")


def _damaged(name: str, error: Exception) -> ServiceError:
    remedy = "restore the file, or move it away and run again: that begins a new test"
    return ServiceError(f"damaged line of the log of live tests: {error}", where=name, remedy=remedy)
