"""Approvals in deploy: ask for one and end, and roll an approved version out. No process waits in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from components._core.checks import Outcome
from components._core.credentials import mask_credentials
from components._core.examples.samples import Sample
from components._core.project.approval_config import Approval
from components._core.project.durations import to_timedelta
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.approvals import (
    WAITS,
    ApprovalRecord,
    Request,
    append_approval,
    digest_evidence,
    find_request,
    open_approvals,
    read_requests,
)
from components._core.store.ledger import encode_deployment, now, who
from components._core.store.store_addresses import within_project
from components._core.types.artifact_files import OUTCOME
from components.deploy.into_service import Change, Result, bring_into_service, compare_only
from components.deploy.promotion import Compared, to_deployment
from components.deploy.rollout.roll_out import fetch_sample, version_of_line
from components.deploy.targets.contract import ComparisonTarget, OpenTarget, Target
from components.deploy.targets.placement import Placement

_DIGITS = 12


def ask_for_approval(change: Change, approval: Approval, target: Target, load_sample: Callable[[], Sample]) -> Result:
    """Write a request for an approval, unless the version waits already, and end as skipped.

    On a target that compares, the version is tested first: one that fails is blocked, and no approval is requested. On one that keeps
    versions in service nothing is started before the approval.

    Args:
        change: The version.
        approval: Who may approve, and for how long.
        target: Where it would be served.
        load_sample: As in `bring_into_service`.

    Raises:
        ServiceError: When the log of approvals is damaged.
        UnavailableError: When the store does not answer.
    """
    result: Result = (Outcome(), None, {})
    if isinstance(target, ComparisonTarget):
        result = compare_only(change, target, load_sample())
        if result[0].verdict == "blocked":
            return result
    outcome, comparison, details = result
    request = request_approval(change, approval, outcome)
    details = {**details, "approval": {"request": request.name, "evidence": request.asked.digest}}
    return Outcome("skipped", _describe(request), outcome.checks), comparison, details


def roll_out_approved(
    project: Project,
    settings: Settings,
    request: Request,
    open_target: OpenTarget,
    find_placement: Callable[[], Placement],
) -> Outcome:
    """Bring an approved version into service: what deploy would have done, for a version that is registered.

    Args:
        project: The project.
        settings: Settings with the store and MLflow.
        request: The request, which was approved.
        open_target: Opens the deployment target.
        find_placement: Finds where servers run.

    Raises:
        ChampionChangedError: When another version is the champion than the one that it was judged against.
        ModelError: When a file of it is not the registered one.
        ServiceError: When MLflow, the store, the ledger or the cluster failed.
    """
    deployment = request.deployment(settings.store, project.name)
    approved = request.approved
    why = f"{deployment.why}; approved by {approved.person}: {approved.reason}" if approved else deployment.why
    change = Change(project, settings, asdict(deployment), why, judged_against(request))
    target = open_target(project, settings, find_placement)
    return bring_into_service(change, target, lambda: fetch_sample(version_of_line(deployment))[0])[0]


def judged_against(request: Request) -> Compared:
    """Return the champion that a request's version was judged against."""
    remedy = "run again (naru run, or naru submit on a cluster): that judges against the new champion, reuses the training, and asks again"
    return Compared(request.champion, f"version {request.asked.version} was judged", remedy)


def request_approval(change: Change, approval: Approval, outcome: Outcome) -> Request:
    """Return the version's open or decided request on this evidence; a new one where there is none, or it has expired.

    Args:
        change: The version.
        approval: Who may approve, and for how long.
        outcome: What the version was judged by.

    Raises:
        ServiceError: When the log of approvals is damaged.
        UnavailableError: When the store does not answer.
    """
    project, settings, at = change.project, change.settings, datetime.now(UTC)
    log = open_approvals(settings.store, project.name)
    record = _make_request(change, approval, outcome, at)
    earlier = find_request(read_requests(log), record.version)
    if earlier is not None and earlier.asked.digest == record.digest and not earlier.has_expired(at):
        return earlier
    return Request(append_approval(log, record))


def _make_request(change: Change, approval: Approval, outcome: Outcome, at: datetime) -> ApprovalRecord:
    registered, settings = change.registered, change.settings
    deployment = encode_deployment(to_deployment(registered, mask_credentials(change.why)), settings.store)
    stable = {name: value for name, value in deployment.items() if name not in ("at", "by")}
    champion = change.compared.champion
    evidence = {
        "model": within_project(registered["model"]),
        "registration": registered.get("registration_sha256", ""),
        "evaluation": registered.get("sha256", {}).get(OUTCOME, ""),
        "deployment": digest_evidence(stable),
        "champion": list(champion) if champion else None,
        "checks": {check.name: check.status for check in outcome.checks},
    }
    return ApprovalRecord(
        "requested",
        now(),
        registered["version"],
        digest=digest_evidence(evidence),
        by={"user": who()},
        evidence=evidence,
        deployment=deployment,
        who=list(approval.who),
        expires=(at + to_timedelta(approval.expires)).isoformat(timespec="seconds"),
        run=registered["run"],
    )


def _describe(request: Request) -> str:
    asked = request.asked
    if request.refused is not None:
        return f"version {asked.version} was refused by {request.refused.person}: {request.refused.reason}"
    until = f"{asked.expires[:16].replace('T', ' ')} UTC"
    names = f" of {', '.join(asked.who)}" if asked.who else ""
    if request.approved is not None:
        return f"version {asked.version} is approved by {request.approved.person}; naru approve {asked.version} goes on"
    return (
        f"{WAITS}{names}: version {asked.version}, until {until}, evidence {asked.digest[:_DIGITS]}; "
        f"naru approve {asked.version} --reason '...'"
    )
