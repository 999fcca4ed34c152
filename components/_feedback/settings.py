"""What a join of the request log with labels needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pyarrow as pa

from components._core.project.column_config import ColumnReading
from components._core.project.durations import to_timedelta
from components._core.project.feedback_config import Feedback, Labels
from components._core.request_log.posted_labels import ID, LABEL, ROW, TIME
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS

POSTED = Labels(source="posted", format="jsonl", id=ID, row=ROW, label=LABEL, time=TIME)
"""How labels are written that were posted to a server."""


@dataclass(frozen=True)
class FeedbackSettings:
    """Where log and labels are, and what a span's rows look like.

    Attributes:
        project: The project's name.
        log: Folder of the request log.
        home: Folder of the state and the manifests: a path, `file:///path`, `s3://bucket/prefix` or `gs://bucket/prefix`.
        config: The section of the project file, with absolute locations.
        label: Name of the label's column in the spans.
        label_type: Its Arrow type.
        signature: Signature of the champion: it has the features of a span's rows.
        types: Arrow type of a feature's column in the spans, where it differs from that in the log.
        posted: Folder of the labels that were posted to the servers; empty: they take none.
        masked: Features that the log masks now; of rows that were logged before, others may be masked.
        readings: How the cells of the project's columns are read, for features that come with the labels.
    """

    project: str
    log: str
    home: str
    config: Feedback
    label: str
    label_type: pa.DataType
    signature: Signature
    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    posted: str = ""
    masked: frozenset[str] = frozenset()
    readings: Mapping[str, ColumnReading] = field(default_factory=dict)

    @property
    def labels(self) -> Labels:
        """How the labels of the source are written; without one, those that were posted."""
        return self.config.labels or POSTED

    @property
    def has_source(self) -> bool:
        """Whether masked features come from the labels' source."""
        return self.config.features == "from source"

    @property
    def by_class(self) -> bool:
        """Whether the model answers with a score for each class."""
        return TASKS[self.signature.task].scores_by_class

    @property
    def spans(self) -> str:
        """Location of the spans, with `{span}`."""
        return self.config.spans or f"{self.home}/spans/{{span}}/rows.parquet"

    @property
    def wait(self) -> timedelta:
        """Time in which a label is expected."""
        return to_timedelta(self.config.wait)

    @property
    def keep(self) -> timedelta:
        """How long an answer without a label is kept."""
        return to_timedelta(self.config.keep)
