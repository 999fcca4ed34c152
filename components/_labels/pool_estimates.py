"""What the labels of a selected work list say of all the rows that it was selected from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components._labels.label_schema import ITEM, LabelSchema
from components._labels.label_store import STRATUM, LabelStore
from components._labels.labelled_items import LabelledItems
from components._labels.selection import WeightedMean, estimate_mean


@dataclass(frozen=True)
class PoolEstimate:
    """An estimate for all rows of a pool.

    Attributes:
        what: The class whose share is estimated; empty: the mean of the number.
        mean: The estimate.
        source: What the rows were selected from.
        selected: Rows of the work list.
    """

    what: str
    mean: WeightedMean
    source: str
    selected: int


def estimate_pool(store: LabelStore, schema: LabelSchema, items: LabelledItems) -> list[PoolEstimate]:
    """Estimate the share of each class, or the mean, over the pool of the newest work list that was selected.

    None where there is no such list, or a part of it has no label yet.

    Raises:
        ServiceError: When the store is damaged.
        UnavailableError: When the store does not answer.
    """
    record = next((record for record in reversed(store.lists) if record.strata), None)
    if record is None:
        return []
    rows = store.read_list(record, [ITEM, STRATUM])
    pairs = zip(rows[ITEM].to_pylist(), rows[STRATUM].to_pylist(), strict=True)
    known = [(items.verdicts[item].label, stratum) for item, stratum in pairs if _has_label(items, item)]
    labels, strata = [label for label, _ in known], [stratum for _, stratum in known]
    wanted = schema.config.classes or [""]
    found = []
    for what in wanted:
        values = [float(label == what) for label in labels] if what else [float(label) for label in labels]
        mean = estimate_mean(np.array(values), strata, record.strata)
        if mean is not None:
            found.append(PoolEstimate(what, mean, record.source, record.rows))
    return found


def _has_label(items: LabelledItems, item: str) -> bool:
    return item in items.verdicts and items.verdicts[item].is_labelled
