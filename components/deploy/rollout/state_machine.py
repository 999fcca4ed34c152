"""A version takes over on a deployment target: a state machine that goes on from whatever it finds, and goes back when it must.

    LOOK ──► START ──► PROVE ──► SHARE ──► BAKE ──► (next SHARE) ──► WIDEN ──► RETIRE ──► DONE
      │                  │         │         │                        │
      │                  └─────────┴─────────┴──────► BACK ◄──────────┘
      └──► PROVE (it serves already)                    └──► FAILED

LOOK    What is there: nothing, a version in service, or a canary that a broken-off rollout left, which is removed first.
START   The new version's servers are started beside those in service. They get no request: all go to the other version.
PROVE   They must answer real rows as the model did offline, and refuse what is malformed. Without a server that is ready
        nothing is proved: it is waited for again.
SHARE   They get a share of the requests.
BAKE    It is watched for a while: restarts, errors, time, predictions. As long as a version got no request it is watched on.
WIDEN   They become as many as are to stay, and get every request: from now on the version is in service.
RETIRE  The other version's servers are let go.
BACK    Every request goes to the other version again, the new one is removed, and the reason is recorded.

Where somebody deletes what is served meanwhile, the rollout ends: the version in service is made again, and the outage is a
line of the history. What somebody else changed is left as it is.

The target is known by its contract only (`components/deploy/targets/contract.py`). Every change of who answers is a line of the
rollout history.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
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
from components.deploy.rollout.footprint import judge_footprint
from components.deploy.targets.contract import (
    GoneError,
    ModelVersion,
    Observation,
    RolloutError,
    RolloutTarget,
    Server,
    ServerClient,
    Servers,
    Share,
    TakenOverError,
)

_LOOKS = 3
"""How often servers that were ready and then went are waited for again, and how often what is deleted is made again."""

Prove = Callable[[ServerClient], list[Check]]
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
    """What is to be served, and how it is judged.

    Attributes:
        project: The project.
        model: The version.
        store: Object store of the rollout history.
        why: The cause, in a sentence.
        prove: Holds one server against what is known offline; each check that fails takes the version back.
        predictions: Logged ones of two versions since a moment; None: there is no request log.
        shares: Steps on the way; empty: all at once, when it has been proved.
        missing_files: URIs of files that the model should have and has not.
        features: Names of the model's inputs; None: unknown.
        champion: The version in service by the deployment ledger; None: there is none.
        confirm: Raises when the version may not have requests any more, as another one became the champion; None: it may.
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
    """What came of it.

    Attributes:
        state: `DONE` or `FAILED`.
        reason: One sentence, or some lines with what was seen.
        checks: Everything that was judged.
        changes: The lines of the ledger.
    """

    state: State = State.LOOK
    reason: str = ""
    checks: list[Check] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


