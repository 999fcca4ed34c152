"""The table of splitters: one line for each. The first one that a project chooses is used."""

from __future__ import annotations

from components._core.project.split_config import Split
from components.ingest.splits.contract import Splitter, Table
from components.ingest.splits.given_split import GivenSplitter
from components.ingest.splits.hash_split import HashSplitter
from components.ingest.splits.stratified_split import StratifiedSplitter
from components.ingest.splits.time_split import TimeSplitter

SPLITTERS: list[type[Splitter]] = []


def register(kind: type[Splitter]) -> None:
    """Add a splitter in front of the others."""
    SPLITTERS.insert(0, kind)


def fit_splitter(split: Split, table: Table) -> Splitter:
    """Fit the splitter that a project chooses; see `Splitter.fit`."""
    return next(kind for kind in SPLITTERS if kind.is_chosen(split)).fit(split, table)


register(HashSplitter)
register(TimeSplitter)
register(StratifiedSplitter)
register(GivenSplitter)
