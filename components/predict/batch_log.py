"""The answers of a batch in the project's request log, in the format of the servers, so that monitor and feedback take them alike.

An object for each part, `batch-<rows>-<part>.jsonl`, in the hour in which the batch began: a run that goes on writes the same objects
again. Lines have `"source": "batch"` and no latency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components._core.project.project_file import Project
from components._core.request_log.answered_lines import BATCH, LineWriter
from components._core.request_log.layout import SUFFIX, hour_folder
from components._core.request_log.location import log_uri
from components._core.request_log.sampling import is_sampled
from components._core.store.object_store import put
from components._core.types.signature import Signature
from components.predict.part_answers import Request
from components.predict.work_folder import PartRecord, WorkFolder


@dataclass(frozen=True)
class BatchLog:
    """The log of a project, for one batch.

    Attributes:
        uri: URI of the log.
        rows: Identity of the rows, for the objects' names.
        began: When the batch began, in seconds since 1970.
        writer: Writes the lines.
    """

    uri: str
    rows: str
    began: float
    writer: LineWriter

    @classmethod
    def open(
        cls, project: Project, store: str, version: str, signature: Signature, rows: str, began: float
    ) -> BatchLog | None:
        """Open the log of a project; None when it has none."""
        settings = project.serve.request_log
        if settings is None:
            return None
        masked = frozenset(settings.mask)
        writer = LineWriter(project.name, version, settings.sample, signature.fingerprint, masked, BATCH)
        return cls(log_uri(project.serve.request_log, store, project.name), rows, began, writer)

    def lines(self, requests: Sequence[Request]) -> bytes:
        """Return the lines of the requests that are sampled."""
        chosen = [request for request in requests if is_sampled(request.id, self.writer.share)]
        return b"".join(self._line(request) for request in chosen)

    def publish(self, work: WorkFolder, records: Sequence[PartRecord]) -> None:
        """Write the objects of all parts to the log.

        Raises:
            ServiceError: When a part is missing.
            UnavailableError: When the log's store does not answer.
        """
        for record in records:
            if record.log:
                name = f"batch-{self.rows}-{record.number:06d}{SUFFIX}"
                put(work.read(record.log), f"{self.uri.rstrip('/')}/{hour_folder(self.began)}/{name}")

    def _line(self, request: Request) -> bytes:
        inputs = {name: _as_sent(values) for name, values in request.inputs.items()}
        return self.writer.write(request.id, self.began, None, inputs, request.outputs)


def _as_sent(values: Any) -> Any:
    """Return texts as a client sends them: a missing one is null."""
    if isinstance(values, np.ndarray) and values.dtype == object:
        return [value or None for value in values.tolist()]
    return values
