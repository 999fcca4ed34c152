"""Deploy's own page, and the run's report that binds it with those of the stages before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components._core.artifacts import PAGE
from components._core.checks import Outcome
from components._core.examples import Manifest
from components._core.pages import Cell, Page
from components._core.project import Project
from components._core.rendering import bind_report
from components.deploy.probing import Probe

_PRIMARY = {"binary_classification": "auc", "multiclass_classification": "accuracy", "regression": "rmse"}
_BINS = 40


def rollout_page(
    outcome: Outcome, version: str | None, probe: Probe | None, changes: Sequence[dict[str, Any]] = ()
) -> Page:
    """What was deployed and how it answered; on a cluster, with what it took: lines of the ledger of shares."""
    page = Page("deploy", "Deployment", outcome)
    if probe is None:
        page.text(outcome.reason)
    else:
        _show_probe(page, version, probe)
    if changes:
        columns = ["when (UTC)", "what", "share of the requests", "seen"]
        page.table("Steps", columns, [_row(change) for change in changes])
        _, _, more = changes[-1]["reason"].partition("\n")
        if more:
            page.code("What was seen", changes[-1]["reason"], folded=False)
    if outcome.checks:
        page.checks(outcome.checks)
    return page


def _row(change: dict[str, Any]) -> list[Cell]:
    shares = ", ".join(f"version {version}: {percent:g} %" for version, percent in change["shares"].items())
    return [change["at"][11:19], change["action"], shares or "none", change["reason"].partition("\n")[0]]


def bind(
    project: Project,
    run: str,
    cause: str,
    examples: Path,
    pages: list[Path],
    own: Page,
    stages: list[dict[str, Any]],
    report: Path,
) -> None:
    """Bind the run's report: the pages of the stages that wrote one, then deploy's own."""
    bound = [Page.load(folder) for folder in pages if (folder / PAGE).is_file()] + [own]
    title = f"{project.name} · {run}" if run else project.name
    facts = _facts(project, examples, stages, own)
    bind_report(title, bound, stages, {"cause": cause, **facts} if cause else facts, report)


def _facts(project: Project, examples: Path, stages: list[dict[str, Any]], own: Page) -> dict[str, Cell]:
    manifest = Manifest.load(examples)
    name = project.gates.model.metric or _PRIMARY[project.task]
    values = [value for stage in stages if (value := stage.get(f"metric_{name}")) is not None]
    facts: dict[str, Cell] = {"rows": sum(manifest.rows.values()), "spans": len(manifest.spans)}
    if values:
        facts[name] = values[-1]
    shown: dict[str, Cell] = next((block.content for block in own.blocks if block.kind == "facts"), {})
    return {**facts, **{key: shown[key] for key in ("version", "p95 ms") if key in shown}}


def _show_probe(page: Page, version: str | None, probe: Probe) -> None:
    from components._core import plots  # brings matplotlib, which a skipped deployment does not need

    percentiles = probe.percentiles()
    page.facts(
        {
            "version": version,
            "rows compared": probe.rows,
            "with missing values": probe.with_gaps,
            **{f"{name} ms": value for name, value in percentiles.items()},
            f"{probe.batch_rows} rows ms": probe.batch_milliseconds,
        }
    )
    # the slowest per cent would squeeze everything else into one bin; it is told as p99
    kept = [value for value in probe.milliseconds if value <= percentiles["p99"]]
    counts, edges = np.histogram(kept, bins=_BINS)
    svg = plots.histogram(edges.tolist(), counts.tolist(), "milliseconds", percentiles)
    note = "Over HTTP on loopback, one request after another on one connection; the slowest per cent is left out."
    page.figure("Latency of one row", svg, note)
