"""The deployment target of a cluster with Seldon Core: one SeldonDeployment and one Service for each project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from components._cluster.kubernetes_client import MANAGER, Cluster, Object
from components._core.errors import ConfigError, UnavailableError
from components._core.project.project_file import Project
from components._core.settings import Settings
from components.deploy.targets.contract import (
    GoneError,
    ModelVersion,
    Observation,
    RolloutError,
    RolloutTarget,
    Server,
    Servers,
    Share,
    TakenOverError,
    Timing,
)
from components.deploy.targets.placement import Placement
from components.deploy.targets.seldon.diagnosis import Diagnosis, Trouble, diagnose, find_troubles
from components.deploy.targets.seldon.manifest import ASKED, compose, render_canary, render_stable
from components.deploy.targets.seldon.observation import (
    Seen,
    find_edits,
    find_lag,
    look,
    ready_pods,
    to_observation,
    version_of,
)
from components.deploy.targets.seldon.pods import PodClient
from components.deploy.targets.seldon.preflight import check_deployment
from components.deploy.targets.seldon.store_secret import read_secret_keys
from components.deploy.targets.seldon.traffic import hold_shares, render_service

_SWEEP_SECONDS = 15.0
"""Seconds after which the Deployments that the operator left behind are removed here."""

_Key = tuple[str, str, str]


class SeldonTarget(RolloutTarget):
    """Serves a project's model on a cluster with Seldon Core.

    Args:
        cluster: The cluster.
        project: The project.
        placement: Where its servers run, in which namespace, and the store of their request log.
        timing: How often the cluster is looked at.
        secret_keys: Keys of the Secret that opens the store to the servers; None: unknown, so not checked.
    """

    def __init__(
        self,
        cluster: Cluster,
        project: Project,
        placement: Placement,
        timing: Timing | None = None,
        secret_keys: set[str] | None = None,
    ) -> None:
        self.timing = timing or Timing()
        self._cluster = cluster
        self._project = project
        self._placement = placement
        self._namespace = placement.namespace
        self._secret_keys = secret_keys
        self.begin()

    def begin(self) -> None:
        """Forget the SeldonDeployment and the Service of an earlier rollout. See `RolloutTarget`."""
        self._asked: Object = {}
        """The SeldonDeployment as it was applied last, or found."""
        self._uid = ""
        """Of that object; another one of its name has another."""
        self._selector: Object | None = None
        """Selector of the Service as it was written last; None: it was not written yet."""
        self._good = self.timing.moment()

    def see(self) -> Observation:
        """Look, and look again while the API server is away. See `RolloutTarget`."""
        return to_observation(self._see())

    def adopt(self, seen: Observation) -> list[Servers]:
        """Take the SeldonDeployment that is there for the one to change. See `RolloutTarget`.

        Its predictors are taken in the words in which they were applied, so that none of their pods is started again; those
        that somebody else made are rendered again.
        """
        found: Seen = seen.native
        self._asked = found.served or {}
        self._uid = _uid(self._asked)
        predictors = _applied_before(found) or [
            render_stable(self._project, version_of(predictor), self._placement) for predictor in found.predictors
        ]
        return [_to_servers(version_of(predictor), predictor) for predictor in predictors]

    def describe(self, model: ModelVersion, replicas: int | None = None) -> Servers:
        """A predictor of the version. See `RolloutTarget`."""
        if replicas is None:
            return _to_servers(model, render_stable(self._project, model, self._placement))
        return _to_servers(model, render_canary(self._project, model, self._placement, replicas))

    def resize(self, servers: Servers, replicas: int) -> Servers:
        """The same predictor in a fixed number of pods. See `RolloutTarget`."""
        component = {**servers.native["componentSpecs"][0], "replicas": replicas}
        component.pop("hpaSpec", None)
        return _to_servers(servers.model, {**servers.native, "componentSpecs": [component]})

    def check(
        self, servers: Servers, seen: Observation, missing_files: Sequence[str], features: Sequence[str] | None
    ) -> None:
        """Hold the object against every rule of the operator and of ours. See `RolloutTarget`."""
        alone = compose(self._project, self._namespace, [servers.native])
        check_deployment(alone, self._secret_keys, missing_files, features)
        found: Seen = seen.native
        wanted = self._project.serve.protocol
        served = (found.served or {}).get("spec", {}).get("protocol", wanted)
        if served != wanted:
            message = f"is served as protocol {served!r}, and one object has one protocol; asked is {wanted!r}"
            remedy = "give the project another name, or remove what is served first: kubectl delete seldondeployment"
            raise ConfigError(message, where=f"SeldonDeployment {self._project.name}", remedy=remedy)

    def hold_shares(self, asked: Sequence[int], stable: int) -> list[Share]:
        """Shares by the number of pods, or by a mesh to the percent. See `RolloutTarget`."""
        return hold_shares(asked, stable, by_mesh=self._project.serve.mesh != "none")

    def apply(self, servers: Sequence[Servers], weight: int = 0) -> None:
        """Apply the SeldonDeployment with these predictors. See `RolloutTarget`."""
        self._apply(servers, weight)

    def wait(self, watched: Sequence[str]) -> Observation:
        """Wait until the Deployments are those that were applied. See `RolloutTarget`."""
        started = self.timing.now()
        since: dict[_Key, float] = {}
        while True:
            seen = self._see()
            self._still_ours(seen)
            if not (lag := find_lag(seen, self._asked)):
                return to_observation(seen)
            troubles = find_troubles(seen, list(watched))
            self._lose_patience(seen, troubles, since)
            waited = self.timing.now() - started
            if waited >= _SWEEP_SECONDS:
                self._sweep(seen)
            if waited >= self._project.serve.wait_seconds:
                raise RolloutError(str(self._too_late(seen, troubles, lag)))
            self.timing.sleep(self.timing.poll)

    def watch(self, key: str, seconds: float) -> Observation:
        """Let time pass while pods of a predictor are looked at. See `RolloutTarget`."""
        deadline = self.timing.now() + seconds
        since: dict[_Key, float] = {}
        while True:
            seen = self._see()
            self._still_ours(seen)
            self._still_answered(seen)
            self._lose_patience(seen, find_troubles(seen, [key]), since)
            if (left := deadline - self.timing.now()) <= 0:
                return to_observation(seen)
            self.timing.sleep(min(self.timing.poll, left))

    def client(self, server: Server) -> PodClient:
        """A client of one pod, through the API server. See `RolloutTarget`."""
        name, protocol = self._project.name, self._project.serve.protocol
        return PodClient(self._cluster, self._namespace, server.name, name, protocol)

    def route(self, key: str) -> None:
        """Select the pods of one predictor, or of all. With a mesh the operator's own routes go by `traffic`. See `RolloutTarget`."""
        wanted = render_service(self._project.name, self._namespace, key)
        self._cluster.apply(wanted)
        self._selector = wanted["spec"]["selector"]

    def restore(self, stable: Servers | None) -> None:
        """Apply the SeldonDeployment with the stable predictor alone; or delete all, when the first version did not come up."""
        if stable is None:
            self._remove()
            return
        self._apply([stable], 0, restore=True)
        self.wait([])

    def _see(self) -> Seen:
        until = self.timing.now() + self.timing.silence
        while True:
            try:
                return look(self._cluster, self._namespace, self._project.name)
            except UnavailableError:
                if self.timing.now() > until:
                    raise
                self.timing.sleep(self.timing.poll)

    def _apply(self, servers: Sequence[Servers], weight: int, *, restore: bool = False) -> None:
        """Apply these servers.

        Args:
            servers: Of one version, or of two.
            weight: Percent of the second one, where a mesh holds it.
            restore: Make the object again where somebody deleted it.
        """
        predictors = [one.native for one in servers]
        wanted = compose(self._project, self._namespace, predictors, weight if len(predictors) > 1 else 0)
        check_deployment(wanted)
        try:
            self._still_ours(self._see())
        except GoneError:
            if not restore:
                raise
            self._let_it_go()
        self._uid = _uid(self._cluster.apply(wanted))
        self._asked = wanted

    def _remove(self) -> None:
        for one in (self._asked, render_service(self._project.name, self._namespace)):
            if one:
                self._cluster.delete(one)

    def _let_it_go(self) -> None:
        """Wait until an object that is being deleted is gone: applied to before, it would take that along."""
        until = self.timing.now() + self.timing.silence
        while _is_ending(self._see().served) and self.timing.now() < until:
            self.timing.sleep(self.timing.poll)

    def _sweep(self, seen: Seen) -> None:
        """The operator (1.17.1) forgets a Deployment that never had a pod: it goes by `deploymentStatus`, where that is not."""
        status = (seen.served or {}).get("status", {}).get("deploymentStatus", {})
        wanted = {predictor["name"] for predictor in self._asked["spec"]["predictors"]}
        for name in seen.deployments.keys() - wanted:
            if seen.deployments[name]["metadata"]["name"] not in status:
                self._cluster.delete(seen.deployments[name])

    def _lose_patience(self, seen: Seen, troubles: list[Trouble], since: dict[_Key, float]) -> None:
        moment = self.timing.now()
        keys = {(trouble.predictor, trouble.what, trouble.pod): trouble for trouble in troubles}
        for key in since.keys() - keys.keys():
            del since[key]
        for key, trouble in keys.items():
            if moment - since.setdefault(key, moment) >= trouble.patience * self.timing.patience:
                raise RolloutError(str(diagnose(self._cluster, self._namespace, seen, trouble)))

    def _too_late(self, seen: Seen, troubles: list[Trouble], lag: list[str]) -> Diagnosis:
        message = f"not there after {self._project.serve.wait_seconds:g} s (serve.wait_seconds): {'; '.join(lag)}"
        if not troubles:
            description = str((seen.served or {}).get("status", {}).get("description", ""))
            return Diagnosis(message, description=description)
        found = diagnose(self._cluster, self._namespace, seen, troubles[0])
        return Diagnosis(f"{message}; {found.reason}", found.log, found.events, found.description)

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
        self._good = self.timing.moment()

    def _still_routed(self, service: Object | None) -> None:
        if self._selector is None:
            return
        if service is None or _is_ending(service):
            raise self._gone("the Service by which the model is asked was deleted")
        if (selector := service["spec"].get("selector")) != self._selector:
            message = f"the Service names {selector}, asked was {self._selector} ({_changed_by(service)})"
            raise self._taken_over(message)

    def _still_answered(self, seen: Seen) -> None:
        if not any(ready_pods(seen, predictor["name"]) for predictor in self._asked["spec"]["predictors"]):
            raise self._gone("no server of any version is ready any more")

    def _gone(self, message: str) -> GoneError:
        return GoneError(message, where=f"SeldonDeployment {self._namespace}/{self._project.name}", since=self._good)

    def _taken_over(self, told: str) -> TakenOverError:
        where = f"SeldonDeployment {self._namespace}/{self._project.name}"
        remedy = "let them finish, then run again"
        return TakenOverError(f"somebody else changed what is served: {told}", where=where, remedy=remedy)


def open_on_cluster(project: Project, settings: Settings, placement: Placement) -> SeldonTarget:
    """The target of a project on the cluster that this runs in, or that KUBECONFIG names.

    Raises:
        ConfigError: When the Secret that the project names is not there.
        ServiceError: When the cluster does not answer, or refuses.
    """
    cluster = Cluster()
    keys = read_secret_keys(cluster, project, placement.namespace)
    return SeldonTarget(cluster, project, replace(placement, store=settings.store), secret_keys=keys)


def _to_servers(model: ModelVersion, predictor: Object) -> Servers:
    return Servers(predictor["name"], model, predictor["componentSpecs"][0].get("replicas", 1), predictor)


def _applied_before(seen: Seen) -> list[Object]:
    """The predictors that are there, in the words in which they were applied; none when those are not kept."""
    there = {predictor["name"] for predictor in seen.predictors}
    kept = ((seen.served or {}).get("metadata", {}).get("annotations") or {}).get(ASKED, "[]")
    applied: list[Object] = [one for one in json.loads(kept) if one["name"] in there]
    return applied if {one["name"] for one in applied} == there else []


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
