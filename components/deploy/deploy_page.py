"""Deploy's own page, and the run's report, which binds it with the pages of the earlier stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components._core.checks import METRIC, Outcome
from components._core.examples.artifact import Manifest
from components._core.project.gate_config import ServingGates
from components._core.project.project_file import Project
from components._core.report.html import write_report
from components._core.report.page import Cell, Page
from components._core.stage.run_record import RunRecord
from components._core.types.artifact_files import PAGE
from components.deploy.comparison import Comparison
from components.deploy.performance import Performance
from components.deploy.smoke_test import SmokeTestResult

_BINS = 40
_LABELS = {
    "requests_per_second": "requests per second",
    "error_rate": "error rate",
    "p50_ms": "p50, ms",
    "p95_ms": "p95, ms",
    "p99_ms": "p99, ms",
    "cold_start_seconds": "cold start, s",
    "memory_mb": "memory, MB",
    "size_mb": "model size, MB",
}
_WHOLE = ("requests_per_second", "memory_mb")
_READING = "Times were measured on this machine, which also sent the requests."


def rollout_page(
    outcome: Outcome,
    version: str | None,
    comparison: Comparison | None,
    gates: ServingGates,
    changes: Sequence[dict[str, Any]] = (),
) -> Page:
    """Make the page of what was deployed and how it answered; on a cluster, with the lines of the rollout history."""
    page = Page("deploy", "Deployment", outcome)
    if comparison is None:
        page.text(outcome.reason)
    else:
        _show_facts(page, version, comparison.smoke_test)
        _show_load(page, f"v{version}", comparison, gates)
        _show_latency(page, comparison.smoke_test)
    if changes:
        _show_changes(page, changes)
    if outcome.checks:
        page.checks(outcome.checks)
    return page


def _show_changes(page: Page, changes: Sequence[dict[str, Any]]) -> None:
    columns = ["when (UTC)", "what", "share of the requests", "observation"]
    page.table("Steps", columns, [_row(change) for change in changes])
    if "\n" in changes[-1]["reason"]:
        page.code("Observations", changes[-1]["reason"], folded=False)


def _row(change: dict[str, Any]) -> list[Cell]:
    shares = ", ".join(f"version {version}: {percent:g} %" for version, percent in change["shares"].items())
    return [change["at"][11:19], change["action"], shares or "none", change["reason"].partition("\n")[0]]


def bind(
    project: Project,
    record: RunRecord,
    evaluation: Path,
    pages: list[Path],
    own: Page,
    stages: list[dict[str, Any]],
    report: Path,
) -> None:
    """Bind the run's report: the pages of the stages that wrote one, then deploy's own."""
    bound = [Page.load(folder) for folder in pages if (folder / PAGE).is_file()] + [own]
    title = f"{project.name} · {record.run}" if record.run else project.name
    origin: dict[str, Cell] = {"cause": record.cause, "commit": str(record.code)}
    facts = {**{name: value for name, value in origin.items() if value}, **_facts(project, evaluation, stages, own)}
    write_report(title, bound, stages, facts, report, project.primary_metric().name)


def _facts(project: Project, evaluation: Path, stages: list[dict[str, Any]], own: Page) -> dict[str, Cell]:
    manifest = Manifest.load(evaluation)
    name = project.primary_metric().name
    values = [value for stage in stages if (value := stage.get(METRIC + name)) is not None]
    facts: dict[str, Cell] = {"rows": sum(manifest.rows.values()), "spans": len(manifest.spans)}
    if values:
        facts[name] = values[-1]
    shown: dict[str, Cell] = next((block.content for block in own.blocks if block.kind == "facts"), {})
    return {**facts, **{key: shown[key] for key in ("version", "p95 ms") if key in shown}}


def _show_facts(page: Page, version: str | None, smoke_test: SmokeTestResult) -> None:
    page.facts(
        {
            "version": version,
            "rows compared": smoke_test.rows,
            "with missing values": smoke_test.with_gaps,
            **{f"{name} ms": value for name, value in smoke_test.percentiles().items()},
            f"{smoke_test.batch_rows} rows ms": smoke_test.batch_milliseconds,
        }
    )


def _show_load(page: Page, version: str, comparison: Comparison, gates: ServingGates) -> None:
    """Show the version, the champion and the bounds side by side."""
    bounds = _bounds(gates, comparison.theirs)
    columns = ["metric", version, *([comparison.champion] if comparison.theirs else []), "bound"]
    measured = [each.numbers() for each in (comparison.ours, comparison.theirs) if each]
    rows: list[list[Cell]] = [
        [label, *(_cell(name, numbers[name]) for numbers in measured), bounds.get(name)]
        for name, label in _LABELS.items()
    ]
    page.table("Under load", columns, rows, _load_note(comparison, gates))


def _cell(name: str, value: float | None) -> Cell:
    """Round numbers whose decimals are noise; a whole number also stops the renderer from giving all cells the same decimals."""
    return round(value) if value is not None and name in _WHOLE else value


def _bounds(gates: ServingGates, theirs: Performance | None) -> dict[str, float | None]:
    p95 = theirs.numbers()["p95_ms"] if theirs else None
    slower = gates.slower_percent
    return {
        "p95_ms": None if p95 is None or slower is None else p95 * (1 + slower / 100),
        "requests_per_second": gates.throughput,
        "error_rate": gates.error_rate,
        "cold_start_seconds": gates.cold_start_seconds,
        "memory_mb": gates.memory_mb,
        "size_mb": gates.size_mb,
    }


def _load_note(comparison: Comparison, gates: ServingGates) -> str:
    clients = f"{gates.concurrency} clients at a time" if gates.concurrency > 1 else "one client"
    load = f"{clients}, each with requests of one row, over HTTP on loopback"
    if comparison.theirs:
        each = gates.load_seconds / 2
        return f"{load}; {each:g} s for each version, in turn; the two servers started together. {_READING}"
    return f"{load}, for {gates.load_seconds:g} s; {comparison.not_compared}. {_READING}"


def _show_latency(page: Page, smoke_test: SmokeTestResult) -> None:
    from components._core.report import plots  # brings matplotlib, which a skipped deployment does not need

    percentiles = smoke_test.percentiles()
    # the slowest per cent would squeeze everything else into one bin; p99 shows it
    kept = [value for value in smoke_test.milliseconds if value <= percentiles["p99"]]
    counts, edges = np.histogram(kept, bins=_BINS)
    svg = plots.histogram(edges.tolist(), counts.tolist(), "milliseconds", percentiles)
    note = "Over HTTP on loopback, one request after another on one connection; the slowest per cent is left out."
    page.figure("Latency of one row", svg, note)