class Rollout:
    """One version's way into service.

    Args:
        target: Where the version is served.
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
        """Go from state to state until the end.

        Raises:
            ConfigError: When what is asked for cannot be; nothing was touched.
            TakenOverError: When somebody else changed what is served meanwhile.
            ServiceError: When the target or the ledger cannot be reached before anything was touched.
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
                state = self._after_outage(error, state)
            except NaruError as error:
                if state in (State.LOOK, State.BACK):
                    raise
                state = self._after(error, state)
        self.result.state = state
        return self.result

    def _look(self) -> State:
        seen = self._target.see()
        ours = self._ours()
        self._preflight(ours, seen)
        if not seen.exists:
            self._record("start", {}, "nothing was served before")
            return State.START
        self._stable = self._in_force(self._target.adopt(seen))
        if len(seen.keys) > 1:
            self._clean_up(seen)
        if self._stable.key == ours.key:
            self._record("start", self._all_to_stable(), "it serves already; its servers are brought to what is asked")
            self._stable = ours  # what the project says of its servers may have changed
            return State.START
        servers = self._servers(self._stable)
        self._steps = self._target.hold_shares(self._wanted.shares, servers)
        message = f"servers are started beside those in service; {describe_shares(self._steps, servers)}"
        self._record("start", self._all_to_stable(), message)
        return State.START

    def _start(self) -> State:
        ours = self._ours()
        if self._stable is None or self._stable.key == ours.key:
            self._target.apply([ours])
        else:
            self._target.route(self._stable.key)
            replicas = self._steps[0].replicas if self._steps else self._servers(self._stable)
            self._target.apply([self._stable, self._canary(replicas)], self._weight())
        self._target.wait([ours.key])
        return State.PROVE

    def _prove(self) -> State:
        version, key = self._wanted.model.version, self._wanted.model.key
        proved = self._prove_servers()
        servers = f"{proved} server{'s' if proved > 1 else ''}"
        self._record("prove", self._all_to_stable(), f"answers as offline ({servers} of version {version} asked)")
        if self._stable is not None and self._stable.key != key:
            return State.SHARE if self._steps else State.WIDEN
        self._confirm()
        self._target.route(key)
        if self._stable is None:
            self._record("promote", {version: 100.0}, "it is the first", must=False)
        self.result.reason = f"version {version} serves"
        return State.DONE

    def _prove_servers(self) -> int:
        """Hold each server that is ready against what is known offline; how many there were, one at least.

        A server may go between two looks, as with its node: then those that came instead are waited for, and asked.
        """
        key = self._wanted.model.key
        for _ in range(_LOOKS):
            servers = self._target.wait([key]).ready(key)
            try:
                checks = [check for server in servers for check in self._prove_server(server)]
            except ServiceError:
                if _ids(servers) <= _ids(self._target.see().ready(key)):
                    raise
                continue
            if servers:
                self._judge(checks)
                return len(servers)
            self._target.timing.sleep(self._target.timing.poll)
        raise RolloutError(
            f"no server of version {self._wanted.model.version} stayed ready to be asked, in {_LOOKS} looks"
        )

    def _prove_server(self, server: Server) -> list[Check]:
        client = self._target.client(server)
        checks = self._wanted.prove(client)
        if not checks:
            return [Check("proof", "fail", reason=f"nothing was asked of {server.name}, so nothing is proved")]
        return [*checks, *judge_footprint(server, client.count(), self._project.gates.serving)]

    def _share(self) -> State:
        self._confirm()
        step, stable = self._steps[self._step], self._beside()
        self._target.apply([stable, self._canary(step.replicas)], self._weight())
        self._target.wait([self._wanted.model.key])
        self._target.route("")
        shares = {self._wanted.model.version: step.percent, stable.model.version: round(100 - step.percent, 1)}
        self._record("share", shares, f"asked {step.asked} %")
        return State.BAKE

    def _bake(self) -> State:
        step, stable = self._steps[self._step], self._beside()
        bake = watch_step(self._target, self._project, (self._wanted.model, stable.model), self._wanted.predictions)
        checks = judge_bake(bake, self._project.serve.canary, self._project.gates.serving)
        self._judge([replace(check, name=f"{check.name} at {step.percent:g} %") for check in checks])
        self._step += 1
        return State.SHARE if self._step < len(self._steps) else State.WIDEN

    def _widen(self) -> State:
        self._confirm()
        stable, ours = self._beside(), self._ours()
        self._target.apply([ours, self._target.resize(stable, self._servers(stable))], 1)
        self._target.wait([ours.key])
        self._target.route(ours.key)
        message = f"takes over from version {stable.model.version}"
        self._record("promote", {self._wanted.model.version: 100.0}, message, must=False)
        self._promoted = True
        return State.RETIRE

    def _retire(self) -> State:
        self._target.apply([self._ours()])
        self._target.wait([])
        self.result.reason = f"version {self._wanted.model.version} serves"
        return State.DONE

    def _back(self) -> State:
        """Nothing stops this: what cannot be done is told with the reason."""
        reason = str(self._failure)
        undone = "".join(self._undo(step) for step in (self._route_back, self._remove_canary))
        reason += undone
        if self._outage and self._stable is not None:
            self._record("outage", {}, self._tell_outage(self._outage, bool(undone)), "failed", must=False)
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
        """Do a step of the way back; what could not be done, empty: all was."""
        message = ""
        for _ in range(_LOOKS):
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

    def _after_outage(self, error: GoneError, state: State) -> State:
        """What was deleted is not tried further: the version in service is made again, which is ours once it is promoted."""
        self._failure = self._outage = self._outage or error
        if self._promoted:
            self._stable = self._ours()
        if state is State.BACK:  # somebody deletes it again and again
            raise error
        return State.BACK

    def _tell_outage(self, outage: GoneError, lasts: bool) -> str:
        end = self._target.timing.moment()
        until = "and still lasts" if lasts else f"until {end.at}, {end.seconds - outage.since.seconds:.0f} s at most"
        return f"requests failed from {outage.since.at} on, {until}: {outage}"

    def _stop(self, error: TakenOverError) -> TakenOverError:
        """Tell who took over, where the history knows; what they do is left alone."""
        told = error.message
        with suppress(NaruError):
            if other := find_takeover(self._wanted.store, self._project.name, self._id):
                told += f": {other.why} ({other.action} version {other.version} by {other.by} at {other.at})"
        stopped = TakenOverError(told, where=error.where, remedy=error.remedy)
        self._record("stop", {}, str(stopped), "failed", must=False)
        return stopped

    def _after(self, error: NaruError, state: State) -> State:
        """Where a failure leads: back, but for one when the new version is in service already, which takes nothing back."""
        self._failure = error
        if state is not State.RETIRE:
            return State.BACK
        message = f"the servers of the version before are not gone: {error}"
        self.result.checks.append(Check("servers let go", "warn", reason=message))
        self.result.reason = f"version {self._wanted.model.version} serves; {message}"
        return State.DONE

    def _confirm(self) -> None:
        if self._wanted.confirm is not None:
            self._wanted.confirm()

    def _ours(self) -> Servers:
        return self._target.describe(self._wanted.model)

    def _canary(self, replicas: int) -> Servers:
        return self._target.describe(self._wanted.model, replicas)

    def _preflight(self, ours: Servers, seen: Observation) -> None:
        """Refuse what cannot be served; the refusal is a line of the history too."""
        try:
            self._target.check(ours, seen, self._wanted.missing_files, self._wanted.features)
        except ConfigError as error:
            self._record("refuse", {}, str(error), "failed", must=False)
            raise

    def _in_force(self, served: list[Servers]) -> Servers:
        """The version in service: the ledger's champion, else the first one, which is where requests go by default."""
        champion = self._wanted.champion.key if self._wanted.champion else ""
        return next((one for one in served if one.key == champion), served[0])

    def _clean_up(self, seen: Observation) -> None:
        """A canary that nobody watches any more answers requests unjudged."""
        names = [key for key in seen.keys if key != self._beside().key]
        self._route_back()
        self._remove_canary()
        self._record("roll back", self._all_to_stable(), f"a broken-off rollout had left {', '.join(names)}", "failed")

    def _route_back(self) -> None:
        if self._stable is not None:
            self._target.route(self._stable.key)

    def _remove_canary(self) -> None:
        self._target.restore(self._stable)

    def _beside(self) -> Servers:
        """The version in service, where there is one beside the new one."""
        if self._stable is None:
            raise ServiceError("no version is in service", where=self._project.name)
        return self._stable

    def _servers(self, servers: Servers) -> int:
        """How many servers a version has now: an autoscaler may have changed what was applied."""
        return max(1, self._target.see().replicas.get(servers.key, servers.replicas))

    def _weight(self) -> int:
        """What a mesh holds; from 1 to 99, for it may not be told 0."""
        return min(99, max(1, round(self._steps[self._step].percent))) if self._steps else 1

    def _all_to_stable(self) -> dict[str, float]:
        return {self._stable.model.version: 100.0} if self._stable else {}

    def _judge(self, checks: list[Check]) -> None:
        self.result.checks += checks
        if failed := [check for check in checks if check.status == "fail"]:
            raise RolloutError("; ".join(f"{check.name}: {check.reason}" for check in failed))

    def _record(
        self, action: Action, shares: dict[str, float], reason: str, verdict: str = "ok", *, must: bool = True
    ) -> None:
        """A line in the ledger; where the store is away, what must go on goes on without it, and says so."""
        version, why = self._wanted.model.version, self._wanted.why
        change = Change(self._id, action, version, shares, now(), who(), why, verdict, reason)
        self.result.changes.append(change)
        try:
            append_change(self._wanted.store, self._project.name, change)
        except NaruError as error:
            if must:
                raise
            self.result.checks.append(Check("ledger of shares", "warn", reason=f"a line is not written: {error}"))


def _ids(servers: Iterable[Server]) -> set[str]:
    return {server.id for server in servers}


def describe_shares(held: Sequence[Share], stable: int) -> str:
    """The steps of a canary in a sentence.

    Args:
        held: The steps.
        stable: Number of servers of the version in service.
    """
    steps = [
        f"{share.percent:g} %" + ("" if share.asked == share.percent else f" (asked {share.asked} %)") for share in held
    ]
    pods = ", ".join(f"{share.replicas} beside {stable}" for share in held)
    return f"steps of {', '.join(steps)}: {pods} servers" if held else "all at once"
