"""The section of the project file about labels that come later, and the spans that are made of them and the request log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, model_validator

from components._core.project.check_config import Share
from components._core.project.config_types import Section
from components._core.project.cron import check_optional_cron
from components._core.project.durations import Duration, to_timedelta
from components._core.project.join_config import Join
from components._core.project.table_config import Sql

LARGEST_SPAN_NUMBER = 10**12
DAILY = "0 40 2 * * *"
_SPAN = "{span}"
Provenance = Literal["id", "row", "time", "version", "share", "known_at"]


def check_span_location(value: Any) -> Any:
    """Refuse a location of spans without exactly one `{span}`, or of another format than Parquet."""
    if isinstance(value, str) and value and value.count(_SPAN) != 1:
        raise ValueError(f"found {value!r}; must have {_SPAN} once, as in s3://bucket/flights/{_SPAN}.parquet")
    if isinstance(value, str) and value and not value.endswith(".parquet"):
        raise ValueError(f"found {value!r}; must end in .parquet, the format of the spans")
    return value


class Labels(Section):
    """Where labels arrive, and how they name the answers that they belong to (docs/feedback.md)."""

    source: Annotated[
        str,
        Field(
            min_length=1,
            description="Folder or file of the labels, by path or URL, relative to the project file. Files that are new or changed since "
            "the last span are read; all are of one format.",
        ),
    ]
    format: Annotated[str, Field(description="Format of its files, as `data.format`.")] = ""
    sql: Annotated[Sql | None, Field(description="What of a database is the table of the labels.")] = None
    join: Annotated[
        list[Join],
        Field(
            description="Tables whose columns the labels get by a key, as `data.join`: for features that the log masks, or for a column of "
            "`key`."
        ),
    ] = []
    key: Annotated[
        list[str],
        Field(
            description="Features whose values name an answer, instead of `id` and `row`, as in `[flight, date]`: the labels have columns "
            "of the same names. They must be new for each decision."
        ),
    ] = []
    id: Annotated[str, Field(min_length=1, description="Column with the `id` of the answer.")] = "id"
    row: Annotated[
        str, Field(description="Column with the row's place in its request, from 0; empty: every label is of row 0.")
    ] = ""
    label: Annotated[
        str,
        Field(
            description="Column with the label, of the type of the project's label; an empty one says that there will never be one. "
            "Empty: the name of the project's label."
        ),
    ] = ""
    time: Annotated[
        str,
        Field(
            description="Column with the time at which the label became known: of several labels for one row the latest wins, and of "
            "equal times the one in the file with the later name. Empty: the file with the later name wins."
        ),
    ] = ""
    unknown_limit: Annotated[
        Share,
        Field(
            description="Share of the labels whose id may be missing in the request log; they are set aside. More end the command: most "
            "often `id` names a wrong column."
        ),
    ] = 0.05

    @model_validator(mode="after")
    def _either_key_or_id(self) -> Labels:
        if self.key and (named := sorted({"id", "row"} & self.model_fields_set)):
            raise ValueError(f"give key or id, not both; remove {' and '.join(named)}, or key")
        if twice := next((name for name in self.key if self.key.count(name) > 1), ""):
            raise ValueError(f"key has {twice!r} twice")
        return self


class Feedback(Section):
    """Labels that come later, joined with the request log to spans of examples: `naru feedback` (docs/feedback.md)."""

    later: ClassVar[frozenset[str]] = frozenset({"endpoint"})

    labels: Annotated[Labels | None, Field(description="Absent: labels are only posted to the server.")] = None
    endpoint: Annotated[
        StrictBool,
        Field(
            description="Whether the server takes labels: `POST /v2/models/NAME/feedback`, or `/api/v1.0/feedback` with Seldon's protocol. "
            "Whoever reaches the server can post them."
        ),
    ] = False
    features: Annotated[
        Literal["from log", "from source"],
        Field(
            description="Where a span has the features from that the log masks: `from log` refuses rows in which the model's features are "
            "masked; `from source` takes these from the labels' source, which has columns of the same names, or gets them by `labels.join`."
        ),
    ] = "from log"
    wait: Annotated[
        Duration,
        Field(description="Time after an answer in which its label is expected; a label after it is counted as late."),
    ] = "14d"
    keep: Annotated[
        Duration,
        Field(description="How long an answer without a label is kept; a label after it finds nothing and is counted."),
    ] = "90d"
    min_coverage: Annotated[
        Share,
        Field(description="Share of the answers older than `wait` that must have a label for a span to be final."),
    ] = 0.8
    min_rows: Annotated[
        StrictInt, Field(ge=1, description="Labelled rows that must wait for a span to be written.")
    ] = 1_000
    schedule: Annotated[
        str,
        AfterValidator(check_optional_cron),
        Field(
            description="When a cluster joins labels: six fields, seconds first, in the time zone of the KFP server; empty: only by hand. "
            "A join reads again what is not in a span yet, so it need not be more often than labels come."
        ),
    ] = DAILY
    spans: Annotated[
        str,
        BeforeValidator(check_span_location),
        Field(
            description="Path or URL of the spans, with `{span}` for their number; `data.source` of a project that trains on them. "
            "Empty: `feedback/spans/{span}/rows.parquet` beside the project's models in the store."
        ),
    ] = ""
    first_span: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=LARGEST_SPAN_NUMBER,
            description="Number of the first span, where earlier ones are of another origin.",
        ),
    ] = 1
    columns: Annotated[
        dict[Provenance, str],
        Field(
            description="Columns to add to the rows, by what they hold: id, row, time (of the answer), version, share (probability of being "
            "logged), known_at (time of the label). Exclude them in `data.exclude` where the model must not see them."
        ),
    ] = {}

    @model_validator(mode="after")
    def _keep_is_at_least_wait(self) -> Feedback:
        if to_timedelta(self.keep) < to_timedelta(self.wait):
            raise ValueError(f"keep ({self.keep}) must be at least wait ({self.wait})")
        return self

    @model_validator(mode="after")
    def _has_labels(self) -> Feedback:
        if self.labels is None and not self.endpoint:
            raise ValueError(
                "has neither labels, which name their source, nor endpoint: true, to which they are posted"
            )
        if self.features == "from source" and (self.endpoint or self.labels is None):
            raise ValueError(
                "features: from source needs every label from labels.source; one that is posted (endpoint: true) has no features"
            )
        if self.endpoint and self.labels is not None and self.labels.key:
            raise ValueError(
                "labels.key does not go with endpoint: true: labels that are posted name their answers by id; give labels.id"
            )
        return self

    def located(self, locate: Callable[[str], str]) -> Feedback:
        """Return the section with its locations resolved: those of the labels, of tables joined to them, and of the spans.

        Args:
            locate: Resolves a location.
        """
        labels = self.labels
        if labels is not None:
            joins = [join.model_copy(update={"source": locate(join.source)}) for join in labels.join]
            labels = labels.model_copy(update={"source": locate(labels.source), "join": joins})
        return self.model_copy(update={"labels": labels, "spans": self.spans and locate(self.spans)})

    def check_project(self, label: str, *, has_log: bool) -> None:
        """Check what depends on other sections of the project.

        Args:
            label: The project's label.
            has_log: Whether the servers keep a request log.

        Raises:
            ValueError: When something does not fit.
        """
        if label in self.columns.values():
            raise ValueError(f"feedback.columns names the label {label!r}")
        if self.endpoint and not has_log:
            raise ValueError("feedback.endpoint needs serve.request_log: labels are joined with the answers in it")

    @model_validator(mode="after")
    def _columns_are_different(self) -> Feedback:
        names = [*self.columns.values()]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"columns has {twice!r} twice")
        return self
