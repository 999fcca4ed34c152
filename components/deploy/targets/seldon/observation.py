"""Compares what runs with what was applied. The SeldonDeployment's status is not enough: `Available` may be out of date.

Each predictor is a Deployment whose pods have its name as a label. It is up to date when its status reports that the last change
was acted on, when all its pods are new and available, and when it runs what was applied: the operator silently drops variables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from components._cluster.kubernetes_client import Cluster, Object
from components._core.project.quantities import count_of
from components.deploy.server_command import DIGEST, TEST_NAME
from components.deploy.server_command import VERSION as VERSION_OPTION
from components.deploy.targets.contract import ModelVersion, Observation, Server
from components.deploy.targets.seldon.manifest import PREDICTOR_LABEL, PROJECT_LABEL
from components.deploy.targets.seldon.objects import KIND, VERSION

_COMPARED = ("image", "args", "envFrom", "volumeMounts", "securityContext")


@dataclass(frozen=True)
class SeldonState:
    """The objects of a served model at one time.

    Attributes:
        served: The SeldonDeployment; None when there is none.
        deployments: Deployments by predictor.
        pods: Pods by predictor, terminating ones included.
        service: The Service that clients use; None when there is none.
    """

    served: Object | None
    deployments: dict[str, Object] = field(default_factory=dict)
    pods: dict[str, list[Object]] = field(default_factory=dict)
    service: Object | None = None

    @property
    def predictors(self) -> list[Object]:
        """Predictors of the SeldonDeployment as found."""
        return list(self.served["spec"].get("predictors", [])) if self.served else []


def look(cluster: Cluster, namespace: str, project: str) -> SeldonState:
    """Read the objects of a project from the cluster.

    Raises:
        ServiceError: When the cluster refuses or does not answer.
    """
    metadata = {"name": project, "namespace": namespace}
    served = cluster.get({"apiVersion": VERSION, "kind": KIND, "metadata": metadata})
    selector = f"{PROJECT_LABEL}={project}"
    pods: dict[str, list[Object]] = {}
    for pod in cluster.list_in(namespace, "v1", "Pod", selector):
        pods.setdefault(pod["metadata"]["labels"].get(PREDICTOR_LABEL, ""), []).append(pod)
    found = cluster.list_in(namespace, "apps/v1", "Deployment", f"seldon-deployment-id={project}")
    deployments = {_predictor_of(deployment): deployment for deployment in found}
    service = cluster.get({"apiVersion": "v1", "kind": "Service", "metadata": metadata})
    return SeldonState(served, deployments, pods, service)


def to_observation(seen: SeldonState) -> Observation:
    """Convert the state to the contract's observation."""
    specs = {key: deployment.get("spec", {}) for key, deployment in seen.deployments.items()}
    return Observation(
        exists=seen.served is not None,
        keys=tuple(str(predictor["name"]) for predictor in seen.predictors),
        servers={key: tuple(_to_server(pod) for pod in ready_pods(seen, key)) for key in seen.pods},
        replicas={key: int(spec["replicas"]) for key, spec in specs.items() if "replicas" in spec},
        restarts={key: count_restarts(seen, key) for key in seen.pods},
        routed=selected_by(seen.service),
        live_test=next(filter(None, map(_live_test_of, seen.predictors)), ""),
        native=seen,
    )


def selected_by(service: Object | None) -> str:
    """Return the predictor that a Service selects; empty: there is no Service, or it selects all."""
    return str(((service or {}).get("spec", {}).get("selector") or {}).get(PREDICTOR_LABEL, ""))


def _live_test_of(predictor: Object) -> str:
    containers = (predictor.get("componentSpecs") or [{}])[0].get("spec", {}).get("containers") or [{}]
    return _argument(containers[0].get("args", []), TEST_NAME)


def _to_server(pod: Object) -> Server:
    return Server(str(pod["metadata"]["uid"]), str(pod["metadata"]["name"]), cold_start(pod))


