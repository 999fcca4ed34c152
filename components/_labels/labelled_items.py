"""What is known of a project's items: their annotations, and the verdict on each."""

from __future__ import annotations

from dataclasses import dataclass

from components._core.errors import ConfigError
from components._labels.annotations import Annotation, group_by_item, name_some
from components._labels.consensus import Verdict, judge_items
from components._labels.label_schema import LabelSchema
from components._labels.label_store import LabelStore
from components._labels.votes import Votes, collect_votes


@dataclass(frozen=True)
class LabelledItems:
    """The items that somebody has labelled, with the current version of the schema.

    Attributes:
        annotations: The annotations of each item, one of each annotator.
        verdicts: What follows for each item.
    """

    annotations: dict[str, list[Annotation]]
    verdicts: dict[str, Verdict]

    def votes(self, schema: LabelSchema) -> Votes:
        """Return the matrix of the annotators' labels, without the adjudicators'."""
        given = [verdict.votes for _, verdict in sorted(self.verdicts.items())]
        return collect_votes([votes for votes in given if votes], schema.config.classes)


def read_labelled(store: LabelStore, schema: LabelSchema) -> LabelledItems:
    """Read the annotations of the current version of the schema.

    Raises:
        ConfigError: When some have a label that the schema no longer has.
        ServiceError: When the store is damaged.
        UnavailableError: When the store does not answer.
    """
    annotations = store.read_annotations(schema.config.version)
    gone = [each.label for each in annotations.values() if not _is_allowed(each.label, schema)]
    if gone:
        message = f"no longer allows labels that {len(gone):,} annotations of version {schema.config.version} have: {name_some(gone)}"
        remedy = "allow them again, or raise labels.version: annotations of earlier versions count no longer"
        raise ConfigError(message, where="the section labels", remedy=remedy)
    items = group_by_item(annotations.values())
    return LabelledItems(items, judge_items(items, schema.config))


def _is_allowed(label: str, schema: LabelSchema) -> bool:
    try:
        return schema.parse_label(label) == label
    except ValueError:
        return False
