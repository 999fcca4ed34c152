"""The rollout of a version on a deployment target: a state machine that starts from any state, and rolls back on a failure.

    LOOK ──► START ──► PROVE ──► SHARE ──► BAKE ──► (next SHARE) ──► WIDEN ──► RETIRE ──► DONE
      │                  │         │         │                        │
      │                  └─────────┴─────────┴──────► BACK ◄──────────┘
      └──► PROVE (it serves already)                    └──► FAILED

LOOK    Observe what is served: nothing, a version, or also the canary of an interrupted rollout, which is removed first. Another version that is left over
        from a live test gets no request of users: START replaces its servers.
START   Start the new version's servers beside those in service. All requests still go to the stable version.
PROVE   Parity test: the servers must answer real rows as the model did offline, and refuse a malformed request. With no server
        ready, wait again.
SHARE   Route a share of the requests to the new version.
BAKE    Watch restarts, errors, times and predictions for a while, and longer while a version gets no request.
WIDEN   Scale the new version to its full size and route every request to it: it is in service from now on.
RETIRE  Remove the stable version's servers.
BACK    Route every request to the stable version again, remove the new one, and record the reason.

When somebody deletes what is served, the rollout ends: the version in service is created again, and the outage is a line of the
history. Changes that somebody else made are left alone.

The target is used only through its contract (`components/deploy/targets/contract.py`). Every change of the traffic is a line of
the rollout history.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum

from components._core.checks import Check
from components._core.errors import ConfigError, NaruError, ServiceError
from components._core.project.project_file import Project
from components._core.store.ledger import now, who
from components._core.store.rollout_history import Action, Change, append_change, find_takeover
from components.deploy.rollout.bake import judge_bake
from components.deploy.rollout.canary_step import Predictions, watch_step
from components.deploy.rollout.proof import ATTEMPTS, Prove, prove_servers, raise_failed
from components.deploy.targets.contract import (
    GoneError,
    ModelVersion,
    Observation,
    RolloutTarget,
    Servers,
    Share,
    TakenOverError,
)

ReadPredictions = Callable[[str, str, float], Predictions]


class State(Enum):
    """Where a rollout is; see the module's docstring."""

    LOOK = "look"
    START = "start"
    PROVE = "prove"
    SHARE = "share"
    BAKE = "bake"
    WIDEN = "widen"
    RETIRE = "retire"
    BACK = "back"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Wanted:
    """The version to serve, and how it is judged.

    Attributes:
        project: The project.
        model: The version.
        store: Object store of the rollout history.
        why: The cause, in a sentence.
        prove: Parity test of one server; a failed check rolls the version back.
        predictions: Reads the logged predictions of two versions since a time; None: there is no request log.
        shares: Percents of the canary steps; empty: all requests at once, after the parity test.
        missing_files: URIs of missing files of the model.
        features: Names of the model's inputs; None: unknown.
        champion: The version in service by the deployment ledger; None: there is none.
        confirm: Raises when the version must not get requests any more, as another one became the champion; None: not checked.
    """

    project: Project
    model: ModelVersion
    store: str
    why: str
    prove: Prove
    predictions: ReadPredictions | None = None
    shares: tuple[int, ...] = ()
    missing_files: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    champion: ModelVersion | None = None
    confirm: Callable[[], None] | None = None


@dataclass
class Result:
    """Result of a rollout.

    Attributes:
        state: `DONE` or `FAILED`.
        reason: One sentence, or several lines with the observations.
        checks: All checks.
        changes: The lines of the rollout history.
    """

    state: State = State.LOOK
    reason: str = ""
    checks: list[Check] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