def cold_start(pod: Object) -> float | None:
    """Seconds from the start of the server's container, with its model fetched, until the pod was ready; None: unknown."""
    status = pod.get("status", {})
    containers = status.get("containerStatuses", [])
    started = [container.get("state", {}).get("running", {}).get("startedAt") for container in containers]
    ready = [one.get("lastTransitionTime") for one in status.get("conditions", []) if one["type"] == "Ready"]
    if not started or not ready or not all(started) or not all(ready):
        return None
    return (datetime.fromisoformat(ready[0]) - min(map(datetime.fromisoformat, started))).total_seconds()


def version_of(predictor: Object) -> ModelVersion:
    """Return the version that one of Naru's predictors serves, from its container's arguments."""
    container = predictor["componentSpecs"][0]["spec"]["containers"][0]
    arguments = container.get("args", [])
    uri, digest = predictor["graph"].get("modelUri", ""), _argument(arguments, DIGEST)
    return ModelVersion(_argument(arguments, VERSION_OPTION), uri, digest)


def find_lag(seen: SeldonState, wanted: Object) -> list[str]:
    """List why what runs is not yet what was applied, in sentences; empty: it is up to date."""
    status = (seen.served or {}).get("status", {})
    known = status.get("deploymentStatus", {})
    lag: list[str] = []
    for predictor in wanted["spec"]["predictors"]:
        deployment = seen.deployments.get(predictor["name"])
        if deployment is None:
            lag.append(f"{predictor['name']}: the operator has not created its Deployment yet")
            continue
        if deployment["metadata"]["name"] not in known:
            lag.append(f"{predictor['name']}: the operator has not reported its Deployment yet")
        lag += [
            f"{predictor['name']}: {difference}"
            for difference in (
                *_behind(deployment, predictor, ready_pods(seen, predictor["name"])),
                *_differences(predictor, deployment),
            )
        ]
    names = {predictor["name"] for predictor in wanted["spec"]["predictors"]}
    lag += [f"{name}: not applied any more, but still there" for name in sorted(seen.deployments.keys() - names)]
    return lag


def without_earlier_pods(seen: SeldonState, wanted: Object) -> SeldonState:
    """Leave out pods of what was applied before: a version that serves on with other options does not fail by those that are being replaced."""
    applied = {
        predictor["name"]: _arguments_of(predictor["componentSpecs"][0]) for predictor in wanted["spec"]["predictors"]
    }
    pods = {
        key: [pod for pod in found if key not in applied or applied[key] <= _arguments_of(pod)]
        for key, found in seen.pods.items()
    }
    return replace(seen, pods=pods)


def _arguments_of(holder: Object) -> set[tuple[str, tuple[str, ...]]]:
    """Return name and arguments of each container that has some, of a pod or a predictor's component."""
    containers = holder.get("spec", {}).get("containers", [])
    return {(one["name"], tuple(one["args"])) for one in containers if one.get("args")}


def ready_pods(seen: SeldonState, predictor: str) -> list[Object]:
    """List the pods of a predictor that are ready and not terminating."""
    return [
        pod for pod in seen.pods.get(predictor, []) if _is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
    ]


def count_restarts(seen: SeldonState, predictor: str) -> int:
    """Count the restarts of the containers of its pods."""
    return sum(
        int(status.get("restartCount", 0))
        for pod in seen.pods.get(predictor, [])
        for status in pod.get("status", {}).get("containerStatuses", [])
    )


def _predictor_of(deployment: Object) -> str:
    labels = deployment["spec"]["template"]["metadata"].get("labels", {})
    return str(labels.get(PREDICTOR_LABEL) or deployment["metadata"]["name"])


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def find_edits(found: Object, applied: Object) -> list[str]:
    """List what somebody else changed in a SeldonDeployment, in sentences; empty: it is as it was applied.

    It compares only fields that the operator's webhook never writes: to all others that adds defaults.
    """
    there, wanted = (list(one["spec"].get("predictors", [])) for one in (found, applied))
    if [one["name"] for one in there] != [one["name"] for one in wanted]:
        return [f"{_list_versions(there)} instead of {_list_versions(wanted)}"]
    return [
        f"version {version_of(one).version}: {name} is {_fields(other).get(name)!r}, applied was {value!r}"
        for one, other in zip(wanted, there, strict=True)
        for name, value in _fields(one).items()
        if _fields(other).get(name) != value
    ]


