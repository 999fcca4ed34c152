"""The performance gates: time under load, memory and size of a served version, against the project's bounds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from components._core.checks import Check
from components._core.files import files_below
from components._core.project.gate_config import ServingGates
from components._core.types.oip_paths import infer_path
from components._core.types.oip_requests import to_request
from components._core.types.signature import Feature, Signature
from components.deploy.load_generator import Load, drive

AGAINST_CHAMPION = "p95 under load against the champion"
_WARM_UP_SECONDS = 0.2
_ROUNDS = 2


@dataclass(frozen=True)
class Performance:
    """Measurements of one version on its own server.

    Attributes:
        load: Result of requests of one row by concurrent clients.
        cold_start_seconds: Time from the start of the server to its first answer.
        memory_mb: Memory of its process after the load, in millions of bytes; None where the system does not report it.
        size_mb: Size of the model's files, in millions of bytes.
    """

    load: Load
    cold_start_seconds: float
    memory_mb: float | None
    size_mb: float

    def numbers(self) -> dict[str, float | None]:
        """All numbers by name; None for what could not be measured."""
        percentiles = self.load.percentiles()
        return {
            **{f"{name}_ms": value if math.isfinite(value) else None for name, value in percentiles.items()},
            "requests_per_second": round(self.load.throughput, 1),
            "error_rate": round(self.load.error_rate, 6),
            "cold_start_seconds": round(self.cold_start_seconds, 3),
            "memory_mb": self.memory_mb,
            "size_mb": self.size_mb,
        }


class LoadedServer(Protocol):
    """A server that may be put under load, because no user waits for its answers.

    Attributes:
        host: Host of the server.
        port: Port of the server.
        ready_seconds: Time from its start until it was ready.
    """

    host: str
    port: int
    ready_seconds: float

    def resident_mb(self) -> float | None:
        """Memory of the server now, in millions of bytes; None: unknown."""
        ...


@dataclass(frozen=True)
class Served:
    """A version on its own server.

    Attributes:
        server: The server.
        name: The model's name on the server.
        model: The model's folder.
    """

    server: LoadedServer
    name: str
    model: Path

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Inputs of the model."""
        return Signature.load(self.model).inputs

    def bodies(self, rows: pa.Table) -> list[bytes]:
        """Make the request body for each row."""
        return [json.dumps(to_request(rows.slice(row, 1), self.features)).encode() for row in range(rows.num_rows)]


def measure(versions: Sequence[Served], rows: pa.Table, gates: ServingGates) -> list[Performance]:
    """Load-test one version, or two in turn: each gets the same share of `gates.load_seconds`.

    Two versions alternate as first, second, second, first, and again, so that a machine that gets slower or faster meanwhile
    does so for both.

    Raises:
        ServiceError: When there is no server to connect to.
    """
    order = [*range(len(versions)), *reversed(range(len(versions)))] * _ROUNDS if len(versions) > 1 else [0]
    bodies = [version.bodies(rows) for version in versions]
    for version, sent in zip(versions, bodies, strict=True):
        _drive(version, sent, gates.concurrency, min(_WARM_UP_SECONDS, gates.load_seconds))
    loads: list[list[Load]] = [[] for _ in versions]
    for turn in order:
        seconds = gates.load_seconds / len(order)
        loads[turn].append(_drive(versions[turn], bodies[turn], gates.concurrency, seconds))
    return [_performance(version, _sum(parts)) for version, parts in zip(versions, loads, strict=True)]


def judge_performance(
    ours: Performance, theirs: Performance | None, champion: str, not_compared: str, gates: ServingGates
) -> list[Check]:
    """Make a check for every bound that is set.

    Args:
        ours: Performance of the new version.
        theirs: Performance of the champion, measured in turn with it; None when it was not compared.
        champion: The champion's name; empty when there is none.
        not_compared: Why the champion was not compared.
        gates: The bounds.
    """
    numbers, n = ours.numbers(), sum(ours.load.by_status.values()) + ours.load.unsent
    checks = [
        _at_least("requests per second", numbers["requests_per_second"], gates.throughput, n),
        _errors(ours.load, n, gates.error_rate),
        _against(ours, theirs, champion, not_compared, gates.slower_percent),
        at_most("cold start (s)", numbers["cold_start_seconds"], gates.cold_start_seconds),
        at_most("memory (MB)", numbers["memory_mb"], gates.memory_mb),
        at_most("model size (MB)", numbers["size_mb"], gates.size_mb),
    ]
    return [check for check in checks if check is not None]


