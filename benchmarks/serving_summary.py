"""What the measured servers come to: the bounds, and the table that a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bound:
    """What the measurement must keep.

    Attributes:
        name: What is bounded.
        measured: What was found; None: not measured.
        bound: The least or the most that is allowed.
        least: Whether it is the least.
    """

    name: str
    measured: float | None
    bound: float
    least: bool = True

    @property
    def holds(self) -> bool:
        """Whether it is kept; what was not measured breaks nothing."""
        if self.measured is None:
            return True
        return self.measured >= self.bound if self.least else self.measured <= self.bound

    def __str__(self) -> str:
        bound = f"at {'least' if self.least else 'most'} {self.bound:g}"
        if self.measured is None:
            return f"–      {self.name}: not measured ({bound})"
        return f"{'holds ' if self.holds else 'BROKEN'} {self.name}: {self.measured:.3g} ({bound})"


def bounds(found: dict[str, Any]) -> list[Bound]:
    """The bounds, on what was found."""
    return [
        Bound("requests/s, share of a bare MLServer's", found["ratio_to_bare_mlserver"], 0.9),
        Bound("requests/s, share of a plain seldon-core's", found["ratio_to_plain_seldon"], 1.0),
        Bound("requests/s, share of MLServer's own runtimes'", found["ratio_to_mlserver_runtimes"], 0.9),
        Bound("rows/s in batches, times that of single rows", found["batch_rows_ratio"], 20.0),
        Bound("rows/s in batches, share of the SavedModel's in process", found["batch_of_in_process"], 0.5),
        Bound(
            "p99 of the answered at twice what it carries, times that at 80 %", found["overload_p99_ratio"], 3.0, False
        ),
        Bound("share refused at 80 % of what it carries", found["refused_at_80"], 0.005, False),
        Bound("memory of one hostile request, MiB", found["hostile_memory_mib"], 300, False),
        Bound("a probe beside a hostile request, seconds", found["hostile_probe_seconds"], 1.0, False),
        Bound("a probe beside 1,200 silent connections, seconds", found["silent_probe_seconds"], 1.0, False),
        Bound("right requests that failed beside them", found["silent_failed"], 0, False),
        Bound("wrong answers in all", found["wrong_answers"], 0, False),
        Bound("malformed requests that were answered badly", found["malformed_wrong"], 0, False),
    ]


def table(found: dict[str, Any]) -> str:
    """What a person reads."""
    lines = [
        f"{'server':<16} {'clients':>7} {'requests/s':>10} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'failed':>7}"
    ]
    lines += [_line(name, clients, row) for name, rows in found["servers"].items() for clients, row in rows.items()]
    for one in found["frameworks"].values():
        lines += [_line(name, clients, row) for name, rows in one["servers"].items() for clients, row in rows.items()]
    lines += [
        "",
        *_batches(found),
        *_frameworks(found["frameworks"]),
        *_overload(found["overload"]),
        *_malformed(found),
        "",
    ]
    lines += [str(bound) for bound in bounds(found)]
    if found["others_cpu_share"] > 0.1:
        message = f"{found['others_cpu_share']:.0%} of a core"
        lines += ["", f"The machine was not quiet: other work took {message} meanwhile. Repeat it on a quiet one."]
    return "\n".join(lines)


def _line(name: str, clients: str, row: dict[str, float]) -> str:
    latencies = " ".join(f"{row[at]:>8.2f}" for at in ("p50", "p95", "p99"))
    return f"{name:<16} {clients:>7} {row['requests_per_second']:>10,.0f} {latencies} {row['failed']:>7,.0f}"


def _batches(found: dict[str, Any]) -> list[str]:
    message = f"{found['batch_rows_per_second']:,.0f} rows/s in requests of {found['batch_rows']:,}"
    return [
        f"{message}, {found['single_rows_per_second']:,.0f} one by one; "
        f"the SavedModel in process {found['in_process_rows_per_second']:,.0f}, "
        f"called as Naru does {found['own_in_process_rows_per_second']:,.0f} ({found['batch_of_own_in_process']:.2f} of it served)"
    ]


def _frameworks(found: dict[str, Any]) -> list[str]:
    return [
        f"{name}: in process {calls['estimator']:,.0f} calls/s of a row by the library, {calls['onnx']:,.0f} as ONNX"
        for name, one in found.items()
        for calls in [one["in_process_calls_per_second"]]
    ]


def _overload(figures: dict[str, Any]) -> list[str]:
    lines = [f"It carries {figures['capacity_requests_per_second']:,.0f} requests/s; offered at random moments:"]
    for name in ("at_80_percent", "at_twice"):
        at = figures[name]
        lines.append(
            f"  {at['offered_per_second']:>7,.0f}/s: {at['answered_per_second']:,.0f}/s answered, "
            f"p50 {at['p50']:.1f} ms, p99 {at['p99']:.1f} ms; {at['refused']:.2%} refused"
        )
    return [*lines, f"  memory {figures['rss_start_mib']:,.0f} MiB before, {figures['rss_peak_mib']:,.0f} MiB at most"]


def _malformed(found: dict[str, Any]) -> list[str]:
    statuses = ", ".join(f"{count:,} x {status}" for status, count in found["malformed_by_status"].items())
    tried = f"{found['malformed_tried']:,} requests, {found['malformed_valid']:,} of them right: {statuses}"
    return [f"{tried}; {found['malformed_wrong']:,} answered badly"]
