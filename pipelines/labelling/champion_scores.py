"""How uncertain the champion is of rows that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from components._core.store.ledger import read_deployments
from components._core.types.tasks import TASKS
from components._labels.selection import Numbers, measure_uncertainty
from components._predictor.feature_values import MAX_ROWS
from components._predictor.predictor import Predictor, load
from components.predict.row_values import to_values
from components.predict.versions import fetched_version
from pipelines.local.quiet import without_warnings


@dataclass
class ChampionScores:
    """The champion's uncertainty.

    Attributes:
        version: Its version; empty: there is none yet.
        measure: `margin` or `entropy`.
        predictor: The predictor; None: there is no version, or the task has no classes.
        refused: Rows that the model does not take, by the reason of the first of them.
    """

    version: str
    measure: str
    predictor: Predictor | None = None
    refused: int = 0
    reason: str = ""

    def judge(self, rows: pa.Table) -> Numbers:
        """Return the uncertainty of each row; NaN where the champion has no answer. Shape [rows]."""
        found = np.full(rows.num_rows, np.nan)
        if self.predictor is None:
            return found
        for start in range(0, rows.num_rows, MAX_ROWS):
            part = rows.slice(start, MAX_ROWS).combine_chunks()
            for batch in part.to_batches():
                answers = self.predictor.answer_rows(to_values(batch, self.predictor.signature))
                if answers.refusals and not self.refused:
                    self.reason = next(iter(answers.refusals.values())).message
                self.refused += len(answers.refusals)
                if answers.kept.size:
                    found[start + answers.kept] = uncertainty_of(
                        answers.outputs, self.predictor.signature.task, self.measure
                    )
        return found


def uncertainty_of(outputs: Mapping[str, np.ndarray[Any, Any]], task: str, measure: str) -> Numbers:
    """Return the uncertainty of a classifier's answers, shape [rows]."""
    return measure_uncertainty(np.asarray(outputs[TASKS[task].score]), measure)


@contextmanager
def open_champion(store: str, project: str, task: str, measure: str) -> Iterator[ChampionScores]:
    """Fetch the champion and load its model for the time of a `with` block.

    Args:
        store: Root of the store.
        project: The project's name.
        task: Name of its task; one without classes has no uncertainty.
        measure: `margin` or `entropy`.

    Raises:
        ModelError: When a file of the model is not what was registered.
        ServiceError: When the model is gone from the store.
        UnavailableError: When the store does not answer.
    """
    if not TASKS[task].has_classes or not read_deployments(store, project):
        yield ChampionScores("", measure)
        return
    with without_warnings(), fetched_version(store, project) as model:
        yield ChampionScores(model.version, measure, load(model.folder))
