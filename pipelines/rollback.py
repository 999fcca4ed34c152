"""`naru rollback` and `naru ledger`: back to a version that was in service, and what the ledgers say of how things came about."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from components._core.errors import ConfigError, ServiceError
from components._core.project.project_file import Project, load_project
from components._core.settings import Settings
from components._core.store.approvals import Request, open_approvals, read_requests
from components._core.store.file_digests import fetch_version
from components._core.store.ledger import Deployment, read_deployments, who
from components._core.store.live_tests import find_open, read_live_tests
from components._core.store.rollout_history import Change, read_changes
from components._core.suggestions import suggest
from components.deploy.promotion import Compared, promote
from components.deploy.targets.table import find_target
from pipelines.cluster.server_placement import place_servers
from pipelines.compile_target import Target
from pipelines.local.workspace import find_workspace

if TYPE_CHECKING:
    from components.deploy.targets.contract import RolloutTarget
    from components.deploy.targets.contract import Target as ServingTarget


@dataclass(frozen=True)
class RolledBack:
    """What was done.

    Attributes:
        name: The project's name.
        before: The version that was the champion.
        now: The one that is.
        seen: What the cluster did; empty where no servers were moved.
    """

    name: str
    before: str
    now: str
    seen: list[str]


def roll_back(folder: Path, to: str, target: Target) -> RolledBack:
    """Make an earlier champion the champion again; where the deployment target keeps versions in service, there first.

    There it is proved before it gets requests, and takes over all at once. A canary that is being tried there is removed
    instead when no version is named: the version in service is what one goes back to then. A live test that goes on is ended likewise, and its
    servers are taken away.

    Args:
        folder: The project's folder.
        to: The version; empty: the champion before the present one.
        target: Where the server's image and the pools are.

    Raises:
        ConfigError: When there is no such version.
        ServiceError: When its model is gone, the cluster fails, the version does not do there what it did, or another version
            became the champion meanwhile.
    """
    from components.deploy.targets.contract import RolloutTarget  # brings NumPy and PyArrow

    project, settings = load_project(folder), find_workspace(folder).settings()
    lines = read_deployments(settings.store, project.name)
    tests = read_live_tests(settings.store, project.name)
    test = find_open(tests)
    seen: list[str] = []
    # one beside an earlier champion is left over: ending it takes nothing back
    if (
        test is not None
        and not to
        and lines
        and lines[-1].identity == test.champion
        and _stop_live_test(project, settings)
    ):
        champion, seen = lines[-1].version, [f"the live test of version {test.began.version} was ended"]
        served = open_for(project, settings, target)
        if isinstance(served, RolloutTarget):
            seen += _take_away(project, settings, served)
        return RolledBack(project.name, champion, champion, seen)
    chosen = _choose(project.name, lines, to)
    remedy = "look at what was done (naru ledger), then run naru rollback again"
    compared = Compared(lines[-1].identity, "this rollback began", remedy)
    served = open_for(project, settings, target)
    if isinstance(served, RolloutTarget):
        if test is not None:  # before its servers are replaced, or a look would start them again
            _stop_live_test(project, settings)
        if tests:
            served.connect("")
        chosen, seen = _move_servers(project, settings, compared, lines[-1], chosen, to, served)
    else:
        _verify(chosen)
        if test is not None:
            _stop_live_test(project, settings)
    promote(settings, project.name, asdict(chosen), _why(chosen), compared)
    return RolledBack(project.name, lines[-1].version, chosen.version, seen)


def open_for(project: Project, settings: Settings, target: Target) -> ServingTarget | None:
    """Open the deployment target of the settings; None where there is none.

    Args:
        project: The project.
        settings: Settings, with the target's name.
        target: Where the server's image and the pools are.

    Raises:
        ConfigError: When there is no such target, or the pools file is not valid.
        ServiceError: When the cluster does not answer, or refuses.
    """
    open_target = find_target(settings.serving)
    placed = partial(place_servers, project, target, settings.namespace)
    return open_target(project, settings, placed) if open_target else None


def _stop_live_test(project: Project, settings: Settings) -> bool:
    from components.deploy.live_test.settle import stop_live_test  # brings NumPy and PyArrow

    return stop_live_test(project, settings, f"rolled back by {who()}") is not None


def _take_away(project: Project, settings: Settings, served: RolloutTarget) -> list[str]:
    """Take away what a live test that has ended left on the cluster; return what was done."""
    from components.deploy.rollout.live_test_servers import LiveTestServers  # brings NumPy and PyArrow

    return LiveTestServers(project, settings, served).follow()


def tell_ledgers(folder: Path) -> list[list[str]]:
    """Both ledgers of a project, and its approvals, by time: when, who, what, the shares or the champion, and why.

    Raises:
        ServiceError: When they cannot be read.
    """
    project, settings = load_project(folder), find_workspace(folder).settings()
    lines = [_of_deployment(line) for line in read_deployments(settings.store, project.name)]
    lines += [_of_change(change) for change in read_changes(settings.store, project.name)]
    tests = read_live_tests(settings.store, project.name)
    if tests:
        from pipelines.live_test import describe_row

        lines += [row for test in tests for row in describe_row(test)]
    lines += _of_requests(read_requests(open_approvals(settings.store, project.name)))
    return sorted(lines, key=lambda line: line[0])


def _choose(name: str, lines: Sequence[Deployment], to: str) -> Deployment:
    versions = list(dict.fromkeys(line.version for line in lines))
    if not lines:
        raise ConfigError("has no champion yet, so there is nothing to go back to", where=name)
    if to and to not in versions:
        message = f"version {to!r} was never in service; {suggest(to, versions)}"
        raise ConfigError(message, where="--to", remedy="naru ledger shows what was when")
    wanted = [line for line in lines if (line.version == to if to else line.version != lines[-1].version)]
    if not wanted:
        remedy = "train a better one: naru run"
        raise ConfigError(f"version {lines[-1].version} is the only one that was in service", where=name, remedy=remedy)
    return wanted[-1]


def _verify(chosen: Deployment) -> None:
    """See that its model is there, and every file of it as it was registered.

    Raises:
        ModelError: When a file has changed, is missing, or is there and was not registered.
        ServiceError: When there is no model.
    """
    from components._frameworks.table import (
        missing_model_files,  # brings NumPy and Arrow: 0.2 s that `naru ledger` does without
    )

    if lacking := missing_model_files(chosen.model):
        raise ServiceError(f"version {chosen.version} cannot be served", where=lacking[0], remedy="train it again")
    with tempfile.TemporaryDirectory(prefix="naru-rollback-") as folder:
        fetch_version(chosen.model, chosen.registration_sha256, Path(folder))


def _move_servers(
    project: Project,
    settings: Settings,
    compared: Compared,
    champion: Deployment,
    chosen: Deployment,
    to: str,
    served: RolloutTarget,
) -> tuple[Deployment, list[str]]:
    from components.deploy.rollout.roll_out import roll_out, version_of_line
    from components.deploy.rollout.state_machine import State

    now = served.see()
    if not to and len(now.keys) > 1 and not now.live_test:
        chosen = champion
    result = roll_out(
        project,
        settings,
        version_of_line(chosen),
        target=served,
        why=_why(chosen),
        shares=(),
        check=compared.check,
        registration=chosen.registration_sha256,
    )
    if result.state is not State.DONE:
        message = f"version {chosen.version} was taken back: {result.reason}"
        serves = bool(result.changes and result.changes[-1].shares)
        remedy = (
            f"version {champion.version} is still in service"
            if serves
            else "look at the cluster: nothing may be in service"
        )
        raise ServiceError(message, where=project.name, remedy=remedy)
    return chosen, [f"{change.action}: {change.reason}" for change in result.changes]


def _why(chosen: Deployment) -> str:
    return f"rolled back to version {chosen.version} by {who()}"


def _of_deployment(line: Deployment) -> list[str]:
    return [line.at, line.by, "champion", f"version {line.version}", line.why]


def _of_requests(requests: Sequence[Request]) -> list[list[str]]:
    """The requests for approvals, and who decided."""
    decided = [step for request in requests for step in (request.approved, request.refused) if step is not None]
    lines = [
        [each.asked.at, each.asked.by.get("user", ""), f"asks for approval of version {each.asked.version}", "", ""]
        for each in requests
    ]
    return [
        *lines,
        *([step.at, step.person, f"{step.state} version {step.version}", "", step.reason] for step in decided),
    ]


def _of_change(change: Change) -> list[str]:
    shares = ", ".join(f"{version}: {percent:g} %" for version, percent in change.shares.items())
    action = f"{change.action} version {change.version}" + ("" if change.verdict == "ok" else f" ({change.verdict})")
    return [change.at, change.by, action, shares, change.reason.partition("\n")[0]]
