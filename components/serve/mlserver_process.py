"""The process around the adapter for MLServer: starts it, announces that it is ready, shuts it down cleanly."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from typing import Any

import uvicorn
from mlserver import MLServer, ModelSettings, Settings
from mlserver.settings import ModelParameters

from components._core.errors import ConfigError
from components._core.types.oip_paths import model_path, ready_path
from components.serve.admission import AdmissionControl
from components.serve.early_refusals import EarlyRefusals
from components.serve.fast_path import FastPath
from components.serve.http_connections import ACCEPTED_AT_ONCE, Connections
from components.serve.label_intake import LabelIntake
from components.serve.limits import max_connections
from components.serve.mlserver_grpc import GrpcFastPath
from components.serve.mlserver_hardening import harden
from components.serve.mlserver_runtime import NaruRuntime
from components.serve.shutdown import Shutdown

_POLL_SECONDS = 0.05
_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "short"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        # the adapter logs what concerns a request; MLServer would add a traceback for every refused one
        "mlserver": {"handlers": [], "level": "CRITICAL", "propagate": True},
        "urllib3": {"level": "ERROR"},  # the request log reports once that its store is unavailable, not at every retry
        "uvicorn": {"level": "WARNING"},
        "uvicorn.error": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
    },
}


def serve(options: argparse.Namespace, admission: AdmissionControl, intake: LabelIntake | None = None) -> None:
    """Serve a model folder until a signal comes.

    Args:
        options: Command-line options of `components/serve/__main__.py`.
        admission: Admission control of all requests.
        intake: Takes posted labels; None: they are refused.

    Raises:
        ConfigError: When another process has taken the port since it was checked.
        ModelError: When the model does not load.
    """
    try:
        # not on uvloop: it defers reading what arrived meanwhile, which is then neither counted nor refused
        asyncio.run(_serve(options, admission, intake))
    except SystemExit:  # how uvicorn ends when it cannot bind its port
        where, remedy = f"{options.host}:{options.port}", "choose another port with --port"
        raise ConfigError("cannot bind the port: address already in use", where=where, remedy=remedy) from None


async def _serve(options: argparse.Namespace, admission: AdmissionControl, intake: LabelIntake | None) -> None:
    fast_path = FastPath(options.name, options.version, options.limits, intake)
    grpc_fast_path = GrpcFastPath(options.name, options.version, options.limits)
    early = EarlyRefusals(admission, fast_path.infer_paths)
    connections = Connections(options.limits, max_connections(), early)
    with tempfile.TemporaryDirectory(prefix="naru-serve-") as empty:
        # an empty repository: no request can make this server load another model
        settings = Settings(
            debug=False,
            server_name="naru",
            server_version="",  # a version would help an attacker
            parallel_workers=0,
            host=options.host,
            http_port=options.port,
            grpc_port=options.grpc_port,
            metrics_endpoint=None,  # Naru serves its own: MLServer's middleware costs more than they do
            model_repository_root=empty,
            load_models_at_startup=False,
            logging_settings=_LOGGING,
        )
        extra = {
            "limits": options.limits,
            "admission": admission,
            "fast_path": fast_path,
            "grpc_fast_path": grpc_fast_path,
        }
        parameters = ModelParameters(uri=str(options.model), version=options.version or None, extra=extra)
        model = ModelSettings(name=options.name, implementation=NaruRuntime, parameters=parameters)
        server = MLServer(settings)
        harden(server)
        fast_path.install(server)
        grpc_fast_path.install(server)
        _use_bounded_connections(server, connections, options)
        await _run(server, model, options, connections)
    if NaruRuntime.failure:
        raise NaruRuntime.failure


def _use_bounded_connections(server: Any, connections: Connections, options: argparse.Namespace) -> None:
    """Make uvicorn use Naru's bounded connections, for which MLServer has no setting."""
    rest = server._rest_server
    rest._get_config = lambda: uvicorn.Config(
        rest._app,
        host=options.host,
        port=options.port,
        http=connections.make,  # type: ignore[arg-type]  # uvicorn calls it like a class
        ws="none",
        lifespan="auto",
        server_header=False,
        access_log=False,
        log_config=_LOGGING,
        backlog=ACCEPTED_AT_ONCE,
    )


async def _run(server: Any, model: Any, options: argparse.Namespace, connections: Connections) -> None:
    running = asyncio.create_task(server.start([model]))
    shutdown = Shutdown(server, connections, options.notice_seconds)
    announced = asyncio.create_task(_announce(options, shutdown))
    watching = asyncio.create_task(connections.watch(server))
    if options.while_stdin:
        asyncio.get_running_loop().add_reader(sys.stdin, _end_with_stdin)
    try:
        await running
    finally:
        for task in (announced, watching):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _end_with_stdin() -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin)
        os.kill(os.getpid(), signal.SIGTERM)


async def _announce(options: argparse.Namespace, shutdown: Shutdown) -> None:
    path = ready_path(options.name)
    while not await _answers(options.host, options.port, path):
        await asyncio.sleep(_POLL_SECONDS)
    shutdown.handle_signals()  # not earlier: uvicorn installs its own handlers when its port opens
    print(f"ready: http://{options.host}:{options.port}{model_path(options.name)}", flush=True)


async def _answers(host: str, port: int, path: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        await writer.drain()
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
