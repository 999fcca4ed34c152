"""A small Label Studio: the calls of its REST API that Naru uses, as version 1.23 answers them."""

from __future__ import annotations

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LEGACY, PERSONAL, ACCESS = "0123456789abcdef", "eyJh.eyJ0.c2ln", "short-lived"
PAGE = 2
"""Projects of a page, whatever is asked for: real lists have several."""


class FakeLabelStudio(ThreadingHTTPServer):
    """The server, with what it was sent.

    Attributes:
        projects: Its projects.
        tasks: The tasks of each project.
        people: Mail addresses of its users; the first one is the user 1.
        requests: Method, path and kind of authorization of each request.
        broken: Status and content of the next answers, instead of the real ones.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.projects: list[dict[str, Any]] = []
        self.tasks: dict[int, list[dict[str, Any]]] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.people: list[str] = []
        self.broken: list[tuple[int, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def annotate(self, label: str, annotator: str, project: int = 1) -> None:
        """Give every task of a project a label."""
        self.people += [annotator] if annotator not in self.people else []
        for task in self.tasks[project]:
            result = [{"from_name": "label", "to_name": "review", "type": "choices", "value": {"choices": [label]}}]
            when = "2026-11-30T10:00:00.123456Z"
            made = {
                "completed_by": {"id": len(annotator), "email": annotator},
                "result": result,
                "was_cancelled": False,
            }
            task["annotations"].append({**made, "created_at": when, "updated_at": when})


class _Handler(BaseHTTPRequestHandler):
    server: FakeLabelStudio

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, *_: Any) -> None:
        """Write nothing."""

    def _answer(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = json.loads(self.rfile.read(length)) if length else None
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        url = urlsplit(self.path)
        self.server.requests.append((method, url.path, kind))
        if self.server.broken:
            self._send(*self.server.broken.pop(0))
        elif url.path == "/api/token/refresh":
            valid = content == {"refresh": PERSONAL}
            self._reply(200 if valid else 401, {"access": ACCESS} if valid else {"detail": "Token is invalid"})
        elif (kind, token) not in {("Token", LEGACY), ("Bearer", ACCESS)}:
            self._reply(401, {"detail": f"Invalid token {token}"})
        else:
            self._route(method, url.path, parse_qs(url.query), content)

    def _route(self, method: str, path: str, query: dict[str, list[str]], content: Any) -> None:
        if path == "/api/projects/" and method == "GET":
            self._list(int(query["page"][0]))
        elif path == "/api/users/":
            self._reply(200, [{"id": place, "email": mail} for place, mail in enumerate(self.server.people, 1)])
        elif path == "/api/projects/":
            self._create(content)
        elif (match := re.fullmatch(r"/api/projects/(\d+)/(import|export)", path)) and int(
            match[1]
        ) in self.server.tasks:
            tasks = self.server.tasks[int(match[1])]
            if match[2] == "import":
                first = sum(map(len, self.server.tasks.values())) + 1
                tasks += [{"id": first + place, "annotations": [], **task} for place, task in enumerate(content)]
                self._reply(201, {"task_count": len(content)})
            else:
                everything = query.get("download_all_tasks") == ["true"]
                self._reply(200, [task for task in tasks if everything or task["annotations"]])
        else:
            self._reply(404, {"detail": "Not found."})

    def _list(self, page: int) -> None:
        projects = self.server.projects[::-1]  # the newest first
        more = f"{self.server.url}/api/projects/?page={page + 1}" if len(projects) > page * PAGE else None
        self._reply(200, {"next": more, "results": projects[(page - 1) * PAGE : page * PAGE]})

    def _create(self, content: dict[str, Any]) -> None:
        if len(content["title"]) > 50:
            self._reply(400, {"detail": "Validation error", "validation_errors": {"title": ["too long"]}})
            return
        project = {"id": len(self.server.projects) + 1, **content}
        self.server.projects.append(project)
        self.server.tasks[project["id"]] = []
        self._reply(201, project)

    def _reply(self, status: int, content: Any) -> None:
        self._send(status, json.dumps(content).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        if status in (301, 302):
            self.send_header("Location", f"{self.server.url}/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
