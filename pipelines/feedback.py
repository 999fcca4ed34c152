"""`naru feedback`: join the request log with labels, show what was found, and write the next span."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from components._core.errors import ConfigError, ServiceError
from components._core.examples.registered_manifest import fetch_manifest
from components._core.project.feedback_config import Labels
from components._core.project.project_file import Project, load_project
from components._core.request_log.location import log_uri
from components._core.request_log.posted_labels import posted_labels_uri
from components._core.store.ledger import Deployment, current_champion
from components._core.store.object_store import absolute_uri, read_bytes
from components._core.suggestions import suggest
from components._core.types.artifact_files import SIGNATURE
from components._core.types.column_types import COLUMN_TYPES
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._data.sources.registry import absolute_location
from components._feedback.coverage import by_decile, share_labelled
from components._feedback.feedback_report import FeedbackReport
from components._feedback.label_limits import shown
from components._feedback.make_span import make_span
from components._feedback.settings import FeedbackSettings
from components._feedback.span_store import feedback_home
from pipelines.local.workspace import Workspace, find_workspace

_WIDTH = 12


def run_feedback(folder: Path, *, write: bool = True, now: datetime | None = None) -> list[str]:
    """Join the log with the labels; returns the lines to print, the outcome in the last one.

    Args:
        folder: The project's folder, or its file.
        write: Whether a span is written when enough rows have a label.
        now: The present; None: by the clock.

    Raises:
        ConfigError: When the project has no such section, no champion, or the section does not fit log and labels.
        DataError: When the labels cannot be read, or too many have an id that the log does not have.
        ServiceError: When files of the store are missing or damaged.
        UnavailableError: When the store does not answer.
    """
    project, workspace = load_project(folder), find_workspace(folder)
    with workspace.settings_applied():
        settings = feedback_settings(project, workspace)
        report = make_span(settings, now or datetime.now(UTC), write=write)
    return describe(report, settings, write=write)


def feedback_settings(project: Project, workspace: Workspace) -> FeedbackSettings:
    """Collect what the join needs to know of a project: the section, the champion's signature, the types of its training rows.

    Raises:
        ConfigError: When the project has no such section, or no champion.
        ServiceError: When the champion's signature is missing or damaged.
        UnavailableError: When the store does not answer.
    """
    if project.feedback is None:
        remedy = (
            "add feedback.labels with their source and the column of the ids, or feedback.endpoint (docs/feedback.md)"
        )
        raise ConfigError("has no section feedback", where=project.name, remedy=remedy)
    store = workspace.settings().store
    champion = current_champion(store, project.name)
    if champion is None:
        remedy = f"train and deploy one: naru run {shlex.quote(str(workspace.project))}"
        raise ConfigError("has no champion, whose answers could get labels", where=project.name, remedy=remedy)
    signature = _read_signature(champion)
    manifest = fetch_manifest(champion)
    columns = {} if manifest is None else manifest.columns
    types = {name: COLUMN_TYPES[kind].arrow for name, kind in columns.items() if kind in COLUMN_TYPES}
    config = project.feedback
    labels = config.labels and _with_absolute_sources(config.labels, workspace.project)
    spans = config.spans and absolute_location(config.spans, workspace.project)
    _check_added_columns(config.columns, signature)
    _check_key(labels.key if labels else (), signature)
    log = log_uri(project.serve.request_log, store, project.name)
    return FeedbackSettings(
        project=project.name,
        log=log,
        home=feedback_home(store, project.name),
        config=config.model_copy(update={"labels": labels, "spans": spans}),
        label=project.label,
        label_type=types.get(project.label) or _label_type(signature),
        signature=signature,
        types=types,
        posted=posted_labels_uri(log) if config.endpoint else "",
        masked=frozenset(project.serve.request_log.mask if project.serve.request_log else ()),
        readings=project.data.columns,
    )


def describe(report: FeedbackReport, settings: FeedbackSettings, *, write: bool) -> list[str]:
    """Describe what a join found, in lines; the last one is the outcome."""
    return [
        *_describe_answers(report),
        *_describe_labels(report, settings),
        *_describe_coverage(report),
        *_describe_biases(report),
        *([_line("written", absolute_uri(report.uri))] if report.span and not report.is_overtaken else []),
        _describe_outcome(report, settings, write=write),
    ]


def wrap_lines(lines: Sequence[str], columns: int) -> list[str]:
    """Break lines that a terminal is too narrow for, below the text; an address stays in one piece."""
    wrapper = textwrap.TextWrapper(
        max(columns, 2 * _WIDTH), subsequent_indent=" " * _WIDTH, break_long_words=False, break_on_hyphens=False
    )
    return [part for line in lines for part in (wrapper.wrap(line) if len(line) > columns else [line])]


def _read_signature(champion: Deployment) -> Signature:
    uri = f"{champion.model.rstrip('/')}/{SIGNATURE}"
    content = read_bytes(uri)
    try:
        return Signature.from_json(json.loads(content or b""))
    except (ValueError, LookupError, TypeError):
        problem = "is missing" if content is None else "is damaged"
        remedy = "restore it, or train and deploy again"
        raise ServiceError(f"the signature of the champion {problem}", where=uri, remedy=remedy) from None


def _check_added_columns(columns: Mapping[Any, str], signature: Signature) -> None:
    features = {feature.name for feature in signature.accepted}
    if taken := next((name for name in columns.values() if name in features), ""):
        message = f"names {taken!r}, which is a feature of the model"
        raise ConfigError(message, where="feedback.columns", remedy="give the added column another name")


def _with_absolute_sources(labels: Labels, folder: Path) -> Labels:
    """Return the section with the locations of the labels, and of tables joined to them, resolved from the project's folder."""
    joins = [join.model_copy(update={"source": absolute_location(join.source, folder)}) for join in labels.join]
    return labels.model_copy(update={"source": absolute_location(labels.source, folder), "join": joins})


