"""What runs, against what was asked. The SeldonDeployment's own word is not enough: `Available` may be that of before.

Each predictor is a Deployment that carries its name as a label on its pods; it is current when the Deployment itself says
that it has acted on its last change, when all its pods are new and available, and when what it runs is what was asked:
the operator drops variables without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from components._cluster.kubernetes_client import Cluster, Object
from components._core.project.quantities import count_of
from components.deploy.server_command import DIGEST
from components.deploy.server_command import VERSION as VERSION_OPTION
from components.deploy.targets.contract import ModelVersion, Observation, Server
from components.deploy.targets.seldon.manifest import PREDICTOR_LABEL, PROJECT_LABEL
from components.deploy.targets.seldon.objects import KIND, VERSION

_ASKED = ("image", "args", "envFrom", "volumeMounts", "securityContext")


@dataclass(frozen=True)
class Seen:
    """A moment of a served model.

    Attributes:
        served: The SeldonDeployment; None where there is none.
        deployments: Deployments by predictor.
        pods: Pods by predictor, those that end included.
        service: The Service by which the model is asked; None where there is none.
    """

    served: Object | None
    deployments: dict[str, Object] = field(default_factory=dict)
    pods: dict[str, list[Object]] = field(default_factory=dict)
    service: Object | None = None

    @property
    def predictors(self) -> list[Object]:
        """Of the SeldonDeployment, as it stands there."""
        return list(self.served["spec"].get("predictors", [])) if self.served else []


def look(cluster: Cluster, namespace: str, project: str) -> Seen:
    """What is there now.

    Raises:
        ServiceError: When the cluster cannot be asked.
    """
    metadata = {"name": project, "namespace": namespace}
    served = cluster.get({"apiVersion": VERSION, "kind": KIND, "metadata": metadata})
    ours = f"{PROJECT_LABEL}={project}"
    pods: dict[str, list[Object]] = {}
    for pod in cluster.list_in(namespace, "v1", "Pod", ours):
        pods.setdefault(pod["metadata"]["labels"].get(PREDICTOR_LABEL, ""), []).append(pod)
    found = cluster.list_in(namespace, "apps/v1", "Deployment", f"seldon-deployment-id={project}")
    deployments = {_predictor_of(deployment): deployment for deployment in found}
    service = cluster.get({"apiVersion": "v1", "kind": "Service", "metadata": metadata})
    return Seen(served, deployments, pods, service)


def to_observation(seen: Seen) -> Observation:
    """The same moment in the words of the contract."""
    specs = {key: deployment.get("spec", {}) for key, deployment in seen.deployments.items()}
    return Observation(
        exists=seen.served is not None,
        keys=tuple(str(predictor["name"]) for predictor in seen.predictors),
        servers={key: tuple(_to_server(pod) for pod in ready_pods(seen, key)) for key in seen.pods},
        replicas={key: int(spec["replicas"]) for key, spec in specs.items() if "replicas" in spec},
        restarts={key: count_restarts(seen, key) for key in seen.pods},
        native=seen,
    )


def _to_server(pod: Object) -> Server:
    return Server(str(pod["metadata"]["uid"]), str(pod["metadata"]["name"]), cold_start(pod))


def cold_start(pod: Object) -> float | None:
    """Seconds from the start of the server's container, its model fetched, until the pod was ready; None: unknown."""
    status = pod.get("status", {})
    containers = status.get("containerStatuses", [])
    started = [container.get("state", {}).get("running", {}).get("startedAt") for container in containers]
    ready = [one.get("lastTransitionTime") for one in status.get("conditions", []) if one["type"] == "Ready"]
    if not started or not ready or not all(started) or not all(ready):
        return None
    return (datetime.fromisoformat(ready[0]) - min(map(datetime.fromisoformat, started))).total_seconds()


def version_of(predictor: Object) -> ModelVersion:
    """The version that a predictor of ours serves, by what its container is told."""
    container = predictor["componentSpecs"][0]["spec"]["containers"][0]
    arguments = container.get("args", [])
    uri, digest = predictor["graph"].get("modelUri", ""), _argument(arguments, DIGEST)
    return ModelVersion(_argument(arguments, VERSION_OPTION), uri, digest)


