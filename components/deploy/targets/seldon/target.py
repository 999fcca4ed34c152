"""The deployment target of a cluster with Seldon Core: one SeldonDeployment and one Service for each project."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from components._cluster.kubernetes_client import MANAGER, Cluster, Object
from components._core.errors import ConfigError, UnavailableError
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.live_tests import LiveTest
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
from components.deploy.targets.placement import Placement, check_log, name_of_image
from components.deploy.targets.seldon.diagnosis import Diagnosis, PredictorFailure, diagnose, find_failures
from components.deploy.targets.seldon.manifest import (
    APPLIED,
    PROJECT_LABEL,
    Challenger,
    challenger_service,
    compose,
    render_canary,
    render_challenger_service,
    render_stable,
    render_tested,
)
from components.deploy.targets.seldon.observation import (
    SeldonState,
    find_edits,
    find_lag,
    look,
    ready_pods,
    selected_by,
    to_observation,
    version_of,
    without_earlier_pods,
)
from components.deploy.targets.seldon.pods import PodClient
from components.deploy.targets.seldon.preflight import check_deployment
from components.deploy.targets.seldon.store_secret import read_secret_keys
from components.deploy.targets.seldon.traffic import hold_shares, render_service

_SWEEP_SECONDS = 15.0
"""Seconds after which Deployments that the operator left behind are removed."""

_Key = tuple[str, str, str]
_Read = TypeVar("_Read")


class SeldonTarget(RolloutTarget):
    """Serves a project's model on a cluster with Seldon Core.

    Args:
        cluster: The cluster.
        project: The project.
        placement: Where its servers run, in which namespace, and the store of their request log.
        timing: How often the cluster is polled.
        secret_keys: Keys of the Secret with which the servers open the store; None: unknown, so not checked.
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
        self.extras = placement.extras
        self.has_onnx_image = bool(placement.onnx_image)
        self._cluster = cluster
        self._project = project
        self._placement = placement
        self._namespace = placement.namespace
        self._secret_keys = secret_keys
        self.begin()

    def begin(self) -> None:
        """Forget the SeldonDeployment and the Service of an earlier rollout. See `RolloutTarget`."""
        self._applied: Object = {}
        """The SeldonDeployment as it was last applied, or found."""
        self._uid = ""
        """UID of that object; a new object of the same name has another one."""
        self._selector: Object | None = None
        """Selector of the Service as it was last written; None: not written yet."""
        self._good = self.timing.moment()

    def see(self) -> Observation:
        """Observe, and retry while the API server is unavailable. See `RolloutTarget`."""
        return to_observation(self._see())

    def adopt(self, seen: Observation) -> list[Servers]:
        """Take over the existing SeldonDeployment. See `RolloutTarget`.

        Its predictors are taken exactly as they were applied, so that no pod restarts; predictors that somebody else made are
        rendered again.
        """
        found: SeldonState = seen.native
        self._applied = found.served or {}
        self._uid = _uid(self._applied)
        predictors = _applied_before(found) or [
            render_stable(self._project, self._version_in(predictor), self._placement) for predictor in found.predictors
        ]
        return [_to_servers(version_of(predictor), predictor) for predictor in predictors]

    def _version_in(self, predictor: Object) -> ModelVersion:
        """The version of a predictor, and whether its servers need TensorFlow, by the image that they have now."""
        image = predictor["componentSpecs"][0]["spec"]["containers"][0].get("image", "")
        is_onnx = self.has_onnx_image and name_of_image(image) == name_of_image(self._placement.onnx_image)
        return replace(version_of(predictor), needs_tensorflow=not is_onnx)

    def describe(self, model: ModelVersion, replicas: int | None = None) -> Servers:
        """Render the predictor of the version. See `RolloutTarget`."""
        if replicas is None:
            return _to_servers(model, render_stable(self._project, model, self._placement))
        return _to_servers(model, render_canary(self._project, model, self._placement, replicas))

    def describe_live_test(
        self, stable: ModelVersion, challenger: ModelVersion, test: LiveTest, replicas: int
    ) -> tuple[Servers, Servers]:
        """Render both predictors of the test. Refused are a mesh, which holds the weights, and a Service of another project. See `RolloutTarget`."""
        if self._project.serve.mesh != "none":
            message = f"serve.mesh: {self._project.serve.mesh} holds the weights, and would send users' requests to the version under test"
            remedy = "set serve.mesh: none, or serve.rollout: canary; naru cluster seldon --mesh-shadow prints Seldon's own shadow"
            raise ConfigError(message, where=self._project.name, remedy=remedy)
        if not self._is_own(self._find_challenger_service()):
            name = challenger_service(self._project.name)
            message = (
                f"the Service {name} is of another project, and a live test of {self._project.name} needs that name"
            )
            remedy = "give one of both projects another name, or set serve.rollout: canary"
            raise ConfigError(message, where=self._project.name, remedy=remedy)
        tested = Challenger(challenger, test.began, test.name, replicas=replicas)
        first, second = render_tested(self._project, stable, tested, self._placement)
        return _to_servers(stable, first), _to_servers(challenger, second)

    def resize(self, servers: Servers, replicas: int) -> Servers:
        """Render the same predictor with a fixed number of pods. See `RolloutTarget`."""
        component = {**servers.native["componentSpecs"][0], "replicas": replicas}
        component.pop("hpaSpec", None)
        return _to_servers(servers.model, {**servers.native, "componentSpecs": [component]})

    def check(
        self, servers: Servers, seen: Observation, missing_files: Sequence[str], features: Sequence[str] | None
    ) -> None:
        """Check the object against every rule of the operator and of Naru. See `RolloutTarget`."""
        alone = compose(self._project, self._namespace, [servers.native])
        check_log(self._project, self._placement, self._placement.store)
        check_deployment(alone, self._secret_keys, missing_files, features)
        found: SeldonState = seen.native
        wanted = self._project.serve.protocol
        served = (found.served or {}).get("spec", {}).get("protocol", wanted)
        if served != wanted:
            message = (
                f"it is served with protocol {served!r}, and an object has one protocol; the project sets {wanted!r}"
            )
            remedy = "give the project another name, or first remove what is served: kubectl delete seldondeployment"
            raise ConfigError(message, where=f"SeldonDeployment {self._project.name}", remedy=remedy)

    def hold_shares(self, requested: Sequence[int], stable: int) -> list[Share]:
        """Hold shares by the number of pods, or exactly by a mesh. See `RolloutTarget`."""
        return hold_shares(requested, stable, by_mesh=self._project.serve.mesh != "none")

    def apply(self, servers: Sequence[Servers], weight: int = 0) -> None:
        """Apply the SeldonDeployment with these predictors. See `RolloutTarget`."""
        self._apply(servers, weight)

    def wait(self, watched: Sequence[str]) -> Observation:
        """Wait until the Deployments match what was applied. See `RolloutTarget`."""
        started = self.timing.now()
        since: dict[_Key, float] = {}
        while True:
            seen = self._see()
            self._check_unchanged(seen)
            if not (lag := find_lag(seen, self._applied)):
                return to_observation(seen)
            failures = find_failures(without_earlier_pods(seen, self._applied), list(watched))
            self._raise_overdue(seen, failures, since)
            waited = self.timing.now() - started
            if waited >= _SWEEP_SECONDS:
                self._sweep(seen)
            if waited >= self._project.serve.wait_seconds:
                raise RolloutError(str(self._report_timeout(seen, failures, lag)))
            self.timing.sleep(self.timing.poll)

    def watch(self, key: str, seconds: float) -> Observation:
        """Watch the pods of a predictor for some seconds. See `RolloutTarget`."""
        deadline = self.timing.now() + seconds
        since: dict[_Key, float] = {}
        while True:
            seen = self._see()
            self._check_unchanged(seen)
            self._check_served(seen)
            self._raise_overdue(seen, find_failures(seen, [key]), since)
            if (left := deadline - self.timing.now()) <= 0:
                return to_observation(seen)
            self.timing.sleep(min(self.timing.poll, left))

    def client(self, server: Server) -> PodClient:
        """Return a client of one pod, through the API server. See `RolloutTarget`."""
        name, protocol = self._project.name, self._project.serve.protocol
        return PodClient(self._cluster, self._namespace, server.name, name, protocol)

    def route(self, key: str) -> None:
        """Select the pods of one predictor, or of all. A mesh uses the operator's routes by `traffic`. See `RolloutTarget`."""
        wanted = render_service(self._project.name, self._namespace, key)
        self._cluster.apply(wanted)
        self._selector = wanted["spec"]["selector"]

    def connected(self) -> str:
        """Return the predictor that the Service of the version under test selects. See `RolloutTarget`."""
        found = self._find_challenger_service()
        return selected_by(found) if self._is_own(found) else ""

    def connect(self, key: str) -> None:
        """Apply the Service of the version under test, which no client uses, or delete it. See `RolloutTarget`.

        One of another project, as the clients of `a-challenger` beside `a` use, is left alone.
        """
        wanted = render_challenger_service(self._project.name, self._namespace, key)
        if key:
            self._cluster.apply(wanted)
        elif self._is_own(self._find_challenger_service()):
            self._cluster.delete(wanted)

    def _find_challenger_service(self) -> Object | None:
        wanted = render_challenger_service(self._project.name, self._namespace)
        return self._retry(lambda: self._cluster.get(wanted))

    def _is_own(self, service: Object | None) -> bool:
        """Whether a Service is this project's, or there is none."""
        labels = (service or {}).get("metadata", {}).get("labels") or {}
        return service is None or labels.get(PROJECT_LABEL) == self._project.name

    def restore(self, stable: Servers | None) -> None:
        """Apply the SeldonDeployment with the stable predictor only; or delete all, when the first version did not start."""
        if stable is None:
            self._remove()
            return
        self._apply([stable], 0, restore=True)
        self.wait([])

    def _see(self) -> SeldonState:
        return self._retry(lambda: look(self._cluster, self._namespace, self._project.name))

    def _retry(self, read: Callable[[], _Read]) -> _Read:
        """Read, and retry while the API server is unavailable."""
        until = self.timing.now() + self.timing.silence
        while True:
            try:
                return read()
            except UnavailableError:
                if self.timing.now() > until:
                    raise
                self.timing.sleep(self.timing.poll)

    def _apply(self, servers: Sequence[Servers], weight: int, *, restore: bool = False) -> None:
        """Apply these servers.

        Args:
            servers: Servers of one version, or of two.
            weight: Percent of the second one, where a mesh holds it.
            restore: Whether to create the object again where somebody deleted it.
        """
        predictors = [one.native for one in servers]
        wanted = compose(self._project, self._namespace, predictors, weight if len(predictors) > 1 else 0)
        check_deployment(wanted)
        try:
            self._check_unchanged(self._see())
        except GoneError:
            if not restore:
                raise
            self._wait_until_deleted()
        self._uid = _uid(self._cluster.apply(wanted))
        self._applied = wanted

    def _remove(self) -> None:
        for one in (self._applied, render_service(self._project.name, self._namespace)):
            if one:
                self._cluster.delete(one)

    def _wait_until_deleted(self) -> None:
        """Wait until an object that is being deleted is gone: what is applied to it before is deleted with it."""
        until = self.timing.now() + self.timing.silence
        while _is_ending(self._see().served) and self.timing.now() < until:
            self.timing.sleep(self.timing.poll)

    def _sweep(self, seen: SeldonState) -> None:
        """Delete Deployments that never had a pod: the operator (1.17.1) forgets them, as `deploymentStatus` lacks them."""
        status = (seen.served or {}).get("status", {}).get("deploymentStatus", {})
        wanted = {predictor["name"] for predictor in self._applied["spec"]["predictors"]}
        for name in seen.deployments.keys() - wanted:
            if seen.deployments[name]["metadata"]["name"] not in status:
                self._cluster.delete(seen.deployments[name])

    def _raise_overdue(self, seen: SeldonState, failures: list[PredictorFailure], since: dict[_Key, float]) -> None:
        moment = self.timing.now()
        keys = {(failure.predictor, failure.what, failure.pod): failure for failure in failures}
        for key in since.keys() - keys.keys():
            del since[key]
        for key, failure in keys.items():
            if moment - since.setdefault(key, moment) >= failure.patience * self.timing.patience:
                raise RolloutError(str(diagnose(self._cluster, self._namespace, seen, failure)))

    def _report_timeout(self, seen: SeldonState, failures: list[PredictorFailure], lag: list[str]) -> Diagnosis:
        message = f"not ready after {self._project.serve.wait_seconds:g} s (serve.wait_seconds): {'; '.join(lag)}"
        if not failures:
            description = str((seen.served or {}).get("status", {}).get("description", ""))
            return Diagnosis(message, description=description)
        found = diagnose(self._cluster, self._namespace, seen, failures[0])
        return Diagnosis(f"{message}; {found.reason}", found.log, found.events, found.description)

    def _check_unchanged(self, seen: SeldonState) -> None:
        """Check that nobody changed what was last applied; before the first apply, that nothing is served."""
        if not self._applied:
            if seen.served:
                raise self._taken_over(f"{_changed_by(seen.served)} created it meanwhile")
            return
        if seen.served is None or _is_ending(seen.served):
            raise self._gone("the SeldonDeployment was deleted")
        if edits := find_edits(seen.served, self._applied):
            raise self._taken_over(f"{'; '.join(edits)} ({_changed_by(seen.served)})")
        if _uid(seen.served) != self._uid:
            raise self._gone("the SeldonDeployment was deleted and created again")
        self._check_routing(seen.service)
        self._good = self.timing.moment()

    def _check_routing(self, service: Object | None) -> None:
        if self._selector is None:
            return
        if service is None or _is_ending(service):
            raise self._gone("the Service of the model was deleted")
        if (selector := service["spec"].get("selector")) != self._selector:
            message = f"the Service selects {selector}, applied was {self._selector} ({_changed_by(service)})"
            raise self._taken_over(message)

    def _check_served(self, seen: SeldonState) -> None:
        if not any(ready_pods(seen, predictor["name"]) for predictor in self._applied["spec"]["predictors"]):
            raise self._gone("no server of any version is ready")

    def _gone(self, message: str) -> GoneError:
        return GoneError(message, where=f"SeldonDeployment {self._namespace}/{self._project.name}", since=self._good)

    def _taken_over(self, change: str) -> TakenOverError:
        where = f"SeldonDeployment {self._namespace}/{self._project.name}"
        remedy = "let them finish, then run again"
        return TakenOverError(f"somebody else changed what is served: {change}", where=where, remedy=remedy)


