"""Plays the controllers of Deployments and ReplicaSets, the scheduler and the kubelet, for what the operator makes."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.kubernetes.objects import Object, Objects, owned_by, place_of
from tests.kubernetes.servers import Answers, Server
from tests.kubernetes.starts import Event, Named, Ready, Sight, Start

_APPS = "/apis/apps/v1"
_LONGEST_BASE = 58  # of a pod's name, before the five letters that make it its own


class Behaviours:
    """How the pods of a version fare and answer, by its version, its model's address or its image.

    Attributes:
        start: Of all that nothing else is said of.
        answers: The same.
    """

    def __init__(self) -> None:
        self.start: Start = Ready()
        self.answers = Answers()
        self._starts: dict[str, tuple[Start, ...]] = {}
        self._answers: dict[str, Answers] = {}

    def set(self, key: str, *starts: Start, answers: Answers | None = None) -> None:
        """From now on; several starts are those of the first, the second ... pod, the last one of all further ones."""
        if starts:
            self._starts[key] = starts
        if answers:
            self._answers[key] = answers

    def start_of(self, template: Object, number: int) -> Start:
        for key in _keys(template):
            if key in self._starts:
                return self._starts[key][min(number, len(self._starts[key]) - 1)]
        return self.start

    def answers_of(self, template: Object) -> Answers:
        return next((self._answers[key] for key in _keys(template) if key in self._answers), self.answers)


@dataclass
class Pod:
    """What is known of a pod beside its object.

    Attributes:
        path: Its object's.
        replicas: Its ReplicaSet's path.
        number: Its place among those of the ReplicaSet.
        born: When it was made.
        ends: When it is gone; None: it stays.
    """

    path: str
    replicas: str
    template: Object
    number: int
    born: float
    ends: float | None = None
    server: Server | None = None
    restarts: int = 0
    sight: Sight = field(default_factory=lambda: Sight({}))

    @property
    def container(self) -> Object:
        found: Object = self.template["spec"]["containers"][0]
        return found

    @property
    def serves(self) -> bool:
        """Whether a Service sends requests to it."""
        return self.sight.ready and self.ends is None


class Kubelet:
    """Keeps pods as Deployments want them.

    Attributes:
        delay: After which a changed Deployment is looked at.
        grace_seconds: How long a pod takes to end.
        deadline_seconds: Without progress for so long a Deployment no longer progresses, where it does not say itself.
        pods: By path.
    """

    def __init__(self, objects: Objects, behaviours: Behaviours) -> None:
        self.delay, self.grace_seconds, self.deadline_seconds = 0.1, 1.0, 600.0
        self.pods: dict[str, Pod] = {}
        self._objects, self._behaviours = objects, behaviours
        self._noticed: dict[str, tuple[int, float]] = {}
        self._progress: dict[str, tuple[Any, float]] = {}
        self._count = 0

    def act(self, now: float) -> None:
        """Bring everything to what it is now."""
        for pod in list(self.pods.values()):
            self._end(pod, now)
        for pod in self.pods.values():
            self._look(pod, now)
        for path, deployment in self._deployments():
            if now >= self._notice(path, deployment, now):
                self._keep(path, deployment, now)

    def next(self, now: float) -> float:
        """When something changes by itself, after now."""
        times = [pod.ends for pod in self.pods.values() if pod.ends is not None]
        times += [pod.born + age for pod in self.pods.values() for age in self._start(pod).changes()]
        times += [since + self.delay for _, since in self._noticed.values()]
        times += [since + self._deadline(path) for path, (_, since) in self._progress.items()]
        return min((time for time in times if time > now), default=math.inf)

    def _deployments(self) -> Iterator[tuple[str, Object]]:
        """Those of the operator; what else is deployed stays as a test has it."""
        return ((path, one) for path, one in self._objects.all("deployments") if "ownerReferences" in one["metadata"])

    def _deadline(self, path: str) -> float:
        said = self._objects.get(path, {}).get("spec", {}).get("progressDeadlineSeconds")
        return float(said or self.deadline_seconds)

    def _notice(self, path: str, deployment: Object, now: float) -> float:
        generation = deployment["metadata"]["generation"]
        if self._noticed.get(path, (0, 0.0))[0] != generation:
            self._noticed[path] = (generation, now)
        return self._noticed[path][1] + self.delay

    def _start(self, pod: Pod) -> Start:
        return self._behaviours.start_of(pod.template, pod.number)

    def _end(self, pod: Pod, now: float) -> None:
        if pod.replicas not in self._objects and pod.ends is None:
            self._stop(pod, now)
        if (pod.ends is not None and now >= pod.ends) or (pod.path not in self._objects and pod.ends is None):
            self._objects.remove(pod.path)
            del self.pods[pod.path]

    def _stop(self, pod: Pod, now: float) -> None:
        pod.ends = now + self.grace_seconds
        held = self._objects.get(pod.path)
        if held is None:
            held = self._pod_object(pod)
        metadata = {**held["metadata"], "deletionTimestamp": self._objects.clock.tell(now)}
        metadata.pop("ownerReferences", None)
        self._objects.write(pod.path, {**held, "metadata": metadata}, now)

    def _look(self, pod: Pod, now: float) -> None:
        named = self._named(pod)
        pod.sight = self._start(pod).look(now - pod.born, named)
        restarts = pod.sight.main.get("restartCount", 0)
        if not pod.sight.running:
            pod.server = None
        elif pod.server is None or restarts != pod.restarts:
            pod.server = Server(pod.container["name"], _option(pod.container, "--version"))
        pod.restarts = restarts
        held = self._objects[pod.path]
        self._objects.write(pod.path, {**held, "status": _status(pod, named)}, now)
        for event in pod.sight.events:
            self.tell_event(pod.path, event, now, pod.born + event.age)

    def tell_event(self, path: str, event: Event, now: float, first: float | None = None) -> None:
        """Leave an event about an object."""
        place, about = place_of(path), self._objects[path]["metadata"]
        mark = hashlib.sha256(f"{event.reason} {event.message}".encode()).hexdigest()[:16]
        since = self._objects.clock.tell(now if first is None else first)
        kind = {"pods": "Pod", "replicasets": "ReplicaSet", "seldondeployments": "SeldonDeployment"}[place.plural]
        event_path = f"/api/v1/namespaces/{place.namespace}/events/{place.name}.{mark}"
        earlier = self._objects.get(event_path)
        if earlier and earlier["count"] >= event.count:
            return
        wanted = {
            "metadata": {"name": f"{place.name}.{mark}", "namespace": place.namespace},
            "involvedObject": {
                "kind": kind, "name": place.name, "namespace": place.namespace, "uid": about.get("uid", ""),
            },
            "reason": event.reason, "message": event.message, "type": event.type, "count": event.count,
            "firstTimestamp": earlier["firstTimestamp"] if earlier else since,
            "lastTimestamp": self._objects.clock.tell(now) if earlier else since,
            "source": {"component": event.source},
        }  # fmt: skip
        self._objects.write(event_path, wanted, now)

    def _keep(self, path: str, deployment: Object, now: float) -> None:
        deployment = self._scale(path, deployment, now)
        wanted = int(deployment["spec"].get("replicas", 1))
        current = self._replica_set(path, deployment, now)
        live = [pod for pod in self._pods_of(deployment) if pod.ends is None]
        failure = self._add(current, deployment, live, wanted, now)
        live = [pod for pod in self._pods_of(deployment) if pod.ends is None]
        self._drop(current, live, wanted, now)
        live = [pod for pod in self._pods_of(deployment) if pod.ends is None]
        self._clear(current, deployment, live, now)
        status = self._deployment_status(path, deployment, current, live, failure, now)
        self._objects.write(path, {**self._objects[path], "status": status}, now)

    def _scale(self, path: str, deployment: Object, now: float) -> Object:
        """The autoscaler, of which only the bounds are known here."""
        place = place_of(path)
        scaler = self._objects.get(
            f"/apis/autoscaling/v2/namespaces/{place.namespace}/horizontalpodautoscalers/{place.name}"
        )
        if scaler is None:
            return deployment
        now_there = int(deployment["spec"].get("replicas", 1))
        wanted = min(max(now_there, scaler["spec"]["minReplicas"]), scaler["spec"]["maxReplicas"])
        return self._objects.write(path, {**deployment, "metadata": dict(deployment["metadata"]), "spec": {**deployment["spec"], "replicas": wanted}}, now)  # fmt: skip

    def _pods_of(self, deployment: Object) -> list[Pod]:
        uid = deployment["metadata"]["uid"]
        sets = {path for path, one in self._objects.all("replicasets") if _owner(one) == uid}
        return [pod for pod in self.pods.values() if pod.replicas in sets]

    def _replica_set(self, path: str, deployment: Object, now: float) -> str:
        place, template = place_of(path), deployment["spec"]["template"]
        mark = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        found = f"{_APPS}/namespaces/{place.namespace}/replicasets/{place.name}-{mark}"
        labels = {**template["metadata"]["labels"], "pod-template-hash": mark}
        made: Object = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": f"{place.name}-{mark}", "namespace": place.namespace, "labels": labels,
                "ownerReferences": owned_by(deployment),
            },
            "spec": {"template": {**template, "metadata": {**template["metadata"], "labels": labels}}},
        }  # fmt: skip
        earlier = self._objects.get(found, {})
        self._objects.write(found, {**made, **({"status": earlier["status"]} if "status" in earlier else {})}, now)
        return found

    def _add(self, current: str, deployment: Object, live: list[Pod], wanted: int, now: float) -> str:
        """Make pods of the newest template, one more than wanted in all while there are older ones; why one cannot be."""
        mine = {pod.number for pod in live if pod.replicas == current}
        room = wanted + max(1, math.ceil(wanted / 4)) - len(live) if len(mine) < len(live) else wanted - len(mine)
        for _ in range(max(0, min(room, wanted - len(mine)))):
            number = next(one for one in range(len(mine) + 1) if one not in mine)
            pod = self._make(current, number, now)
            start = self._start(pod)
            if start.refusal:
                message = start.refusal.format(pod=place_of(pod.path).name)
                event = Event(0, "FailedCreate", f"Error creating: {message}", source="replicaset-controller")
                self.tell_event(current, event, now)
                return message
            self._objects.write(pod.path, self._pod_object(pod), now)
            self.pods[pod.path] = pod
            self._look(pod, now)
            mine.add(number)
        return ""

    def _drop(self, current: str, live: list[Pod], wanted: int, now: float) -> None:
        """End what is too much: of the newest template the last ones, older ones as soon as there is a ready one for them."""
        mine = [pod for pod in live if pod.replicas == current]
        for pod in sorted(mine, key=lambda one: (one.sight.ready, -one.number))[: max(0, len(mine) - wanted)]:
            self._stop(pod, now)
        older = sorted((pod for pod in live if pod.replicas != current), key=lambda one: one.sight.ready)
        for pod in older:
            ready = sum(one.sight.ready for one in live if one.ends is None)
            if not pod.sight.ready or ready - 1 >= wanted - wanted // 10:
                self._stop(pod, now)

    def _clear(self, current: str, deployment: Object, live: list[Pod], now: float) -> None:
        """Tell in each ReplicaSet how many pods it has."""
        for path, one in self._objects.all("replicasets"):
            if _owner(one) == deployment["metadata"]["uid"]:
                count = sum(pod.replicas == path for pod in live)
                ready = sum(pod.replicas == path and pod.sight.ready for pod in live)
                status = {**one.get("status", {}), "replicas": count, "readyReplicas": ready}
                wanted = deployment["spec"].get("replicas", 1) if path == current else count
                spec = {**one["spec"], "replicas": wanted}
                self._objects.write(path, {**one, "spec": spec, "status": status}, now)

    def _make(self, current: str, number: int, now: float) -> Pod:
        self._count += 1
        place = place_of(current)
        mark = hashlib.sha256(f"{current} {self._count}".encode()).hexdigest()[:5]
        path = f"/api/v1/namespaces/{place.namespace}/pods/{f'{place.name}-'[:_LONGEST_BASE]}{mark}"
        return Pod(path, current, self._objects[current]["spec"]["template"], number, now)

    def _pod_object(self, pod: Pod) -> Object:
        place, metadata = place_of(pod.path), pod.template["metadata"]
        owner = self._objects.get(pod.replicas)
        own: Object = {"ownerReferences": owned_by(owner)} if owner else {}
        return {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": place.name, "namespace": place.namespace, "labels": metadata["labels"],
                "annotations": metadata.get("annotations", {}), **own,
            },
            "spec": pod.template["spec"],
        }  # fmt: skip

    def _named(self, pod: Pod) -> Named:
        place = place_of(pod.path)
        return Named(place.name, place.namespace, pod.container["name"], pod.container["image"])

    def _deployment_status(
        self, path: str, deployment: Object, current: str, live: list[Pod], failure: str, now: float
    ) -> Object:
        wanted = int(deployment["spec"].get("replicas", 1))
        updated = sum(pod.replicas == current for pod in live)
        ready = sum(pod.sight.ready for pod in live)
        counts = {"replicas": len(live), "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready}
        record = {key: value for key, value in counts.items() if value}  # Kubernetes leaves zeros out
        missing = max(0, max(wanted, len(live)) - ready)
        if missing:
            record["unavailableReplicas"] = missing
        complete = updated == len(live) == ready == wanted
        conditions = [self._progressing(path, counts, deployment, complete, now), _available(ready, wanted)]
        if failure:
            conditions.append(_condition("ReplicaFailure", "True", "FailedCreate", failure))
        return {"observedGeneration": deployment["metadata"]["generation"], **record, "conditions": conditions}

    def _progressing(self, path: str, counts: Object, deployment: Object, complete: bool, now: float) -> Object:
        """One that was complete once is no longer judged, until it changes."""
        done = self._progress.get(path, ((None, None, False), 0.0))[0]
        generation = deployment["metadata"]["generation"]
        was_complete = done[0] == generation and done[2]
        state = (generation, counts, complete or was_complete)
        if state != done:
            self._progress[path] = (state, now)
        name = deployment["metadata"]["name"]
        if state[2]:
            return _condition(
                "Progressing", "True", "NewReplicaSetAvailable", f'ReplicaSet of "{name}" has progressed.'
            )
        if now - self._progress[path][1] >= self._deadline(path):
            message = f'ReplicaSet "{name}" has timed out progressing.'
            return _condition("Progressing", "False", "ProgressDeadlineExceeded", message)
        return _condition("Progressing", "True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')


def _available(ready: int, wanted: int) -> Object:
    if ready >= wanted - wanted // 10:
        return _condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    message = "Deployment does not have minimum availability."
    return _condition("Available", "False", "MinimumReplicasUnavailable", message)


def _condition(kind: str, status: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def _status(pod: Pod, named: Named) -> Object:
    sight = pod.sight
    if sight.unplaced:
        why = {"reason": "Unschedulable", "message": sight.unplaced}
        return {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", **why}]}
    ready = "True" if sight.ready else "False"
    started = "running" in sight.main.get("state", {}) or sight.main.get("restartCount", 0)
    crashed = "waiting" in sight.main.get("state", {}) and "lastState" in sight.main
    last = sum(ord(letter) * place for place, letter in enumerate(named.pod, 1)) % 65_000
    return {
        "phase": "Running" if started or crashed else "Pending",
        "podIP": f"10.244.{last // 256}.{last % 256}",
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": ready}],
        "initContainerStatuses": [{"name": f"{named.container}-model-initializer", "image": "rclone", **sight.init}],
        "containerStatuses": [{"name": named.container, "image": named.image, **sight.main}],
    }


def _owner(one: Object) -> str:
    owners = one["metadata"].get("ownerReferences", [])
    return str(owners[0]["uid"]) if owners else ""


def _option(container: Object, name: str) -> str:
    arguments = container.get("args", [])
    return str(arguments[arguments.index(name) + 1]) if name in arguments else ""


def _keys(template: Object) -> list[str]:
    container = template["spec"]["containers"][0]
    fetched = [one["args"][0] for one in template["spec"].get("initContainers", []) if one.get("args")]
    return [_option(container, "--version"), *fetched, container["image"]]