class Rollout:
    """The rollout of one version.

    Args:
        target: Target that serves the version.
        wanted: The version, and how it is judged.
    """

    def __init__(self, target: RolloutTarget, wanted: Wanted) -> None:
        self._wanted = wanted
        self._project = wanted.project
        self._target = target
        self._id = uuid.uuid4().hex[:12]
        self._stable: Servers | None = None
        """The servers of the version in service, as they were applied."""
        self._steps: list[Share] = []
        self._step = 0
        self._failure: NaruError | None = None
        self._outage: GoneError | None = None
        self._promoted = False
        self.result = Result()

    def run(self) -> Result:
        """Run the state machine until its end.

        Raises:
            ConfigError: When the version cannot be served as configured; nothing was changed.
            TakenOverError: When somebody else changed what is served meanwhile.
            ServiceError: When the target or the history is unreachable before anything was changed.
        """
        do = {
            State.LOOK: self._look,
            State.START: self._start,
            State.PROVE: self._prove,
            State.SHARE: self._share,
            State.BAKE: self._bake,
            State.WIDEN: self._widen,
            State.RETIRE: self._retire,
            State.BACK: self._back,
        }
        self._target.begin()
        state = State.LOOK
        while state in do:
            self.result.state = state
            try:
                state = do[state]()
            except TakenOverError as error:
                raise self._stop(error) from None
            except GoneError as error:
                state = self._handle_outage(error, state)
            except NaruError as error:
                if state in (State.LOOK, State.BACK):
                    raise
                state = self._handle_failure(error, state)
        self.result.state = state
        return self.result

    def _look(self) -> State:
        seen = self._target.see()
        ours = self._new_servers()
        self._preflight(ours, seen)
        if not seen.exists:
            self._record("start", {}, "nothing was served before")
            return State.START
        self._stable = self._find_stable(self._target.adopt(seen), seen)
        if len(seen.keys) > 1 and not seen.live_test:
            self._clean_up(seen)
        if self._stable.key == ours.key:
            self._record(
                "start", self._all_to_stable(), "it serves already; its servers are updated to the project's settings"
            )
            self._stable = ours  # the project's settings for its servers may have changed
            return State.START
        servers = self._count_servers(self._stable)
        self._steps = self._target.hold_shares(self._wanted.shares, servers)
        message = f"servers are started beside those in service; {describe_shares(self._steps, servers)}"
        self._record("start", self._all_to_stable(), message)
        return State.START

    def _start(self) -> State:
        ours = self._new_servers()
        if self._stable is None or self._stable.key == ours.key:
            self._target.apply([ours])
        else:
            self._target.route(self._stable.key)
            replicas = self._steps[0].replicas if self._steps else self._count_servers(self._stable)
            self._target.apply([self._stable, self._canary(replicas)], self._weight())
        self._target.wait([ours.key])
        return State.PROVE

    def _prove(self) -> State:
        version, key = self._wanted.model.version, self._wanted.model.key
        proved = self._prove_servers()
        servers = f"{proved} server{'s' if proved > 1 else ''}"
        self._record("prove", self._all_to_stable(), f"answers as offline ({servers} of version {version} tested)")
        if self._stable is not None and self._stable.key != key:
            return State.SHARE if self._steps else State.WIDEN
        self._confirm()
        self._target.route(key)
        if self._stable is None:
            self._record("promote", {version: 100.0}, "it is the first version", must=False)
        self.result.reason = f"version {version} serves"
        return State.DONE

    def _prove_servers(self) -> int:
        """Run the parity test on each ready server; return the number of servers, at least one."""
        wanted = self._wanted
        proved, checks = prove_servers(self._target, wanted.model, wanted.prove, self._project.gates.serving)
        self._judge(checks)
        return proved

    def _share(self) -> State:
        self._confirm()
        step, stable = self._steps[self._step], self._get_stable()
        self._target.apply([stable, self._canary(step.replicas)], self._weight())
        self._target.wait([self._wanted.model.key])
        self._target.route("")
        shares = {self._wanted.model.version: step.percent, stable.model.version: round(100 - step.percent, 1)}
        self._record("share", shares, f"requested {step.requested} %")
        return State.BAKE

    def _bake(self) -> State:
        step, stable = self._steps[self._step], self._get_stable()
        bake = watch_step(self._target, self._project, (self._wanted.model, stable.model), self._wanted.predictions)
        checks = judge_bake(bake, self._project.serve.canary, self._project.gates.serving)
        self._judge([replace(check, name=f"{check.name} at {step.percent:g} %") for check in checks])
        self._step += 1
        return State.SHARE if self._step < len(self._steps) else State.WIDEN

    def _widen(self) -> State:
        self._confirm()
        stable, ours = self._get_stable(), self._new_servers()
        self._target.apply([ours, self._target.resize(stable, self._count_servers(stable))], 1)
        self._target.wait([ours.key])
        self._target.route(ours.key)
        message = f"takes over from version {stable.model.version}"
        self._record("promote", {self._wanted.model.version: 100.0}, message, must=False)
        self._promoted = True
        return State.RETIRE

    def _retire(self) -> State:
        self._target.apply([self._new_servers()])
        self._target.wait([])
        self.result.reason = f"version {self._wanted.model.version} serves"
        return State.DONE

    def _back(self) -> State:
        """Roll back. No failure stops it: a step that fails is reported with the reason."""
        reason = str(self._failure)
        undone = "".join(self._undo(step) for step in (self._route_back, self._remove_canary))
        reason += undone
        if self._outage and self._stable is not None:
            self._record("outage", {}, self._describe_outage(self._outage, bool(undone)), "failed", must=False)
        if self._promoted and not undone:
            self.result.checks.append(Check("outage", "warn", reason=reason))
            self.result.reason = f"version {self._wanted.model.version} serves again; {reason}"
            return State.DONE
        self._record("roll back", {} if undone else self._all_to_stable(), reason, "failed", must=False)
        self.result.reason = reason
        if not any(check.status == "fail" for check in self.result.checks):
            self.result.checks.append(Check("rollout", "fail", reason=reason))
        return State.FAILED

    def _undo(self, step: Callable[[], None]) -> str:
        """Do a step of the rollback; return what could not be done, empty when it succeeded."""
        message = ""
        for _ in range(ATTEMPTS):
            try:
                step()
            except TakenOverError:
                raise
            except GoneError as error:
                self._outage = self._outage or error
                message = f"\nnot done: {error}"
            except NaruError as error:
                return f"\nnot done: {error}"
            else:
                return ""
        return message

    def _handle_outage(self, error: GoneError, state: State) -> State:
        """Roll back after an outage: create the version in service again, which is the new one once it was promoted."""
        self._failure = self._outage = self._outage or error
        if self._promoted:
            self._stable = self._new_servers()
        if state is State.BACK:  # somebody deletes it again and again
            raise error
        return State.BACK

    def _describe_outage(self, outage: GoneError, lasts: bool) -> str:
        end = self._target.timing.moment()
        until = "and still lasts" if lasts else f"until {end.at}, {end.seconds - outage.since.seconds:.0f} s at most"
        return f"requests failed from {outage.since.at} on, {until}: {outage}"

    def _stop(self, error: TakenOverError) -> TakenOverError:
        """Stop without a change; name the other rollout where the history has it."""
        message = error.message
        with suppress(NaruError):
            if other := find_takeover(self._wanted.store, self._project.name, self._id):
                message += f": {other.why} ({other.action} version {other.version} by {other.by} at {other.at})"
        stopped = TakenOverError(message, where=error.where, remedy=error.remedy)
        self._record("stop", {}, str(stopped), "failed", must=False)
        return stopped

    def _handle_failure(self, error: NaruError, state: State) -> State:
        """Choose the state after a failure: BACK, or DONE with a warning when the new version is in service already."""
        self._failure = error
        if state is not State.RETIRE:
            return State.BACK
        message = f"the servers of the previous version were not removed: {error}"
        self.result.checks.append(Check("servers removed", "warn", reason=message))
        self.result.reason = f"version {self._wanted.model.version} serves; {message}"
        return State.DONE

    def _confirm(self) -> None:
        if self._wanted.confirm is not None:
            self._wanted.confirm()

    def _new_servers(self) -> Servers:
        return self._target.describe(self._wanted.model)

    def _canary(self, replicas: int) -> Servers:
        return self._target.describe(self._wanted.model, replicas)

    def _preflight(self, ours: Servers, seen: Observation) -> None:
        """Refuse what cannot be served, and record the refusal in the history."""
        try:
            self._target.check(ours, seen, self._wanted.missing_files, self._wanted.features)
        except ConfigError as error:
            self._record("refuse", {}, str(error), "failed", must=False)
            raise

    def _find_stable(self, served: list[Servers], seen: Observation) -> Servers:
        """Find the version in service: the ledger's champion, else the first one, which gets the requests by default.

        After a live test the ledger may have the version that was tested already, which gets no request of users yet.
        """
        champion = self._wanted.champion.key if self._wanted.champion else ""
        key = seen.routed if seen.live_test else champion
        return next((one for one in served if one.key == key), served[0])

    def _clean_up(self, seen: Observation) -> None:
        """Remove the canary of an interrupted rollout: it would answer requests unwatched."""
        names = [key for key in seen.keys if key != self._get_stable().key]
        self._route_back()
        self._remove_canary()
        self._record(
            "roll back", self._all_to_stable(), f"an interrupted rollout had left {', '.join(names)}", "failed"
        )

    def _route_back(self) -> None:
        if self._stable is not None:
            self._target.route(self._stable.key)

    def _remove_canary(self) -> None:
        self._target.restore(self._stable)

    def _get_stable(self) -> Servers:
        """Return the version in service beside the new one.

        Raises:
            ServiceError: When there is none.
        """
        if self._stable is None:
            raise ServiceError("no version is in service", where=self._project.name)
        return self._stable

    def _count_servers(self, servers: Servers) -> int:
        """Count a version's servers now: an autoscaler may have changed the number that was applied."""
        return max(1, self._target.see().replicas.get(servers.key, servers.replicas))

    def _weight(self) -> int:
        """Return the weight for a mesh, from 1 to 99: a weight of 0 is not allowed."""
        return min(99, max(1, round(self._steps[self._step].percent))) if self._steps else 1

    def _all_to_stable(self) -> dict[str, float]:
        return {self._stable.model.version: 100.0} if self._stable else {}

    def _judge(self, checks: list[Check]) -> None:
        self.result.checks += checks
        raise_failed(checks)

    def _record(
        self, action: Action, shares: dict[str, float], reason: str, verdict: str = "ok", *, must: bool = True
    ) -> None:
        """Write a line to the history; when the store is unavailable and `must` is false, only add a warning."""
        version, why = self._wanted.model.version, self._wanted.why
        change = Change(self._id, action, version, shares, now(), who(), why, verdict, reason)
        self.result.changes.append(change)
        try:
            append_change(self._wanted.store, self._project.name, change)
        except NaruError as error:
            if must:
                raise
            self.result.checks.append(Check("rollout history", "warn", reason=f"a line was not written: {error}"))


def describe_shares(held: Sequence[Share], stable: int) -> str:
    """Describe the steps of a canary in a sentence.

    Args:
        held: The steps.
        stable: Number of servers of the stable version.
    """
    steps = [
        f"{share.percent:g} %" + ("" if share.requested == share.percent else f" (requested {share.requested} %)")
        for share in held
    ]
    pods = ", ".join(f"{share.replicas} beside {stable}" for share in held)
    return f"steps of {', '.join(steps)}: {pods} servers" if held else "all at once"
