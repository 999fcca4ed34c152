"""The champion's predictor with a request log, as a model server has them in its process, at times that the caller gives."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.year.flights import FEATURES, LABEL, Day
from components._core.project.project_file import Project
from components._core.request_log.location import log_uri
from components._core.store.ledger import current_champion
from components._core.types.tasks import TASKS
from components._predictor.predictor import Predictor, load
from components.predict.versions import fetched_version
from components.serve.request_log import AnsweredRequest, LogSettings, RequestLog

_REQUESTS = 4
"""Requests of a day, six hours apart."""


class Server:
    """Answers the flights of a day with the champion, and logs the requests.

    Args:
        project: The project.
        store: Root of its store.

    Attributes:
        version: The version that answers.
    """

    def __init__(self, project: Project, store: str) -> None:
        self._project, self._store = project, store
        self._settings = LogSettings(log_uri(project.serve.request_log, store, project.name))
        self._score = TASKS[project.task].score
        self.version = ""
        self._predictor: Predictor
        self.refresh()

    def refresh(self) -> None:
        """Load the champion, if another version became it."""
        champion = current_champion(self._store, self._project.name)
        if champion is None or champion.version == self.version:
            return
        with fetched_version(self._store, self._project.name) as found:
            self._predictor, self.version = load(found.folder), found.version

    def answer(self, days: list[Day]) -> tuple[NDArray[np.float64], pa.Table]:
        """Answer the flights of some days.

        Returns:
            The scores, shape [rows], and what the labels' owner will know: request_id, row, the label and known_at, a day after the answer.
        """
        scores, known = [], []
        log = RequestLog(self._settings, self._project.name, self.version, self._predictor.signature.fingerprint)
        for day in days:
            for number, rows in enumerate(_parts(day.rows)):
                at = datetime.combine(day.date, time_of_day(6 * number), UTC)
                request = f"{day.date}-{number}"
                scores.append(self._answer(log, request, at, rows))
                known.append(
                    {
                        "request_id": pa.array([request] * rows.num_rows),
                        "row": pa.array(range(rows.num_rows)),
                        LABEL: rows[LABEL],
                        "known_at": pa.array([at + timedelta(days=1)] * rows.num_rows, pa.timestamp("us", "UTC")),
                    }
                )
        log.close()
        if log.dropped:
            raise SystemExit(f"the request log dropped {log.dropped} requests")
        return np.concatenate(scores), pa.concat_tables([pa.table(part) for part in known])

    def _answer(self, log: RequestLog, request: str, at: datetime, rows: pa.Table) -> NDArray[np.float64]:
        columns: dict[str, list[Any]] = {name: rows[name].to_pylist() for name in FEATURES}
        began = time.perf_counter()
        outputs = self._predictor.predict(columns, request)
        seconds = time.perf_counter() - began
        log.add(AnsweredRequest(request, at.timestamp(), seconds, rows.num_rows, columns, outputs))
        return outputs[self._score].astype(np.float64)


def _parts(rows: pa.Table) -> list[pa.Table]:
    """Cut a day into its requests."""
    bounds = np.linspace(0, rows.num_rows, _REQUESTS + 1).astype(int).tolist()
    return [rows.slice(begin, end - begin) for begin, end in pairwise(bounds) if end > begin]
