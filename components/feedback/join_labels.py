"""The stage feedback: one join of the request log with the labels that came since, in a recurring run of a cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from components._core.checks import Check, Outcome
from components._core.project.project_file import Project
from components._core.report.html import write_page
from components._core.report.page import Page
from components._core.settings import Settings
from components._core.store.ledger import current_champion
from components._feedback.coverage import share_labelled
from components._feedback.feedback_report import FeedbackReport
from components._feedback.join_settings import find_settings
from components._feedback.labels import NoLabelsError
from components._feedback.make_span import make_span
from components._feedback.settings import FeedbackSettings
from components._feedback.span_store import SpanStore
from components.feedback.join_lines import describe, describe_outcome


def join_labels(project: Project, *, joined: Path, page: Path, now: datetime | None = None) -> Outcome:
    """Join the request log with the labels, and write a span when enough rows have one.

    A project without a champion, and one whose first label has not come yet, is skipped: its recurring run begins before both.

    Args:
        project: The project, with locations as the cluster reads them.
        joined: An empty folder for the outcome and the page as data.
        page: Where the rendered page goes.
        now: The present; None: that of the clock.

    Raises:
        ConfigError: When the section does not fit the labels or the log, or a feature that the model uses is masked.
        DataError: When the labels cannot be read, or too many have an id that the log does not have.
        ServiceError: When files of the store are missing or damaged.
        UnavailableError: When the store does not answer.
    """
    store = Settings.from_environment().store.rstrip("/")
    if current_champion(store, project.name) is None:
        found = _skip("no version is deployed yet whose answers could get labels")
    else:
        settings = find_settings(project, store, Path.cwd())
        found = _join(settings, now or datetime.now(UTC))
    found.save(joined)
    write_page(found, page)
    return found.outcome


def _join(settings: FeedbackSettings, now: datetime) -> Page:
    try:
        report = make_span(settings, now)
    except NoLabelsError as error:
        if SpanStore(settings.home, settings.spans).last() is not None:
            raise  # labels that were there are gone
        return _skip(f"no label has come yet: {error.message}")
    for line in describe(report, settings, write=True):
        print(line, flush=True)
    page = Page("feedback", "Labels", _judge(report, settings))
    page.facts({"span": report.span or "none", "labelled rows": report.rows, "open answers": report.open})
    lines = [[line[:12].strip(), line[12:].strip()] for line in describe(report, settings, write=True)[:-1]]
    page.table("What the join found", ["", ""], [[*line] for line in lines])
    page.checks(page.outcome.checks)
    return page


def _skip(reason: str) -> Page:
    page = Page("feedback", "Labels", Outcome("skipped", reason))
    page.text(f"{reason[0].upper()}{reason[1:]}. The next run looks again.")
    return page


def _judge(report: FeedbackReport, settings: FeedbackSettings) -> Outcome:
    """Return the outcome: a span that is no fair sample, and labels that were set aside, warn."""
    bad = report.labels.bad.total()
    lost = report.counts["unknown"] + report.counts["posted_unknown"]
    share = share_labelled(report.coverage)
    checks = (
        Check(
            "coverage",
            "no_baseline" if share is None else "warn" if report.not_final else "pass",
            share,
            settings.config.min_coverage,
            reason=report.not_final,
        ),
        Check("labels that cannot be used", "warn" if bad else "pass", float(bad), 0.0, n=report.labels.rows + bad),
        Check("labels with an unknown id", "warn" if lost else "pass", float(lost), n=report.labels.rows),
    )
    metrics = {"rows": float(report.rows), "open": float(report.open)}
    reason = describe_outcome(report, settings, write=True)
    if report.span is None:
        return Outcome("skipped", reason, checks, metrics)
    return Outcome("warn" if any(each.status == "warn" for each in checks) else "ok", reason, checks, metrics)