def _check_key(key: Sequence[str], signature: Signature) -> None:
    names = [feature.name for feature in signature.accepted]
    if unknown := next((name for name in key if name not in names), ""):
        message = f"{unknown!r} is no feature of the model, so the log does not have it; {suggest(unknown, names)}"
        raise ConfigError(message, where="feedback.labels.key", remedy="name features, or join by id")


def _label_type(signature: Signature) -> pa.DataType:
    """Return the type of a label, where the manifest of the training rows is missing."""
    if not TASKS[signature.task].has_classes:
        return pa.float64()
    return pa.int64() if all(text.lstrip("-").isdigit() for text in signature.classes) else pa.string()


def _line(name: str, text: str) -> str:
    return f"{name:<{_WIDTH}}{text}"


def _rows(count: int, what: str) -> str:
    return f"{count:,} {what}"


def _counted(count: int, what: str) -> str:
    """Return as `1 new file` or `2 new files`."""
    return f"{count:,} new {what}" + ("s" if count != 1 else "")


def _listed(parts: list[str]) -> str:
    return ", ".join(filter(None, parts)) or "none"


def _describe_answers(report: FeedbackReport) -> list[str]:
    answers, log, counts = report.answers, report.answers.log, report.counts
    dropped = log.dropped.total()
    # only sampled requests are dropped, so one stands for as many as one that was logged
    weight = answers.weighted_rows / answers.requests if answers.requests else 1.0
    answered = answers.weighted_rows + dropped * weight
    lines = [
        _line("answered", f"about {answered:,.0f} rows, in {_counted(report.objects, 'object')} of the log"),
        _line("logged", _listed([_rows(answers.rows, "rows"), _rows(dropped, "requests dropped by the log")])),
    ]
    if counts["repeated"] or counts["conflicting"]:
        repeated = counts["repeated"] and _rows(counts["repeated"], "repeated (counted once)")
        conflicting = counts["conflicting"] and _rows(counts["conflicting"], "set aside: one id with different inputs")
        lines.append(_line("", _listed([str(repeated or ""), str(conflicting or "")])))
    if answers.foreign:
        lines.append(_line("", _rows(answers.foreign, "rows of other models left out")))
    if log.damaged:
        lines.append(_line("damaged", f"{log.damaged:,} lines of the log, the first: {log.examples[0]}"))
    return lines


