"""Reads the metrics page of Naru's model server: requests, failures, times and memory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_LINE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)")
_FAILURES = ("model_failed", "unexpected", "too_busy")
"""Codes of the refusals that are not the client's mistake."""


@dataclass(frozen=True)
class Counts:
    """A server's counts since its start, or between two times.

    Attributes:
        requests: Requests that reached the model.
        failed: Requests that were not answered for a reason that is not the client's mistake.
        buckets: Answered requests by the upper bound of their time in seconds, cumulative.
        memory: Bytes of resident memory, at the later time.
    """

    requests: float = 0.0
    failed: float = 0.0
    buckets: dict[float, float] = field(default_factory=dict)
    memory: float = 0.0

    def since(self, before: Counts) -> Counts:
        """Subtract an earlier count; a server that was restarted in between counts from zero."""
        if self.requests < before.requests:
            return self
        buckets = {bound: count - before.buckets.get(bound, 0.0) for bound, count in self.buckets.items()}
        return Counts(self.requests - before.requests, self.failed - before.failed, buckets, self.memory)

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of the answers came, interpolated within a bucket; None without answers."""
        ordered = sorted(self.buckets.items())
        wanted = share * (ordered[-1][1] if ordered else 0.0)
        if not wanted:
            return None
        low, below = 0.0, 0.0
        for bound, count in ordered:
            if count >= wanted:
                return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
            low, below = bound, count
        return low


def read_counts(text: str) -> Counts:
    """Parse a page in Prometheus' text format; the names are those of `components/serve/prometheus_metrics.py`."""
    requests, failed, memory = 0.0, 0.0, 0.0
    buckets: dict[float, float] = {}
    for match in map(_LINE.match, text.splitlines()):
        if match is None:
            continue
        name, labels, value = match[1], match[2] or "", float(match[3])
        if name == "naru_requests_total":
            requests += value
        elif name == "naru_refusals_total" and any(f'"{code}"' in labels for code in _FAILURES):
            failed += value
        elif name == "naru_request_seconds_bucket":
            bound = float(labels.partition('le="')[2].partition('"')[0].replace("+Inf", "inf"))
            buckets[bound] = buckets.get(bound, 0.0) + value
        elif name == "process_resident_memory_bytes":
            memory += value
    return Counts(requests, failed, buckets, memory)


def add_up(counts: Iterable[Counts]) -> Counts:
    """Sum the counts of several servers; the memory is that of the largest."""
    requests, failed, memory = 0.0, 0.0, 0.0
    buckets: dict[float, float] = {}
    for one in counts:
        requests, failed, memory = requests + one.requests, failed + one.failed, max(memory, one.memory)
        for bound, count in one.buckets.items():
            buckets[bound] = buckets.get(bound, 0.0) + count
    return Counts(requests, failed, buckets, memory)
