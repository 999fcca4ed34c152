"""Serve one model folder: `python -m components.serve --model DIR --name NAME --version V --port N`.

Prints one line when it is ready and ends with 0 on SIGTERM or Ctrl-C. When the model does not load or the port is taken it
says so in one sentence and ends with the exit code of that kind of error (see `components/_core/errors.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components._core.errors import ConfigError, ModelError, NaruError
from components._core.features import Signature
from components.serve.desk import MAX_CONCURRENCY, Desk
from components.serve.ending import Ending
from components.serve.metrics import Metrics, published
from components.serve.predictor import MAX_ROWS
from components.serve.request_log import LogSettings, RequestLog

_POLL_SECONDS = 0.05
_A_DAY = 86_400
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


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal comes; returns the exit code."""
    asked = _parse(arguments)
    _be_quiet()
    try:
        _check_model(asked.model)
        _check_port(asked.host, asked.port, "--port")
        _check_port(asked.host, asked.metrics_port, "--metrics-port")
        with _open_log(asked) as log:
            desk = Desk(asked.max_concurrency, Metrics(asked.name, asked.version), log)
            with published(desk.metrics, asked.host, asked.metrics_port):
                asyncio.run(_serve(asked, desk))
    except NaruError as error:
        sys.stderr.write(f"naru: serve: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m components.serve", description="Serve one model folder.")
    parser.add_argument("--model", type=Path, required=True, help="folder with signature.json and saved_model/")
    parser.add_argument("--name", required=True, help="name in the URL: /v2/models/NAME/infer")
    parser.add_argument("--version", default="", help="version that answers carry")
    parser.add_argument("--port", type=int, required=True, help="HTTP port")
    parser.add_argument("--grpc-port", type=int, default=0, help="gRPC port; 0: any free one")
    parser.add_argument("--metrics-port", type=int, default=0, help="HTTP port of /metrics; 0: none")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; loopback unless told otherwise")
    parser.add_argument("--while-stdin", action="store_true", help="end when standard input closes: with its starter")
    parser.add_argument("--max-rows", type=int, default=MAX_ROWS, help="rows that one request may have")
    parser.add_argument(
        "--max-concurrency", type=_at_least_one, default=MAX_CONCURRENCY, help="requests in work at a time"
    )
    parser.add_argument("--notice-seconds", type=_seconds, default=0.0, help="not ready for so long before it hangs up")
    _add_log(parser)
    return parser.parse_args(arguments)


def _add_log(parser: argparse.ArgumentParser) -> None:
    log = parser.add_argument_group("request log")
    log.add_argument(
        "--log", default="", metavar="URI", help="folder or s3://bucket/prefix of answered requests; none: off"
    )
    log.add_argument("--log-sample", type=_share, default=1.0, help="share of requests that is logged, 0 to 1")
    log.add_argument("--log-mask", default="", metavar="FEATURE,...", help="features whose values are not logged")
    log.add_argument("--log-flush-rows", type=_at_least_one, default=1_000, help="rows that are written together")
    log.add_argument("--log-flush-seconds", type=_seconds, default=30.0, help="or what came in so many seconds")


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"found {text}; at least 1 is needed")
    return number


def _share(text: str) -> float:
    if not 0 <= (share := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"found {text}; allowed: 0 to 1")
    return share


def _seconds(text: str) -> float:
    if not 0 <= (seconds := float(text)) <= _A_DAY:
        raise argparse.ArgumentTypeError(f"found {text}; allowed: 0 to {_A_DAY} seconds")
    return seconds


def _be_quiet() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's remarks on the machine; its errors are raised
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries about one another; no one who serves can act on them


def _check_model(model: Path) -> None:
    if not (model / "signature.json").is_file():
        remedy = "name a model folder: one with signature.json and saved_model/"
        raise ModelError("holds no model", where=str(model), remedy=remedy)


def _check_port(host: str, port: int, option: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            where, remedy = f"{host}:{port}", f"choose another one with {option}"
            raise ConfigError(f"the port cannot be had: {error.strerror}", where=where, remedy=remedy) from None


@contextlib.contextmanager
def _open_log(asked: argparse.Namespace) -> Iterator[RequestLog | None]:
    """The log during a `with` block; it ends after the server, when every request has been answered."""
    if not asked.log:
        yield None
        return
    settings = LogSettings(
        uri=asked.log,
        sample=asked.log_sample,
        masked=frozenset(filter(None, asked.log_mask.split(","))),
        flush_rows=asked.log_flush_rows,
        flush_seconds=asked.log_flush_seconds,
    )
    settings.check([feature.name for feature in _signature(asked.model).inputs])
    with contextlib.closing(RequestLog(settings, asked.name, asked.version)) as log:
        yield log


def _signature(model: Path) -> Signature:
    try:
        return Signature.load(model)
    except (OSError, ValueError, LookupError, TypeError) as error:
        told = f"signature.json cannot be read: {type(error).__name__}"
        raise ModelError(told, where=str(model), remedy="train the model again") from error


async def _serve(asked: argparse.Namespace, desk: Desk) -> None:
    from mlserver import MLServer, ModelSettings, Settings
    from mlserver.settings import ModelParameters

    from components.serve.front import Front
    from components.serve.mlserver_runtime import NaruRuntime

    front = Front(asked.name, asked.version)
    with tempfile.TemporaryDirectory(prefix="naru-serve-") as empty:
        # an empty repository: no request can make this server load something else
        settings = Settings(
            debug=False,
            parallel_workers=0,
            host=asked.host,
            http_port=asked.port,
            grpc_port=asked.grpc_port,
            metrics_endpoint=None,  # ours are served beside it: MLServer's middleware costs more than they do
            model_repository_root=empty,
            load_models_at_startup=False,
            logging_settings=_LOGGING,
        )
        extra = {"max_rows": asked.max_rows, "desk": desk, "front": front}
        parameters = ModelParameters(uri=str(asked.model), version=asked.version or None, extra=extra)
        model = ModelSettings(name=asked.name, implementation=NaruRuntime, parameters=parameters)
        server = MLServer(settings)
        front.stand_before(server)
        await _run(server, model, asked)
    if NaruRuntime.failure:
        raise NaruRuntime.failure


async def _run(server: Any, model: Any, asked: argparse.Namespace) -> None:
    running = asyncio.create_task(server.start([model]))
    announced = asyncio.create_task(_announce(asked, Ending(server, asked.notice_seconds)))
    if asked.while_stdin:
        asyncio.get_running_loop().add_reader(sys.stdin, _end_with_stdin)
    try:
        await running
    finally:
        announced.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await announced


def _end_with_stdin() -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin)
        os.kill(os.getpid(), signal.SIGTERM)


async def _announce(asked: argparse.Namespace, ending: Ending) -> None:
    path = f"/v2/models/{asked.name}/ready"
    while not await _answers(asked.host, asked.port, path):
        await asyncio.sleep(_POLL_SECONDS)
    ending.take_over()  # not before: uvicorn takes the signals for itself when its port opens
    print(f"ready: http://{asked.host}:{asked.port}/v2/models/{asked.name}", flush=True)


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


if __name__ == "__main__":
    sys.exit(main())