def _describe_labels(report: FeedbackReport, settings: FeedbackSettings) -> list[str]:
    counts, labels = report.counts, report.labels
    lines = [_line("labels", f"{labels.rows:,} in {_counted(report.files, 'file')}")]
    for reason, count in labels.bad.items():
        lines.append(_line("", f"{count:,} {reason.replace('_', ' ')}, the first: {labels.examples[reason]}"))
    if labels.new_classes:
        value, count = labels.new_classes.most_common(1)[0]
        new = f"{labels.new_classes.total():,} of classes that the champion does not have, such as {value[:80]!r} ({count:,})"
        lines.append(_line("", new))
    lines.append(
        _line(
            "joined",
            _listed(
                [
                    _rows(counts["joined"], "rows"),
                    _rows(counts["corrected"], "corrections of earlier spans"),
                    _rows(counts["closed"], "closed without a label"),
                ]
            ),
        )
    )
    lines.append(_line("late", f"{counts['late']:,} labels known more than {settings.config.wait} after the answer"))
    others = {
        "superseded": "superseded by a later label, or the same again",
        "contradicted": "of them say otherwise, of the same time and file: the last one there counts",
        "unknown": "set aside: unknown id",
        "unsampled": "for requests that the log did not sample",
        "older": "older than feedback.keep, or of answers that may be",
        "waiting": f"wait for hours that are closed at {_moment(report.waits_until)}",
        "not_corrected": "set aside: corrections of a span that was deleted",
        "retyped": "values of earlier runs left missing: their column has another type now",
        "labels_refused": "set aside: their row was closed, expired or conflicting",
    }
    lines += [_line("", _rows(counts[name], what)) for name, what in others.items() if counts[name]]
    if report.strangers:
        of_labels, of_log = report.strangers
        lines.append(_line("", f"none has an answer so far: ids of the labels: {shown(of_labels)}"))
        lines.append(_line("", f"ids in the log: {shown(of_log)}"))
    expired = f", {counts['expired']:,} no longer kept" if counts["expired"] else ""
    lines.append(_line("open", f"{report.open:,} rows wait for a label{expired}"))
    return lines


def _describe_coverage(report: FeedbackReport) -> list[str]:
    share = share_labelled(report.coverage)
    if share is None:
        return [_line("coverage", "no answer is older than feedback.wait")]
    deciles = " ".join("-" if part is None else f"{part:.0%}" for part in by_decile(report.coverage))
    return [
        _line("coverage", f"{share:.1%} of the answers older than feedback.wait have a label"),
        _line("", f"by decile: {deciles}"),
    ]


def _describe_biases(report: FeedbackReport) -> list[str]:
    """The five ways in which the rows of a span are no fair sample, with their numbers."""
    log = report.answers.log
    parts = [part for part in by_decile(report.coverage) if part is not None]
    selective = f"coverage {min(parts):.0%} to {max(parts):.0%} by decile of the score" if parts else "no coverage yet"
    after = report.after_answer
    own = "no label has a time" if after is None else f"{after:.0%} of the labels came after the answer"
    shares = [f"{rows:,} rows with a share of {share:g}" for share, rows in sorted(report.shares.items())]
    versions = [f"version {name} {rows:,}" for name, rows in sorted(report.versions.items())]
    refused = [f"{code} {count:,}" for code, count in _by_code(report)]
    return [
        _line("bias", f"selective labels: {selective}"),
        _line("", f"own influence: {own}"),
        _line("", f"versions: {_listed(versions)}"),
        _line("", f"sampling: {_listed(shares)}; {log.dropped.total():,} requests dropped"),
        _line("", f"refused requests, which are in no row: {_listed(refused)}"),
    ]


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _by_code(report: FeedbackReport) -> list[tuple[str, int]]:
    codes: dict[str, int] = {}
    for (_, code), count in report.answers.log.refused.items():
        codes[code] = codes.get(code, 0) + count
    return sorted(codes.items())


def _describe_outcome(report: FeedbackReport, settings: FeedbackSettings, *, write: bool) -> str:
    if report.span is None:
        least = settings.config.min_rows
        if report.rows >= least and not write:
            return f"no span: {report.rows:,} labelled rows are enough for one; run without --dry-run"
        waits = (
            f"; {report.counts['waiting']:,} labels wait until {_moment(report.waits_until)}"
            if report.waits_until
            else ""
        )
        return f"no span: {report.rows:,} labelled rows wait; feedback.min_rows is {least:,}{waits}"
    if report.is_overtaken:
        return f"span {report.span}: another run wrote it meanwhile"
    final = f"not final: {report.not_final}" if report.not_final else "final"
    return f"span {report.span}: {report.rows:,} rows, {final}"
