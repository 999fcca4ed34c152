"""What a join of the request log with labels found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from components._feedback.answers import AnswerCounts
from components._feedback.labels import LabelCounts


@dataclass
class FeedbackReport:
    """What a join found.

    Attributes:
        counts: Rows by what became of them: see `bucket_join.py`, and `late`.
        answers: Counts of the log that was read.
        labels: Counts of the labels that were read.
        objects: Objects of the log that were read.
        files: Files with labels that were read.
        open: Answers that wait for a label.
        coverage: Answered, labelled and closed rows by decile of the score, of days older than `feedback.wait` (int64 [3, 10]).
        after_answer: Share of the labels with a time that became known after the answer, which may have shaped them.
        versions: Labelled rows by the version that answered; corrections are left out.
        shares: Labelled rows by the share with which their requests were logged; corrections are left out.
        not_final: Why the labels are no fair sample of the answers; empty: they are.
        waits_until: When the hours are closed that labels wait for; None: no label waits.
        strangers: Some ids of waiting labels and some ids of the log, where no label has found an answer yet; else empty.
        posted_ids: Some ids of posted labels that no answer has.
        rows: Labelled rows, corrections included.
        span: Number of the span that was written; None: none was.
        uri: Where its rows are.
        is_overtaken: Whether another writer wrote the span meanwhile.
    """

    counts: Counter[str] = field(default_factory=Counter)
    answers: AnswerCounts = field(default_factory=AnswerCounts)
    labels: LabelCounts = field(default_factory=LabelCounts)
    objects: int = 0
    files: int = 0
    open: int = 0
    coverage: Any = None
    after_answer: float | None = None
    versions: Counter[str] = field(default_factory=Counter)
    shares: Counter[float] = field(default_factory=Counter)
    not_final: str = ""
    waits_until: datetime | None = None
    strangers: tuple[list[str], list[str]] | None = None
    posted_ids: list[str] = field(default_factory=list)
    rows: int = 0
    span: int | None = None
    uri: str = ""
    is_overtaken: bool = False
