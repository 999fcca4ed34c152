"""Begins a live test of a version in the deploy stage, and ends the stage: no process and no pod waits for the requests of days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import PurePosixPath

from components._core.checks import Check, Outcome, judge
from components._core.credentials import mask_credentials
from components._core.errors import NaruError, UnavailableError, first_line
from components._core.examples.samples import Sample
from components._core.project.durations import to_timedelta
from components._core.project.live_test_config import AbTest, ShadowTest, metric_of
from components._core.project.project_file import Project
from components._core.request_log.location import log_uri
from components._core.store.append_log import AppendLog, make_nonce
from components._core.store.claims import Claims
from components._core.store.ledger import Deployment, current_champion, encode_deployment, identity_of, who
from components._core.store.live_tests import (
    STOPPED,
    LiveTest,
    LiveTestRecord,
    append_live_test,
    find_open,
    open_live_tests,
    read_live_tests,
)
from components._data.sources.registry import is_database
from components.deploy.into_service import Change, Result, compare_only
from components.deploy.live_test.contract import Mode
from components.deploy.live_test.end import claims_folder, describe_end, end_by_champion
from components.deploy.live_test.key_values import needed_values, warn_of_few_values
from components.deploy.live_test.make_way import stop_open
from components.deploy.live_test.table import MODES
from components.deploy.live_test.traffic import describe_reach
from components.deploy.live_test.versions import find_mismatch, read_version
from components.deploy.promotion import to_deployment
from components.deploy.rollout.live_test_servers import LiveTestServers, find_test_beside
from components.deploy.targets.contract import ComparisonTarget, RolloutTarget, TakenOverError, Target

_HORIZON, _KEY = "horizon", "values of the key"
_REACH = (_HORIZON, _KEY)
"""Checks of whether the test can end with a conclusion."""


def begin_live_test(change: Change, target: Target, load_sample: Callable[[], Sample]) -> Result | None:
    """Begin the test of a version, unless it goes on already; None when there is no champion to test it beside, or the version has passed.

    On a laptop the version is compared with the champion on test rows first: one that fails there is blocked, and gets no request. On a target that
    keeps versions in service its servers are started beside the champion's; where they do not start, or do not answer as offline, the test is
    stopped, and the champion is served alone again.

    Args:
        change: The version.
        target: Where it is served.
        load_sample: Loads the version's offline answers.

    Raises:
        ConfigError: When the target cannot run the test, or the number of labels cannot be computed.
        ServiceError: When a log of the store is damaged, or the champion is not in service.
        UnavailableError: When the store does not answer.
    """
    project, store = change.project, change.settings.store
    champion, test = current_champion(store, project.name), project.serve.live_test
    if champion is None or test is None:
        return None
    servers = LiveTestServers(project, change.settings, target) if isinstance(target, RolloutTarget) else None
    load_sample = cache(load_sample)  # two checks look at it, on a laptop
    mode = MODES[project.serve.rollout]
    tests = read_live_tests(store, project.name)
    identity = identity_of(change.registered["version"], change.registered["model"])
    last = _find_last(tests, identity, champion, test)
    if last is not None and last.ended is not None and last.ended.verdict == "waits":
        return None  # it passed, and an approval is all that it needs
    if (found := _find_earlier(change, champion, last, tests, in_service=servers is not None)) is not None:
        current = find_test_beside(champion, tests)
        if servers is None or current is None or current.identity != identity:
            return found, None, {}
        return _serve(change, servers, current) or replace(found, checks=tuple(servers.checks)), None, {}
    needed, statement = mode.count_needed(project, champion.metrics)
    mismatch = find_mismatch(read_version(champion).signature, read_version(_line_of(change)).signature)
    if mismatch:
        return judge([Check("requests", "fail", reason=f"cannot be tested beside the champion: {mismatch}")]), None, {}
    record = _make_record(change, champion, mode, test, needed)
    outcome, comparison, details = _test_before(change, target, champion, record, load_sample)
    if outcome.verdict == "blocked":
        return outcome, comparison, details
    checks = [*outcome.checks, *_check_reach(change, record, test), *_check_key(change, record, test, load_sample)]
    begun = _write(change, record)
    if begun is None:
        reason = "another live test of this project began at this moment; run again when it has ended"
        return Outcome("skipped", reason, tuple(checks)), comparison, details
    details = {**details, "live_test": asdict(begun)}
    if servers is not None:
        if (failed := _serve(change, servers, LiveTest(begun))) is not None:
            return failed, comparison, details
        checks = [*servers.checks, *checks]
    reason = f"{_describe(begun, project, in_service=servers is not None)}. The test: {statement}"
    warned = "".join(f"; {check.reason}" for check in checks if check.status == "warn" and check.name in _REACH)
    return Outcome("skipped", reason + warned, tuple(checks)), comparison, details


def _test_before(
    change: Change, target: Target, champion: Deployment, record: LiveTestRecord, load_sample: Callable[[], Sample]
) -> Result:
    """Compare the version with the champion where nothing is in service, else refuse what cannot be served beside it; changes no record."""
    if isinstance(target, ComparisonTarget):
        return compare_only(change, target, load_sample())
    servers = LiveTestServers(change.project, change.settings, target)
    servers.follow()  # what an earlier test left behind
    servers.check(champion, LiveTest(record))
    return Outcome(), None, {}


def _serve(change: Change, servers: LiveTestServers, test: LiveTest) -> Outcome | None:
    """Serve the version under test beside the champion; the outcome where that fails: the test is stopped, and the champion is served alone again."""
    try:
        servers.follow()
    except TakenOverError as error:
        message = f"a look at the live test goes on with its servers: {error.message}"
        servers.checks.append(Check("servers", "warn", reason=message))
    except UnavailableError:
        raise  # it says nothing of the version: the test goes on, and the next look or the same run again goes on with its servers
    except NaruError as error:
        reason = f"version {test.began.version} could not be served beside the champion: {first_line(error)}"
        stop_open(change.project.name, change.settings.store, reason)
        try:
            servers.follow()
        except NaruError as other:
            reason += (
                f"; the champion is not served alone again yet, which naru live-test tries again: {first_line(other)}"
            )
        outcome = judge([*servers.checks, Check("live test", "fail", reason=f"{reason}\n{error}")])
        return replace(outcome, reason=reason)
    return None


def _find_earlier(
    change: Change, champion: Deployment, last: LiveTest | None, tests: Sequence[LiveTest], *, in_service: bool
) -> Outcome | None:
    """Return the outcome where a test goes on, or this version was tested by these rules beside this champion before."""
    project, store, registered = change.project, change.settings.store, change.registered
    identity = identity_of(registered["version"], registered["model"])
    if (current := find_open(tests)) is not None:
        if end_by_champion(store, project.name, current, champion):
            pass
        elif current.identity == identity:
            return Outcome("skipped", _describe(current.began, project, in_service=in_service))
        else:
            stop = "naru live-test --stop REASON ends it"
            goes_on = _describe(current.began, project, in_service=in_service)
            return Outcome("skipped", f"another version is in a live test: {goes_on}; {stop}")
    if last is None or last.ended is None or last.ended.verdict == STOPPED:
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
        approve=approve.model_dump() if (approve := change.project.serve.approve) else {},
    )


def _check_reach(change: Change, record: LiveTestRecord, test: ShadowTest | AbTest) -> list[Check]:
    project, at = change.project, datetime.fromisoformat(record.at)
    uri = log_uri(project.serve.request_log, change.settings.store, project.name)
    share = test.share if isinstance(test, ShadowTest) else 1.0  # labels come for the requests of both versions
    needed = int(record.needed / share)
    warning = describe_reach(uri, at, needed, datetime.fromisoformat(record.until), MODES[record.mode].counted)
    return [Check(_HORIZON, "warn", measured=None, threshold=float(needed), reason=warning)] if warning else []


def _check_key(
    change: Change, record: LiveTestRecord, test: ShadowTest | AbTest, load_sample: Callable[[], Sample]
) -> list[Check]:
    if not isinstance(test, AbTest):
        return []
    uri = log_uri(change.project.serve.request_log, change.settings.store, change.project.name)
    warning = warn_of_few_values(uri, datetime.fromisoformat(record.at), test, load_sample().rows)
    return [Check(_KEY, "warn", threshold=float(needed_values(test)), reason=warning)] if warning else []


def _write(change: Change, record: LiveTestRecord) -> LiveTestRecord | None:
    """Write the line unless another test began meanwhile; None when one did."""
    store, project = change.settings.store, change.project.name
    log = open_live_tests(store, project)
    last = log.last_name()
    facts = {"version": record.version, "by": who()}
    claims = Claims(claims_folder(store, project), f"live test {record.version} {make_nonce()}", facts)
    key = f"live-test-{PurePosixPath(last).stem or 'first'}"
    with claims.turn(key, partial(_has_other_line, log, last)) as is_ours:
        return append_live_test(log, record) if is_ours else None


def _has_other_line(log: AppendLog, last: str) -> bool:
    return log.last_name() != last


def _describe(began: LiveTestRecord, project: Project, *, in_service: bool) -> str:
    what = MODES[began.mode].counted
    until = f"{began.until[:16].replace('T', ' ')} UTC"
    if not in_service:
        by = "naru serve runs it, naru live-test shows it"
    elif project.feedback and project.feedback.labels and is_database(project.feedback.labels.source):
        by = "naru live-test judges it, from a machine that reads the labels: they are in a database, which the pods of the looks do not read"
    else:
        by = (
            f"the pipeline {project.name}-livetest judges it as often as monitor.schedule says, and naru live-test does"
        )
    return (
        f"version {began.version} is in a live test ({MODES[began.mode].title}) beside version {began.champion[0]}, until {began.needed:,} {what} "
        f"or {until}; {by}"
    )
