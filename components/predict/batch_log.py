"""The answers of a batch in the project's request log, in the format of the servers, so that monitor and feedback take them alike.

An object for each part, `batch-<rows>-<part>.jsonl`, in the hour in which the rows were first predicted, which
`<store>/<project>/predictions_logged/<rows>.json` keeps: into whatever output they are predicted again, and whenever, a row is logged once.
Lines have `"source": "batch"` and no latency.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components._core.files import dump_json
from components._core.project.project_file import Project
from components._core.request_log.answered_lines import BATCH, LineWriter
from components._core.request_log.layout import SUFFIX, hour_folder
from components._core.request_log.location import log_uri
from components._core.request_log.sampling import is_sampled
from components._core.request_log.value_hashes import require_hasher
from components._core.store.object_store import create, list_names, put, read_bytes
from components._core.types.signature import Signature
from components.predict.part_answers import Request
from components.predict.work_folder import PartRecord, WorkFolder


@dataclass(frozen=True)
class BatchLog:
    """The log of a project, for one batch.

    Attributes:
        uri: URI of the log.
        rows: Identity of the rows, for the objects' names.
        marker: URI of the object that says when the rows were first predicted.
        began: That time, or when this batch began, in seconds since 1970.
        writer: Writes the lines.
    """

    uri: str
    rows: str
    marker: str
    began: float
    writer: LineWriter

    @classmethod
    def open(
        cls, project: Project, store: str, version: str, signature: Signature, rows: str, began: float
    ) -> BatchLog | None:
        """Open the log of a project; None when it has none.

        Raises:
            ConfigError: When it hashes values and has no key.
        """
        settings = project.serve.request_log
        if settings is None:
            return None
        hashed, hasher = frozenset(settings.hash), require_hasher(settings.hash)
        share, schema = settings.sample, signature.fingerprint
        pictures = signature.picture_names if settings.pictures == "reference" else frozenset()
        masked = frozenset(settings.mask) | pictures
        writer = LineWriter(project.name, version, share, schema, masked, BATCH, hashed, hasher, pictures)
        marker = f"{store.rstrip('/')}/{project.name}/predictions_logged/{rows}.json"
        return cls(log_uri(settings, store, project.name), rows, marker, _read_time(marker) or began, writer)

    def lines(self, requests: Sequence[Request]) -> bytes:
        """Return the lines of the requests that are sampled."""
        chosen = [request for request in requests if is_sampled(request.id, self.writer.share)]
        return b"".join(self._line(request) for request in chosen)

    def publish(self, work: WorkFolder, records: Sequence[PartRecord]) -> None:
        """Write the objects of all parts to the log, except those that are there already.

        Raises:
            ServiceError: When a part is missing.
            UnavailableError: When the log's store does not answer.
        """
        create(dump_json({"at": self.began}).encode(), self.marker)
        began = _read_time(self.marker) or self.began  # another run may have been the first
        folder = f"{self.uri.rstrip('/')}/{hour_folder(began)}"
        there = set(list_names(folder))
        for record in records:
            name = f"batch-{self.rows}-{record.number:06d}{SUFFIX}"
            if record.log and name not in there:
                put(work.read(record.log), f"{folder}/{name}")

    def _line(self, request: Request) -> bytes:
        inputs = {name: _as_sent(values) for name, values in request.inputs.items()}
        return self.writer.write(request.id, self.began, None, inputs, request.outputs)


def _read_time(marker: str) -> float | None:
    found = read_bytes(marker)
    return float(json.loads(found)["at"]) if found else None


def _as_sent(values: Any) -> Any:
    """Return texts as a client sends them: a missing one is null."""
    if isinstance(values, np.ndarray) and values.dtype == object:
        return [value or None for value in values.tolist()]
    return values
