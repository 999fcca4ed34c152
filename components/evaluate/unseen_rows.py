"""Find the test rows that the champion was not trained on, if its rows were split by another definition than today's.

Rows that are test rows now may have been training rows of the champion: on those it cannot be judged. Where each row was
follows from the definition of that split, which lies beside its model: from a hash of the row, or from its time. Older
examples have none: their split was by rule 1, and of the few possible definitions, the right one is found by the
fingerprint of those examples.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path

import numpy as np

from components._core.examples.artifact import SPLITS, Manifest, read_batches, split_files
from components._core.examples.former_split import reassign_splits
from components._core.examples.hash_split import RULE, define_split_v1
from components._core.examples.registered_manifest import fetch_manifest
from components._core.examples.safe_parquet import pq
from components._core.examples.split_definition import HashSplit, SplitDefinition
from components._core.files import fingerprint_of
from components._core.project.split_config import Split
from components._core.store.ledger import Deployment
from components._core.types.metrics.row_sums import Array

_TEST = SPLITS.index("test")
_FORMAT_1 = "1"
"""Format of ingest while it split by rule 1."""
_SHARES = ((0.8, 0.1, 0.1), (0.7, 0.15, 0.15), (0.6, 0.2, 0.2))
"""The default shares, and those that `naru new` writes."""
_MOST_ORDERED = 4


def find_unseen(deployment: Deployment, examples: Path, label: str) -> tuple[Array | None, str]:
    """Find the test rows that the champion was not trained on.

    Args:
        deployment: The champion's line of the ledger.
        examples: The examples artifact.
        label: The label's column.

    Returns:
        Truth values, shape [rows of the test split], or None for all, if its rows were split as today's. And why it
        cannot be determined; empty when it can.

    Raises:
        UnavailableError: When the store does not answer.
    """
    ours = Manifest.load(examples)
    if deployment.split == (ours.split.fingerprint if ours.split else ""):
        return None, ""
    theirs = fetch_manifest(deployment)
    if theirs is None:
        return (
            None,
            "its rows were split differently, and the manifest beside its model, which says how, cannot be read",
        )
    definition = theirs.split or _find_definition_v1(theirs, ours, label, _column_order(examples))
    if definition is None:
        return None, "its rows were split by an earlier rule, and the settings of that split are unknown"
    if isinstance(definition, HashSplit) and definition.rule > RULE:
        return None, f"its rows were split by rule {definition.rule}, which this version of Naru does not know"
    if gone := sorted(set(definition.columns) - set(ours.columns)):
        return None, f"its rows were split by columns that the data no longer has: {', '.join(gone)}"
    parts = [
        reassign_splits(batch, definition, theirs.columns) == _TEST
        for batch in read_batches(examples, "test", list(definition.columns))
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool), ""


def _find_definition_v1(theirs: Manifest, ours: Manifest, label: str, order: list[str]) -> HashSplit | None:
    """Find the definition by rule 1 that matches the fingerprint of the champion's examples."""
    if set(order) != set(theirs.columns):
        return None
    columns = {name: theirs.columns[name] for name in order}
    files = [f"{file.span} {file.sha256}" for file in theirs.files]
    for split in _candidates(ours.split):
        how = json.dumps([_FORMAT_1, columns, label, split])
        if fingerprint_of([how, *files]) == theirs.fingerprint:
            return define_split_v1(Split.model_validate(split), order)
    return None


def _candidates(today: SplitDefinition | None) -> Iterator[dict[str, object]]:
    """Yield possible values of `data.split`: today's or usual shares; no columns, or those of today in any order."""
    todays = today if isinstance(today, HashSplit) else None
    shares = [*([(todays.train, todays.eval, todays.test)] if todays else []), *_SHARES]
    orders: list[tuple[str, ...]] = [()]
    if todays and todays.grouped and len(todays.columns) <= _MOST_ORDERED:
        orders += permutations(todays.columns)
    for (train, evaluation, test), by in product(shares, orders):
        yield {"train": train, "eval": evaluation, "test": test, "by": list(by)}


def _column_order(examples: Path) -> list[str]:
    files = [path for split in SPLITS for path in split_files(examples, split)]
    return list(pq.read_schema(files[0]).names) if files else []
