"""Plays Seldon's operator 1.17.1: what its reconciler does, in its order, with what surprises in it.

Read in `operator/controllers/seldondeployment_controller.go`; seen on a cluster, see `shared/facts`. What surprises:

- an object is `Available` until the operator has looked at it again, and `observedGeneration` is never set;
- whether a Deployment is ready is judged by the counts that it had before it was changed;
- old Deployments are removed, and routes written, only when every wanted Deployment is ready;
- a Deployment that never had a pod is in no `deploymentStatus`, and is not removed with its predictor;
- a variable that the operator sets too takes all before it along.
"""

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

from tests.kubernetes.objects import Object, Objects, owned_by, place_of

WEBHOOK = "vseldondeployment.kb.io"
_ID, _APP, _SERVICE = "seldon-deployment-id", "seldon-app", "seldon-app-svc"
_APPS, _CORE, _POLICY, _SCALING = "/apis/apps/v1", "/api/v1", "/apis/policy/v1", "/apis/autoscaling/v2"


class Refused(Exception):
    """What the webhook does not let pass."""


class Operator:
    """The reconciler.

    Attributes:
        delay: After which it looks at what changed.
        stale: For how long after a change of the object it leaves `status` as it was.
        stopped: It is being started again, and does nothing.
    """

    def __init__(self, objects: Objects) -> None:
        self.delay, self.stale = 0.2, 0.0
        self.stopped = False
        self._objects = objects
        self._seen: dict[str, Any] = {}
        self._due: dict[str, float] = {}
        self._changed: dict[str, tuple[int, float]] = {}

    def notice(self, now: float) -> None:
        """See what changed, to look at it later."""
        for path, one in self._objects.all("seldondeployments"):
            generation = one["metadata"]["generation"]
            if self._changed.get(path, (0, 0.0))[0] != generation:
                self._changed[path] = (generation, now)
                self._due[path] = now + self.delay
                if self.stale:
                    self._due[f"{path}?"] = now + self.stale
            elif self._print(path, one) != self._seen.get(path) and path not in self._due:
                self._due[path] = now + self.delay

    def act(self, now: float) -> None:
        """Reconcile what is due."""
        if self.stopped:
            return
        for key in [key for key, due in self._due.items() if now >= due]:
            del self._due[key]
            path = key.rstrip("?")
            if path in self._objects:
                self._seen[path] = self._print(path, self._objects[path])
                self._reconcile(path, now)

    def next(self) -> float:
        """When it has something to do."""
        return math.inf if self.stopped else min(self._due.values(), default=math.inf)

    def check(self, wanted: Object) -> None:
        """The webhook.

        Raises:
            Refused: When the weights are wrong.
        """
        predictors = [one for one in wanted["spec"]["predictors"] if not one.get("shadow")]
        weights = [one.get("traffic", 0) for one in predictors]
        message = f'SeldonDeployment "{wanted["metadata"]["name"]}" is invalid: spec: Invalid value: '
        if len(predictors) == 1 and weights[0] not in (0, 100):
            what = "Traffic must sum be 100 for a single predictor when set"
            raise Refused(f'{message}"{predictors[0]["name"]}": {what}')
        if len(predictors) > 1 and sum(weights) != 100:
            raise Refused(f'{message}"{wanted["metadata"]["name"]}": Traffic must sum to 100 for multiple predictors')

    def _print(self, path: str, one: Object) -> Any:
        uid = one["metadata"].get("uid")
        owned = [
            (name, held["metadata"]["resourceVersion"])
            for plural in ("deployments", "services")
            for name, held in self._objects.all(plural, place_of(path).namespace)
            if any(owner["uid"] == uid for owner in held["metadata"].get("ownerReferences", []))
        ]
        return one["metadata"]["generation"], owned

    def _reconcile(self, path: str, now: float) -> None:
        instance = copy.deepcopy(self._objects[path])
        status = instance.setdefault("status", {})
        made = list(_components(instance))
        there = [
            self._create(where, one, now)
            for _, _, more in made
            for where, one in (*_services(more), *_budgets(more))
        ]  # fmt: skip
        self._remove_budgets(made)
        ready, progressing = self._deployments(made, status, now)
        if ready:
            self._complete(instance, made, status, now)
        status["address"] = {"url": f"http://{_service_name(instance, instance['spec']['predictors'][0])}:8000"}
        if ready and all(there):
            status.update(state="Available", description="")
        elif not progressing and not ready:
            message = "Deployment is no longer progressing and not available."
            status.update(state="Failed", description=message)
        else:
            status.update(state="Creating", description="")
        status["replicas"] = sum(one["replicas"] for one in status.get("deploymentStatus", {}).values())
        if now - self._changed[path][1] >= self.stale and path in self._objects:
            self._objects.write(path, {**self._objects[path], "status": status}, now)

    def _create(self, path: str, wanted: Object, now: float) -> bool:
        """Make an object, or bring it to what is wanted; whether it was there already."""
        there = path in self._objects
        self._objects.write(path, wanted, now)
        return there

    def _remove_budgets(self, made: list[tuple[str, Object, Object]]) -> None:
        """Those that a Deployment had and is no longer to have."""
        wanted = {where for _, _, more in made for where, _ in _budgets(more)}
        for path, _, _ in made:
            for where in _budget_paths(place_of(path).namespace, place_of(path).name):
                if where not in wanted:
                    self._objects.remove(where)

    def _deployments(self, made: list[tuple[str, Object, Object]], status: Object, now: float) -> tuple[bool, bool]:
        """Whether all are ready, and none has stopped progressing."""
        ready = progressing = True
        for path, wanted, _ in made:
            found = copy.deepcopy(self._objects.get(path))
            if found is None:
                self._objects.write(path, wanted, now)
                ready = False
                continue
            spec = copy.deepcopy(wanted["spec"])
            spec.setdefault("replicas", found["spec"].get("replicas", 1))
            self._objects.write(path, {**found, "metadata": {**found["metadata"], "labels": wanted["metadata"]["labels"]}, "spec": spec}, now)  # fmt: skip
            if spec["template"]["spec"] != found["spec"]["template"]["spec"]:
                ready = False
                continue
            counts = found.get("status", {})  # of before the change
            record = {key: counts.get(key, 0) for key in ("replicas", "availableReplicas")}
            if any(record.values()) or place_of(path).name in status.get("deploymentStatus", {}):
                status.setdefault("deploymentStatus", {})[place_of(path).name] = record
            if counts.get("readyReplicas", 0) == 0 or counts.get("unavailableReplicas", 0) > 0:
                stuck = all(_is_false(counts, kind) for kind in ("Progressing", "Available"))
                progressing = progressing and not (ready and stuck)
                ready = False
        return ready, progressing

    def _complete(self, instance: Object, made: list[tuple[str, Object, Object]], status: Object, now: float) -> None:
        """Remove what is no longer wanted."""
        namespace = instance["metadata"]["namespace"]
        known = status.setdefault("serviceStatus", {})
        wanted_services = {place_of(where).name for _, _, more in made for where, _ in _services(more)}
        known.update({name: {"svcName": name} for name in wanted_services})
        held = status.setdefault("deploymentStatus", {})
        old = [name for name in held if name not in {place_of(path).name for path, _, _ in made}]
        for name in old:
            if not self._objects.remove(f"{_APPS}/namespaces/{namespace}/deployments/{name}"):
                del held[name]
            for where in _budget_paths(namespace, name):
                self._objects.remove(where)
        if not old:
            for name in [name for name in known if name not in wanted_services]:
                self._objects.remove(f"{_CORE}/namespaces/{namespace}/services/{name}")
                del known[name]


