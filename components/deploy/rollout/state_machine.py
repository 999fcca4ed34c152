"""A version takes over on a cluster: a state machine that goes on from whatever it finds, and goes back when it must.

    LOOK ──► START ──► PROVE ──► SHARE ──► BAKE ──► (next SHARE) ──► WIDEN ──► RETIRE ──► DONE
      │                  │         │         │                        │
      │                  └─────────┴─────────┴──────► BACK ◄──────────┘
      └──► PROVE (it serves already)                    └──► FAILED

LOOK    What is there: nothing, a version in service, or a canary that a broken-off rollout left, which is removed first.
START   The new version's servers are started beside those in service. Nobody asks them: the Service names the other version.
PROVE   They must answer real rows as the model did offline, and refuse what is malformed. Without a server that is ready
        nothing is proved: it is waited for again.
SHARE   They get a share of the requests.
BAKE    It is watched for a while: restarts, errors, time, predictions. As long as a version got no request it is watched on.
WIDEN   They become as many as are to stay, and the Service names them alone: from now on the version is in service.
RETIRE  The other version's servers are let go.
BACK    The Service names the other version alone again, the new one is removed, and the reason is told.

Where somebody deletes what is served meanwhile, the rollout ends: the version in service is made again, and the outage is a
line of the history. What somebody else changed is left as it is.

What was asked for before stands in the object itself, in the same words, so that no server of the version in service is
started again for a canary. Every change of who is asked is a line in the ledger of shares.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum

from components._cluster.kubernetes_client import Cluster, Object
from components._core.checks import Check
from components._core.errors import ConfigError, NaruError, ServiceError
from components._core.project.project_file import Project
from components._core.store.ledger import now, who
from components._core.store.rollout_history import Action, Change, append_change, find_takeover
from components.deploy.rollout.bake import judge_bake
from components.deploy.rollout.canary_step import Predictions, watch_step
from components.deploy.rollout.footprint import judge_footprint
from components.deploy.targets.seldon.diagnosis import Diagnosis
from components.deploy.targets.seldon.manifest import ModelVersion, Placement, compose, render_canary, render_stable
from components.deploy.targets.seldon.observation import Seen, ready_pods, version_of
from components.deploy.targets.seldon.pods import PodClient
from components.deploy.targets.seldon.preflight import check_deployment
from components.deploy.targets.seldon.target import GoneError, RolloutError, Site, TakenOverError, Timing
from components.deploy.targets.seldon.traffic import Share, hold_shares, tell_shares

_LOOKS = 3
"""How often servers that were ready and then went are waited for again, and how often what is deleted is made again."""

Prove = Callable[[PodClient], list[Check]]
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
        placement: Where its servers run; with the namespace.
        store: Where the ledger of shares is.
        why: The cause, in a sentence.
        prove: Holds one server against what is known offline; each check that fails takes the version back.
        predictions: Logged ones of two versions since a moment; None: there is no request log.
        shares: Steps on the way; empty: all at once, when it has been proved.
        secret_keys: Of the Secret that opens the store; None: not known.
        lacking: URIs of the model's files that are not there.
        features: What the model takes; None: not known.
        champion: The version in service by the deployment ledger; None: there is none.
        confirm: Raises when the version may not have requests any more, as another one became the champion; None: it may.
    """

    project: Project
    model: ModelVersion
    placement: Placement
    store: str
    why: str
    prove: Prove
    predictions: ReadPredictions | None = None
    shares: tuple[int, ...] = ()
    secret_keys: set[str] | None = None
    lacking: tuple[str, ...] = ()
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
        cluster: Where.
        wanted: What.
        timing: How often it looks.
    """

    def __init__(self, cluster: Cluster, wanted: Wanted, timing: Timing | None = None) -> None:
        self._wanted = wanted
        self._project = wanted.project
        self._timing = timing or Timing()
        self._site = Site(cluster, wanted.project, wanted.placement.namespace, self._timing)
        self._id = uuid.uuid4().hex[:12]
        self._stable: Object | None = None
        """The predictor in service, as it was asked for."""
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
            ServiceError: When the cluster or the ledger cannot be reached before anything was touched.
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
        seen = self._site.see()
        ours = self._ours()
        self._preflight(ours, seen)
        if seen.served is None:
            self._record("start", {}, "nothing was served before")
            return State.START
        self._stable = self._in_force(seen)
        self._site.adopt(seen)
        if len(seen.predictors) > 1:
            self._clean_up(seen)
        if self._stable["name"] == ours["name"]:
            self._record("start", self._all_to_stable(), "it serves already; its servers are brought to what is asked")
            self._stable = ours  # what the project says of its servers may have changed
            return State.START
        asked, by_mesh = self._wanted.shares, self._project.serve.mesh != "none"
        servers = self._servers(self._stable)
        self._steps = hold_shares(asked, servers, by_mesh=by_mesh)
        told = f"servers are started beside those in service; {tell_shares(self._steps, servers)}"
        self._record("start", self._all_to_stable(), told)
        return State.START

    def _start(self) -> State:
        ours = self._ours()
        if self._stable is None or self._stable["name"] == ours["name"]:
            self._site.apply([ours])
        else:
            self._site.route(self._stable["name"])
            replicas = self._steps[0].replicas if self._steps else self._servers(self._stable)
            self._site.apply([self._stable, self._canary(replicas)], self._weight())
        self._site.wait([ours["name"]])
        return State.PROVE

    def _prove(self) -> State:
        version, name = self._wanted.model.version, self._wanted.model.predictor
        proved = self._prove_servers()
        servers = f"{proved} server{'s' if proved > 1 else ''}"
        self._record("prove", self._all_to_stable(), f"answers as offline ({servers} of version {version} asked)")
        if self._stable is not None and self._stable["name"] != name:
            return State.SHARE if self._steps else State.WIDEN
        self._confirm()
        self._site.route(name)
        if self._stable is None:
            self._record("promote", {version: 100.0}, "it is the first", must=False)
        self.result.reason = f"version {version} serves"
        return State.DONE

    def _prove_servers(self) -> int:
        """Hold each server that is ready against what is known offline; how many there were, one at least.

        A server may go between two looks, as with its node: then those that came instead are waited for, and asked.
        """
        name = self._wanted.model.predictor
        for _ in range(_LOOKS):
            pods = ready_pods(self._site.wait([name]), name)
            try:
                checks = [check for pod in pods for check in self._prove_server(pod)]
            except ServiceError:
                if _names(pods) & _names(ready_pods(self._site.see(), name)) == _names(pods):
                    raise
                continue
            if pods:
                self._judge(checks)
                return len(pods)
            self._timing.sleep(self._timing.poll)
        told = f"no server of version {self._wanted.model.version} stayed ready to be asked, in {_LOOKS} looks"
        raise RolloutError(Diagnosis(told))

    def _prove_server(self, pod: Object) -> list[Check]:
        client = self._site.client(pod)
        checks = self._wanted.prove(client)
        if not checks:
            told = f"nothing was asked of {pod['metadata']['name']}, so nothing is proved"
            return [Check("proof", "fail", reason=told)]
        return [*checks, *judge_footprint(pod, client.count(), self._project.gates.serving)]

    def _share(self) -> State:
        self._confirm()
        step, stable = self._steps[self._step], self._beside()
        self._site.apply([stable, self._canary(step.replicas)], self._weight())
        self._site.wait([self._wanted.model.predictor])
        self._site.route("")
        shares = {self._wanted.model.version: step.percent, version_of(stable).version: round(100 - step.percent, 1)}
        self._record("share", shares, f"asked {step.asked} %")
        return State.BAKE

    def _bake(self) -> State:
        step, stable = self._steps[self._step], self._beside()
        predictors = self._wanted.model.predictor, stable["name"]
        versions = self._wanted.model.version, version_of(stable).version
        bake = watch_step(self._site, self._project, self._timing, predictors, versions, self._wanted.predictions)
        checks = judge_bake(bake, self._project.serve.canary, self._project.gates.serving)
        self._judge([replace(check, name=f"{check.name} at {step.percent:g} %") for check in checks])
        self._step += 1
        return State.SHARE if self._step < len(self._steps) else State.WIDEN

    def _widen(self) -> State:
        self._confirm()
        stable, ours = self._beside(), self._ours()
        component = {**stable["componentSpecs"][0], "replicas": self._servers(stable)}
        component.pop("hpaSpec", None)
        self._site.apply([ours, {**stable, "componentSpecs": [component]}], 1)
        self._site.wait([ours["name"]])
        self._site.route(ours["name"])
        told = f"takes over from version {version_of(stable).version}"
        self._record("promote", {self._wanted.model.version: 100.0}, told, must=False)
        self._promoted = True
        return State.RETIRE

    def _retire(self) -> State:
        self._site.apply([self._ours()])
        self._site.wait([])
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
        told = ""
        for _ in range(_LOOKS):
            try:
                step()
            except TakenOverError:
                raise
            except GoneError as error:
                self._outage = self._outage or error
                told = f"\nnot done: {error}"
            except NaruError as error:
                return f"\nnot done: {error}"
            else:
                return ""
        return told

    def _after_outage(self, error: GoneError, state: State) -> State:
        """What was deleted is not tried further: the version in service is made again, which is ours once it is promoted."""
        self._failure = self._outage = self._outage or error
        if self._promoted:
            self._stable = self._ours()
        if state is State.BACK:  # somebody deletes it again and again
            raise error
        return State.BACK

    def _tell_outage(self, outage: GoneError, lasts: bool) -> str:
        end = self._site.moment()
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
        told = f"the servers of the version before are not gone: {error}"
        self.result.checks.append(Check("servers let go", "warn", reason=told))
        self.result.reason = f"version {self._wanted.model.version} serves; {told}"
        return State.DONE

    def _confirm(self) -> None:
        if self._wanted.confirm is not None:
            self._wanted.confirm()

    def _ours(self) -> Object:
        return render_stable(self._project, self._wanted.model, self._wanted.placement)

    def _canary(self, replicas: int) -> Object:
        return render_canary(self._project, self._wanted.model, self._wanted.placement, replicas)

    def _preflight(self, ours: Object, seen: Seen) -> None:
        """What is refused is told in the ledger too."""
        try:
            alone = compose(self._project, self._wanted.placement.namespace, [ours])
            check_deployment(alone, self._wanted.secret_keys, self._wanted.lacking, self._wanted.features)
            _check_protocol(seen, self._project)
        except ConfigError as error:
            self._record("refuse", {}, str(error), "failed", must=False)
            raise

    def _in_force(self, seen: Seen) -> Object:
        """The predictor in service: the ledger's champion, else the first one, which is where requests go by default."""
        predictors = self._site.asked_before(seen) or [
            render_stable(self._project, version_of(predictor), self._wanted.placement)  # made by other hands
            for predictor in seen.predictors
        ]
        champion = self._wanted.champion.predictor if self._wanted.champion else ""
        return next((one for one in predictors if one["name"] == champion), predictors[0])

    def _clean_up(self, seen: Seen) -> None:
        """A canary that nobody watches any more answers requests unjudged."""
        names = [one["name"] for one in seen.predictors if one["name"] != self._beside()["name"]]
        self._route_back()
        self._remove_canary()
        self._record("roll back", self._all_to_stable(), f"a broken-off rollout had left {', '.join(names)}", "failed")

    def _route_back(self) -> None:
        if self._stable is not None:
            self._site.route(self._stable["name"])

    def _remove_canary(self) -> None:
        if self._stable is None:
            self._site.remove()
            return
        self._site.apply([self._stable], restore=True)
        self._site.wait([])

    def _beside(self) -> Object:
        """The version in service, where there is one beside the new one."""
        if self._stable is None:
            raise ServiceError("no version is in service", where=self._project.name)
        return self._stable

    def _servers(self, predictor: Object) -> int:
        """How many a version has now: an autoscaler may have changed what was asked."""
        deployment = self._site.see().deployments.get(predictor["name"], {})
        asked = predictor["componentSpecs"][0].get("replicas", 1)
        return max(1, int(deployment.get("spec", {}).get("replicas", asked)))

    def _weight(self) -> int:
        """What a mesh holds; from 1 to 99, for it may not be told 0."""
        return min(99, max(1, round(self._steps[self._step].percent))) if self._steps else 1

    def _all_to_stable(self) -> dict[str, float]:
        return {version_of(self._stable).version: 100.0} if self._stable else {}

    def _judge(self, checks: list[Check]) -> None:
        self.result.checks += checks
        if failed := [check for check in checks if check.status == "fail"]:
            raise RolloutError(Diagnosis("; ".join(f"{check.name}: {check.reason}" for check in failed)))

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


def _names(pods: list[Object]) -> set[str]:
    return {str(pod["metadata"]["uid"]) for pod in pods}


def _check_protocol(seen: Seen, project: Project) -> None:
    served = (seen.served or {}).get("spec", {}).get("protocol", project.serve.protocol)
    if served != project.serve.protocol:
        told = f"is served as protocol {served!r}, and one object has one protocol; asked is {project.serve.protocol!r}"
        remedy = "give the project another name, or remove what is served first: kubectl delete seldondeployment"
        raise ConfigError(told, where=f"SeldonDeployment {project.name}", remedy=remedy)
