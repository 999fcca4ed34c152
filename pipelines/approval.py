"""`naru approve` and `naru approvals`: decide about versions that wait, and roll out those that were approved.

The steps are lines of the log of approvals (`components/_core/store/approvals.py`), so the command may be killed after any of them:
the same command again goes on from there.

1. `approved` or `refused`: the decision, bound to the digest of the evidence;
2. `began`: the rollout starts, on this machine or from it on the cluster;
3. the deployment ledger gets its line;
4. `ended`: what came of the rollout.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from components._core.credentials import mask_credentials
from components._core.errors import ConfigError, NaruError, ServiceError
from components._core.project.project_file import Project, load_project
from components._core.settings import Settings
from components._core.store.append_log import AppendLog, make_nonce
from components._core.store.approvals import (
    DEPLOYED,
    ApprovalRecord,
    Request,
    Step,
    append_approval,
    find_request,
    open_approvals,
    read_requests,
)
from components._core.store.claims import Claims
from components._core.store.file_digests import fetch_version
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.ledger import Deployment, current_champion, now, read_deployments
from components._core.suggestions import suggest
from components.deploy.targets.table import NONE, find_target
from pipelines.approver import find_identity, is_allowed
from pipelines.cluster.server_placement import place_servers
from pipelines.compile_target import Target
from pipelines.local.workspace import find_workspace

_ABANDONED = timedelta(minutes=30)
"""Age from which a rollout of another machine that has not ended counts as dead."""
_DIGITS = 12
_LEAST_REASON, _LONGEST_REASON = 3, 1_000


@dataclass(frozen=True)
class Decision:
    """What a person decided.

    Attributes:
        version: The version.
        reason: Why.
        refuse: Whether it is refused.
        evidence: Begin of the digest of the evidence that the person has seen; empty: that of the newest request.
    """

    version: str
    reason: str
    refuse: bool = False
    evidence: str = ""


def decide(folder: Path, decision: Decision, target: Target, say: Callable[[str], None]) -> None:
    """Record a decision about a version that waits, and roll an approved one out.

    Args:
        folder: The project's folder.
        decision: The decision.
        target: Where the server's image and the pools are.
        say: Prints a line for a person.

    Raises:
        ConfigError: When no such version waits, it has expired or was refused, the person may not approve, or there is no reason.
        ModelError: When a file of the version is not the one that was registered.
        ServiceError: When another version became the champion since it was judged, or the rollout failed.
        UnavailableError: When the store does not answer.
    """
    _Approving(folder, decision, target, say).run()


def list_requests(folder: Path) -> list[list[str]]:
    """List the requests of a project, the newest last: version, since when, what holds, until when, evidence, and why.

    Raises:
        ServiceError: When the log of approvals is damaged.
    """
    project, settings = load_project(folder), find_workspace(folder).settings()
    at, requests = datetime.now(UTC), read_requests(open_approvals(settings.store, project.name))
    return [
        _row(request, at, is_newest=find_request(requests, request.asked.version) is request) for request in requests
    ]


class _Approving:
    """One `naru approve`; `run` is called once."""

    def __init__(self, folder: Path, decision: Decision, target: Target, say: Callable[[str], None]) -> None:
        self._decision, self._target, self._say = decision, target, say
        self._project: Project = load_project(folder)
        workspace = find_workspace(folder)
        self._settings: Settings = workspace.settings()
        self._log: AppendLog = open_approvals(self._settings.store, self._project.name)
        self._identity = find_identity(workspace.project)
        self._reason = " ".join(mask_credentials(decision.reason).split())
        self._place = f"{platform.node()} {os.getpid()} {make_nonce()}"

    def run(self) -> None:
        request = self._find()
        if self._say_deployed(request):
            return
        self._check(request)
        self._verify(request)  # before the turn: a large model takes longer to read than a claim is valid
        verified = request.name
        with self._turn(request) as is_ours:
            request = self._find()  # another may have decided meanwhile
            if self._say_deployed(request):
                return
            if not is_ours:
                self._say(f"version {request.asked.version} is being rolled out: {_describe_rollout(request)}")
                return
            self._check(request)
            if request.name != verified:
                self._verify(request)
            if self._decision.refuse:
                self._refuse(request)
            else:
                self._approve(request)

    def _find(self) -> Request:
        version, requests = self._decision.version, read_requests(self._log)
        request = find_request(requests, version)
        if request is None:
            names = [*dict.fromkeys(each.asked.version for each in requests)]
            known = suggest(version, names) if names else "no version has asked for one"
            remedy = "naru approvals lists what waits; serve.approve in project.yaml makes deploy ask"
            raise ConfigError(
                f"version {version!r} waits for no approval; {known}", where="naru approve", remedy=remedy
            )
        return request

    def _say_deployed(self, request: Request) -> bool:
        """Complete a rollout that made the version the champion and was killed before it said so; return whether it is deployed."""
        lines = read_deployments(self._settings.store, self._project.name)
        champion = lines[-1] if lines else None
        if champion is None or champion.identity != request.identity:
            self._check_rolled_back(request, lines)
            return False
        if request.in_progress is not None:
            self._end(request, DEPLOYED, f"version {champion.version} is the champion")
        self._say(f"version {champion.version} is the champion of {self._project.name}: {champion.why}")
        return True

    def _check_rolled_back(self, request: Request, lines: list[Deployment]) -> None:
        """Complete a rollout whose version is no longer the champion, and was killed before it said that it was: it is not repeated."""
        approved = request.approved
        if approved is None or request.is_deployed:
            return
        own = [line for line in lines if line.identity == request.identity]
        if any(datetime.fromisoformat(line.at) >= approved.time for line in own):
            self._end(request, DEPLOYED, "it was the champion")
            raise _was_deployed(request.asked.version)

    def _check(self, request: Request) -> None:
        """Refuse what cannot be decided, before anything is written."""
        version, asked = request.asked.version, request.asked
        if request.refused is not None:
            said = f"version {version} was refused by {request.refused.person} at {request.refused.at}: {request.refused.reason}"
            raise ConfigError(said, where="naru approve", remedy=_again("asks again for a new version"))
        if request.is_deployed:
            raise _was_deployed(version)
        if request.has_expired(datetime.now(UTC)):
            message = f"the request of version {version} has expired at {asked.expires}"
            raise ConfigError(message, where="naru approve", remedy=_again("asks again"))
        if not is_allowed(self._identity, asked.who):
            names = ", ".join(self._identity.values())
            message = f"{names or 'unknown'} may not decide about version {version}; allowed: {', '.join(asked.who)}"
            raise ConfigError(
                message, where="serve.approve", remedy="ask one of them, or change the list and run again"
            )
        if request.approved is None and len(self._reason) < _LEAST_REASON:
            raise ConfigError("is missing or too short", where="--reason", remedy="say why, in a sentence")
        if len(self._reason) > _LONGEST_REASON:
            raise ConfigError(
                f"is longer than {_LONGEST_REASON} characters", where="--reason", remedy="say it in fewer words"
            )
        if not asked.digest.startswith(self._decision.evidence.lower()):
            message = (
                f"the evidence of version {version} is {asked.digest[:_DIGITS]}, not {self._decision.evidence[:80]}"
            )
            raise ConfigError(
                message, where="--evidence", remedy="look at it again: naru approvals, and the report of its run"
            )
        if not self._decision.refuse:
            from components.deploy.approval import judged_against  # brings NumPy and PyArrow

            judged_against(request).check(current_champion(self._settings.store, self._project.name))

    def _verify(self, request: Request) -> None:
        """See that every file of a version that is approved is as it was registered."""
        if self._decision.refuse:
            return
        deployment = request.deployment(self._settings.store, self._project.name)
        with tempfile.TemporaryDirectory(prefix="naru-approve-") as folder:
            fetch_version(deployment.model, deployment.registration_sha256, Path(folder))

    @contextmanager
    def _turn(self, request: Request) -> Iterator[bool]:
        """Wait for the turn to decide about a request; yields False when another process rolls it out."""
        folder = f"{self._settings.store.rstrip('/')}/{self._project.name}/approvals-claims"
        local = is_local(open_filesystem(folder)[0])

        def is_decided() -> bool:
            # in a folder of this machine the lock is held during a rollout: one that is open was killed
            return not local and self._is_at_work(self._find())

        with Claims(folder, self._place, {"version": request.asked.version, "by": self._place}).turn(
            request.name, is_decided
        ) as is_ours:
            yield is_ours

    def _is_at_work(self, request: Request) -> bool:
        begun = request.in_progress
        if begun is None or begun.place == self._place:
            return False
        host, process, _ = [*begun.place.split(" "), "", ""][:3]
        if host == platform.node() and process.isdecimal():
            return _is_alive(int(process))
        return abs(datetime.now(UTC) - begun.time) < _ABANDONED

    def _refuse(self, request: Request) -> None:
        if request.approved is not None:
            approved = request.approved
            message = (
                f"version {request.asked.version} was approved by {approved.person} at {approved.at}: {approved.reason}"
            )
            raise ConfigError(
                message,
                where="naru approve --refuse",
                remedy="a decision is not changed; roll back if it is in service",
            )
        refused = self._append(request, "refused", self._reason)
        self._say(f"version {request.asked.version} is refused by {refused.person}: {self._reason}")

    def _approve(self, request: Request) -> None:
        version, approved = request.asked.version, request.approved
        if approved is None:
            approved = self._append(request, "approved", self._reason)
            request = self._find()
        self._say(f"version {version} is approved by {approved.person}: {approved.reason}")
        open_target = find_target(self._settings.serving)
        if open_target is None:
            message = f"approved, and not rolled out: NARU_SERVING is {NONE}"
            raise ConfigError(message, where=f"version {version}", remedy="set it, and run the same command again")
        append_approval(self._log, self._record(request, "began", ""))
        from components.deploy.approval import roll_out_approved  # brings NumPy and PyArrow

        find_placement = partial(place_servers, self._project, self._target, self._settings.namespace)
        try:
            outcome = roll_out_approved(self._project, self._settings, request, open_target, find_placement)
        except NaruError as error:
            self._end(request, "failed", error.message)
            raise
        if outcome.verdict == "blocked":
            self._end(request, "blocked", outcome.reason)
            remedy = f"the approval holds until {request.asked.expires}: correct what it names, then run the same command again"
            raise ServiceError(
                f"version {version} was not rolled out: {outcome.reason}", where=self._project.name, remedy=remedy
            )
        self._end(request, DEPLOYED, outcome.reason)
        for check in outcome.checks:
            if check.status in ("warn", "no_baseline"):
                self._say(f"{check.status}: {check.name}: {check.reason}")
        self._say(f"version {version} is the champion of {self._project.name}")

    def _append(self, request: Request, state: Step, reason: str) -> ApprovalRecord:
        return append_approval(self._log, self._record(request, state, reason))

    def _end(self, request: Request, verdict: str, reason: str) -> None:
        append_approval(self._log, replace(self._record(request, "ended", reason.partition("\n")[0]), verdict=verdict))

    def _record(self, request: Request, state: Step, reason: str) -> ApprovalRecord:
        return ApprovalRecord(
            state,
            now(),
            request.asked.version,
            request=request.name,
            digest=request.asked.digest,
            by=self._identity,
            reason=reason,
            place=self._place if state == "began" else "",
        )


def describe_waiting(request: Request, folder: str) -> str:
    """Describe a request that waits, with the next command, in a line."""
    asked, until = request.asked, request.asked.expires[:16].replace("T", " ")
    if request.approved is not None:
        return f"version {asked.version} is approved by {request.approved.person} and not in service: naru approve {asked.version} {folder}"
    names = f" of {', '.join(asked.who)}" if asked.who else ""
    return f"version {asked.version} waits for approval{names} until {until} UTC: naru approve {asked.version} {folder} --reason '...'"


def _row(request: Request, at: datetime, *, is_newest: bool) -> list[str]:
    asked = request.asked
    decided = request.refused or request.approved
    why = f"{decided.person}: {decided.reason}" if decided else f"may approve: {', '.join(asked.who) or 'everyone'}"
    return [
        asked.version,
        asked.at,
        _state_of(request, at, is_newest=is_newest),
        asked.expires,
        asked.digest[:_DIGITS],
        why,
    ]


def _state_of(request: Request, at: datetime, *, is_newest: bool) -> str:
    if request.refused is not None:
        return "refused"
    if request.is_deployed:
        return DEPLOYED
    if not is_newest:
        return "asked again"
    if request.has_expired(at):
        return "expired"
    return "approved" if request.approved is not None else "waits"


def _describe_rollout(request: Request) -> str:
    begun = request.in_progress
    if begun is None:
        return "by another naru approve"
    host, process, *_ = [*begun.place.split(" "), ""]
    return f"by {begun.person} since {begun.at} (process {process} on {host})"


def _was_deployed(version: str) -> ConfigError:
    message = f"version {version} was deployed by its approval, and is no longer the champion"
    return ConfigError(message, where="naru approve", remedy=f"bring it back: naru rollback --to {version}")


def _again(what: str) -> str:
    return f"run again (naru run, or naru submit on a cluster): that reuses the training, and {what}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
