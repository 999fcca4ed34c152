"""The section of the project file about labels that people give: what they are asked, what they may answer, when they agree enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictInt, model_validator

from components._core.project.check_config import Share
from components._core.project.config_types import Real, Section
from components._core.project.feedback_config import check_span_location

if TYPE_CHECKING:
    from components._core.types.tasks.contract import Task

MOST_CLASSES = 200
LONGEST_CLASS = 200
Scale = Literal["nominal", "ordinal", "interval"]
Origin = Literal["id", "annotators", "time", "tool", "agreement", "share"]


def _check_classes(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(each, str | int) for each in value):
        raise ValueError(f"found {repr(value)[:80]}; must be a list of texts, as in [negative, positive]")
    names = [str(each).lower() if isinstance(each, bool) else str(each) for each in value]
    if wrong := next((name for name in names if not name.strip() or len(name) > LONGEST_CLASS), None):
        raise ValueError(f"found {wrong[:80]!r}; a class has 1 to {LONGEST_CLASS} characters")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{repeated[0]!r} is there twice")
    if len(names) == 1 or len(names) > MOST_CLASSES:
        raise ValueError(f"found {len(names)}; 2 to {MOST_CLASSES} classes are allowed")
    return names


class NextRows(Section):
    """Parts of a work list that `naru label next` makes; the shares add up to 1."""

    uncertain: Annotated[Share, Field(description="Rows of which the champion is least certain.")] = 0.5
    drifted: Annotated[
        Share, Field(description="Rows with the values whose share has moved, by the monitor's newest result.")
    ] = 0.3
    random: Annotated[
        Share,
        Field(
            gt=0,
            description="Rows drawn at random from all others. Without them no estimate from the labels is unbiased.",
        ),
    ] = 0.2

    @model_validator(mode="after")
    def _is_a_whole(self) -> NextRows:
        total = self.uncertain + self.drifted + self.random
        if abs(total - 1) > 1e-9:
            raise ValueError(f"uncertain, drifted and random must add up to 1 (100 %); found {total:g}")
        return self


class Labelling(Section):
    """Labels that people give: `naru label` (docs/labelling.md)."""

    version: Annotated[
        StrictInt,
        Field(
            ge=1,
            description="Version of the label schema. Raise it when the question or the classes change their meaning: annotations of "
            "earlier versions are kept, and count no longer.",
        ),
    ] = 1
    question: Annotated[
        str, Field(max_length=1_000, description="What annotators are asked; empty: the name of the project's label.")
    ] = ""
    classes: Annotated[
        list[str],
        BeforeValidator(_check_classes),
        Field(
            json_schema_extra={"items": {"type": ["string", "integer"]}},
            description="Allowed labels, in the order of the scale. Empty: the label is a number.",
        ),
    ] = []
    scale: Annotated[
        Scale | None,
        Field(
            description="How two labels differ, for Krippendorff's alpha: `nominal` (or not), `ordinal` (by rank), `interval` (by their "
            "difference). Default: nominal for classes, interval for numbers."
        ),
    ] = None
    min: Annotated[Real | None, Field(description="Smallest allowed number; only without classes.")] = None
    max: Annotated[Real | None, Field(description="Largest allowed number; only without classes.")] = None
    source: Annotated[
        str,
        Field(
            description="Table of the rows to label, by path or URL, relative to the project file; its rows with a label are left out. "
            "Empty: data.source."
        ),
    ] = ""
    id: Annotated[
        str,
        Field(description="Column that identifies a row; empty: its content, so that equal rows are labelled once."),
    ] = ""
    show: Annotated[
        list[str], Field(description="Columns that annotators see; empty: all but the label and data.exclude.")
    ] = []
    annotators_per_item: Annotated[
        StrictInt,
        Field(ge=1, le=20, description="Annotators who must have seen a row before it gets a label, by majority."),
    ] = 1
    adjudicators: Annotated[
        list[str],
        Field(description="Annotators whose label decides; it does not count for the agreement of the others."),
    ] = []
    min_alpha: Annotated[
        Real | None,
        Field(
            ge=-1,
            le=1,
            description="Smallest Krippendorff's alpha with which validate lets a run use the labels: 0.8 is good, 0.667 tentative. "
            "Absent: it is not checked.",
        ),
    ] = None
    min_items: Annotated[
        StrictInt,
        Field(
            ge=2, description="Rows that two annotators must have seen for alpha to be judged; fewer say too little."
        ),
    ] = 30
    min_rows: Annotated[StrictInt, Field(ge=1, description="Newly labelled rows that make a span.")] = 1
    spans: Annotated[
        str,
        BeforeValidator(check_span_location),
        Field(
            description="Path or URL of the labelled rows, with `{span}` for a span's number; `data.source` of a project that trains on "
            "them. Empty: `labels/spans/{span}/rows.parquet` beside the project's models in the store."
        ),
    ] = ""
    columns: Annotated[
        dict[Origin, str],
        Field(
            description="Columns to add to the labelled rows, by what they hold: id, annotators, time, tool, agreement (share of the annotators "
            "with this label), share (probability of being selected; 1 / share is a row's weight). Exclude them in `data.exclude`."
        ),
    ] = {}
    next: NextRows = NextRows()

    @model_validator(mode="after")
    def _scale_fits_the_labels(self) -> Labelling:
        if self.classes and (self.min is not None or self.max is not None):
            raise ValueError("min and max are for numbers, and classes are given; remove one of them")
        if not self.classes and self.scale in ("nominal", "ordinal"):
            raise ValueError(f"scale: {self.scale} needs classes, in the order of the scale")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min ({self.min:g}) must be below max ({self.max:g})")
        return self

    @model_validator(mode="after")
    def _columns_are_different(self) -> Labelling:
        for place, names in (("columns", [*self.columns.values()]), ("show", self.show)):
            if twice := next((name for name, count in Counter(names).items() if count > 1), ""):
                raise ValueError(f"{place} has {twice!r} twice")
        return self

    @property
    def level(self) -> Scale:
        """How two labels differ."""
        return self.scale or ("nominal" if self.classes else "interval")

    def located(self, locate: Callable[[str], str]) -> Labelling:
        """Return the section with its locations resolved: the table of the rows to label, and the spans.

        Args:
            locate: Resolves a location.
        """
        return self.model_copy(
            update={"source": self.source and locate(self.source), "spans": self.spans and locate(self.spans)}
        )

    def check_project(self, label: str, task: Task) -> None:
        """Check what depends on other sections of the project.

        Args:
            label: The project's label.
            task: The project's task.

        Raises:
            ValueError: When something does not fit.
        """
        if task.has_classes and not self.classes:
            raise ValueError("labels.classes is missing: the task has classes; name them, as in [negative, positive]")
        if not task.has_classes and self.classes and self.numbers is None:
            raise ValueError("labels.classes: the task predicts a number, and not all classes are whole numbers")
        if task.has_classes and not task.scores_by_class and len(self.classes) != 2:
            raise ValueError(f"labels.classes has {len(self.classes)} classes, and the task has two")
        for place, names in (("columns", [*self.columns.values()]), ("show", self.show)):
            if label in names:
                raise ValueError(f"labels.{place} must not name the label {label!r}")

    @property
    def numbers(self) -> list[int] | None:
        """The classes as whole numbers; None when one is something else."""
        plain = [name for name in self.classes if name.lstrip("-").isdecimal() and str(int(name)) == name]
        return [int(name) for name in plain] if plain and len(plain) == len(self.classes) else None
