"""The process around the adapter for seldon-core: a single one, with gunicorn's threads for REST and gRPC's own threads.

seldon-core itself forks: a process per worker, each with its own model, limit, counters and log, another for gRPC that never
ends on SIGTERM, and one more that collects metrics. Here one process serves the protocol over REST and gRPC, with one of each;
it is not forked, so that TensorFlow can be used in it.
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

from components._core.examples.reference_rows import Reference
from components._core.types.json_values import LineError, NotJsonError, parse_value
from components._core.types.signature import Signature
from components._predictor.predictor import Predictor
from components._predictor.refusals import Refusal
from components.serve.admission import DRAIN_SECONDS, AdmissionControl
from components.serve.http_refusals import HttpRefusal
from components.serve.json_guard import JsonGuard
from components.serve.label_intake import CLOSED, LabelIntake
from components.serve.limits import Limits
from components.serve.request_body import BYTE_ORDER_MARK, CODINGS, check_type, codings_of, unpack
from components.serve.seldon_connections import HEALTH, Worker
from components.serve.seldon_runtime import NaruComponent, NaruServicer, failure_response
from components.serve.served_model import load_served

_SPARE_THREADS = 8
"""Threads beyond the concurrency limit, which refuse the requests beyond it."""
PREDICTIONS = frozenset({"/api/v1.0/predictions", "/api/v0.1/predictions", "/predict"})
FEEDBACK = frozenset({"/api/v1.0/feedback", "/api/v0.1/feedback", "/send-feedback"})
METADATA = frozenset({"/metadata", "/api/v1.0/metadata"})
PING = "/health/ping"
_METHODS = dict.fromkeys(PREDICTIONS | FEEDBACK, ("POST",)) | dict.fromkeys(METADATA | HEALTH, ("GET", "HEAD"))
_MORE = {429: [("Retry-After", "1")], 415: [("Accept", "application/json"), ("Accept-Encoding", CODINGS)]}
_OF_THE_BODY = (("CONTENT_TYPE", b"content-type"), ("HTTP_CONTENT_ENCODING", b"content-encoding"))
_log = logging.getLogger("naru.serve")


def serve(options: argparse.Namespace, admission: AdmissionControl, intake: LabelIntake | None = None) -> None:
    """Serve a model folder until a signal comes.

    Args:
        options: Command-line options of `components/serve/__main__.py`.
        admission: Admission control of all requests.
        intake: Takes posted labels; None: they are refused.

    Raises:
        ModelError: When the model does not load.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    signature = Signature.load(options.model)
    options.limits = options.limits.for_model(signature.accepted)
    threshold = Reference.load(options.model).threshold
    component = NaruComponent(options.name, options.version, signature, admission, options.limits, threshold)
    worker = _worker(options, component, intake)
    with ThreadPoolExecutor(1) as loader, _grpc_server(options, component, intake) as grpc_server:
        loading = loader.submit(load_served, options.model, options.limits.rows)
        loading.add_done_callback(lambda loaded: _announce(loaded, component, worker, grpc_server, options))
        if options.while_stdin:
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        worker.init_process()  # until it ends
    if loading.done():
        loading.result()


def _announce(
    loaded: Future[Predictor], component: NaruComponent, worker: Worker, grpc_server: Any, options: argparse.Namespace
) -> None:
    if loaded.exception() is not None:
        worker.hang_up()
        return
    component.predictor = loaded.result()
    grpc_server.start()
    print(f"ready: http://{options.host}:{options.port}/api/v1.0/predictions", flush=True)


@contextmanager
def _grpc_server(options: argparse.Namespace, component: NaruComponent, intake: LabelIntake | None) -> Iterator[Any]:
    """Make a server, to be started when the model is loaded; after the `with` block it answers pending requests and stops."""
    limits: Limits = options.limits
    threads = ThreadPoolExecutor(options.max_concurrency + _SPARE_THREADS)
    grpc_options = [
        ("grpc.so_reuseport", 0),
        # a message above the limit is refused here, with a message; far above it gRPC refuses it without receiving it
        ("grpc.max_receive_message_length", 4 * limits.body_bytes),
        ("grpc.max_metadata_size", limits.header_bytes),
        ("grpc.server_handshake_timeout_ms", int(1_000 * limits.head_seconds)),
    ]
    server = grpc.server(threads, options=grpc_options)
    server.add_generic_rpc_handlers(NaruServicer(component, limits, intake).handlers())
    server.add_insecure_port(f"{options.host}:{options.grpc_port}")
    try:
        yield server
    finally:
        server.stop(DRAIN_SECONDS).wait()


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _worker(options: argparse.Namespace, component: NaruComponent, intake: LabelIntake | None) -> Worker:
    application = _Application(SeldonApplication(component, options.limits, intake), options)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = socket.create_server((options.host, options.port), family=family, backlog=options.limits.backlog)
    # gunicorn sends head and body separately; without this the body waits 40 ms for the client to acknowledge the head
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
        limits=options.limits,
        notice=options.notice_seconds,
    )


