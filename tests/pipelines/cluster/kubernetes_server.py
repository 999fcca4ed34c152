"""A small API server that speaks Kubernetes' REST over HTTP, as far as we ask it: get, server-side apply, list, delete."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml


class Store:
    """Objects by path, and the answers that a test wants instead."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        """By path; what lies at the path of a log is text."""
        self.refusals: dict[tuple[str, str], tuple[int, str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    def put(self, path: str, **fields: Any) -> None:
        name = path.rpartition("/")[2]
        space = path.partition("/namespaces/")[2].partition("/")[0]
        self.objects[path] = {"metadata": {"name": name, **({"namespace": space} if space else {})}, **fields}

    def refuse(self, verb: str, path: str, status: int, message: str) -> None:
        self.refusals[verb, path] = (status, message)


def _merged(one: Any, other: Any) -> Any:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return {**one, **{key: _merged(one.get(key), value) for key, value in other.items()}}


class _Handler(BaseHTTPRequestHandler):
    store: Store

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        path, query = self._asked()
        if path.rpartition("/")[2] in ("namespaces", *_PLURALS) and "labelSelector" in query:
            self._list(path, query["labelSelector"][0])
        elif path in self.store.objects:
            self._answer(200, self.store.objects[path])
        else:
            self._answer(404, {"message": "not found"})

    def do_PATCH(self) -> None:
        path, query = self._asked()
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/apply-patch+yaml"
        if (self.command, path) in self.store.refusals:
            status, message = self.store.refusals[self.command, path]
            return self._answer(status, {"message": message})
        came = _merged(self.store.objects.get(path, {}), sent)
        came["metadata"]["managedFields"] = [{"manager": query["fieldManager"][0], "operation": "Apply"}]
        if "dryRun" not in query:
            self.store.objects[path] = came
        return self._answer(200, came)

    def do_DELETE(self) -> None:
        path, _ = self._asked()
        self._answer(200 if self.store.objects.pop(path, None) else 404, {})

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        self.store.asked.append((self.command, parts.path))
        return parts.path, parse_qs(parts.query)

    def _list(self, root: str, selector: str) -> None:
        plural = root.rpartition("/")[2]
        found = [
            held
            for path, held in self.store.objects.items()
            if path.split("/")[-2] == plural and path.startswith(root.rpartition("/")[0])
            and _carries(held["metadata"].get("labels", {}), selector)
        ]  # fmt: skip
        self._answer(200, {"items": found})

    def _answer(self, status: int, body: dict[str, Any] | str) -> None:
        sent = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


def _carries(labels: dict[str, str], selector: str) -> bool:
    wanted = [part.partition("=") for part in selector.split(",")]
    return all(label in labels and (not equals or labels[label] == value) for label, equals, value in wanted)


def _plurals() -> set[str]:
    from components._cluster.client import KINDS

    return {plural for plural, _ in KINDS.values()}


_PLURALS = _plurals()


@contextmanager
def serving(config: Path) -> Iterator[Store]:
    """An empty cluster with the namespace of KFP; the file is written to lead there."""
    held = Store()
    held.put("/api/v1/namespaces/kubeflow")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": held}))
    held.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"http://127.0.0.1:{held.port}"
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": address}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }  # fmt: skip
    config.write_text(yaml.safe_dump(content))
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
