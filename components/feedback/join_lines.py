"""What a join found, as lines for a person."""

from __future__ import annotations

from datetime import datetime

from components._core.store.object_store import absolute_uri
from components._feedback.coverage import by_decile, share_labelled
from components._feedback.feedback_report import FeedbackReport
from components._feedback.label_limits import shown
from components._feedback.settings import FeedbackSettings

WIDTH = 12
"""Characters of the name in front of a line."""


def describe(report: FeedbackReport, settings: FeedbackSettings, *, write: bool) -> list[str]:
    """Describe what a join found, in lines; the last one is the outcome."""
    return [
        *_describe_answers(report),
        *_describe_labels(report, settings),
        *_describe_coverage(report),
        *_describe_biases(report),
        *([_line("written", absolute_uri(report.uri))] if report.span and not report.is_overtaken else []),
        describe_outcome(report, settings, write=write),
    ]


def _line(name: str, text: str) -> str:
    return f"{name:<{WIDTH}}{text}"


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
        "posted_unknown": f"set aside: posted to a server with an unknown id, as in {shown(report.posted_ids)}",
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


def describe_outcome(report: FeedbackReport, settings: FeedbackSettings, *, write: bool) -> str:
    """Describe in a line which span was written, or why none was."""
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
