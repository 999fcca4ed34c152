"""Checks of the spans that were read: spans that are missing, spans without rows."""

from __future__ import annotations

from collections.abc import Sequence

from components._core.checks import Check, Status
from components._core.project.project_file import Project
from components._core.types.span_units import SpanUnit
from components._data.sources.registry import span_unit
from components._data.sources.span_expression import parse_spans


def check_missing_spans(project: Project, read_spans: list[int]) -> list[Check]:
    """Say which spans are missing among those that were read; nothing for a source without spans.

    `data.missing_spans: fail` has ended the run if `data.spans` names one that does not exist; gaps between the spans of
    `all` and `last N` are a warning. With `skip` they are counted.
    """
    unit = span_unit(project.data)
    if unit is None:
        return []
    runs = parse_spans(project.data.spans, unit).missing(read_spans)
    count = sum(last - first + 1 for first, last in runs)
    read = f"{len(read_spans)} {unit.name}s read" if unit.fields else f"{len(read_spans)} spans read"
    status: Status = "pass"
    reason = f"{read}, none missing"
    if runs:
        skipped = project.data.missing_spans == "skip"
        status = "skipped" if skipped else "warn"
        reason = f"no span {unit.ranges(runs)} in the source; {read}"
        reason += " (data.missing_spans: skip)" if skipped else ""
    return [Check("missing spans", status, float(count), 0.0, n=len(read_spans), reason=reason)]


def check_spans(read: Sequence[tuple[int, str, int]], unit: SpanUnit) -> list[Check]:
    """Warn of each span without rows: if it is the newest, the export failed.

    Args:
        read: Span, name and rows of each file.
        unit: Unit of the spans.
    """
    files: dict[int, str] = {}
    rows: dict[int, int] = {}
    for span, name, count in read:
        files.setdefault(span, name)
        rows[span] = rows.get(span, 0) + count
    if len(rows) <= 1:
        return []
    newest = max(rows)
    return [
        Check(
            f"rows of span {unit.label(span)}",
            "warn",
            0.0,
            1.0,
            n=0,
            reason=f"{files[span]}{' (the newest span)' if span == newest else ''} has no rows that can be used: check the export",
        )
        for span in rows
        if not rows[span]
    ]
