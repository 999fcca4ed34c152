"""`naru clean`: make the plan, show it, and carry it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from components._core.errors import ConfigError
from components._core.project.keep_config import Keep, KeepRule, parse_keep
from components._core.project.project_file import load_project
from components._core.store.approvals import open_approvals, read_requests
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.ledger import Deployment, read_deployments
from components._core.store.live_tests import find_open, read_live_tests
from components._kfp.server_state import Server
from components.watch.records import open_records, read_history
from pipelines.clean.kfp_runs import plan_kfp_runs
from pipelines.clean.plan import KindPlan
from pipelines.clean.run_folders import plan_runs
from pipelines.clean.store_objects import StoreState, plan_store
from pipelines.kfp.desired_state import DesiredPipeline, remote_store
from pipelines.local.workspace import find_workspace

OpenServer = Callable[[], AbstractContextManager[tuple[Server, list[DesiredPipeline]]]]


def parse_rule(text: str) -> KeepRule | None:
    """Parse `--keep`; None when it is empty: the project says what is kept.

    Raises:
        ConfigError: When it is no rule.
    """
    try:
        return parse_keep(text) if text else None
    except ValueError as error:
        raise ConfigError(str(error), where="--keep") from None


def plan_clean(path: Path, keep: KeepRule | None, now: datetime | None = None) -> list[KindPlan]:
    """Plan what is removed on this machine and in the store of the environment; nothing is removed.

    Args:
        path: The project's folder or file.
        keep: What is kept: a number holds for runs and results, an age for every kind; None: as the project says.
        now: The time; None: the present.

    Raises:
        ServiceError: When a ledger, a log of records or a manifest is damaged: what it protects is not known then.
        UnavailableError: When the store does not answer.
    """
    workspace, at = find_workspace(path), now or datetime.now(UTC)
    workspace.check_project()
    project = load_project(path)
    with workspace.settings_applied():
        store = workspace.settings().store
        history = read_history(open_records(store, project.name))
        deployments = _protecting(store, project.name)
        requests = [each for each in read_requests(open_approvals(store, project.name)) if each.waits(at)]
        rules = _rules(project.keep, keep)
        root = f"{store.rstrip('/')}/{project.name}"
        state = StoreState(project, root, at, history, is_local(open_filesystem(store)[0]))
        runs = plan_runs(workspace, rules("runs"), at, deployments, requests, history)
        return [*runs, *plan_store(state, rules)]


def plan_clean_cluster(
    path: Path, keep: KeepRule | None, server: Server, desired: DesiredPipeline, now: datetime | None = None
) -> list[KindPlan]:
    """Plan what is removed on a KFP server and in the store of the cluster; errors as in `plan_clean`."""
    project, at, store = load_project(path), now or datetime.now(UTC), remote_store()
    history = read_history(open_records(store, project.name))
    deployments = _protecting(store, project.name)
    requests = [each for each in read_requests(open_approvals(store, project.name)) if each.waits(at)]
    rules = _rules(project.keep, keep)
    state = StoreState(project, f"{store}/{project.name}", at, history, is_local=False)
    runs = plan_kfp_runs(server, desired.label, rules("cluster_runs"), at, deployments, requests, history)
    return [*runs, *plan_store(state, rules)]


def _protecting(store: str, project: str) -> list[Deployment]:
    """Return the lines of the ledger, and the one that the version in a live test may get: the runs of all of them stay."""
    test = find_open(read_live_tests(store, project))
    return [*read_deployments(store, project), *([test.deployment(store, project)] if test else [])]


def describe_plan(plans: Sequence[KindPlan]) -> list[list[str]]:
    """Describe a plan, a row for each kind: what, how many go, their files and bytes, how many stay, and why."""
    return [
        [plan.kind, f"{len(plan.removed):,}", f"{plan.files:,}", format_bytes(plan.size), f"{plan.kept:,}", plan.why]
        for plan in plans
        if plan.removed or plan.kept or plan.why.endswith("not touched")
    ]


def carry_out(plans: Sequence[KindPlan]) -> Iterator[KindPlan]:
    """Remove what a plan says; yields each kind when it is done. Killed in the middle, the next clean-up removes the rest.

    Raises:
        UnavailableError: When the store or the server does not answer.
    """
    for plan in plans:
        for item in plan.removed:
            item.remove()
        if plan.removed:
            yield plan


def format_bytes(size: float) -> str:
    """Format a number of bytes for a person, as in `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:,.0f} B" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return ""


def _rules(section: Keep, given: KeepRule | None) -> Callable[[str], KeepRule]:
    """Return the rule of a kind: the given one where it fits the kind, else that of the project."""

    def find(name: str) -> KeepRule:
        own = parse_keep(getattr(section, name))
        if given is None or (given.newest is not None and name not in ("runs", "cluster_runs", "results")):
            return own
        return given

    return find
