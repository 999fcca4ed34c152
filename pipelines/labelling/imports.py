"""`naru label import`: what annotators said is kept, and items with a label become a span of rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from components._core.errors import DataError
from components._labels.annotations import FoundLabels, name_some
from components._labels.exchange.contract import LARGEST_FILE
from components._labels.exchange.label_studio import LabelStudioFormat
from components._labels.exchange.table import find_format, recognise_format
from components._labels.label_import import ImportReport, import_labels
from components._labels.label_spans import SpanReport, write_span
from components._labels.label_studio_server import LabelStudio
from components._labels.labelled_items import LabelledItems, read_labelled
from pipelines.labelling.opened import Opened, opened


def import_file(folder: Path, file: Path, format_: str = "", annotator: str = "") -> list[str]:
    """Import a file of labels, and write the next span when there are enough; returns the lines to print.

    Args:
        folder: The project's folder, or its file.
        file: The file that a tool of annotators wrote.
        format_: Name of its format; empty: recognised by its content.
        annotator: Who gave the labels of which the file does not say it.

    Raises:
        ConfigError: When the project has no label schema, or labels have no annotator.
        DataError: When the file is damaged, of another project or version, or has labels that the schema does not allow.
        ServiceError: When the store is damaged.
        UnavailableError: When the store does not answer.
    """
    content = _read(file)
    with opened(folder) as project:
        known = find_format(format_) if format_ else recognise_format(content)
        found = known.read(content, file.name, project.schema)
        return take_labels(project, found, file.name, content, annotator)


def import_server(folder: Path, url: str) -> list[str]:
    """Import the labels of the project's tasks on a Label Studio server; returns the lines to print.

    Args:
        folder: The project's folder, or its file.
        url: Address of the server.

    Raises:
        ConfigError: When there is no token or it is refused, or the server has no tasks of this project.
        DataError: As of `import_file`.
        ServiceError: When the server refuses, or the store is damaged.
        UnavailableError: When the server or the store does not answer.
    """
    server = LabelStudio.at(url)
    with opened(folder) as project:
        content = server.read_labels(project.schema)
        found = LabelStudioFormat().read(content, server.url, project.schema)
        return take_labels(project, found, server.url, content, people=server.read_people())


def take_labels(
    project: Opened,
    found: FoundLabels,
    where: str,
    content: bytes,
    annotator: str = "",
    people: Mapping[str, str] | None = None,
) -> list[str]:
    """Keep labels that were found in a file or on a server; arguments and errors as of `import_labels`."""
    report = import_labels(project.store, project.schema, found, where, content, annotator, people)
    labelled = read_labelled(project.store, project.schema)
    span = write_span(project.store, project.schema, labelled)
    return [*describe_import(report), *describe_items(labelled, span)]


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        content = stream.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        remedy = "export the labels in several files; each is imported by itself"
        raise DataError(
            f"is larger than {LARGEST_FILE >> 20} MB, the limit for a file of labels", where=str(file), remedy=remedy
        )
    return content


def describe_import(report: ImportReport) -> list[str]:
    """Describe what an import found, a line each."""
    by = ", ".join(f"{name} {count:,}" for name, count in report.annotators.most_common(5))
    more = f" and {len(report.annotators) - 5} more" if len(report.annotators) > 5 else ""
    lines = [f"read      {report.annotators.total():,} annotations of {report.tool}" + (f": {by}{more}" if by else "")]
    lines.append(f"kept      {report.new:,} new, {report.changed:,} changed, {report.known:,} known already")
    if report.skipped:
        lines.append(f"skipped   {report.skipped:,} without a label")
    if report.repeated:
        place, item = report.repeated[0]
        lines.append(
            f"repeated  {len(report.repeated):,} of an item and annotator, the latest counts; the first: {place}, item {item}"
        )
    if report.unknown:
        names = name_some(item or "without a name" for _, item in report.unknown)
        lines.append(f"aside     {len(report.unknown):,} of items that no work list has: {names}")
    if report.unreadable:
        place, reason = report.unreadable[0]
        lines.append(f"aside     {len(report.unreadable):,} unreadable, the first: {place}: {reason}")
    return lines


def describe_items(labelled: LabelledItems, span: SpanReport) -> list[str]:
    """Describe what is known of the items, and the span that was written."""
    states = [verdict.state for verdict in labelled.verdicts.values()]
    lines = [
        f"items     {states.count('settled'):,} by majority, {states.count('adjudicated'):,} adjudicated, "
        f"{states.count('tied'):,} to adjudicate, {states.count('waiting'):,} wait for another annotator"
    ]
    if states.count("tied"):
        lines.append("          the list for an adjudicator: naru label export --adjudicate")
    if not span.number:
        wait = f"{span.waiting:,} labelled rows wait for labels.min_rows" if span.waiting else "nothing new"
        return [*lines, f"no span   {wait}"]
    corrected = f", {span.corrects:,} of them correct earlier ones" if span.corrects else ""
    counts = [f"{span.rows:,} rows"] if span.rows else []
    counts += [f"labels of {span.answers:,} logged answers"] if span.answers else []
    return [
        *lines,
        *(f"written   {place}" for place in span.places),
        f"span {span.number}: {', '.join(counts)}{corrected}",
    ]
