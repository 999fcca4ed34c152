"""Bring a registered version into service, as the deployment target does it, and make it the champion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from components._core.checks import Check, Outcome, judge
from components._core.errors import ServiceError
from components._core.examples.samples import Sample
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.conditional_writes import check_conditional_writes
from components._core.store.ledger import current_champion, identity_of
from components._core.store.live_tests import read_live_tests
from components.deploy.comparison import Comparison
from components.deploy.live_test.make_way import make_way
from components.deploy.promotion import ChampionChangedError, Compared, promote
from components.deploy.rollout.live_test_servers import LiveTestServers, find_test_beside
from components.deploy.rollout.roll_out import put_back, roll_out
from components.deploy.targets.contract import ComparisonTarget, ModelVersion, RolloutTarget, Target

Result = tuple[Outcome, Comparison | None, dict[str, Any]]
"""The outcome, the comparison with the champion where the target makes one, and the content of `rollout.json`."""


@dataclass(frozen=True)
class Change:
    """A version that is to become the champion.

    Attributes:
        project: The project.
        settings: Settings with the store and MLflow.
        registered: The version, as in `registration.json` or a line of the deployment ledger.
        why: The cause, in a sentence.
        compared: The champion that the version was judged against.
    """

    project: Project
    settings: Settings
    registered: dict[str, Any]
    why: str
    compared: Compared


def bring_into_service(change: Change, target: Target, load_sample: Callable[[], Sample]) -> Result:
    """Test a version on its target and make it the champion; a version that fails gives the verdict `blocked`.

    Args:
        change: The version.
        target: Where it is served.
        load_sample: Loads the version's offline answers, where the target compares with them.

    Raises:
        ServiceError: When MLflow, the store or the ledger failed.
    """
    if isinstance(target, RolloutTarget):
        return _make_way(change, target) or _roll_out(change, target)
    return _compare(change, target, load_sample())


def compare_only(change: Change, target: ComparisonTarget, sample: Sample) -> Result:
    """Test a version beside the champion, and change nothing. Errors as in `bring_into_service`."""
    champion = current_champion(change.settings.store, change.project.name)
    version = change.registered["version"]
    try:
        comparison = target.compare(change.registered, sample, champion)
    except ServiceError as error:
        return judge([Check("answers", "fail", reason=str(error))]), None, {"error": str(error)}
    checks = [*comparison.checks, *_check_store(change.settings)]
    return judge(checks, f"version {version} is the champion"), comparison, _details(comparison)


def champion_changed(error: ChampionChangedError) -> Check:
    """Return the check that fails because another version became the champion."""
    return Check("champion", "fail", reason=f"{error.message}; {error.remedy}")


def _compare(change: Change, target: ComparisonTarget, sample: Sample) -> Result:
    outcome, comparison, details = compare_only(change, target, sample)
    if outcome.verdict == "blocked":
        return outcome, comparison, details
    try:
        promoted = promote(change.settings, change.project.name, change.registered, change.why, change.compared)
    except ChampionChangedError as error:
        return judge([*outcome.checks, champion_changed(error)]), comparison, details
    return outcome, comparison, {**details, "deployment": asdict(promoted)}


def _make_way(change: Change, target: RolloutTarget) -> Result | None:
    """End a live test, whose servers a rollout could not stand beside; a result where it is the champion's own, which goes on."""
    project, settings, registered = change.project, change.settings, change.registered
    champion = current_champion(settings.store, project.name)
    tests = read_live_tests(settings.store, project.name)
    if not tests:
        return None
    if champion is None or champion.identity != identity_of(registered["version"], registered["model"]):
        change.compared.check(champion)
        make_way(project, settings, target, f"version {registered['version']} is brought into service: {change.why}")
        return None
    done = LiveTestServers(project, settings, target).follow()
    test = find_test_beside(champion, tests)
    if test is None:
        return None
    reason = f"version {champion.version} is the champion; version {test.began.version} is in a live test beside it, until whose end its servers stay as they are"
    return Outcome("ok", "; ".join([reason, *done])), None, {}


def _roll_out(change: Change, target: RolloutTarget) -> Result:
    project, settings, registered = change.project, change.settings, change.registered
    result = roll_out(
        project,
        settings,
        ModelVersion(registered["version"], registered["model"]),
        target=target,
        why=change.why,
        shares=project.serve.canary.shares,
        check=change.compared.check,
        registration=registered.get("registration_sha256", ""),
    )
    checks = [*result.checks, *_check_store(settings)]
    outcome = judge(checks, result.reason)
    details: dict[str, Any] = {"changes": [asdict(line) for line in result.changes]}
    if outcome.verdict == "blocked":
        return replace(outcome, reason=result.reason.partition("\n")[0]), None, details
    try:
        promoted = promote(settings, project.name, registered, change.why, change.compared)
    except ChampionChangedError as error:
        put_back(project, settings, error.now, target=target)
        return judge([*checks, champion_changed(error)]), None, details
    return outcome, None, {**details, "deployment": asdict(promoted)}


def _check_store(settings: Settings) -> list[Check]:
    check = check_conditional_writes(settings.store)
    return [check] if check else []


def _details(comparison: Comparison) -> dict[str, Any]:
    smoke_test = comparison.smoke_test
    theirs = {"name": comparison.champion, **comparison.theirs.numbers()} if comparison.theirs else None
    return {
        "rows_compared": smoke_test.rows,
        "rows_with_missing_values": smoke_test.with_gaps,
        "latency_ms": {
            **smoke_test.percentiles(),
            "batch": smoke_test.batch_milliseconds,
            "batch_rows": smoke_test.batch_rows,
        },
        "processing": {
            "clients": comparison.ours.load.clients,
            "version": comparison.ours.numbers(),
            "champion": theirs,
            "not_compared": comparison.not_compared,
        },
        "server_ready_seconds": round(comparison.ours.cold_start_seconds, 3),
        "checks": [asdict(check) for check in comparison.checks],
    }
