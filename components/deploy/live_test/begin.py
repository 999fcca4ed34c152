"""Begins a live test of a version in the deploy stage, and ends the stage: no process and no pod waits for the requests of days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from components._core.checks import Check, Outcome, judge
from components._core.credentials import mask_credentials
from components._core.errors import ConfigError
from components._core.examples.samples import Sample
from components._core.project.durations import to_timedelta
from components._core.project.live_test_config import AbTest, ShadowTest, metric_of
from components._core.request_log.location import log_uri
from components._core.store.append_log import AppendLog, make_nonce
from components._core.store.claims import Claims
from components._core.store.ledger import Deployment, current_champion, encode_deployment, identity_of, now, who
from components._core.store.live_tests import (
    LiveTest,
    LiveTestRecord,
    append_live_test,
    find_open,
    open_live_tests,
    read_live_tests,
)
from components.deploy.into_service import Change, Result, compare_only
from components.deploy.live_test.contract import Mode
from components.deploy.live_test.table import MODES
from components.deploy.live_test.traffic import describe_reach
from components.deploy.live_test.versions import find_mismatch, read_version
from components.deploy.promotion import to_deployment
from components.deploy.targets.contract import ComparisonTarget, Target

ENDED = "stopped"


def begin_live_test(change: Change, target: Target, load_sample: Callable[[], Sample]) -> Result | None:
    """Begin the test of a version, unless it goes on already; None when there is no champion to test it beside, or the version has passed.

    The version is compared with the champion on test rows first: one that fails there is blocked, and gets no request.

    Args:
        change: The version.
        target: Where it is served.
        load_sample: Loads the version's offline answers.

    Raises:
        ConfigError: When the target runs no live tests, or the number of labels cannot be computed.
        ServiceError: When a log of the store is damaged.
        UnavailableError: When the store does not answer.
    """
    project, store = change.project, change.settings.store
    champion, test = current_champion(store, project.name), project.serve.live_test
    if champion is None or test is None:
        return None
    if not isinstance(target, ComparisonTarget):
        message = f"serve.rollout: {project.serve.rollout} is run by naru serve on a laptop; on a cluster its objects are rendered only"
        remedy = "print them (naru cluster seldon --challenger-model), or set serve.rollout: canary"
        raise ConfigError(message, where=project.name, remedy=remedy)
    mode = MODES[project.serve.rollout]
    tests = read_live_tests(store, project.name)
    last = _find_last(tests, identity_of(change.registered["version"], change.registered["model"]), champion, test)
    if last is not None and last.ended is not None and last.ended.verdict == "waits":
        return None  # it passed, and an approval is all that it needs
    if (found := _find_earlier(change, champion, test, tests)) is not None:
        return found, None, {}
    needed, statement = mode.count_needed(project, champion.metrics)
    mismatch = find_mismatch(read_version(champion).signature, read_version(_line_of(change)).signature)
    if mismatch:
        return judge([Check("requests", "fail", reason=f"cannot be tested beside the champion: {mismatch}")]), None, {}
    outcome, comparison, details = compare_only(change, target, load_sample())
    if outcome.verdict == "blocked":
        return outcome, comparison, details
    record = _make_record(change, champion, mode, test, needed)
    checks = [*outcome.checks, *_check_reach(change, record, test)]
    begun = _write(change, record)
    if begun is None:
        reason = "another live test of this project began at this moment; run again when it has ended"
        return Outcome("skipped", reason, tuple(checks)), comparison, details
    reason = f"{_describe(begun)}. The test: {statement}"
    warned = "".join(f"; {check.reason}" for check in checks if check.status == "warn" and check.name == "horizon")
    return Outcome("skipped", reason + warned, tuple(checks)), comparison, {**details, "live_test": asdict(begun)}


def describe_end(test: LiveTest) -> str:
    """Describe what came of a test."""
    ended = test.ended
    return f"{ended.verdict} on {ended.at[:16].replace('T', ' ')} UTC: {ended.reason}" if ended else ""


def end_live_test(store: str, project: str, test: LiveTest, **ending: Any) -> LiveTestRecord:
    """Write what came of a test.

    Args:
        store: Root of the object store.
        project: The project's name.
        test: The test.
        ending: Verdict, reason, checks and figures of the line.

    Raises:
        UnavailableError: When the store cannot be reached or written.
    """
    record = LiveTestRecord("ended", now(), test.began.version, test=test.name, by=who(), **ending)
    return append_live_test(open_live_tests(store, project), record)


def end_by_champion(store: str, project: str, test: LiveTest, champion: Deployment | None) -> bool:
    """End a test whose champion is another one by now; returns False when it is the same.

    Args:
        store: Root of the object store.
        project: The project's name.
        test: The test.
        champion: The champion of now; None: there is none.

    Raises:
        UnavailableError: When the store cannot be reached or written.
    """
    if champion is not None and champion.identity == test.champion:
        return False
    # it was promoted, and the process that did so was killed before it could write the end
    is_promoted = champion is not None and champion.identity == test.identity
    now_is = f"version {champion.version} is the champion" if champion else "there is no champion"
    reason = f"{now_is} by now" + ("" if is_promoted else f", and the test was beside version {test.champion[0]}")
    with take_turn(store, project, test) as is_ours:
        if is_ours:
            end_live_test(store, project, test, verdict="promoted" if is_promoted else ENDED, reason=reason)
    return True


def take_turn(store: str, project: str, test: LiveTest) -> AbstractContextManager[bool]:
    """Wait for the turn to end a test, for a `with` block; True when it came, False when the test has ended meanwhile.

    Args:
        store: Root of the object store.
        project: The project's name.
        test: The test.
    """
    claims = Claims(_claims_folder(store, project), f"end {test.name} {make_nonce()}", {"test": test.name, "by": who()})
    return claims.turn(f"judge-{test.name}", partial(_has_ended, store, project, test))


def _has_ended(store: str, project: str, test: LiveTest) -> bool:
    return any(each.name == test.name and each.ended for each in read_live_tests(store, project))


def _claims_folder(store: str, project: str) -> str:
    return f"{store.rstrip('/')}/{project}/claims/live-tests"


def _find_earlier(
    change: Change, champion: Deployment, test: ShadowTest | AbTest, tests: Sequence[LiveTest]
) -> Outcome | None:
    """Return the outcome where a test goes on, or this version was tested by these rules beside this champion before."""
    project, store, registered = change.project, change.settings.store, change.registered
    identity = identity_of(registered["version"], registered["model"])
    if (current := find_open(tests)) is not None:
        if end_by_champion(store, project.name, current, champion):
            pass
        elif current.identity == identity:
            return Outcome("skipped", _describe(current.began))
        else:
            stop = "naru live-test --stop REASON ends it"
            return Outcome("skipped", f"another version is in a live test: {_describe(current.began)}; {stop}")
    last = _find_last(tests, identity, champion, test)
    if last is None or last.ended is None or last.ended.verdict == ENDED:
        return None
    again = "a second test by the same rules would be a second look; train again, or change them"
    reason = f"version {last.began.version} was tested: {describe_end(last)}; {again}"
    return judge([Check("live test", "fail", reason=reason)])


def _find_last(
    tests: Sequence[LiveTest], identity: tuple[str, str], champion: Deployment, test: ShadowTest | AbTest
) -> LiveTest | None:
    """Return the last test of a version beside a champion, if it was by these rules; None when there is none."""
    same = [each for each in tests if each.identity == identity and each.champion == champion.identity]
    return same[-1] if same and same[-1].began.settings == test.model_dump() else None


def _line_of(change: Change) -> Deployment:
    return to_deployment(change.registered, mask_credentials(change.why))


def _make_record(
    change: Change, champion: Deployment, mode: Mode, test: ShadowTest | AbTest, needed: int
) -> LiveTestRecord:
    at = datetime.now(UTC)
    return LiveTestRecord(
        "began",
        at.isoformat(timespec="seconds"),
        change.registered["version"],
        by=who(),
        mode=mode.name,
        settings=test.model_dump(),
        metric=metric_of(test, change.project.task),
        needed=needed,
        until=(at + to_timedelta(test.deadline)).isoformat(timespec="seconds"),
        champion=list(champion.identity),
        deployment=encode_deployment(_line_of(change), change.settings.store),
    )


def _check_reach(change: Change, record: LiveTestRecord, test: ShadowTest | AbTest) -> list[Check]:
    project, at = change.project, datetime.fromisoformat(record.at)
    uri = log_uri(project.serve.request_log, change.settings.store, project.name)
    share, what = (test.share, "compared requests") if isinstance(test, ShadowTest) else (1.0, "labelled rows")
    needed = int(record.needed / share)
    warning = describe_reach(uri, at, needed, datetime.fromisoformat(record.until), what)
    return [Check("horizon", "warn", measured=None, threshold=float(needed), reason=warning)] if warning else []


def _write(change: Change, record: LiveTestRecord) -> LiveTestRecord | None:
    """Write the line unless another test began meanwhile; None when one did."""
    store, project = change.settings.store, change.project.name
    log = open_live_tests(store, project)
    last = log.last_name()
    facts = {"version": record.version, "by": who()}
    claims = Claims(_claims_folder(store, project), f"live test {record.version} {make_nonce()}", facts)
    key = f"live-test-{PurePosixPath(last).stem or 'first'}"
    with claims.turn(key, partial(_has_other_line, log, last)) as is_ours:
        return append_live_test(log, record) if is_ours else None


def _has_other_line(log: AppendLog, last: str) -> bool:
    return log.last_name() != last


def _describe(began: LiveTestRecord) -> str:
    what = "compared requests" if began.mode == "shadow" else "labelled rows"
    until = f"{began.until[:16].replace('T', ' ')} UTC"
    return (
        f"version {began.version} is in a live test ({MODES[began.mode].title}) beside version {began.champion[0]}, until {began.needed:,} {what} "
        f"or {until}; naru serve runs it, naru live-test shows it"
    )
