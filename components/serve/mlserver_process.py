"""The process around the adapter for MLServer: started, announced when it is ready, ended in good order."""

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

from components._core.types.oip_paths import model_path, ready_path
from components.serve.admission import Desk
from components.serve.fast_path import Front
from components.serve.http_connections import ACCEPTED_AT_ONCE, Connections
from components.serve.limits import max_connections
from components.serve.mlserver_grpc import GrpcFront
from components.serve.mlserver_hardening import guard
from components.serve.mlserver_runtime import NaruRuntime
from components.serve.shutdown import Ending

_POLL_SECONDS = 0.05
_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "short"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        # what concerns a request is logged by the adapter; MLServer would add a traceback to every refused one
        "mlserver": {"handlers": [], "level": "CRITICAL", "propagate": True},
        "urllib3": {"level": "ERROR"},  # the request log says once that its store is away, not at every retry
        "uvicorn": {"level": "WARNING"},
        "uvicorn.error": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
    },
}


def serve(asked: argparse.Namespace, desk: Desk) -> None:
    """Serve a model folder until a signal comes.

    Args:
        asked: What `components/serve/__main__.py` was started with.
        desk: What every request passes.

    Raises:
        ModelError: When the model does not load.
    """
    # not on uvloop: it reads later what came meanwhile, which is then neither counted nor refused
    asyncio.run(_serve(asked, desk))


async def _serve(asked: argparse.Namespace, desk: Desk) -> None:
    front = Front(asked.name, asked.version, asked.limits)
    grpc_front = GrpcFront(asked.name, asked.version, asked.limits)
    connections = Connections(asked.limits, max_connections())
    with tempfile.TemporaryDirectory(prefix="naru-serve-") as empty:
        # an empty repository: no request can make this server load something else
        settings = Settings(
            debug=False,
            server_name="naru",
            server_version="",  # an attacker would look it up
            parallel_workers=0,
            host=asked.host,
            http_port=asked.port,
            grpc_port=asked.grpc_port,
            metrics_endpoint=None,  # ours are served beside it: MLServer's middleware costs more than they do
            model_repository_root=empty,
            load_models_at_startup=False,
            logging_settings=_LOGGING,
        )
        extra = {"limits": asked.limits, "desk": desk, "front": front, "grpc_front": grpc_front}
        parameters = ModelParameters(uri=str(asked.model), version=asked.version or None, extra=extra)
        model = ModelSettings(name=asked.name, implementation=NaruRuntime, parameters=parameters)
        server = MLServer(settings)
        guard(server)
        front.stand_before(server)
        grpc_front.stand_before(server)
        _hold_to_limits(server, connections, asked)
        await _run(server, model, asked, connections)
    if NaruRuntime.failure:
        raise NaruRuntime.failure


def _hold_to_limits(server: Any, connections: Connections, asked: argparse.Namespace) -> None:
    """Let uvicorn make its connections by ours, for which MLServer has no setting."""
    rest = server._rest_server
    rest._get_config = lambda: uvicorn.Config(
        rest._app,
        host=asked.host,
        port=asked.port,
        http=connections.make,  # type: ignore[arg-type]  # uvicorn calls it as it would call a class
        ws="none",
        lifespan="auto",
        server_header=False,
        access_log=False,
        log_config=_LOGGING,
        backlog=ACCEPTED_AT_ONCE,
    )


async def _run(server: Any, model: Any, asked: argparse.Namespace, connections: Connections) -> None:
    running = asyncio.create_task(server.start([model]))
    ending = Ending(server, connections, asked.notice_seconds)
    announced = asyncio.create_task(_announce(asked, ending))
    watching = asyncio.create_task(connections.watch(server))
    if asked.while_stdin:
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


async def _announce(asked: argparse.Namespace, ending: Ending) -> None:
    path = ready_path(asked.name)
    while not await _answers(asked.host, asked.port, path):
        await asyncio.sleep(_POLL_SECONDS)
    ending.take_over()  # not before: uvicorn takes the signals for itself when its port opens
    print(f"ready: http://{asked.host}:{asked.port}{model_path(asked.name)}", flush=True)


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
