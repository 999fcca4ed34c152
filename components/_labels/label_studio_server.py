"""A Label Studio server: work lists become tasks of a project there, and their annotations come back.

The token comes from the environment alone (`NARU_LABEL_STUDIO_TOKEN`) and stands in no log, record or message. A legacy token is sent as it is; a
personal access token, which has three parts with dots between, is exchanged for a short-lived one first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.sax.saxutils import quoteattr

import urllib3

from components._core.credentials import find_credentials
from components._core.errors import ConfigError, NaruError, ServiceError, UnavailableError
from components._core.store.http import open_pool
from components._labels.exchange.contract import LARGEST_FILE, WorkItem
from components._labels.exchange.json_text import parse_json
from components._labels.exchange.label_studio import make_interface, make_tasks
from components._labels.label_schema import ITEM, LabelSchema

TOKEN = "NARU_LABEL_STUDIO_TOKEN"  # noqa: S105 - the name of a variable
_TIMEOUT = urllib3.Timeout(connect=10, read=120)
_TRIES = 3
"""Tries of a request that only reads."""
_LARGEST_REPLY = 8 << 20
_TASKS = 200
"""Tasks of one request."""
_TASK_BYTES = 16 << 20
_PAGE = 100
_MOST_PAGES = 100
_LONGEST_TITLE = 50


@dataclass
class LabelStudio:
    """A server.

    Attributes:
        url: Its address.
        token: The token. Never shown.
    """

    url: str
    token: str = field(repr=False)
    _access: str = field(default="", repr=False)

    @classmethod
    def at(cls, url: str) -> LabelStudio:
        """Open the server at an address, with the token of the environment.

        Raises:
            ConfigError: When the address is not one of the web, or holds credentials, or there is no token.
        """
        if found := find_credentials(url):
            raise ConfigError(f"holds {found}", where="--url", remedy=f"set the token in {TOKEN}")
        try:
            parts = urlsplit(url)
            is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            is_web = False
        if not is_web or parts.query or parts.fragment:
            remedy = "give the server's address, as in https://labels.example.com"
            raise ConfigError(f"found {url!r}, which is not the address of a server", where="--url", remedy=remedy)
        token = os.environ.get(TOKEN, "").strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            problem = "is not set" if not token else "is not a token"
            remedy = "set it to a token of Label Studio: Account & Settings, Access Token"
            raise ConfigError(problem, where=f"environment variable {TOKEN}", remedy=remedy)
        return cls(url.rstrip("/"), token)

    def send_items(self, schema: LabelSchema, columns: Sequence[str], items: Sequence[WorkItem]) -> tuple[str, int]:
        """Add items to the project of this label schema, which is created when it is not there; those that it has are left out.

        Args:
            schema: The label schema.
            columns: Columns that annotators see.
            items: The items.

        Returns:
            The address of the project's page, and the number of added items.

        Raises:
            ConfigError: When the token is refused, or the project there does not have the classes of the schema.
            ServiceError: When the server refuses something else, or is not Label Studio.
            UnavailableError: When it does not answer.
        """
        project = self._find_project(schema)
        if project is None:
            project = self._create_project(schema, columns, items)
        known = {task["data"].get(ITEM) for task in self._read_tasks(project)}
        new = [item for item in items if item.id not in known]
        for part in _parts(make_tasks(schema, columns, new)):
            self._call("POST", f"/api/projects/{project}/import", part)
        return f"{self.url}/projects/{project}/data", len(new)

    def read_labels(self, schema: LabelSchema) -> bytes:
        """Return the tasks with their annotations, as JSON; errors as of `send_items`.

        Raises:
            ConfigError: When the server has no project of this label schema, too.
        """
        project = self._find_project(schema)
        if project is None:
            remedy = "send rows there first: naru label export --url, or naru label next --url"
            raise ConfigError(f"has no project {title_of(schema)!r}", where=self.url, remedy=remedy)
        return self._export(project)

    def read_people(self) -> dict[str, str]:
        """Return the mail address of each annotator by the number that exports have; empty where the token may not see them.

        Raises:
            ServiceError: When the server refuses something else, or is not Label Studio.
            UnavailableError: When it does not answer.
        """
        try:
            reply = self._call("GET", "/api/users/")
        except ConfigError:
            return {}
        people = reply if isinstance(reply, list) else []
        known = [each for each in people if isinstance(each, dict) and each.get("email") and each.get("id")]
        return {str(each["id"]): str(each["email"]) for each in known}

    def _find_project(self, schema: LabelSchema) -> int | None:
        """Return the id of the schema's project, the oldest of several; None when there is none."""
        found: list[dict[str, Any]] = []
        for page in range(1, _MOST_PAGES + 1):
            query = urlencode({"page": page, "page_size": _PAGE})
            reply = self._call("GET", f"/api/projects/?{query}")
            results = reply.get("results") if isinstance(reply, dict) else None
            if not isinstance(results, list):
                raise self._strange("the list of projects")
            found += [each for each in results if isinstance(each, dict) and each.get("title") == title_of(schema)]
            if not reply.get("next"):
                break
        if not found:
            return None
        project = min(found, key=lambda each: int(each["id"]))
        shown = str(project.get("label_config") or "")
        if lost := [name for name in schema.config.classes if shown and quoteattr(name) not in shown]:
            message = f"the project {title_of(schema)!r} there does not offer the class {lost[0]!r}"
            raise ConfigError(
                message, where=self.url, remedy="raise labels.version, or add it to its labelling interface"
            )
        return int(project["id"])

    def _create_project(self, schema: LabelSchema, columns: Sequence[str], items: Sequence[WorkItem]) -> int:
        wanted = {
            "title": title_of(schema),
            "description": schema.question,
            "label_config": make_interface(schema, columns, items),
            "maximum_annotations": schema.config.annotators_per_item,
        }
        reply = self._call("POST", "/api/projects/", wanted)
        if not isinstance(reply, dict) or not isinstance(reply.get("id"), int):
            raise self._strange("a new project")
        return int(reply["id"])

    def _read_tasks(self, project: int) -> list[dict[str, Any]]:
        tasks = parse_json(self._export(project), self.url)
        if not isinstance(tasks, list) or not all(
            isinstance(t, dict) and isinstance(t.get("data"), dict) for t in tasks
        ):
            raise self._strange("the tasks of a project")
        return tasks

    def _export(self, project: int) -> bytes:
        query = urlencode({"exportType": "JSON", "download_all_tasks": "true"})
        return self._request("GET", f"/api/projects/{project}/export?{query}", None, LARGEST_FILE)

    def _call(self, method: str, path: str, content: Any = None) -> Any:
        return parse_json(self._request(method, path, content, _LARGEST_REPLY), self.url)

    def _request(self, method: str, path: str, content: Any, most: int) -> bytes:
        if self.token.count(".") != 2:
            return self._send(method, path, content, {"Authorization": f"Token {self.token}"}, most)
        if self._access:
            try:
                return self._send(method, path, content, {"Authorization": f"Bearer {self._access}"}, most)
            except ConfigError:
                pass  # it lives for minutes: another one says whether it has ended
        reply = parse_json(self._send("POST", "/api/token/refresh", {"refresh": self.token}, {}, 1 << 20), self.url)
        self._access = str(reply.get("access") or "") if isinstance(reply, dict) else ""
        return self._send(method, path, content, {"Authorization": f"Bearer {self._access}"}, most)

    def _send(self, method: str, path: str, content: Any, headers: Mapping[str, str], most: int) -> bytes:
        """Send a request; one that only reads is repeated a bounded number of times while the server fails in passing."""
        body = None if content is None else json.dumps(content).encode()
        sent = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "naru", **headers}
        reason: object = ""
        for _ in range(_TRIES if method == "GET" else 1):
            try:
                status, reply = self._exchange(method, path, body, sent, most)
            except urllib3.exceptions.HTTPError as error:
                reason = type(error).__name__  # its text may hold what was sent
                continue
            if status < 300:
                return reply
            if status not in (429, 502, 503, 504):
                raise self._refusal(method, path, status, reply)
            reason = f"HTTP {status}"
        remedy = "check its address and that it runs, then run again: what arrived is not sent twice"
        raise UnavailableError(f"Label Studio does not answer: {reason}", where=self.url, remedy=remedy)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], most: int
    ) -> tuple[int, bytes]:
        # no redirects: a token is sent to no other server
        response = open_pool(self.url).request(
            method,
            f"{self.url}{path}",
            body=body,
            headers=dict(headers),
            timeout=_TIMEOUT,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            reply = response.read(most + 1)
            if len(reply) > most:
                message = f"answers with more than the {most >> 20} MB that are allowed"
                raise ServiceError(
                    message, where=f"{self.url}{path.partition('?')[0]}", remedy="use a project with fewer tasks"
                )
            return response.status, reply
        finally:
            response.close()

    def _refusal(self, method: str, path: str, status: int, reply: bytes) -> NaruError:
        where = f"{self.url}{path.partition('?')[0]}"
        if status in (401, 403):
            what = "is not valid there" if status == 401 else "may not do this there"
            return ConfigError(
                f"{what} (HTTP {status})",
                where=f"the token of {TOKEN}",
                remedy="set a valid token, or one of a user who may",
            )
        if status < 400:
            remedy = "give the address that it is redirected to"
            return ConfigError(f"answers with a redirect (HTTP {status})", where=where, remedy=remedy)
        shown = reply if reply.lstrip()[:1] == b"{" else b""  # not the page of another server
        said = "".join(filter(str.isprintable, shown.decode("utf-8", "replace")))
        for secret in filter(None, (self.token, self._access)):  # before it is cut, so that no half of one is left
            said = said.replace(secret, "***")
        said = said[:300]
        remedy = "is this the address of Label Studio?" if status in (404, 405) else "see Label Studio's log"
        return ServiceError(f"Label Studio refused {method}: HTTP {status} {said}".rstrip(), where=where, remedy=remedy)

    def _strange(self, what: str) -> ServiceError:
        remedy = "is this the address of Label Studio, 1.12 or later?"
        return ServiceError(f"does not answer as Label Studio does to {what}", where=self.url, remedy=remedy)


def title_of(schema: LabelSchema) -> str:
    """Return the title of the schema's project on a server; Label Studio allows fifty characters."""
    return f"naru {schema.project} v{schema.config.version}"[:_LONGEST_TITLE]


def _parts(tasks: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Cut tasks into requests of bounded size."""
    parts: list[list[dict[str, Any]]] = []
    size = 0
    for task in tasks:
        length = len(json.dumps(task))
        if not parts or len(parts[-1]) == _TASKS or size + length > _TASK_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(task)
        size += length
    return parts
