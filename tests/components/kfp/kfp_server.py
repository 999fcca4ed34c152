"""A small server that speaks KFP's v2beta1 REST API over HTTP, as far as we ask it, with the habits of the real one.

Each habit names the place in kubeflow/pipelines 2.17.0 (backend/src) that it mirrors:

- empty fields are left out, unknown fields of a body are refused, numbers of 64 bits are texts: apiserver/common/utils.go
- errors are `{"code", "message", "details"}`, gRPC's codes, the message with the way that it came, the first of the details
  without: the gateway's; outside of /apis it says 404 as text; of uploads `{"error_message",
  "error_details"}` and no reason: apiserver/server/pipeline_upload_server.go
- 20 objects a page by default, 200 at most; a token carries filter and order, others given with it are refused:
  apiserver/list/list.go, apiserver/server/list_request_util.go
- a filter on a field that is not in the table is refused: apiserver/filter/filter.go, apiserver/model/*.go
- a cron of five fields is taken, time zones in it are not: github.com/robfig/cron 1.2.0
- a run has no run_details until the agent has reported; its tasks are Argo's nodes, without errors: apiserver/server/api_converter.go
- a run that is cancelled ends as FAILED, with CANCELING before it in its history: apiserver/resource/resource_manager.go,
  ReportWorkflowResource (seen on a 2.17.0 server)
- deleting a recurring run ends its runs unless the policy is ORPHAN: apiserver/resource/resource_manager.go, DeleteJob
- a log that cannot be read is answered with 200 and an error as text: apiserver/server/run_log_server.go
"""

import base64
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http_servers import running

Thing = dict[str, Any]

FIELDS = {
    "pipelines": {"pipeline_id", "name", "display_name", "description", "namespace", "created_at"},
    "pipeline_versions": {"pipeline_version_id", "name", "display_name", "description", "created_at"},
    "experiments": {"experiment_id", "display_name", "name", "namespace", "description", "created_at"},
    "recurringRuns": {"recurring_run_id", "display_name", "name", "description", "created_at", "updated_at"},
    "runs": {"run_id", "display_name", "state", "experiment_id", "recurring_run_id", "created_at", "storage_state"},
}
BODIES = {
    "pipelines": {"name", "display_name", "description", "namespace"},
    "experiments": {"display_name", "description", "namespace"},
    "recurringruns": {
        "display_name", "description", "pipeline_version_reference", "runtime_config", "service_account", "max_concurrency",
        "trigger", "mode", "no_catchup", "experiment_id",
    },
    "runs": {
        "display_name", "description", "experiment_id", "pipeline_version_reference", "runtime_config", "service_account",
    },
}  # fmt: skip


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: int, message: str) -> None:
        self.status = status
        detail = {"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": message}
        self.body: Any = {"code": code, "message": f"Failed: Wrapped: {message}", "details": [detail]}