class _Application(BaseApplication):
    def __init__(self, app: SeldonApplication, options: argparse.Namespace) -> None:
        self._app, self._options = app, options
        super().__init__()

    def load_config(self) -> None:
        self.cfg.set("threads", self._options.max_concurrency + _SPARE_THREADS)
        self.cfg.set("limit_request_fields", self._options.limits.headers)
        self.cfg.set("limit_request_field_size", self._options.limits.header_bytes)
        self.cfg.set("limit_request_line", 0)  # bounded with the head
        self.cfg.set("loglevel", "warning")

    def load(self) -> SeldonApplication:
        return self._app


class SeldonApplication:
    """The WSGI application: predictions, labels, probes, metadata.

    seldon-core's own application has more than is needed (transformers, answers to pages of any origin), exposes the
    text of exceptions, and its routing, contexts and hooks take more processor time than the model.

    Args:
        component: The component that answers requests.
        limits: Limits of one request.
        intake: Takes posted labels; None: they are refused.
    """

    def __init__(self, component: NaruComponent, limits: Limits, intake: LabelIntake | None = None) -> None:
        self._component, self._limits, self._intake = component, limits, intake
        self._metadata: dict[str, Any] = init_metadata(component)
        self._guard = JsonGuard(limits, len(component.features))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one WSGI request."""
        try:
            answer: dict[str, Any] | str = self._route(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ)
        except HttpRefusal as refusal:
            answer = failure_response(refusal.status, refusal.reason, refusal.message)
        except Refusal as refusal:
            answer = failure_response(refusal.status, refusal.code, str(refusal))
        except SeldonMicroserviceException as error:
            answer = failure_response(error.status_code, error.reason, error.message)
        except Exception as error:  # noqa: BLE001 - otherwise gunicorn would show its own error page
            _log.error("internal error on a request", exc_info=error)
            answer = failure_response(500, "unexpected", "internal error; the server's log has the details")
        body = _respond(answer, environ["PATH_INFO"], start_response)
        # gunicorn would drop the body itself, with a line in the log for each probe that sends HEAD
        return () if environ["REQUEST_METHOD"] == "HEAD" else body

    def _route(self, method: str, path: str, environ: dict[str, Any]) -> dict[str, Any] | str:
        allowed = _METHODS.get(path)
        if allowed is None:
            raise HttpRefusal(404, "not_found", "this path is not served")
        if method not in allowed:
            raise HttpRefusal(405, "method_not_allowed", f"this path allows {allowed[0]} only")
        if path in PREDICTIONS:
            return self._predict(environ)
        if path in FEEDBACK:
            return self._take_labels(environ)
        if path in METADATA:
            return self._metadata
        return "pong" if path == PING else self._component.health_status_raw()

    def _predict(self, environ: dict[str, Any]) -> dict[str, Any]:
        # at the limit nothing is parsed: an expensive refusal would slow the requests that are answered
        self._component.check_capacity()
        body = _read_body(environ, self._limits.body_bytes)
        body = body.removeprefix(BYTE_ORDER_MARK)
        self._guard.check(body)
        try:
            message = parse_value(body)
        except NotJsonError:
            message = "the body is not a request of Seldon's protocol in JSON, in UTF-8"
            raise HttpRefusal(400, "no_request", message) from None
        except LineError as error:
            raise Refusal("wrong_shape", f"in the body {error}; send each key once") from None
        return self._component.predict_raw(message)

    def _take_labels(self, environ: dict[str, Any]) -> dict[str, Any]:
        intake = self._intake
        if intake is None:
            raise HttpRefusal(404, "not_found", CLOSED)
        with intake.counted(), intake.admission.hold():
            message = intake.rules.parse_truth(_read_body(environ, intake.rules.body_bytes))
            puid, taken = intake.take_truth(message)
        return self._component.answer_feedback(puid, taken)


def _read_body(environ: dict[str, Any], most: int) -> bytes:
    """Return the unpacked body.

    Raises:
        Refusal: When its type or coding is not supported, or it is too large.
    """
    headers = [(name, environ[key].encode("latin-1")) for key, name in _OF_THE_BODY if environ.get(key)]
    check_type(headers)
    body: bytes = environ["wsgi.input"].read()
    if len(body) > most:
        raise Refusal("too_large", f"the body is too long; at most {most} bytes are allowed here")
    return unpack(body, codings_of(headers), most)


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