def _drive(version: Served, bodies: Sequence[bytes], clients: int, seconds: float) -> Load:
    path = infer_path(version.name)
    return drive(version.server.host, version.server.port, path, bodies, clients=clients, seconds=seconds)


def _sum(loads: Sequence[Load]) -> Load:
    statuses = sorted({status for load in loads for status in load.by_status})
    return Load(
        clients=loads[0].clients,
        seconds=sum(load.seconds for load in loads),
        answered=sum(load.answered for load in loads),
        by_status={status: sum(load.by_status.get(status, 0) for load in loads) for status in statuses},
        milliseconds=[value for load in loads for value in load.milliseconds],
    )


def _performance(version: Served, load: Load) -> Performance:
    size = sum(path.stat().st_size for path in files_below(version.model)) / 1e6
    return Performance(load, version.server.ready_seconds, version.server.resident_mb(), round(size, 3))


def _errors(load: Load, n: int, bound: float) -> Check:
    if not n:
        return Check(
            "error rate",
            "fail",
            None,
            bound,
            n=0,
            reason="no request was sent under load, so the error rate is unknown",
        )
    failed = {code: count for code, count in load.by_status.items() if code != 200}
    message = ", ".join(f"{count:,} with {code or 'no answer'}" for code, count in failed.items())
    reason = f"{sum(failed.values()) or 'none'} of {n:,} requests failed{': ' if message else ''}{message}; the bound is {bound:.4g}"
    kept = load.error_rate <= bound
    return Check("error rate", "pass" if kept else "fail", round(load.error_rate, 6), bound, n=n, reason=reason)


def at_most(name: str, value: float | None, bound: float | None) -> Check | None:
    """Check a value against its upper bound; None where there is no bound."""
    if bound is None:
        return None
    if value is None:
        return Check(name, "skipped", None, bound, reason="this system does not report it")
    kept = value <= bound
    message = f"{name} is {value:g}, {'within' if kept else 'above'} the bound of {bound:g}"
    return Check(name, "pass" if kept else "fail", value, bound, reason=message)


def _at_least(name: str, value: float | None, bound: float | None, n: int) -> Check | None:
    if bound is None or value is None:
        return None
    message = f"{value:,.0f} {name} were answered; at least {bound:g} are required"
    return Check(name, "pass" if value >= bound else "fail", value, bound, n=n, reason=message)


def _against(
    ours: Performance, theirs: Performance | None, champion: str, not_compared: str, percent: float | None
) -> Check | None:
    """Compare p95 with the champion's; without a comparison the check is `no_baseline`, or `skipped` if there is no champion."""
    if percent is None:
        return None
    mine = ours.numbers()["p95_ms"]
    other = theirs.numbers()["p95_ms"] if theirs else None
    if other is None:
        reason = not_compared or f"{champion} answered nothing"
        return Check(AGAINST_CHAMPION, "no_baseline" if champion else "skipped", mine, reason=reason)
    bound = round(other * (1 + percent / 100), 3)
    if mine is None:
        return Check(AGAINST_CHAMPION, "fail", None, bound, other, reason="no request was answered under load")
    apart = 100 * (mine / other - 1)
    difference = f"{abs(apart):.0f} % {'slower' if apart > 0 else 'faster'}"
    message = (
        f"p95 under load is {mine:.3g} ms against {other:.3g} ms of {champion}: {difference}; "
        f"the bound is {percent:g} % slower"
    )
    n = len(ours.load.milliseconds)
    return Check(AGAINST_CHAMPION, "pass" if mine <= bound else "fail", mine, bound, other, n, message)
