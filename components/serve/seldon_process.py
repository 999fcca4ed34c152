"""The process around the adapter for seldon-core: one, with gunicorn's threads for REST and gRPC's own beside them.

seldon-core by itself forks: a process per worker, each with its own model, limit, counters and log, another for gRPC that
never ends on SIGTERM, and one more through which metrics pass. Here its protocol is spoken over REST and gRPC by one process,
which is not forked, so that TensorFlow may be used in it, and there is one of each.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import grpc
from gunicorn.app.base import BaseApplication
from seldon_core.flask_utils import SeldonMicroserviceException
from seldon_core.seldon_methods import init_metadata

from components._core.types.signature import Signature
from components.serve.admission import OWED_SECONDS, Desk
from components.serve.http_refusals import HttpRefusal
from components.serve.json_guard import JsonGuard
from components.serve.limits import Limits
from components.serve.predictor import Predictor, load
from components.serve.refusals import Refusal
from components.serve.request_body import CODINGS, check_type, codings_of, unpack
from components.serve.seldon_connections import HEALTH, Worker
from components.serve.seldon_runtime import NaruComponent, NaruServicer, told

_SPARE_THREADS = 8
"""Threads above the limit, to refuse what comes above it meanwhile."""
PREDICTIONS = frozenset({"/api/v1.0/predictions", "/api/v0.1/predictions", "/predict"})
METADATA = frozenset({"/metadata", "/api/v1.0/metadata"})
PING = "/health/ping"
_METHODS = dict.fromkeys(PREDICTIONS, ("POST",)) | dict.fromkeys(METADATA | HEALTH, ("GET", "HEAD"))
_MORE = {429: [("Retry-After", "1")], 415: [("Accept", "application/json"), ("Accept-Encoding", CODINGS)]}
_OF_THE_BODY = (("CONTENT_TYPE", b"content-type"), ("HTTP_CONTENT_ENCODING", b"content-encoding"))
_log = logging.getLogger("naru.serve")


def serve(asked: argparse.Namespace, desk: Desk) -> None:
    """Serve a model folder until a signal comes.

    Args:
        asked: What `components/serve/__main__.py` was started with.
        desk: What every request passes.

    Raises:
        ModelError: When the model does not load.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    signature = Signature.load(asked.model)
    asked.limits = asked.limits.for_model(signature.inputs)
    component = NaruComponent(asked.name, asked.version, signature, desk, asked.limits)
    worker = _worker(asked, component)
    with ThreadPoolExecutor(1) as loader, _grpc_server(asked, component) as grpc_server:
        loading = loader.submit(load, asked.model, asked.limits.rows)
        loading.add_done_callback(lambda loaded: _announce(loaded, component, worker, grpc_server, asked))
        if asked.while_stdin:
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        worker.init_process()  # until it ends
    if loading.done():
        loading.result()


def _announce(
    loaded: Future[Predictor], component: NaruComponent, worker: Worker, grpc_server: Any, asked: argparse.Namespace
) -> None:
    if loaded.exception() is not None:
        worker.hang_up()
        return
    component.predictor = loaded.result()
    grpc_server.start()
    print(f"ready: http://{asked.host}:{asked.port}/api/v1.0/predictions", flush=True)


@contextmanager
def _grpc_server(asked: argparse.Namespace, component: NaruComponent) -> Iterator[Any]:
    """A server to be started when the model is loaded; it ends with the `with` block, once it has answered what it owes."""
    limits: Limits = asked.limits
    threads = ThreadPoolExecutor(asked.max_concurrency + _SPARE_THREADS)
    options = [
        ("grpc.so_reuseport", 0),
        # a message above the bound is refused by us, with words; far above it by gRPC, without having been received
        ("grpc.max_receive_message_length", 4 * limits.body_bytes),
        ("grpc.max_metadata_size", limits.header_bytes),
        ("grpc.server_handshake_timeout_ms", int(1_000 * limits.head_seconds)),
    ]
    server = grpc.server(threads, options=options)
    server.add_generic_rpc_handlers(NaruServicer(component, limits).handlers())
    server.add_insecure_port(f"{asked.host}:{asked.grpc_port}")
    try:
        yield server
    finally:
        server.stop(OWED_SECONDS).wait()


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _worker(asked: argparse.Namespace, component: NaruComponent) -> Worker:
    application = _Application(FrontDoor(component, asked.limits), asked)
    family = socket.AF_INET6 if ":" in asked.host else socket.AF_INET
    listening = socket.create_server((asked.host, asked.port), family=family, backlog=asked.limits.backlog)
    # gunicorn sends head and body apart, and without this the body waits 40 ms for the client to acknowledge the head
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    cfg = application.cfg
    log = cfg.logger_class(cfg)
    return Worker(
        0,
        os.getppid(),
        [listening],
        application,
        cfg.timeout,
        cfg,
        log,
        component=component,
        limits=asked.limits,
        notice=asked.notice_seconds,
    )