def open_on_cluster(project: Project, settings: Settings, placement: Placement) -> SeldonTarget:
    """Open the target of a project on the cluster that this process runs in, or that KUBECONFIG names.

    Raises:
        ConfigError: When the project's Secret does not exist.
        ServiceError: When the cluster does not answer, or refuses.
    """
    cluster = Cluster()
    keys = read_secret_keys(cluster, project, placement.namespace)
    return SeldonTarget(cluster, project, replace(placement, store=settings.store), secret_keys=keys)


def _to_servers(model: ModelVersion, predictor: Object) -> Servers:
    return Servers(predictor["name"], model, predictor["componentSpecs"][0].get("replicas", 1), predictor)


def _applied_before(seen: SeldonState) -> list[Object]:
    """Return the existing predictors as they were applied; empty when the annotation does not have them all."""
    there = {predictor["name"] for predictor in seen.predictors}
    kept = ((seen.served or {}).get("metadata", {}).get("annotations") or {}).get(APPLIED, "[]")
    applied: list[Object] = [one for one in json.loads(kept) if one["name"] in there]
    return applied if {one["name"] for one in applied} == there else []


def _uid(one: Object) -> str:
    return str(one.get("metadata", {}).get("uid", ""))


def _is_ending(one: Object | None) -> bool:
    return one is not None and "deletionTimestamp" in one["metadata"]


def _changed_by(served: Object) -> str:
    """Name the program that last changed an object, as the API server recorded it; status updates do not count."""
    fields = [one for one in served["metadata"].get("managedFields", []) if one.get("subresource") != "status"]
    last: Object = max(fields, key=lambda one: str(one.get("time", "")), default={})
    manager = str(last.get("manager", ""))
    if not manager or manager == MANAGER:
        return "another rollout" if manager else "it is not recorded by whom"
    return f"by {manager}" + (f" at {last['time']}" if last.get("time") else "")