def _fields(predictor: Object) -> dict[str, Any]:
    """Return the fields whose manual change would alter which requests are answered, or how."""
    component = (predictor.get("componentSpecs") or [{}])[0]  # a manual edit may have removed it
    container = (component.get("spec", {}).get("containers") or [{}])[0]
    traffic = {"traffic": predictor["traffic"]} if "traffic" in predictor else {}
    known = {name: container[name] for name in ("image", "args") if name in container}
    uri = predictor.get("graph", {}).get("modelUri", "")
    return {"replicas": component.get("replicas", 1), **traffic, **known, "modelUri": uri}


def _list_versions(predictors: list[Object]) -> str:
    lines = []
    for predictor in predictors:
        fields = _fields(predictor)
        version = _argument(fields.get("args", []), VERSION_OPTION)
        lines.append(f"{f'version {version}' if version else predictor['name']} x {fields['replicas']}")
    return ", ".join(lines) or "nothing"


def _argument(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1] if name in arguments[:-1] else ""


def _behind(deployment: Object, predictor: Object, ready: list[Object]) -> Iterator[str]:
    spec, status = deployment["spec"], deployment.get("status", {})
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        yield "its last change has not been acted on yet"
    component = predictor["componentSpecs"][0]
    wanted = component.get("replicas")
    if wanted is not None and "hpaSpec" not in component and spec.get("replicas", 1) != wanted:
        yield f"{spec.get('replicas', 1)} servers are desired, {wanted} were applied"
    replicas = spec.get("replicas", 1)
    counts = {name: status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    if any(count != replicas for count in counts.values()):
        yield f"{counts['availableReplicas']} of {replicas} servers available, {counts['updatedReplicas']} of them new"
    elif len(ready) < replicas:  # the Deployment's counts may be older than the loss of its pods
        yield f"{len(ready)} of {replicas} pods are ready"


def _differences(predictor: Object, deployment: Object) -> Iterator[str]:
    """List where the operator's containers differ from what was applied; its additions are allowed."""
    running = {item["name"]: item for item in deployment["spec"]["template"]["spec"]["containers"]}
    for applied in predictor["componentSpecs"][0]["spec"]["containers"]:
        found = running.get(applied["name"])
        if found is None:
            yield f"there is no container {applied['name']!r}"
            continue
        for name in _COMPARED:
            if name in applied and not _includes(found.get(name), applied[name]):
                yield f"{applied['name']}: {name} is {found.get(name)}, applied was {applied[name]}"
        if dropped := [item["name"] for item in applied.get("env", []) if item not in found.get("env", [])]:
            yield f"{applied['name']}: the variables {', '.join(dropped)} were dropped or changed"
        if not _same_amounts(found.get("resources", {}), applied.get("resources", {})):
            yield f"{applied['name']}: resources are {found.get('resources')}, applied was {applied['resources']}"
    initial = deployment["spec"]["template"]["spec"].get("initContainers", [])
    uri = predictor["graph"].get("modelUri", "")
    if initial and uri not in [argument for item in initial for argument in item.get("args", [])]:
        yield f"the model is fetched from another address than {uri}"


def _includes(found: Any, applied: Any) -> bool:
    """Whether all that was applied is there; Kubernetes adds defaults to mappings, and the operator items to lists."""
    if isinstance(applied, dict):
        return isinstance(found, dict) and all(_includes(found.get(name), value) for name, value in applied.items())
    if isinstance(applied, list) and applied and isinstance(applied[0], dict):
        return isinstance(found, list) and all(any(_includes(item, one) for item in found) for one in applied)
    return bool(found == applied)


def _same_amounts(found: Object, applied: Object) -> bool:
    return all(
        name in found.get(kind, {}) and count_of(str(found[kind][name])) == count_of(str(amount))
        for kind, amounts in applied.items()
        for name, amount in amounts.items()
    )
