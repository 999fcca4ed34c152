"""One served model on a cluster: looked at, changed, waited for. Knows no order of things; `state_machine.py` does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from components._cluster.kubernetes_client import MANAGER, Cluster, Object
from components._core.errors import ServiceError, UnavailableError
from components._core.project.project_file import Project
from components._core.store.ledger import now
from components.deploy.targets.seldon.diagnosis import Diagnosis, Trouble, diagnose, find_troubles
from components.deploy.targets.seldon.manifest import ASKED, compose
from components.deploy.targets.seldon.observation import Seen, find_edits, find_lag, look, ready_pods
from components.deploy.targets.seldon.pods import Counts, PodClient
from components.deploy.targets.seldon.preflight import check_deployment
from components.deploy.targets.seldon.traffic import render_service

_Key = tuple[str, str, str]


class RolloutError(ServiceError):
    """A version did not do what it must.

    Args:
        diagnosis: What was seen.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(str(diagnosis))


class TakenOverError(ServiceError):
    """Somebody else changed what is served; whoever meets this keeps its hands off."""


class GoneError(ServiceError):
    """What is served was deleted by somebody else, or nothing of it is left to answer: requests fail.

    Args:
        message: What is gone.
        where: Of what.
        since: The last look at which it was there.
    """

    def __init__(self, message: str, *, where: str, since: Moment) -> None:
        super().__init__(f"{message}; who did it cannot be known from here", where=where)
        self.since = since


@dataclass(frozen=True)
class Moment:
    """A point in time, twice.

    Attributes:
        at: For people, as ledgers have it.
        seconds: Of the clock that a rollout goes by.
    """

    at: str
    seconds: float


