"""The limits of both servers on one request and on one connection.

A request over a limit is refused as early as possible: by its head, else while its body is read, else before its values become
arrays. Some limits are settings of the project (`serve.max_*`, docs/serving.md) and options of the server; the others are fixed.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from components._core.types.signature import Feature
from components._predictor.feature_values import MAX_ROWS

KIB = 1 << 10
MIB = 1 << 20

_RESERVED_FILES = 64
"""Open files other than connections: the model's, the log's, standard streams, gRPC's own."""
_MAX_CONNECTIONS = 4_096
_WANTED_FILES = 2 * _MAX_CONNECTIONS


@dataclass(frozen=True)
class Limits:
    """Bounds on one request and one connection."""

    body_bytes: int = 16 * MIB
    """Bytes of a body as sent, and again after unpacking; also of a gRPC message. 10,000 rows of 100 numbers are 10 MB."""

    rows: int = MAX_ROWS
    """Rows of one request."""

    inputs: int = 1_000
    """Inputs (features) named by one request. Never below the number that the model takes, see `for_model`."""

    name_bytes: int = 256
    """Bytes of an input's name in UTF-8. Never below the model's longest name, see `for_model`."""

    id_bytes: int = 128
    """Bytes of a request's id in UTF-8. The id is copied to the answer and to the request log."""

    text_bytes: int = 1 * MIB
    """Bytes of one text value in UTF-8: a long document. The request log keeps each until it is written."""

    header_bytes: int = 64 * KIB
    """Bytes of a request's head: target and headers together."""

    headers: int = 200
    """Headers of one request. Clients and meshes send some twenty."""

    json_depth: int = 32
    """Nesting depth of lists and mappings. A plain request has 4."""

    head_seconds: float = 10.0
    """Time for a complete head, from the moment of connecting (or, on a connection in use, from the head's first byte)."""

    body_bytes_per_second: int = 64_000
    """Slowest accepted body, averaged since its head; every body gets `head_seconds` in addition."""

    idle_seconds: float = 75.0
    """Time that a connection may wait for its next request: longer than the 60 s of common proxies."""

    log_queue_bytes: int = 64 * MIB
    """Memory of the answered requests that wait for the request log; further ones are dropped and counted."""

    log_flush_bytes: int = 8 * MIB
    """The request log writes an object when this much waits, however few rows it is."""

    backlog: int = 2_048
    """Connections that the kernel queues until the server accepts them; the kernel's own limit may be lower."""

    def for_model(self, features: Iterable[Feature]) -> Limits:
        """Return these limits, raised where the model's own features need more."""
        names = [feature.name for feature in features]
        longest = max((len(name.encode("utf-8", "surrogatepass")) for name in names), default=0)
        return replace(self, inputs=max(self.inputs, len(names)), name_bytes=max(self.name_bytes, longest))

    def body_seconds(self, received: int) -> float:
        """Return the seconds after the head within which this many bytes of the body must have arrived."""
        return self.head_seconds + received / self.body_bytes_per_second


@dataclass(frozen=True)
class _Option:
    """A command-line option: the field that it sets, and the number of the field's units in one unit of the option."""

    name: str
    field: str
    unit: int
    help: str


_OPTIONS = (
    _Option("--max-body-mb", "body_bytes", MIB, "MiB of a request's body, also after unpacking, and of a gRPC message"),
    _Option("--max-rows", "rows", 1, "rows of one request"),
    _Option("--max-inputs", "inputs", 1, "inputs of one request"),
    _Option("--max-name-bytes", "name_bytes", 1, "bytes of an input's name"),
    _Option("--max-id-bytes", "id_bytes", 1, "bytes of a request's id"),
    _Option("--max-text-kb", "text_bytes", KIB, "KiB of one text value"),
    _Option("--max-header-kb", "header_bytes", KIB, "KiB of a request's head"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for every limit that is a setting; read them with `limits_from`."""
    group = parser.add_argument_group("limits of one request")
    for option in _OPTIONS:
        default: int = getattr(Limits, option.field)
        shown = f"{option.help}; default {default // option.unit:,}"
        group.add_argument(
            option.name, dest=option.field, metavar="N", type=_in_units(option.unit), default=default, help=shown
        )


def limits_from(options: argparse.Namespace) -> Limits:
    """Return the limits that a command line with `add_options` sets."""
    return Limits(**{option.field: getattr(options, option.field) for option in _OPTIONS})


def _in_units(unit: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            count = int(float(text) * unit)  # 0.5 MiB is a valid limit
        except (ValueError, OverflowError):
            count = 0
        if count < 1:
            raise argparse.ArgumentTypeError(f"found {text!r}; must be a number above 0")
        return count

    return parse


def max_connections() -> int:
    """Return the most connections that the server may hold; raises the process's limit on open files for them where allowed.

    At this number the server must close or refuse connections: once no file can be opened, it cannot accept one to refuse it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = _WANTED_FILES if soft == resource.RLIM_INFINITY else soft
    return max(1, min(_MAX_CONNECTIONS, files - min(_RESERVED_FILES, files // 2)))
