"""Label schemas, stores and work lists for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from components._core.project.label_config import Labelling
from components._labels.exchange.label_studio import CONTROL, LabelStudioFormat, make_tasks
from components._labels.label_import import ImportReport, import_labels
from components._labels.label_schema import ITEM, LabelSchema
from components._labels.label_store import REQUEST, ROW, SHARE, STRATUM, LabelStore
from components._labels.work_rows import to_work_items

CLASSES = ["negative", "positive"]


def make_schema(**config: Any) -> LabelSchema:
    """Return the schema of a project of reviews."""
    return LabelSchema("reviews", "mood", Labelling.model_validate({"classes": CLASSES, **config}))


def make_rows(texts: Sequence[str], request: str | None = None, **columns: Sequence[Any]) -> pa.Table:
    """Return rows of a work list: the item of `good` is `item-good`."""
    size = len(texts)
    return pa.table(
        {
            ITEM: pa.array([f"item-{text}" for text in texts], pa.string()),
            REQUEST: pa.array([request] * size, pa.string()),
            ROW: pa.array(list(range(size)) if request else [None] * size, pa.int64()),
            "review": pa.array(texts, pa.string()),
            **{name: pa.array(values) for name, values in columns.items()},
            STRATUM: pa.nulls(size, pa.string()),
            SHARE: pa.nulls(size, pa.float64()),
        }
    )


def make_store(folder: Path, texts: Sequence[str] = ("good", "bad", "fair")) -> LabelStore:
    """Return a store with one work list."""
    store = LabelStore(str(folder / "store"), "reviews")
    store.add_list(make_rows(texts), "table", {})
    return store


def annotate(
    schema: LabelSchema, labels: Mapping[str, Mapping[str, str]], time: str = "2026-11-30T10:00:00Z", **change: Any
) -> bytes:
    """Return Label Studio's export of annotated rows: the label by annotator, by text."""
    rows = make_rows(list(labels))
    tasks = make_tasks(schema, ["review"], to_work_items(rows, ["review"], {}))
    exported = []
    for number, (task, given) in enumerate(zip(tasks, labels.values(), strict=True), 1):
        annotations = [
            {
                "completed_by": {"id": place, "email": name},
                "was_cancelled": False,
                "created_at": time,
                "updated_at": time,
                "result": [
                    {"from_name": CONTROL, "to_name": "review", "type": "choices", "value": {"choices": [label]}}
                ],
            }
            for place, (name, label) in enumerate(given.items(), 1)
        ]
        exported.append({"id": number, "data": {**task["data"], **change}, "annotations": annotations})
    return json.dumps(exported).encode()


def take(store: LabelStore, schema: LabelSchema, content: bytes, annotator: str = "") -> ImportReport:
    """Import a file of Label Studio."""
    found = LabelStudioFormat().read(content, "done.json", schema)
    return import_labels(store, schema, found, "done.json", content, annotator)
