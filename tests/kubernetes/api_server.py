"""A small cluster behind Kubernetes' REST API over HTTP: the API server, and the operator, controllers and kubelet behind it.

What it does depends on its clock alone: at each request everything that was to happen until now happens first, in order.
"""

import fnmatch
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.http_servers import running
from tests.kubernetes.clock import Clock
from tests.kubernetes.kubelet import Behaviours, Kubelet, Pod
from tests.kubernetes.objects import Conflict, Object, Objects, Place, place_of
from tests.kubernetes.seldon import WEBHOOK, Operator, Refused
from tests.kubernetes.traffic import Traffic

Query = dict[str, list[str]]
_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid",
    429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
_METRICS = "8082"
_VERBS = {"GET": ("get",), "POST": ("create",), "PATCH": ("patch",), "DELETE": ("delete",)}


@dataclass(frozen=True)
class Write:
    """A requested change.

    Attributes:
        time: When, by the cluster's clock.
        verb: PATCH or DELETE.
        path: Of what.
        body: What was sent.
        status: What was answered; 0: nothing, the connection was dropped.
        dry_run: Whether the request was a dry run.
    """

    time: float
    verb: str
    path: str
    body: Any
    status: int
    dry_run: bool = False


@dataclass
class _Mishap:
    verb: str
    path: str
    times: int
    status: int = 0
    message: str = ""
    after: bool = False


@dataclass(frozen=True)
class Answer:
    """What the API server answers."""

    status: int
    body: Any


