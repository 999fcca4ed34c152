"""The origin of labels that people gave: kept in the metadata of the Parquet file that has them, and in the dataset's manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

METADATA_KEY = b"naru.labels"
LARGEST = 1 << 20
"""Bytes of an origin in a file; a larger one is none."""


@dataclass(frozen=True)
class LabelOrigin:
    """Where the labels of a file, or of a dataset, are from.

    Attributes:
        rows: Labelled rows.
        schema: Version of the label schema.
        annotators: Number of these rows that each annotator saw.
        tools: Number of these rows by the tool, or tools, with which they were labelled.
        since: When the first of the rows got its label, ISO time; empty: unknown.
        until: When the last one did.
        adjudicated: Rows whose label an adjudicator decided.
        corrects: Rows that an earlier file has with another label.
        agreement: What was known of the annotators' agreement then, over all that they had labelled: `alpha`, `low`, `high`, `level`, `items`,
            `percent`; `alpha` is None where it is undefined.
        files: Files with an origin.
    """

    rows: int
    schema: int
    annotators: dict[str, int] = field(default_factory=dict)
    tools: dict[str, int] = field(default_factory=dict)
    since: str = ""
    until: str = ""
    adjudicated: int = 0
    corrects: int = 0
    agreement: dict[str, Any] = field(default_factory=dict)
    files: int = 1

    def to_bytes(self) -> bytes:
        """Return it as the value of a file's metadata."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True).encode()

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> LabelOrigin:
        """Restore it from JSON."""
        return cls(**raw)


def parse_origin(content: bytes | None) -> LabelOrigin | None:
    """Parse the metadata of a file; None where it has no origin, or none that this version of Naru reads."""
    if content is None or len(content) > LARGEST:
        return None
    try:
        found = LabelOrigin.from_json(json.loads(content))
    except (ValueError, TypeError):
        return None
    return found if isinstance(found.rows, int) and isinstance(found.agreement, dict) else None


def merge_origins(origins: Sequence[LabelOrigin]) -> LabelOrigin | None:
    """Return the origin of several files, in the order of their spans; what is known of agreement is the last one's."""
    if not origins:
        return None
    annotators, tools = Counter[str](), Counter[str]()
    for origin in origins:
        annotators.update(origin.annotators)
        tools.update(origin.tools)
    return LabelOrigin(
        rows=sum(origin.rows for origin in origins),
        schema=max(origin.schema for origin in origins),
        annotators=dict(sorted(annotators.items())),
        tools=dict(sorted(tools.items())),
        since=min((origin.since for origin in origins if origin.since), default=""),
        until=max((origin.until for origin in origins if origin.until), default=""),
        adjudicated=sum(origin.adjudicated for origin in origins),
        corrects=sum(origin.corrects for origin in origins),
        agreement=origins[-1].agreement,
        files=len(origins),
    )
