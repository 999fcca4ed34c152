"""`naru label agree`: how far the annotators of a project agree, in a terminal of 80 columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.cells import cell_len, set_cell_size

from components._labels.agreement import Estimate
from components._labels.agreement_report import AgreementReport, measure_agreement
from components._labels.labelled_items import read_labelled
from components._labels.pool_estimates import PoolEstimate, estimate_pool
from pipelines.labelling.opened import opened

_PAIRS = 10
_WIDTH = 22


def measure_project(folder: Path) -> AgreementReport:
    """Measure the agreement of a project's annotators.

    Raises:
        ConfigError: When the project has no label schema, or its classes do not fit what was labelled.
        ServiceError: When the store is damaged.
        UnavailableError: When the store does not answer.
    """
    with opened(folder) as project:
        labelled = read_labelled(project.store, project.schema)
        report = measure_agreement(labelled, project.schema)
        return replace(report, estimates=estimate_pool(project.store, project.schema, labelled))


def describe_agreement(report: AgreementReport) -> list[str]:
    """Return the lines to print, of at most 80 columns where names are short."""
    states = report.states
    lines = [
        f"{sum(states.values()):,} items, {report.annotations:,} annotations, {len(report.annotators)} annotators: "
        f"{states['settled']:,} settled,",
        f"{states['adjudicated']:,} adjudicated, {states['tied']:,} to adjudicate, {states['waiting']:,} wait for another annotator",
        "",
        f"{'':<{_WIDTH}}{'':>8}  {'95 % interval':<16}{'items':>8}",
        _line("percent agreement", report.percent),
        *([_line("Fleiss' kappa", report.fleiss)] if report.fleiss else []),
        _line(f"alpha ({report.schema.config.level})", report.alpha),
        *(_line(f"kappa {one[:7]} {other[:7]}", kappa) for (one, other), kappa in [*report.cohen.items()][:_PAIRS]),
    ]
    if len(report.cohen) > _PAIRS:
        lines.append(f"and {len(report.cohen) - _PAIRS} more pairs (--json)")
    if report.confused:
        lines += ["", "confused"]
        for pair in report.confused[:_PAIRS]:
            lines.append(f"  {_fit(f'{pair.one} / {pair.other}', 40)}{pair.pairs:>8,} pairs{pair.share:>8.1%}")
    lines += ["", f"{'annotator':<{_WIDTH}}{'labels':>8}{'compared':>10}{'agreed':>8}  most often instead"]
    for each in report.annotators:
        share = "-" if each.share is None else f"{each.share:.1%}"
        instead = f"{each.most_confused[0]} for {each.most_confused[1]}" if each.most_confused else ""
        if each.off_by is not None:
            instead = f"{each.off_by:+.4g} on average"
        start = f"{_fit(each.name, _WIDTH - 1)} {each.annotations:>8,}{each.compared:>10,}{share:>8}"
        lines.append(f"{start}  {_fit(instead, 28)}".rstrip())
    if report.estimates:
        lines += ["", *_describe_estimates(report.estimates)]
    if report.ties:
        lines += ["", f"{len(report.ties):,} items to adjudicate: naru label export --adjudicate"]
    return [*lines, "", f"{report.check.status}: {report.check.reason}"]


def _describe_estimates(estimates: list[PoolEstimate]) -> list[str]:
    first = estimates[0]
    lines = [
        f"in all {first.mean.population:,} rows ({_fit(first.source, 20).rstrip()}), by {first.mean.rows:,} of {first.selected:,} selected rows"
    ]
    for each in estimates[:_PAIRS]:
        error = "" if each.mean.error is None else f" ± {1.96 * each.mean.error:.3f}"
        lines.append(
            f"  {_fit(each.what or 'mean', 30)}{each.mean.value:>8.3f}{error:<10} unweighted {each.mean.plain:.3f}"
        )
    return lines


def _line(name: str, estimate: Estimate) -> str:
    value = "-" if estimate.value is None else f"{estimate.value:.3f}"
    interval = "" if estimate.low is None or estimate.high is None else f"{estimate.low:.3f} to {estimate.high:.3f}"
    return f"{_fit(name, _WIDTH)}{value:>8}  {interval:<16}{estimate.items:>8,}"


def _fit(text: str, width: int) -> str:
    """Return a text as wide as a column of a terminal, whose letters may be two cells wide, as 긍정."""
    fitted = text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"
    return set_cell_size(fitted, width)
