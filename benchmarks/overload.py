"""Ours near its limit and above it: open loops, whose requests come at random moments whether or not answers keep pace."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.server_processes import Served
from benchmarks.server_rounds import Pace, warm
from benchmarks.workload import Workload
from components.deploy.load_generator import Load

_CONNECTIONS = 256
_LATE_SHARE = 0.002
"""A round in which the generator itself sent a larger share late does not count: it sent them in heaps."""
_TRIES = 3
"""Rounds that are tried for each that is to count."""


def overload(served: Served, workload: Workload, pace: Pace) -> dict[str, Any]:
    """What it can carry, then rounds of an open loop at four fifths of it, then one loop at twice of it."""
    bodies, check = workload.bodies("v2"), workload.check("v2")
    warm(served, bodies, pace)
    start = served.memory_mib()
    capacity = median(
        served.drive(bodies, clients=8, seconds=max(pace.seconds, pace.overload_seconds / 20)).throughput
        for _ in range(3)
    )

    def offer(share: float, seconds: float) -> Load:
        return served.drive(bodies, clients=_CONNECTIONS, seconds=seconds, rate=share * capacity, check=check)

    rounds = _rounds(lambda: offer(0.8, pace.overload_seconds / pace.overload_rounds), pace.overload_rounds)
    twice = offer(2.0, pace.overload_seconds)
    at_80, at_twice = [_figures(load, served) for load in rounds], _figures(twice, served)
    p99 = median(figures["p99"] for figures in at_80)
    return {
        "capacity_requests_per_second": capacity,
        "rss_start_mib": start,
        "at_80_percent": {
            "offered_per_second": 0.8 * capacity,
            "refused": median(figures["refused"] for figures in at_80),
            **{
                name: median(figures[name] for figures in at_80)
                for name in ("answered_per_second", "p50", "p95", "p99")
            },
            "rounds": at_80,
        },
        "at_twice": {"offered_per_second": 2.0 * capacity, **at_twice},
        "rss_peak_mib": served.peak_mib(),
        "overload_p99_ratio": at_twice["p99"] / p99,
        "crashed": not served.runs,
        "wrong": at_twice["wrong"] + sum(figures["wrong"] for figures in at_80),
    }


def refused_at_80(found: dict[str, Any]) -> float | None:
    """Share of the requests at 80 % that were not answered with 200, the median of the rounds; None when too few counted."""
    rounds = found["at_80_percent"]["rounds"]
    return found["at_80_percent"]["refused"] if all(figures["counts"] for figures in rounds) else None


def _rounds(offer: Any, wanted: int) -> list[Load]:
    """The wanted number of loads that count; where the tries do not give as many, the last ones that do not count are among them."""
    loads: list[Load] = []
    for _ in range(_TRIES * wanted):
        loads.append(offer())
        if sum(map(_counts, loads)) == wanted:
            break
    return [load for load in loads if _counts(load)] if sum(map(_counts, loads)) >= wanted else loads[-wanted:]


def _counts(load: Load) -> bool:
    return load.late <= _LATE_SHARE * _offered(load)


def _offered(load: Load) -> int:
    return sum(load.by_status.values()) + load.unsent


def _figures(load: Load, served: Served) -> dict[str, Any]:
    return {
        "answered_per_second": load.throughput,
        "by_status": {str(status): count for status, count in load.by_status.items()},
        "unsent": load.unsent,
        "late": load.late,
        "counts": _counts(load),
        "refused": load.error_rate,
        "wrong": load.wrong,
        **load.percentiles(),
        "rss_mib": served.memory_mib(),
    }