class ApiServer:
    """The cluster.

    Attributes:
        objects: By path; what lies at the path of a log is text, and is that log.
        operator: Seldon's.
        kubelet: Pods and what makes them.
        pods: How the pods of a version fare and answer.
        traffic: Requests that come by themselves.
        clock: What everything depends on.
        requests: Verb and path of every request.
        writes: Those that were to change something, in order.
        unknown: Plurals of kinds that are not installed.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.objects = Objects(self.clock)
        self.pods = Behaviours()
        self.kubelet = Kubelet(self.objects, self.pods)
        self.operator = Operator(self.objects)
        self.traffic = Traffic(self.objects, self.kubelet, self.pods)
        self.requests: list[tuple[str, str]] = []
        self.writes: list[Write] = []
        self.unknown: set[str] = set()
        self.port = 0
        self.lock = threading.RLock()
        self._refusals: dict[tuple[str, str], tuple[int, str]] = {}
        self._rules: dict[str, tuple[list[Object], set[tuple[str, str, str]]]] = {}
        self._mishaps: list[_Mishap] = []
        self._time = 0.0
        self.clock.watchers.append(self.settle)

    def put(self, path: str, **fields: Any) -> None:
        """Have an object there."""
        place = place_of(path)
        space = {"namespace": place.namespace} if place.namespace else {}
        self.objects[path] = {"metadata": {"name": place.name, **space}, **fields}

    def refuse(self, verb: str, path: str, status: int, message: str) -> None:
        """Always; the path may have `*` in it."""
        self._refusals[verb, path] = (status, message)

    @contextmanager
    def granting(self, namespace: str, rules: list[Object]) -> Iterator[set[tuple[str, str, str]]]:
        """Allow in a namespace what the rules of a Role say, and refuse all else there; yields group, resource and verb in use."""
        used: set[tuple[str, str, str]] = set()
        before, self._rules = self._rules, {**self._rules, namespace: (rules, used)}
        try:
            yield used
        finally:
            self._rules = before

    def refuse_once(self, verb: str, path: str, status: int, message: str = "try again", times: int = 1) -> None:
        """So many times, then as usual."""
        self._mishaps.append(_Mishap(verb, path, times, status, message))

    def drop_once(self, verb: str, path: str, *, after: bool = False, times: int = 1) -> None:
        """Disconnect without an answer; `after`: do what was requested first."""
        self._mishaps.append(_Mishap(verb, path, times, after=after))

    def applied(self, pattern: str = "*") -> list[Write]:
        """What was really changed, by its path."""
        done = [one for one in self.writes if one.status < 300 and one.status and not one.dry_run]
        return [one for one in done if fnmatch.fnmatchcase(one.path, pattern)]

    def settle(self) -> None:
        """Let everything happen that was to happen until now."""
        with self.lock:
            now = self.clock.now()
            for _ in range(100_000):
                due = min(max(self.operator.next(), self._time), self.kubelet.next(self._time), now)
                self._step(due)
                if due >= now and self.operator.next() > now:
                    return
            raise AssertionError("the cluster never comes to rest")

    def _step(self, now: float) -> None:
        self.traffic.flow(now - self._time)
        self._time = now
        self.operator.notice(now)
        self.operator.act(now)
        self.kubelet.act(now)
        self.operator.notice(now)

    def pods_of(self, version: str) -> list[Pod]:
        """The pods that serve a version and are not ending."""
        self.settle()
        found = [pod for pod in self.kubelet.pods.values() if pod.ends is None]
        return [pod for pod in found if version in pod.container.get("args", [])]

    def answer(self, verb: str, url: str, body: bytes, kind: str) -> Answer | None:
        """What a request gets; None: nothing, the connection is dropped."""
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        with self.lock:
            self.settle()
            self.requests.append((verb, parts.path))
            mishap = self._mishap(verb, parts.path)
            if mishap and not mishap.after:
                answer = _failure(mishap.status, mishap.message) if mishap.status else None
            else:
                answer = self._refusal(verb, parts.path) or self._answer(verb, parts.path, query, body, kind)
                answer = None if mishap else answer
            if verb in ("PATCH", "DELETE"):
                status = answer.status if answer else 0
                sent = json.loads(body) if body else None
                self.writes.append(Write(self._time, verb, parts.path, sent, status, "dryRun" in query))
            if answer and isinstance(answer.body, dict):
                answer = Answer(answer.status, json.dumps(answer.body))  # as it is now
        if answer and callable(answer.body):  # a pod takes its time, and the API server others meanwhile
            return Answer(*answer.body())
        return answer

    def _mishap(self, verb: str, path: str) -> _Mishap | None:
        for one in self._mishaps:
            if one.times and one.verb == verb and fnmatch.fnmatchcase(path, one.path):
                one.times -= 1
                return one
        return None

    def _refusal(self, verb: str, path: str) -> Answer | None:
        for (refused, pattern), (status, message) in self._refusals.items():
            if refused == verb and fnmatch.fnmatchcase(path, pattern):
                return _failure(status, message)
        place = place_of(path)
        return None if place.namespace not in self._rules else self._unallowed(verb, place)

    def _unallowed(self, verb: str, place: Place) -> Answer | None:
        below = place.below.partition("/")[0]
        group = place.root.split("/")[2] if place.root.startswith("/apis") else ""
        resource = f"{place.plural}/{below}" if below else place.plural
        verbs = _VERBS[verb] if place.name else ("list",)
        if verb == "PATCH" and place.path not in self.objects:
            verbs = ("patch", "create")
        rules, used = self._rules[place.namespace]
        for wanted in verbs:
            used.add((group, resource, wanted))
            if not any(_allows(rule, group, resource, place.name, wanted) for rule in rules):
                message = f'{resource} "{place.name}" is forbidden: User "me" cannot {wanted} resource "{resource}" in API group "{group}" in the namespace "{place.namespace}"'
                return _failure(403, message)
        return None

    def _answer(self, verb: str, path: str, query: Query, body: bytes, kind: str) -> Answer:
        place = place_of(path)
        if place.plural in self.unknown:
            return _failure(404, "the server could not find the requested resource")
        if place.below.startswith("proxy"):
            return self._proxy(verb, place, body)
        if verb == "GET":
            return self._get(place, path, query)
        if verb == "PATCH":
            assert kind == "application/apply-patch+yaml"
            return self._patch(place, json.loads(body), query)
        if verb == "DELETE":
            return Answer(200, {}) if self.objects.remove(path) else _missing(place)
        return _failure(405, "the server does not allow this method on the requested resource")

    def _get(self, place: Place, path: str, query: Query) -> Answer:
        if place.below == "log":
            return self._log(place, path, query)
        if not place.name:
            found = self.objects.all(place.plural, place.namespace, place.root, query.get("labelSelector", [""])[0])
            items = [
                {key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for _, one in found
            ]
            return Answer(200, {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
        return Answer(200, self.objects[path]) if path in self.objects else _missing(place)

    def _patch(self, place: Place, sent: Object, query: Query) -> Answer:
        path = place.path
        if place.namespace and f"/api/v1/namespaces/{place.namespace}" not in self.objects:
            return _failure(404, f'namespaces "{place.namespace}" not found')
        manager, force = query["fieldManager"][0], query.get("force") == ["true"]
        try:
            came = self.objects.merge(path, sent, manager, force=force)
            if place.plural == "seldondeployments":
                self.operator.check(came)
            created = path not in self.objects
            if "dryRun" not in query:
                came = self.objects.apply(path, sent, manager, force=force)
                self.settle()
        except Conflict as conflict:
            return _failure(409, str(conflict))
        except Refused as refused:
            return _failure(403, f'admission webhook "v1.{WEBHOOK}" denied the request: {refused}')
        return Answer(201 if created else 200, came)

    def _log(self, place: Place, path: str, query: Query) -> Answer:
        if path in self.objects:
            return Answer(200, self.objects[path])
        pod = self.kubelet.pods.get(place.path)
        if pod is None:
            return _missing(place)
        container = query.get("container", [pod.container["name"]])[0]
        init, previous = container.endswith("-model-initializer"), query.get("previous") == ["true"]
        start = self.pods.start_of(pod.template, pod.number)
        text = start.log(self._time - pod.born, init=init, previous=previous)
        if text is None:
            message = f'container "{container}" in pod "{place.name}" is waiting to start: PodInitializing'
            absent = f'previous terminated container "{container}" in pod "{place.name}" not found'
            return _failure(400, absent if previous else message)
        lines = text.splitlines(keepends=True)
        return Answer(200, "".join(lines[-int(query.get("tailLines", [len(lines) or 1])[0]) :]))

    def _proxy(self, verb: str, place: Place, body: bytes) -> Answer:
        name, _, port = place.name.partition(":")
        path = f"/api/v1/namespaces/{place.namespace}/pods/{name}"
        pod = self.kubelet.pods.get(path)
        if pod is None:
            return _failure(404, f'pods "{name}" not found')
        if not self.objects[path].get("status", {}).get("podIP"):
            return _failure(400, "address not allowed")
        if not pod.sight.ready or pod.server is None:
            message = f"dial tcp 10.244.0.9:{port}: connect: connection refused"
            return _failure(503, f"error trying to reach service: {message}")
        server, answers = pod.server, self.pods.answers_of(pod.template)
        below = place.below.partition("/")[2]
        if port == _METRICS:
            return Answer(200, server.tell_metrics(answers).decode()) if below == "metrics" else Answer(404, "")
        return Answer(200, lambda: server.ask(verb, below, body, answers))


def _allows(rule: Object, group: str, resource: str, name: str, verb: str) -> bool:
    meant = group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
    return meant and (not rule.get("resourceNames") or name in rule["resourceNames"])


def _failure(status: int, message: str) -> Answer:
    record = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return Answer(status, {**record, "reason": _REASONS.get(status, ""), "code": status})


def _missing(place: Place) -> Answer:
    group = place.root.split("/")[2] if place.root.startswith("/apis") else ""
    return _failure(404, f'{place.plural}{"." if group else ""}{group} "{place.name}" not found')


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the system waits 40 ms between two pieces of an answer
    cluster: ApiServer

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        answer = self.cluster.answer(self.command, self.path, body, self.headers["Content-Type"] or "")
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        sent = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_PATCH = do_POST = do_DELETE = _handle


@contextmanager
def serving(config: Path, clock: Clock | None = None) -> Iterator[ApiServer]:
    """An empty cluster with the namespace of KFP; the file is written to lead there."""
    cluster = ApiServer(clock)
    cluster.put("/api/v1/namespaces/kubeflow")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": cluster}))
    cluster.port = server.server_port
    address = f"http://127.0.0.1:{cluster.port}"
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": address}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }  # fmt: skip
    config.write_text(yaml.safe_dump(content))
    with running(server):
        yield cluster