@dataclass
class KfpServer:
    """The server's objects, the requests it got, and the refusals that a test wants."""

    pipelines: list[Thing] = field(default_factory=list)
    versions: dict[str, list[Thing]] = field(default_factory=dict)
    experiments: list[Thing] = field(default_factory=list)
    schedules: list[Thing] = field(default_factory=list)
    runs: list[Thing] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    """By pod."""
    course: list[Thing] = field(default_factory=list)
    """What a run comes to, a look at a time."""
    token: str = ""
    multi_user: bool = False
    page: str = ""
    """A page of HTML that is answered to everything."""
    refusals: dict[tuple[str, str], tuple[int, int, str]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """Runs that were ended because their schedule was deleted."""
    port: int = 0
    seconds: int = 0
    pace: int = 1
    """Seconds between two things that are made; the server tells no more than the second."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tick(self) -> str:
        """When something is made: a second later each time, or at the same one as everything."""
        self.seconds += self.pace
        return f"2026-11-28T09:{self.seconds // 60:02d}:{self.seconds % 60:02d}Z"

    def refuse(self, verb: str, path: str, status: int, code: int, message: str) -> None:
        """Refuse requests to a path with this ending."""
        self.refusals[verb, path] = (status, code, message)

    def writes(self) -> list[tuple[str, str]]:
        """The requests that change something."""
        return [(verb, path) for verb, path in self.requests if verb != "GET"]

    def start_run(self, schedule: Thing, state: str = "RUNNING") -> Thing:
        """What the schedule's controller and the agent make together."""
        run = {
            "run_id": str(uuid.uuid4()), "display_name": f"{schedule['display_name']}-1-12345", "state": state,
            "recurring_run_id": schedule["recurring_run_id"],
            "pipeline_version_reference": schedule["pipeline_version_reference"],
        }  # fmt: skip
        self.runs.append(run)
        return run


def task(
    name: str, state: str, *pods: str, start: str = "2026-11-21T05:00:00Z", end: str = "2026-11-21T05:00:42Z"
) -> Thing:
    """A node of Argo, as the API tells it."""
    children = {"child_tasks": [{"pod_name": pod} for pod in pods]} if pods else {}
    return {
        "task_id": str(uuid.uuid4()),
        "display_name": name,
        "state": state,
        "start_time": start,
        "end_time": end,
        **children,
    }


class _Handler(BaseHTTPRequestHandler):
    kfp: KfpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the system waits 40 ms between two pieces of an answer

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.kfp.requests.append((self.command, parts.path))
        try:
            self._send(200, self._answer(parts.path, query, sent))
        except Refusal as refusal:
            self._send(refusal.status, refusal.body)

    def _answer(self, path: str, query: dict[str, str], sent: bytes) -> Any:
        if self.kfp.page:
            return self.kfp.page
        if self.kfp.token and self.headers.get("Authorization") != f"Bearer {self.kfp.token}":
            raise Refusal(401, 16, "Failed to authenticate: Request header error: there is no user identity header.")
        for (verb, end), (status, code, message) in self.kfp.refusals.items():
            if verb == self.command and path.endswith(end):
                raise Refusal(status, code, message)
        if match := re.fullmatch(r"/apis/v1alpha1/runs/[^/]+/nodes/([^/]+)/log", path):
            return self.kfp.logs.get(match[1], '{"error_message":"Failed to read logs"}')
        place = path.removeprefix("/apis/v2beta1/")
        handler = next(
            (function for pattern, function in _ROUTES if re.fullmatch(pattern, f"{self.command} {place}")), None
        )
        if handler is None:
            refusal = Refusal(404, 5, "Not Found")
            refusal.body = {"code": 5, "message": "Not Found"} if path.startswith("/apis/") else "404 page not found\n"
            raise refusal
        return handler(self.kfp, place.split("/"), query, _Sent(self.headers, sent))

    def _send(self, status: int, body: Any) -> None:
        sent = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


@dataclass
class _Sent:
    headers: Message
    data: bytes

    def json(self, kind: str) -> Thing:
        body: Thing = json.loads(self.data)
        for name in body:
            if name not in BODIES[kind]:
                raise Refusal(400, 3, f'proto: (line 1:1): unknown field "{name}"')
        return body

    def file(self) -> str:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        part = BytesParser().parsebytes(head + self.data).get_payload()[0]
        assert isinstance(part, Message) and part.get_param("name", header="content-disposition") == "uploadfile"
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        return content.decode()


def _health(kfp: KfpServer, *_: Any) -> Thing:
    return {"commit_sha": "unknown", "tag_name": "unknown", "multi_user": kfp.multi_user, "pipeline_store": "database"}


def _list(key: str, things: list[Thing], query: dict[str, str]) -> Thing:
    size = min(int(query.get("page_size", "20")), 200)
    token = {"at": 0, "filter": query.get("filter", ""), "sort_by": query.get("sort_by", "")}
    if given := query.get("page_token"):
        token = json.loads(base64.b64decode(given))
        if {query.get("filter", ""), query.get("sort_by", "")} - {""}:
            raise Refusal(400, 3, "page token does not match the supplied sort by and/or filtering criteria")
    kept = [thing for thing in things if _fits(key, thing, str(token["filter"]))]
    if str(token["sort_by"]).endswith(" desc"):
        kept.reverse()
    at = int(token["at"])
    more = {**token, "at": at + size}
    rest = {"next_page_token": base64.b64encode(json.dumps(more).encode()).decode()} if at + size < len(kept) else {}
    return {**({key: kept[at : at + size]} if kept else {}), **rest, **({"total_size": len(kept)} if kept else {})}


def _fits(key: str, thing: Thing, spec: str) -> bool:
    for predicate in json.loads(spec or "{}").get("predicates", []):
        if predicate["key"] not in FIELDS[key]:
            raise Refusal(400, 3, f'no support for filtering on unrecognized field "{predicate["key"]}"')
        value = thing.get(predicate["key"])
        operation = predicate["operation"]
        if operation == "EQUALS" and value != predicate["string_value"]:
            return False
        if operation == "IN" and value not in predicate["string_values"]["values"]:
            return False
    return True


def _pipelines(kfp: KfpServer, _: list[str], query: dict[str, str], __: _Sent) -> Thing:
    return _list("pipelines", kfp.pipelines, query)


def _create_pipeline(kfp: KfpServer, _: list[str], __: dict[str, str], sent: _Sent) -> Thing:
    body = sent.json("pipelines")
    if any(one["name"] == body["name"] for one in kfp.pipelines):
        raise Refusal(
            409, 6, f"Failed to create a new pipeline. The name {body['name']} already exist. Please specify a new name"
        )
    made = {**body, "pipeline_id": str(uuid.uuid4()), "created_at": kfp.tick()}
    kfp.pipelines.append(made)
    kfp.versions[made["pipeline_id"]] = []
    return made


def _delete_pipeline(kfp: KfpServer, parts: list[str], query: dict[str, str], _: _Sent) -> Thing:
    if kfp.versions[parts[1]] and query.get("cascade") != "true":
        raise Refusal(400, 3, "it has existing pipeline versions. Set cascade=true to delete all versions")
    kfp.pipelines[:] = [one for one in kfp.pipelines if one["pipeline_id"] != parts[1]]
    del kfp.versions[parts[1]]
    return {}


def _versions(kfp: KfpServer, parts: list[str], query: dict[str, str], _: _Sent) -> Thing:
    return _list("pipeline_versions", kfp.versions[parts[1]], query)


def _upload_version(kfp: KfpServer, _: list[str], query: dict[str, str], sent: _Sent) -> Thing:
    there = kfp.versions[query["pipelineid"]]
    refusal = Refusal(409, 0, "")
    if any(one["name"] == query["name"] for one in there):
        refusal.body = {"error_message": "Failed to create a pipeline version", "error_details": "..."}
        raise refusal
    made = {
        "pipeline_id": query["pipelineid"], "pipeline_version_id": str(uuid.uuid4()), "name": query["name"],
        "display_name": query["display_name"], "description": query["description"], "spec": sent.file(),
        "created_at": kfp.tick(),
    }  # fmt: skip
    there.append(made)
    return made


def _delete_version(kfp: KfpServer, parts: list[str], _: dict[str, str], __: _Sent) -> Thing:
    kfp.versions[parts[1]] = [one for one in kfp.versions[parts[1]] if one["pipeline_version_id"] != parts[3]]
    return {}


def _experiments(kfp: KfpServer, _: list[str], query: dict[str, str], __: _Sent) -> Thing:
    return _list("experiments", kfp.experiments, query)


def _create_experiment(kfp: KfpServer, _: list[str], __: dict[str, str], sent: _Sent) -> Thing:
    kfp.experiments.append({**sent.json("experiments"), "experiment_id": str(uuid.uuid4())})
    return kfp.experiments[-1]


def _schedules(kfp: KfpServer, _: list[str], query: dict[str, str], __: _Sent) -> Thing:
    return _list("recurringRuns", kfp.schedules, query)


def _create_schedule(kfp: KfpServer, _: list[str], __: dict[str, str], sent: _Sent) -> Thing:
    body = sent.json("recurringruns")
    if not 1 <= int(body["max_concurrency"]) <= 10:
        raise Refusal(400, 3, "Max concurrency of a recurring run must be at least 1 and at most 10.")
    count = len(body["trigger"]["cron_schedule"]["cron"].split())
    if count not in (5, 6):
        raise Refusal(400, 3, f"Schedule cron is not a supported format. Error: Expected 5 to 6 fields, found {count}")
    status = "ENABLED" if body["mode"] == "ENABLE" else "DISABLED"
    made = {**body, "recurring_run_id": str(uuid.uuid4()), "status": status, "created_at": kfp.tick()}
    kfp.schedules.append(made)
    return made


def _switch(kfp: KfpServer, parts: list[str], _: dict[str, str], __: _Sent) -> Thing:
    schedule_id, _, word = parts[1].partition(":")
    one = next((one for one in kfp.schedules if one["recurring_run_id"] == schedule_id), None)
    if one is None:
        raise Refusal(404, 5, f"Failed to {word} recurring run {schedule_id}. Job {schedule_id} not found")
    one["status"], one["mode"] = ("ENABLED", "ENABLE") if word == "enable" else ("DISABLED", "DISABLE")
    return {}


def _delete_schedule(kfp: KfpServer, parts: list[str], query: dict[str, str], _: _Sent) -> Thing:
    if parts[1] not in {one["recurring_run_id"] for one in kfp.schedules}:
        raise Refusal(404, 5, f"Failed to delete recurring run {parts[1]}. Check if exists")
    kfp.schedules[:] = [one for one in kfp.schedules if one["recurring_run_id"] != parts[1]]
    if query.get("propagation_policy") != "ORPHAN":
        kfp.ended += [run["run_id"] for run in kfp.runs if run.get("recurring_run_id") == parts[1]]
    return {}


def _runs(kfp: KfpServer, _: list[str], query: dict[str, str], __: _Sent) -> Thing:
    return _list("runs", kfp.runs, query)


def _create_run(kfp: KfpServer, _: list[str], __: dict[str, str], sent: _Sent) -> Thing:
    kfp.runs.append({**sent.json("runs"), "run_id": str(uuid.uuid4()), "state": "PENDING"})
    return kfp.runs[-1]


def _run(kfp: KfpServer, parts: list[str], _: dict[str, str], __: _Sent) -> Thing:
    run = next((one for one in kfp.runs if one["run_id"] == parts[1]), None)
    if run is None:
        raise Refusal(404, 5, f"Failed to get a run: ResourceNotFoundError: Run {parts[1]} not found.")
    if kfp.course:
        run.update(kfp.course.pop(0))
    return run


_ID = r"[^/:]+"


def _delete_run(kfp: KfpServer, parts: list[str], _: dict[str, str], __: _Sent) -> Thing:
    if parts[1] not in {one["run_id"] for one in kfp.runs}:
        raise Refusal(404, 5, f"Failed to delete run {parts[1]}. Run not found")
    kfp.runs[:] = [one for one in kfp.runs if one["run_id"] != parts[1]]
    return {}


_ROUTES: list[tuple[str, Any]] = [
    (r"GET healthz", _health),
    (r"GET pipelines", _pipelines),
    (r"POST pipelines", _create_pipeline),
    (rf"DELETE pipelines/{_ID}", _delete_pipeline),
    (r"POST pipelines/upload_version", _upload_version),
    (rf"GET pipelines/{_ID}/versions", _versions),
    (rf"DELETE pipelines/{_ID}/versions/{_ID}", _delete_version),
    (r"GET experiments", _experiments),
    (r"POST experiments", _create_experiment),
    (r"GET recurringruns", _schedules),
    (r"POST recurringruns", _create_schedule),
    (rf"POST recurringruns/{_ID}:(enable|disable)", _switch),
    (rf"DELETE recurringruns/{_ID}", _delete_schedule),
    (r"GET runs", _runs),
    (r"POST runs", _create_run),
    (rf"GET runs/{_ID}", _run),
    (rf"DELETE runs/{_ID}", _delete_run),
]


@contextmanager
def serving() -> Iterator[KfpServer]:
    """A server with nothing in it, on a free port of loopback."""
    held = KfpServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"kfp": held}))
    server.daemon_threads = True
    held.port = server.server_port
    with running(server):
        yield held


_VARIABLES = (
    "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT", "KF_PIPELINES_SA_TOKEN_PATH", "SSL_CERT_FILE", "NARU_KFP_TOKEN",
    "NARU_KFP_CA", "NARU_KFP_NAMESPACE", "NARU_KFP_TIMEZONE",
)  # fmt: skip


@contextmanager
def named_by_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[KfpServer]:
    """What a server holds that the environment names."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with serving() as held:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", held.endpoint)
        yield held