class _Application(BaseApplication):
    def __init__(self, app: FrontDoor, asked: argparse.Namespace) -> None:
        self._app, self._asked = app, asked
        super().__init__()

    def load_config(self) -> None:
        self.cfg.set("threads", self._asked.max_concurrency + _SPARE_THREADS)
        self.cfg.set("limit_request_fields", self._asked.limits.headers)
        self.cfg.set("limit_request_field_size", self._asked.limits.header_bytes)
        self.cfg.set("limit_request_line", 0)  # bounded with the head
        self.cfg.set("loglevel", "warning")

    def load(self) -> FrontDoor:
        return self._app


class FrontDoor:
    """Answers everything over HTTP (WSGI): predictions, probes, metadata.

    seldon-core's own application has more that nobody needs (feedback, transformers, answers to pages of any origin), shows what
    exceptions say, and its routing, contexts and hooks take more of a processor than the model does.

    Args:
        component: What answers.
        limits: Bounds on a request.
    """

    def __init__(self, component: NaruComponent, limits: Limits) -> None:
        self._component, self._limits = component, limits
        self._metadata: dict[str, Any] = init_metadata(component)
        self._guard = JsonGuard(limits, len(component.features))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, as WSGI has it."""
        try:
            answer: dict[str, Any] | str = self._route(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ)
        except HttpRefusal as refusal:
            answer = told(refusal.status, refusal.reason, refusal.message)
        except Refusal as refusal:
            answer = told(refusal.status, refusal.code, str(refusal))
        except SeldonMicroserviceException as error:
            answer = told(error.status_code, error.reason, error.message)
        except Exception as error:  # noqa: BLE001 - else gunicorn would show a page of its own
            _log.error("a request ended with an error of ours", exc_info=error)
            answer = told(500, "unexpected", "the server failed on this request; its log says more")
        return _respond(answer, environ["PATH_INFO"], start_response)

    def _route(self, method: str, path: str, environ: dict[str, Any]) -> dict[str, Any] | str:
        allowed = _METHODS.get(path)
        if allowed is None:
            raise HttpRefusal(404, "not_found", "there is nothing at this path")
        if method not in allowed:
            raise HttpRefusal(405, "method_not_allowed", f"this path takes {allowed[0]}")
        if path in PREDICTIONS:
            return self._predict(environ)
        if path in METADATA:
            return self._metadata
        return "pong" if path == PING else self._component.health_status_raw()

    def _predict(self, environ: dict[str, Any]) -> dict[str, Any]:
        # at the limit nothing is parsed: refusing must cost next to nothing, or it slows those that are answered
        self._component.look()
        headers = [(name, environ[key].encode("latin-1")) for key, name in _OF_THE_BODY if environ.get(key)]
        check_type(headers)
        body = unpack(environ["wsgi.input"].read(), codings_of(headers), self._limits.body_bytes)
        self._guard.check(body)
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            raise HttpRefusal(400, "no_request", "the body is not a request of Seldon's protocol in JSON") from None
        return self._component.predict_raw(message)


def _respond(answer: dict[str, Any] | str, path: str, start_response: Any) -> Iterable[bytes]:
    if isinstance(answer, str):
        code, content, body = 200, "text/plain; charset=utf-8", answer.encode()
    else:
        code = answer["status"]["code"] if "status" in answer else 200
        content, body = "application/json", json.dumps(answer, separators=(",", ":"), allow_nan=False).encode()
    headers = [("Content-Type", content), ("Content-Length", str(len(body)))]
    if code in _MORE:
        headers += _MORE[code]
    if code == 405:
        headers.append(("Allow", ", ".join(_METHODS[path])))
    start_response(f"{code} {HTTPStatus(code).phrase}", headers)
    return (body,)
