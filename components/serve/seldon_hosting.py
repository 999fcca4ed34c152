"""The process around the adapter for seldon-core: one, with gunicorn's threads for REST and gRPC's own beside them.

seldon-core by itself forks: a process per worker, each with its own model, limit, counters and log, another for gRPC that
never ends on SIGTERM, and one more through which metrics pass. Here its REST application and its gRPC services are hosted in
one process, which is not forked, so that TensorFlow may be used in it, and there is one of each.
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
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

import grpc
from flask import Flask, Response, jsonify
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker
from seldon_core.flask_utils import SeldonMicroserviceException
from seldon_core.proto import prediction_pb2_grpc
from seldon_core.wrapper import get_rest_microservice
from werkzeug.exceptions import HTTPException

from components._core.features import Signature
from components.serve.desk import OWED_SECONDS, Desk
from components.serve.predictor import Predictor, load
from components.serve.seldon_runtime import NaruComponent, NaruServicer, NoMetrics, told

_SPARE_THREADS = 8
"""Threads above the limit, to refuse what comes above it and to answer probes meanwhile."""
_CONNECTIONS = 4_096
_BACKLOG = 2_048
_PREDICTIONS = frozenset({"/api/v1.0/predictions", "/api/v0.1/predictions", "/predict"})
_NO_REQUEST = told(400, "no_request", "the body is no request of Seldon's protocol in JSON")
_RETRY = {429: [("Retry-After", "1")]}
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
    component = NaruComponent(asked.name, asked.version, Signature.load(asked.model), desk)
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
    loaded: Future[Predictor], component: NaruComponent, worker: _Worker, grpc_server: Any, asked: argparse.Namespace
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
    threads = ThreadPoolExecutor(asked.max_concurrency + _SPARE_THREADS)
    server = grpc.server(threads, options=[("grpc.so_reuseport", 0)])
    servicer = NaruServicer(component, NoMetrics())
    prediction_pb2_grpc.add_SeldonServicer_to_server(servicer, server)
    prediction_pb2_grpc.add_ModelServicer_to_server(servicer, server)
    server.add_insecure_port(f"{asked.host}:{asked.grpc_port}")
    try:
        yield server
    finally:
        server.stop(OWED_SECONDS).wait()


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class _Worker(ThreadWorker):
    """Gunicorn's worker without a master over it, whose signals lead to an ending in good order."""

    def __init__(self, *args: Any, component: NaruComponent, notice: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._component, self._notice = component, notice
        self._taken: weakref.WeakSet[Any] = weakref.WeakSet()

    def init_signals(self) -> None:
        """The first signal begins the end, and others change nothing."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._begin_to_end)

    def _begin_to_end(self, *_: object) -> None:
        if not self._component.ending:
            self._component.ending = True
            timer = threading.Timer(self._notice, self.hang_up)
            timer.daemon = True
            timer.start()

    def hang_up(self) -> None:
        """Take no new connection, and end when what was taken in is answered."""
        self.handle_exit(signal.SIGTERM, None)

    def set_accept_enabled(self, enabled: bool) -> None:
        """At the end take in who has come, and close the port: left open, it would let others come and wait for nothing."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._accept_all(listener)
                listener.close()

    def _accept_all(self, listener: socket.socket) -> None:
        known = -1
        while known != self.nr_conns:
            known = self.nr_conns
            self.accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        """Remember connections, for the end."""
        self._taken.add(conn)
        super().enqueue_req(conn)

    def run(self) -> None:
        """Serve; at the end, threads that wait for the rest of a request wait no longer."""
        super().run()
        for connection in list(self._taken):
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)


def _worker(asked: argparse.Namespace, component: NaruComponent) -> _Worker:
    application = _Application(FrontDoor(component, _app(component)), asked)
    family = socket.AF_INET6 if ":" in asked.host else socket.AF_INET
    listening = socket.create_server((asked.host, asked.port), family=family, backlog=_BACKLOG)
    # gunicorn sends head and body apart, and without this the body waits 40 ms for the client to acknowledge the head
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    cfg = application.cfg
    log = cfg.logger_class(cfg)
    return _Worker(
        0,
        os.getppid(),
        [listening],
        application,
        cfg.timeout,
        cfg,
        log,
        component=component,
        notice=asked.notice_seconds,
    )


class _Application(BaseApplication):
    def __init__(self, app: FrontDoor, asked: argparse.Namespace) -> None:
        self._app, self._asked = app, asked
        super().__init__()

    def load_config(self) -> None:
        self.cfg.set("threads", self._asked.max_concurrency + _SPARE_THREADS)
        self.cfg.set("worker_connections", _CONNECTIONS)
        self.cfg.set("graceful_timeout", OWED_SECONDS)
        self.cfg.set("keepalive", 75)
        self.cfg.set("loglevel", "warning")

    def load(self) -> FrontDoor:
        return self._app


class FrontDoor:
    """Answers predictions in JSON itself and leaves all else to seldon-core's application.

    Flask's routing, contexts and hooks take more of a processor than the model does, and here nothing needs them.
    """

    def __init__(self, component: NaruComponent, others: Flask) -> None:
        self._component, self._others = component, others

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, as WSGI has it."""
        if _is_prediction(environ):
            return _respond(self._answer(environ["wsgi.input"].read()), start_response)
        others: Iterable[bytes] = self._others(environ, start_response)
        return others

    def _answer(self, body: bytes) -> dict[str, Any]:
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            return _NO_REQUEST
        try:
            return self._component.predict_raw(message)
        except SeldonMicroserviceException as error:
            return told(error.status_code, error.reason, error.message)
        except Exception as error:  # noqa: BLE001 - else gunicorn would show a page of its own
            return _unexpected(error)


def _is_prediction(environ: dict[str, Any]) -> bool:
    is_json = environ.get("CONTENT_TYPE", "").startswith("application/json")
    return is_json and environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] in _PREDICTIONS


def _respond(answer: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    code = answer["status"]["code"] if "status" in answer else 200
    body = json.dumps(answer, separators=(",", ":"), allow_nan=False).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *_RETRY.get(code, ())]
    start_response(f"{code} {HTTPStatus(code).phrase}", headers)
    return (body,)


def _app(component: NaruComponent) -> Flask:
    """seldon-core's application; only what it says of errors is ours, as it would show the text of an exception."""
    app: Flask = get_rest_microservice(component, NoMetrics())
    app.json.sort_keys = False
    app.register_error_handler(HTTPException, _tell_http)
    app.register_error_handler(SeldonMicroserviceException, _tell_seldon)
    app.register_error_handler(Exception, _tell_unexpected)
    app.after_request(_retry_later)
    return app


def _tell_http(error: HTTPException) -> tuple[Response, int]:
    code = error.code or 500
    return jsonify(told(code, "http", error.name)), code


def _tell_seldon(error: SeldonMicroserviceException) -> tuple[Response, int]:
    """In our words, as its own hold what a parser said."""
    if error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return jsonify(told(error.status_code, error.reason, error.message)), error.status_code
    return jsonify(_NO_REQUEST), 400


def _tell_unexpected(error: Exception) -> tuple[Response, int]:
    return jsonify(_unexpected(error)), 500


def _unexpected(error: Exception) -> dict[str, Any]:
    _log.error("a request ended with an error of ours", exc_info=error)
    return told(500, "unexpected", "the server failed on this request; its log says more")


def _retry_later(response: Response) -> Response:
    response.headers.extend(_RETRY.get(response.status_code, ()))
    return response