def set_variable(env: list[Object], name: str, value: str) -> list[Object]:
    """As `utils.SetEnvVar` does without `override`: a name that is there already empties the list."""
    return [] if any(one["name"] == name for one in env) else [*env, {"name": name, "value": value}]


def _components(instance: Object) -> Iterator[tuple[str, Object, Object]]:
    """Per Deployment its path, itself, and what else there is to know of it."""
    for predictor in instance["spec"]["predictors"]:
        for number, component in enumerate(predictor["componentSpecs"]):
            containers = [one["name"] for one in component["spec"]["containers"]]
            name = "-".join([instance["metadata"]["name"], predictor["name"], str(number), *containers])
            deployment = _deployment(instance, predictor, component, name)
            more = {"instance": instance, "predictor": predictor, "component": component, "name": name}
            path = f"{_APPS}/namespaces/{instance['metadata']['namespace']}/deployments/{name}"
            yield path, deployment, more


def _deployment(instance: Object, predictor: Object, component: Object, name: str) -> Object:
    metadata = instance["metadata"]
    own = {_ID: metadata["name"], "app": name, "fluentd": "true", **predictor.get("labels", {})}
    service = _container_service(instance, predictor)
    labels = {**own, _SERVICE: service, _APP: _service_name(instance, predictor)}
    spec: Object = {
        "selector": {"matchLabels": {_ID: metadata["name"], _SERVICE: service}},
        "template": {
            "metadata": {"labels": labels, "annotations": dict(predictor.get("annotations", {}))},
            "spec": _pod(predictor, component),
        },
    }
    if "progressDeadlineSeconds" in predictor:
        spec["progressDeadlineSeconds"] = predictor["progressDeadlineSeconds"]
    if "hpaSpec" not in component:  # else the autoscaler says it
        spec["replicas"] = component.get("replicas", predictor.get("replicas", instance["spec"].get("replicas", 1)))
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": name, "namespace": metadata["namespace"], "labels": {**own, _SERVICE: service},
            "annotations": dict(predictor.get("annotations", {})), "ownerReferences": owned_by(instance),
        },
        "spec": spec,
    }  # fmt: skip