def find_lag(seen: Seen, wanted: Object) -> list[str]:
    """Why what runs is not yet what was asked, in sentences; empty: it is."""
    status = (seen.served or {}).get("status", {})
    known = status.get("deploymentStatus", {})
    lag: list[str] = []
    for predictor in wanted["spec"]["predictors"]:
        deployment = seen.deployments.get(predictor["name"])
        if deployment is None:
            lag.append(f"{predictor['name']}: the operator has not made its Deployment yet")
            continue
        if deployment["metadata"]["name"] not in known:
            lag.append(f"{predictor['name']}: the operator has not told of its Deployment yet")
        lag += [
            f"{predictor['name']}: {told}"
            for told in (
                *_behind(deployment, predictor, ready_pods(seen, predictor["name"])),
                *_differences(predictor, deployment),
            )
        ]
    names = {predictor["name"] for predictor in wanted["spec"]["predictors"]}
    lag += [f"{name}: is not asked for and still there" for name in sorted(seen.deployments.keys() - names)]
    return lag


def ready_pods(seen: Seen, predictor: str) -> list[Object]:
    """Pods of a predictor that are ready and do not end."""
    return [
        pod for pod in seen.pods.get(predictor, []) if _is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
    ]


def count_restarts(seen: Seen, predictor: str) -> int:
    """How often containers of its pods have been started again."""
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


def find_edits(found: Object, asked: Object) -> list[str]:
    """What another hand changed in a SeldonDeployment, in sentences; empty: it still says what was asked.

    Only what the operator's webhook never writes is compared: it adds defaults of its own to everything else.
    """
    there, wanted = (list(one["spec"].get("predictors", [])) for one in (found, asked))
    if [one["name"] for one in there] != [one["name"] for one in wanted]:
        return [f"{_tell_versions(there)} instead of {_tell_versions(wanted)}"]
    return [
        f"version {version_of(one).version}: {name} is {_fields(other).get(name)!r}, asked was {value!r}"
        for one, other in zip(wanted, there, strict=True)
        for name, value in _fields(one).items()
        if _fields(other).get(name) != value
    ]


def _fields(predictor: Object) -> dict[str, Any]:
    """What a person could change by hand so that other requests are answered, or otherwise."""
    component = (predictor.get("componentSpecs") or [{}])[0]  # by other hands there may be none
    container = (component.get("spec", {}).get("containers") or [{}])[0]
    traffic = {"traffic": predictor["traffic"]} if "traffic" in predictor else {}
    known = {name: container[name] for name in ("image", "args") if name in container}
    uri = predictor.get("graph", {}).get("modelUri", "")
    return {"replicas": component.get("replicas", 1), **traffic, **known, "modelUri": uri}


def _tell_versions(predictors: list[Object]) -> str:
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
        yield f"{spec.get('replicas', 1)} servers are planned, {wanted} were asked"
    replicas = spec.get("replicas", 1)
    counts = {name: status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    if any(count != replicas for count in counts.values()):
        yield f"{counts['availableReplicas']} of {replicas} servers available, {counts['updatedReplicas']} of them new"
    elif len(ready) < replicas:  # the Deployment's counts may be of before its pods went
        yield f"{len(ready)} of {replicas} pods are ready"


def _differences(predictor: Object, deployment: Object) -> Iterator[str]:
    """What the operator made of the containers, where it is not what was asked; what it adds is its own business."""
    running = {item["name"]: item for item in deployment["spec"]["template"]["spec"]["containers"]}
    for asked in predictor["componentSpecs"][0]["spec"]["containers"]:
        found = running.get(asked["name"])
        if found is None:
            yield f"no container {asked['name']!r} runs"
            continue
        for name in _ASKED:
            if name in asked and not _holds(found.get(name), asked[name]):
                yield f"{asked['name']}: {name} is {found.get(name)}, asked was {asked[name]}"
        if dropped := [item["name"] for item in asked.get("env", []) if item not in found.get("env", [])]:
            yield f"{asked['name']}: the variables {', '.join(dropped)} were dropped or changed"
        if not _same_amounts(found.get("resources", {}), asked.get("resources", {})):
            yield f"{asked['name']}: resources are {found.get('resources')}, asked was {asked['resources']}"
    initial = deployment["spec"]["template"]["spec"].get("initContainers", [])
    uri = predictor["graph"].get("modelUri", "")
    if initial and uri not in [argument for item in initial for argument in item.get("args", [])]:
        yield f"the model is fetched from somewhere else than {uri}"


def _holds(found: Any, asked: Any) -> bool:
    """All that was asked is there; Kubernetes adds defaults to mappings, and the operator items to lists."""
    if isinstance(asked, dict):
        return isinstance(found, dict) and all(_holds(found.get(name), value) for name, value in asked.items())
    if isinstance(asked, list) and asked and isinstance(asked[0], dict):
        return isinstance(found, list) and all(any(_holds(item, one) for item in found) for one in asked)
    return bool(found == asked)


def _same_amounts(found: Object, asked: Object) -> bool:
    return all(
        name in found.get(kind, {}) and count_of(str(found[kind][name])) == count_of(str(amount))
        for kind, amounts in asked.items()
        for name, amount in amounts.items()
    )
