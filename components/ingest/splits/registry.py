"""The ways to split rows that there are: one line for each. The first one that a project chooses is taken."""

from __future__ import annotations

from collections.abc import Collection

from components._core.project.project_file import Split
from components.ingest.splits.contract import ReadRows, Splitter
from components.ingest.splits.hash_split import HashSplitter
from components.ingest.splits.time_split import TimeSplitter

SPLITTERS: list[type[Splitter]] = []


def register(kind: type[Splitter]) -> None:
    """Add a way to split rows; it goes before those that are there."""
    SPLITTERS.insert(0, kind)


def fit_splitter(split: Split, features: Collection[str], read: ReadRows) -> Splitter:
    """The splitter that a project chooses, fitted; see `Splitter.fit`."""
    return next(kind for kind in SPLITTERS if kind.is_chosen(split)).fit(split, features, read)


register(HashSplitter)
register(TimeSplitter)