def _pod(predictor: Object, component: Object) -> Object:
    pod, graph = copy.deepcopy(component["spec"]), predictor["graph"]
    for container in pod["containers"]:
        if container["name"] == graph["name"]:
            container["env"] = _variables(container, predictor)
            mounts = container.setdefault("volumeMounts", [])
            mounts.append({"name": f"{container['name']}-provision-location", "mountPath": "/mnt/models"})
    if graph.get("modelUri"):
        secret = graph.get("envSecretRefName")
        pod.setdefault("initContainers", []).append({
            "name": f"{graph['name']}-model-initializer", "image": "seldonio/rclone-storage-initializer:1.17.1",
            "args": [graph["modelUri"], "/mnt/models"],
            **({"envFrom": [{"secretRef": {"name": secret}}]} if secret else {}),
        })  # fmt: skip
    return {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", **pod}


def _variables(container: Object, predictor: Object) -> list[Object]:
    env = list(container.get("env", []))
    if not any(one["name"] == "PREDICTIVE_UNIT_SERVICE_PORT" for one in env):
        env.append({"name": "PREDICTIVE_UNIT_SERVICE_PORT", "value": "8080"})
    for name, value in (
        ("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "8080"), ("MLSERVER_HTTP_PORT", "8080"),
        ("PREDICTIVE_UNIT_GRPC_SERVICE_PORT", "8081"), ("MLSERVER_GRPC_PORT", "8081"),
        ("MLSERVER_MODEL_URI", "/mnt/models"),
    ):  # fmt: skip
        env = set_variable(env, name, value)
    own = {
        "PREDICTIVE_UNIT_ID": container["name"], "MLSERVER_MODEL_NAME": container["name"],
        "PREDICTIVE_UNIT_IMAGE": container["image"], "PREDICTOR_ID": predictor["name"],
        "PREDICTOR_LABELS": json.dumps(predictor.get("labels", {}), sort_keys=True), "SELDON_EXECUTOR_ENABLED": "true",
    }  # fmt: skip
    return [*env, *({"name": name, "value": value} for name, value in own.items())]


def _service_name(instance: Object, predictor: Object) -> str:
    return f"{instance['metadata']['name']}-{predictor['name']}"


def _container_service(instance: Object, predictor: Object) -> str:
    return f"{_service_name(instance, predictor)}-{predictor['graph']['name']}"


def _services(more: Object) -> Iterator[tuple[str, Object]]:
    instance, predictor = more["instance"], more["predictor"]
    for name, label in (
        (_container_service(instance, predictor), _SERVICE),
        (_service_name(instance, predictor), _APP),
    ):
        metadata = {"name": name, "namespace": instance["metadata"]["namespace"], "ownerReferences": owned_by(instance)}
        labels = {_ID: instance["metadata"]["name"], label: name}
        ports = [{"name": "http", "port": 8080, "targetPort": 8080}, {"name": "grpc", "port": 8081, "targetPort": 8081}]
        spec = {"selector": {label: name}, "type": "ClusterIP", "ports": ports}
        path = f"{_CORE}/namespaces/{metadata['namespace']}/services/{name}"
        yield path, {"apiVersion": "v1", "kind": "Service", "metadata": {**metadata, "labels": labels}, "spec": spec}


def _budget_paths(namespace: str, name: str) -> tuple[str, str]:
    return (
        f"{_POLICY}/namespaces/{namespace}/poddisruptionbudgets/{name}",
        f"{_SCALING}/namespaces/{namespace}/horizontalpodautoscalers/{name}",
    )


def _budgets(more: Object) -> Iterator[tuple[str, Object]]:
    instance, component, name = more["instance"], more["component"], more["name"]
    namespace = instance["metadata"]["namespace"]
    metadata = {"name": name, "namespace": namespace, "labels": {_ID: instance["metadata"]["name"]}, "ownerReferences": owned_by(instance)}  # fmt: skip
    if "pdbSpec" in component:
        spec = {**component["pdbSpec"], "selector": {"matchLabels": {_ID: instance["metadata"]["name"]}}}
        wanted = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}
        yield _budget_paths(namespace, name)[0], wanted
    if "hpaSpec" in component:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        scaler = component["hpaSpec"]
        spec = {
            "scaleTargetRef": target, "minReplicas": scaler.get("minReplicas", 1), "maxReplicas": scaler["maxReplicas"]
        }  # fmt: skip
        wanted = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}
        yield _budget_paths(namespace, name)[1], wanted


def _is_false(counts: Object, kind: str) -> bool:
    return any(one["type"] == kind and one["status"] == "False" for one in counts.get("conditions", []))
