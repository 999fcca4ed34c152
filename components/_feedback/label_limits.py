"""Labels of which too many cannot be used, or have an id that the log does not have: most often they are in another column.

Labels that were posted to a server are not counted here: any client that reaches it can post ids of answers that were never given, and must not
stop the join of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import DataError
from components._core.examples.safe_parquet import pq
from components._core.request_log.hours import LogObject
from components._core.suggestions import listed
from components._feedback.answers import AnswerCounts, read_answers
from components._feedback.bucket_join import is_posted_label
from components._feedback.columns import Mask
from components._feedback.feedback_report import FeedbackReport
from components._feedback.settings import FeedbackSettings

FEWEST = 20
"""Labels from which on too many without an answer say that `id` names a wrong column; fewer may be chance."""
_REMEDY = {
    "id": "name the column with the answers' ids in feedback.labels.id (and the row's place in feedback.labels.row)",
    "key": "name in feedback.labels.key the features whose values the labels have as the requests had them",
}
_WRONG = ("unreadable", "missing_id", "bad_row", "bad_label", "bad_time", "unknown_class")
Examples = tuple[list[str], list[str]]
"""Some ids of labels without an answer, and some ids of the log."""


def check_unknown_ids(
    settings: FeedbackSettings, report: FeedbackReport, examples: Examples, *, is_all_read: bool
) -> None:
    """Refuse labels of which too many have an id that the log does not have.

    Args:
        settings: The settings.
        report: What was found.
        examples: Ids to show.
        is_all_read: Whether all that was logged was read, in hours that are still open nothing is, and no span was written before.

    Raises:
        DataError: With ids of both sides.
    """
    if has_too_many(settings, report):
        raise _too_many(settings, report.counts["unknown"], _count_judged(report), examples)
    if is_all_read and has_found_none(report):
        waiting = report.counts["waiting"] - report.counts["posted_waiting"]
        raise _too_many(settings, waiting, report.labels.rows - report.labels.posted, examples)


def has_too_many(settings: FeedbackSettings, report: FeedbackReport) -> bool:
    """Return whether more labels than allowed have an unknown id."""
    judged = _count_judged(report)
    return judged >= FEWEST and report.counts["unknown"] > _most_unknown(settings, report, judged)


def check_bad_labels(settings: FeedbackSettings, report: FeedbackReport) -> None:
    """Refuse labels of which most cannot be used: a wrong column or type, and not a few odd cells.

    Raises:
        DataError: With the reasons, and an example of each.
    """
    bad = {reason: count for reason, count in report.labels.bad.items() if reason in _WRONG}
    lost, rows = sum(bad.values()) - report.labels.posted_bad, report.labels.rows - report.labels.posted
    new = report.labels.new_classes
    if new.total() >= FEWEST and 2 * new.total() > rows:
        shown = ", ".join(f"{value[:80]!r} ({count:,})" for value, count in new.most_common(3))
        message = f"{new.total():,} of {rows:,} labels are of a class that the champion does not have: {shown}; it has {listed(settings.signature.classes)}"
        remedy = "name the column with the classes in feedback.labels.label, or write them as in training"
        raise DataError(message, where=settings.labels.source, remedy=remedy)
    if lost < FEWEST or lost <= rows:  # rows are those that can be used
        return
    found = [
        f"{count:,} {reason.replace('_', ' ')}, the first: {report.labels.examples[reason]}"
        for reason, count in bad.items()
    ]
    message = f"{lost:,} of {lost + rows:,} labels cannot be used\n  " + "\n  ".join(found)
    remedy = (
        f"the label {settings.label!r} is of type {settings.label_type}{_describe_classes(settings)}: name its column, and those of the id and the time, in "
        "feedback.labels, or correct the files"
    )
    raise DataError(message, where=settings.labels.source, remedy=remedy)


def _describe_classes(settings: FeedbackSettings) -> str:
    classes = settings.signature.classes
    return f" with the classes {listed(classes)}" if classes else ""


def find_in(objects: Sequence[LogObject], settings: FeedbackSettings, unknown: Path, posted: Mask) -> int:
    """Count the labels of files with an unknown id that objects of the log have after all, as those of hours that are still open.

    Args:
        objects: The objects.
        settings: The settings.
        unknown: File with the labels, see `columns.labels_schema`.
        posted: As in `bucket_join.is_posted_label`.
    """
    labels = pq.read_table(unknown, columns=["id", "object"])
    ids = labels.filter(pa.array(~is_posted_label(labels, posted)))["id"].combine_chunks()
    is_found = np.zeros(len(ids), np.bool_)
    for batch in read_answers(settings, objects, AnswerCounts()):
        is_found |= np.asarray(pc.is_in(ids, batch["id"]), np.bool_)
    return int(is_found.sum())


def has_found_none(report: FeedbackReport) -> bool:
    """Return whether many labels wait, and none has found an answer in a log that has some."""
    counts = report.counts
    found = counts["joined"] + counts["closed"] + counts["corrected"] + counts["superseded"]
    return found == 0 and counts["waiting"] - counts["posted_waiting"] >= FEWEST and report.answers.rows > 0


def _most_unknown(settings: FeedbackSettings, report: FeedbackReport, judged: int) -> float:
    """Return how many labels may have no answer.

    Where features name the answers, a label does not tell whether its request was sampled: as many as were not, and chance (four standard
    deviations), are allowed besides.
    """
    limit, shares = settings.labels.unknown_limit, report.answers.shares
    if not settings.labels.key or not shares or report.answers.weighted_rows <= 0:
        return limit * judged
    share = min(1.0, shares.total() / report.answers.weighted_rows)
    return (limit + 1 - share) * judged + 4 * math.sqrt(judged * share * (1 - share))


def _count_judged(report: FeedbackReport) -> int:
    counts = report.counts
    not_judged = sum(counts[name] - counts[f"posted_{name}"] for name in ("waiting", "unsampled", "older"))
    return max(report.labels.rows - report.labels.posted - not_judged, counts["unknown"])


def shown(ids: list[str]) -> str:
    """Return some ids as a text."""
    return ", ".join(repr(text[:80]) for text in ids) or "none"


def _too_many(settings: FeedbackSettings, lost: int, of: int, examples: Examples) -> DataError:
    labels, limit = settings.labels, settings.labels.unknown_limit
    column = "|".join(labels.key) or labels.id
    message = (
        f"{lost:,} of {of:,} labels have an id that no logged answer has ({lost / of:.1%}; allowed "
        f"{limit:.0%})\n  ids in the column {column!r}: {shown(examples[0])}\n  ids in the log: {shown(examples[1])}"
    )
    remedy = (
        f"{_REMEDY['key' if labels.key else 'id']}; "
        "feedback.labels.unknown_limit allows more, and labels of answers older than feedback.keep need a longer one"
    )
    return DataError(message, where=settings.labels.source, remedy=remedy)
