"""Serve one model folder: `python -m components.serve --model DIR --name NAME --version V --port N`.

Prints one line when it is ready and exits with 0 on SIGTERM or Ctrl-C. When the model does not load or the port is taken, it
prints one sentence and exits with the code of that kind of error (see `components/_core/errors.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from components._core.errors import ConfigError, ModelError, NaruError
from components._core.request_log.value_hashes import require_hasher
from components._core.setting_names import LOG_KEY
from components._core.store.file_digests import verify_model
from components._core.types.artifact_files import DIGESTS
from components._core.types.oip_paths import infer_path
from components._core.types.signature import Signature
from components.serve.admission import MAX_CONCURRENCY, AdmissionControl
from components.serve.label_intake import LabelIntake
from components.serve.label_log import LabelLog
from components.serve.label_rules import LabelRules
from components.serve.limits import add_options, limits_from
from components.serve.live_test.challenger_client import ChallengerClient
from components.serve.live_test.contract import LiveTestSettings
from components.serve.live_test.table import MODES
from components.serve.monitoring_gauges import MonitoringGauges
from components.serve.polled_collector import EVERY_SECONDS, PolledCollector
from components.serve.prometheus_metrics import Metrics, serve_metrics
from components.serve.request_log import LogSettings, RequestLog
from components.serve.trigger_gauges import TriggerGauges

_A_DAY = 86_400
_LEAST_SECONDS = 0.1
_DIGEST_HELP = f"registered SHA-256 of the folder's {DIGESTS}; a folder with another digest is not served"


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; return the exit code."""
    options = _parse(arguments)
    _silence_libraries()
    try:
        _check_model(options.model, options.model_sha256)
        _check_port(options.host, options.port, "--port")
        _check_port(options.host, options.grpc_port, "--grpc-port")
        _check_port(options.host, options.metrics_port, "--metrics-port")
        with _open_log(options) as log:
            admission = AdmissionControl(options.max_concurrency, Metrics(options.name, options.version), log)
            with (
                _gauges(options, admission.metrics),
                _open_intake(options, admission) as intake,
                _live_test(options, admission),
                serve_metrics(admission.metrics, options.host, options.metrics_port),
            ):
                _import_server(options.protocol)(options, admission, intake)
    except NaruError as error:
        sys.stderr.write(f"naru: serve: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


_PACKAGES = {"seldon_core": "seldon-core", "mlserver": "mlserver"}


def _import_server(protocol: str) -> Callable[[argparse.Namespace, AdmissionControl, LabelIntake | None], None]:
    """Import a protocol's server: an image has only one of the two, and each import takes seconds."""
    try:
        if protocol == "seldon":
            from components.serve.seldon_process import serve
        else:
            from components.serve.mlserver_process import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        message = f"{protocol!r} needs the package {_PACKAGES[str(error.name).partition('.')[0]]}, which is not installed here"
        remedy = "use the server's image for this protocol (images/README.md), or an environment with the package"
        raise ConfigError(message, where="--protocol", remedy=remedy) from None
    return serve


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m components.serve", description="Serve one model folder.")
    parser.add_argument("--model", type=Path, required=True, help="folder with signature.json and saved_model/")
    parser.add_argument(
        "--protocol", choices=("v2", "seldon"), default="v2", help="v2 (MLServer) or seldon (seldon-core)"
    )
    parser.add_argument(
        "--name", type=_name, required=True, help=f"name of the model; part of the v2 URL: {infer_path('NAME')}"
    )
    parser.add_argument("--version", type=_version, default="", help="version that is returned with each answer")
    parser.add_argument("--model-sha256", type=_sha256, default="", metavar="HEX", help=_DIGEST_HELP)
    parser.add_argument("--port", type=int, required=True, help="HTTP port")
    parser.add_argument("--grpc-port", type=int, default=0, help="gRPC port; 0: any free port")
    parser.add_argument("--metrics-port", type=int, default=0, help="HTTP port of /metrics; 0: none")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: loopback")
    parser.add_argument(
        "--while-stdin", action="store_true", help="exit when standard input closes, so with the parent process"
    )
    parser.add_argument("--max-concurrency", type=_at_least_one, default=MAX_CONCURRENCY, help="concurrent requests")
    parser.add_argument(
        "--notice-seconds", type=_seconds, default=0.0, help="seconds to report not ready before the port closes"
    )
    add_options(parser)
    _add_log(parser)
    _add_feedback(parser)
    _add_live_test(parser)
    _add_monitoring(parser)
    options = parser.parse_args(arguments)
    if options.live_test and not (options.challenger and options.live_test_log):
        parser.error("--live-test needs --challenger and --live-test-log")
    options.limits = limits_from(options)
    return options


def _add_log(parser: argparse.ArgumentParser) -> None:
    log = parser.add_argument_group("request log")
    log.add_argument(
        "--log",
        default="",
        metavar="URI",
        help="folder, s3://bucket/prefix or gs://bucket/prefix for answered requests; default: off",
    )
    log.add_argument("--log-sample", type=_share, default=1.0, help="share of requests to log, 0 to 1")
    log.add_argument("--log-mask", default="", metavar="FEATURE,...", help="features whose values are not logged")
    log.add_argument(
        "--log-hash",
        default="",
        metavar="FEATURE,...",
        help=f"those of --log-mask of which a hash is logged; its key is in the environment variable {LOG_KEY}",
    )
    log.add_argument(
        "--log-pictures",
        choices=("reference", "keep"),
        default="reference",
        help="what is logged of a picture: its hash, size and measures; or its bytes too",
    )
    log.add_argument(
        "--log-flush-rows", type=_at_least_one, default=1_000, help="write an object when this many rows wait"
    )
    log.add_argument("--log-flush-seconds", type=_seconds, default=30.0, help="or after this many seconds")


def _add_feedback(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("labels of answers")
    group.add_argument(
        "--feedback",
        default="",
        metavar="URI",
        help="take labels, and write them to this folder, s3://bucket/prefix or gs://bucket/prefix when the request log is written; default: "
        "refuse them",
    )


def _add_live_test(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("live test of another version, whose server runs beside this one")
    group.add_argument(
        "--live-test",
        choices=sorted(MODES),
        default="",
        help="shadow: copy requests to it, and compare the answers; ab: let it answer a share of them; default: neither",
    )
    group.add_argument(
        "--challenger", type=_http_url, default="", metavar="URL", help="address of its server: http://HOST:PORT"
    )
    group.add_argument("--challenger-version", type=_version, default="", help="the version that must answer there")
    group.add_argument(
        "--live-test-log", default="", metavar="URI", help="folder or s3://bucket/prefix of both answers"
    )
    group.add_argument("--live-test-name", default="", help="name of the test, with which assignments are salted")
    group.add_argument("--live-test-share", type=_share, default=1.0, help="share of the requests, 0 to 1")
    group.add_argument(
        "--live-test-key",
        default="",
        metavar="FEATURE",
        help="ab: feature by whose value requests are assigned; default: their id",
    )


def _add_monitoring(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("results of the monitor and decisions of triggers, as gauges at the metrics port")
    group.add_argument(
        "--monitoring", default="", metavar="URI", help="folder or s3://bucket/prefix of the project's monitor"
    )
    group.add_argument(
        "--triggers",
        default="",
        metavar="URI",
        help="folder or s3://bucket/prefix of the log of the project's triggers",
    )
    group.add_argument(
        "--monitoring-seconds",
        type=_seconds,
        default=EVERY_SECONDS,
        help=f"time between two looks for something newer; default {EVERY_SECONDS:g}",
    )


def _http_url(text: str) -> str:
    if text and not re.fullmatch(r"http://[^/@\s]+:\d{1,5}/?", text):
        raise argparse.ArgumentTypeError(f"found {text!r}; allowed: http://HOST:PORT")
    return text


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("found an empty name")
    return _version(text)


def _version(text: str) -> str:
    if not text.isprintable() or "/" in text:  # it is a part of URLs and of metrics' labels
        raise argparse.ArgumentTypeError(f"found {text!a}; allowed: printable characters without a slash")
    return text


def _sha256(text: str) -> str:
    if text and not re.fullmatch(r"[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"found {text!r}; allowed: 64 hexadecimal digits, lower case")
    return text


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"found {text}; must be at least 1")
    return number


def _share(text: str) -> float:
    if not 0 <= (share := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"found {text}; allowed: 0 to 1")
    return share


def _seconds(text: str) -> float:
    if not 0 <= (seconds := float(text)) <= _A_DAY:
        raise argparse.ArgumentTypeError(f"found {text}; allowed: 0 to {_A_DAY} seconds")
    return seconds


def _silence_libraries() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's notes on the machine; its errors are raised
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries warn about one another; an operator cannot act on that


def _check_model(model: Path, digest: str) -> None:
    if not (model / "signature.json").is_file():
        remedy = "name a model folder: one with signature.json and saved_model/"
        raise ModelError("the folder holds no model", where=str(model), remedy=remedy)
    verify_model(model, digest)


def _check_port(host: str, port: int, option: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            where, remedy = f"{host}:{port}", f"choose another port with {option}"
            raise ConfigError(f"cannot bind the port: {error.strerror}", where=where, remedy=remedy) from None


@contextlib.contextmanager
def _open_log(options: argparse.Namespace) -> Iterator[RequestLog | None]:
    """Open the log for a `with` block around the server, so that it closes after the last answer."""
    if not options.log:
        yield None
        return
    hashed = [*filter(None, options.log_hash.split(","))]
    signature = _signature(options.model)
    pictures = signature.picture_names if options.log_pictures == "reference" else frozenset()
    settings = LogSettings(
        uri=options.log,
        sample=options.log_sample,
        masked=frozenset(filter(None, options.log_mask.split(","))) | pictures,
        hashed=frozenset(hashed),
        hasher=require_hasher(hashed),
        flush_rows=options.log_flush_rows,
        flush_seconds=options.log_flush_seconds,
        pictures=pictures,
    )
    settings.check([feature.name for feature in signature.accepted])
    with contextlib.closing(RequestLog(settings, options.name, options.version, signature.fingerprint)) as log:
        yield log


@contextlib.contextmanager
def _open_intake(options: argparse.Namespace, admission: AdmissionControl) -> Iterator[LabelIntake | None]:
    """Open the log of posted labels for a `with` block around the server."""
    if not options.feedback:
        yield None
        return
    settings = LogSettings(
        uri=options.feedback, flush_rows=options.log_flush_rows, flush_seconds=options.log_flush_seconds
    )
    settings.check([], "--feedback")
    rules = LabelRules(_signature(options.model), options.limits)
    with contextlib.closing(LabelLog(settings)) as log:
        yield LabelIntake(rules, log, admission)


@contextlib.contextmanager
def _live_test(options: argparse.Namespace, admission: AdmissionControl) -> Iterator[None]:
    """Keep a version under test beside the model during a `with` block around the server."""
    if not options.live_test:
        yield
        return
    signature, key = _signature(options.model), options.live_test_key
    if key and key not in [feature.name for feature in signature.inputs]:
        names = ", ".join(feature.name for feature in signature.inputs)
        raise ConfigError(f"{key!r} is not a feature of the model; it takes {names}", where="--live-test-key")
    log = LogSettings(
        uri=options.live_test_log, flush_rows=options.log_flush_rows, flush_seconds=options.log_flush_seconds
    )
    log.check([], "--live-test-log")
    settings = LiveTestSettings(
        options.live_test_name, options.version, options.challenger_version, options.live_test_share, key
    )
    client = ChallengerClient(options.challenger, options.name, options.challenger_version, options.protocol, signature)
    lines = LabelLog(log, "lines of a live test")
    test = MODES[options.live_test](settings, client, lines, lambda: admission.is_pressed)
    admission.live_test = test
    admission.metrics.add_collector(test)
    with contextlib.closing(test):
        yield


@contextlib.contextmanager
def _gauges(options: argparse.Namespace, metrics: Metrics) -> Iterator[None]:
    """Export the monitor's results and the log of triggers during a `with` block, where there is a port to read them at."""
    every = max(options.monitoring_seconds, _LEAST_SECONDS)
    collectors: list[PolledCollector] = []
    if options.monitoring and options.metrics_port:
        collectors.append(MonitoringGauges(options.monitoring, options.version, every))
    if options.triggers and options.metrics_port:
        collectors.append(TriggerGauges(options.triggers, every))
    with contextlib.ExitStack() as stack:
        for collector in collectors:
            metrics.add_collector(collector)
            stack.enter_context(collector.kept_up_to_date())
        yield


def _signature(model: Path) -> Signature:
    try:
        return Signature.load(model)
    except (OSError, ValueError, LookupError, TypeError) as error:
        message = f"cannot read signature.json: {type(error).__name__}"
        raise ModelError(message, where=str(model), remedy="train the model again") from error


if __name__ == "__main__":
    sys.exit(main())