@dataclass(frozen=True)
class Timing:
    """How often and how long.

    Attributes:
        poll: Seconds between two looks.
        patience: Factor of how long a trouble may last.
        silence: Seconds for which the API server may be away.
        sweep: Seconds after which what the operator left behind is removed by us.
        now: The clock.
        sleep: Lets time pass.
    """

    poll: float = 2.0
    patience: float = 1.0
    silence: float = 120.0
    sweep: float = 15.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Site:
    """Where a project's model is served.

    Args:
        cluster: The cluster.
        project: The project.
        namespace: Where its servers are.
        timing: How often it looks.
    """

    def __init__(self, cluster: Cluster, project: Project, namespace: str, timing: Timing) -> None:
        self._cluster = cluster
        self._project = project
        self._namespace = namespace
        self._timing = timing
        self._asked: Object = {}
        """The SeldonDeployment as it was last asked for, or found."""
        self._uid = ""
        """Of that object; another one of its name has another."""
        self._selector: Object | None = None
        """Of the Service, as it was last written; None: it was not yet."""
        self._good = self.moment()

    def moment(self) -> Moment:
        """Now."""
        return Moment(now(), self._timing.now())

    def see(self) -> Seen:
        """Look, and look again while the API server is away.

        Raises:
            ServiceError: When it refuses, or stays away.
        """
        until = self._timing.now() + self._timing.silence
        while True:
            try:
                return look(self._cluster, self._namespace, self._project.name)
            except UnavailableError:
                if self._timing.now() > until:
                    raise
                self._timing.sleep(self._timing.poll)

    def adopt(self, seen: Seen) -> None:
        """Take what is there for what is to be changed."""
        self._asked = seen.served or {}
        self._uid = _uid(self._asked)

    def apply(self, predictors: list[Object], weight: int = 0, *, restore: bool = False) -> None:
        """Ask for these predictors, and no others.

        Args:
            predictors: As they are asked for.
            weight: Percent of the second one, where a mesh holds it.
            restore: Make the object again where somebody deleted it.

        Raises:
            ConfigError: When the preflight refuses them.
            TakenOverError: When what is there is not what was last asked for.
            GoneError: When it was deleted, and is not to be made again.
        """
        wanted = compose(self._project, self._namespace, predictors, weight if len(predictors) > 1 else 0)
        check_deployment(wanted)
        try:
            self._still_ours(self.see())
        except GoneError:
            if not restore:
                raise
            self._let_it_go()
        self._uid = _uid(self._cluster.apply(wanted))
        self._asked = wanted

    def _let_it_go(self) -> None:
        """Wait until an object that is being deleted is gone: applied to before, it would take that along."""
        until = self._timing.now() + self._timing.silence
        while _is_ending(self.see().served) and self._timing.now() < until:
            self._timing.sleep(self._timing.poll)

    def route(self, predictor: str) -> None:
        """Let everybody ask this one alone; empty: all servers. With a mesh the operator's own routes go by `traffic`."""
        wanted = render_service(self._project.name, self._namespace, predictor)
        self._cluster.apply(wanted)
        self._selector = wanted["spec"]["selector"]

    def remove(self) -> None:
        """Take everything away: it was the first, and did not come up."""
        for one in (self._asked, render_service(self._project.name, self._namespace)):
            if one:
                self._cluster.delete(one)

    def wait(self, watched: list[str]) -> Seen:
        """Until what runs is what was asked.

        Raises:
            RolloutError: When one of the watched predictors cannot come up, or it takes too long.
            TakenOverError: When somebody else asks for something else.
            GoneError: When somebody deleted it.
        """
        started = self._timing.now()
        since: dict[_Key, float] = {}
        while True:
            seen = self.see()
            self._still_ours(seen)
            if not (lag := find_lag(seen, self._asked)):
                return seen
            troubles = find_troubles(seen, watched)
            self._lose_patience(seen, troubles, since)
            waited = self._timing.now() - started
            if waited >= self._timing.sweep:
                self._sweep(seen)
            if waited >= self._project.serve.wait_seconds:
                raise RolloutError(self._too_late(seen, troubles, lag))
            self._timing.sleep(self._timing.poll)

    def watch(self, predictor: str, seconds: float) -> Seen:
        """Let time pass, and see at once when servers of this one go, or all of them. Errors as in `wait`."""
        deadline = self._timing.now() + seconds
        since: dict[_Key, float] = {}
        while True:
            seen = self.see()
            self._still_ours(seen)
            self._still_answered(seen)
            self._lose_patience(seen, find_troubles(seen, [predictor]), since)
            if (left := deadline - self._timing.now()) <= 0:
                return seen
            self._timing.sleep(min(self._timing.poll, left))

    def client(self, pod: Object) -> PodClient:
        """Whoever asks a server."""
        name, protocol = pod["metadata"]["name"], self._project.serve.protocol
        return PodClient(self._cluster, self._namespace, name, self._project.name, protocol)

    def count(self, seen: Seen, predictor: str) -> dict[str, Counts]:
        """What the servers of a predictor have counted, by pod; of those that are ready."""
        return {pod["metadata"]["name"]: self.client(pod).count() for pod in ready_pods(seen, predictor)}

    def asked_before(self, seen: Seen) -> list[Object]:
        """The predictors that are there, in the words in which they were asked for; none when those are not kept."""
        there = {predictor["name"] for predictor in seen.predictors}
        kept = ((seen.served or {}).get("metadata", {}).get("annotations") or {}).get(ASKED, "[]")
        asked: list[Object] = [one for one in json.loads(kept) if one["name"] in there]
        return asked if {one["name"] for one in asked} == there else []

    def _sweep(self, seen: Seen) -> None:
        """The operator (1.17.1) forgets a Deployment that never had a pod: it goes by `deploymentStatus`, where that is not."""
        status = (seen.served or {}).get("status", {}).get("deploymentStatus", {})
        wanted = {predictor["name"] for predictor in self._asked["spec"]["predictors"]}
        for name in seen.deployments.keys() - wanted:
            if seen.deployments[name]["metadata"]["name"] not in status:
                self._cluster.delete(seen.deployments[name])

    def _lose_patience(self, seen: Seen, troubles: list[Trouble], since: dict[_Key, float]) -> None:
        moment = self._timing.now()
        keys = {(trouble.predictor, trouble.what, trouble.pod): trouble for trouble in troubles}
        for key in since.keys() - keys.keys():
            del since[key]
        for key, trouble in keys.items():
            if moment - since.setdefault(key, moment) >= trouble.patience * self._timing.patience:
                raise RolloutError(diagnose(self._cluster, self._namespace, seen, trouble))

    def _too_late(self, seen: Seen, troubles: list[Trouble], lag: list[str]) -> Diagnosis:
        told = f"not there after {self._project.serve.wait_seconds:g} s (serve.wait_seconds): {'; '.join(lag)}"
        if not troubles:
            description = str((seen.served or {}).get("status", {}).get("description", ""))
            return Diagnosis(told, description=description)
        found = diagnose(self._cluster, self._namespace, seen, troubles[0])
        return Diagnosis(f"{told}; {found.reason}", found.log, found.events, found.description)

    def _still_ours(self, seen: Seen) -> None:
        """Compare what is there with what was last asked for; as long as nothing was, there is nothing to compare."""
        if not self._asked:
            if seen.served:
                raise self._taken_over(f"{_changed_by(seen.served)} made it meanwhile")
            return
        if seen.served is None or _is_ending(seen.served):
            raise self._gone("the SeldonDeployment was deleted")
        if edits := find_edits(seen.served, self._asked):
            raise self._taken_over(f"{'; '.join(edits)} ({_changed_by(seen.served)})")
        if _uid(seen.served) != self._uid:
            raise self._gone("the SeldonDeployment was deleted and made again")
        self._still_routed(seen.service)
        self._good = self.moment()

    def _still_routed(self, service: Object | None) -> None:
        if self._selector is None:
            return
        if service is None or _is_ending(service):
            raise self._gone("the Service by which the model is asked was deleted")
        if (selector := service["spec"].get("selector")) != self._selector:
            told = f"the Service names {selector}, asked was {self._selector} ({_changed_by(service)})"
            raise self._taken_over(told)

    def _still_answered(self, seen: Seen) -> None:
        if not any(ready_pods(seen, predictor["name"]) for predictor in self._asked["spec"]["predictors"]):
            raise self._gone("no server of any version is ready any more")

    def _gone(self, message: str) -> GoneError:
        return GoneError(message, where=f"SeldonDeployment {self._namespace}/{self._project.name}", since=self._good)

    def _taken_over(self, told: str) -> TakenOverError:
        where = f"SeldonDeployment {self._namespace}/{self._project.name}"
        remedy = "let them finish, then run again"
        return TakenOverError(f"somebody else changed what is served: {told}", where=where, remedy=remedy)


def _uid(one: Object) -> str:
    return str(one.get("metadata", {}).get("uid", ""))


def _is_ending(one: Object | None) -> bool:
    return one is not None and "deletionTimestamp" in one["metadata"]


def _changed_by(served: Object) -> str:
    """The program that changed an object last, as the API server recorded it; a status that is written is no change."""
    fields = [one for one in served["metadata"].get("managedFields", []) if one.get("subresource") != "status"]
    last: Object = max(fields, key=lambda one: str(one.get("time", "")), default={})
    manager = str(last.get("manager", ""))
    if not manager or manager == MANAGER:
        return "another rollout" if manager else "it is not recorded by whom"
    return f"by {manager}" + (f" at {last['time']}" if last.get("time") else "")
