"""Annotations: one person's label of one item, as it is kept; and what is found in a file of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

MOST_SHOWN = 3
"""Examples that a message names."""


@dataclass(frozen=True, order=True)
class Annotation:
    """One annotation.

    Attributes:
        item: The item's identity.
        annotator: Who gave it.
        label: The label, as the schema has it.
        time: When, as ISO time in UTC; empty: unknown.
        tool: With what it was given.
        schema: Version of the label schema.
    """

    item: str
    annotator: str
    label: str
    time: str = ""
    tool: str = ""
    schema: int = 1

    @property
    def key(self) -> tuple[str, str]:
        """Item and annotator: of several annotations with one key the latest counts."""
        return self.item, self.annotator


@dataclass(frozen=True)
class FoundLabel:
    """A label in a file, before it is held against the schema.

    Attributes:
        where: Its place in the file.
        item: The item's identity; empty: the file names none.
        annotator: Who gave it; empty: the file does not say.
        label: The label as written.
        time: When, as ISO time in UTC; empty: unknown.
        project: The project that the item was exported from; empty: the file does not say.
        schema: Version of the schema that it was exported with; None as above.
    """

    where: str
    item: str
    annotator: str
    label: str
    time: str = ""
    project: str = ""
    schema: int | None = None


@dataclass
class FoundLabels:
    """What a file has.

    Attributes:
        tool: The program that wrote it.
        labels: The labels.
        skipped: Items that an annotator skipped, or left without a label.
        unreadable: Place and reason of each annotation that is not a label of one item.
    """

    tool: str
    labels: list[FoundLabel] = field(default_factory=list)
    skipped: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def parse_time(value: Any) -> str:
    """Return a time as ISO text in UTC with milliseconds; one without a zone is in UTC.

    Raises:
        ValueError: When it is not a time.
    """
    if not isinstance(value, str):
        raise ValueError("not a time")
    found = datetime.fromisoformat(value.strip())
    known = found if found.tzinfo else found.replace(tzinfo=UTC)
    return known.astimezone(UTC).isoformat(timespec="milliseconds")


def to_lines(annotations: Iterable[Annotation]) -> bytes:
    """Return annotations as JSON lines, in an order that does not depend on how they came."""
    lines = (json.dumps(asdict(each), ensure_ascii=False, sort_keys=True) for each in sorted(annotations))
    return "".join(f"{line}\n" for line in lines).encode()


def from_lines(content: bytes) -> list[Annotation]:
    """Restore what `to_lines` wrote."""
    return [Annotation(**json.loads(line)) for line in content.splitlines()]


def keep_latest(annotations: Iterable[Annotation]) -> dict[tuple[str, str], Annotation]:
    """Keep the latest annotation of each item and annotator; of equal or unknown times the one that comes later here."""
    kept: dict[tuple[str, str], Annotation] = {}
    for each in annotations:
        earlier = kept.get(each.key)
        if earlier is None or not (each.time and earlier.time) or each.time >= earlier.time:
            kept[each.key] = each
    return kept


def rename(annotation: Annotation, people: Mapping[str, str]) -> Annotation:
    """Return an annotation with the annotator's name, where it is known: a tool's export may have a number only."""
    known = people.get(annotation.annotator)
    return annotation if known is None else replace(annotation, annotator=known)


def group_by_item(annotations: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    """Return the annotations of each item, by annotator."""
    items: dict[str, list[Annotation]] = {}
    for each in sorted(annotations):
        items.setdefault(each.item, []).append(each)
    return items


def name_some(names: Iterable[str]) -> str:
    """Name a few of many in a message, the most frequent first."""
    counted = Counter(names)
    shown = ", ".join(f"{name[:80]!r}" for name, _ in counted.most_common(MOST_SHOWN))
    return shown + (f" and {len(counted) - MOST_SHOWN} more" if len(counted) > MOST_SHOWN else "")
