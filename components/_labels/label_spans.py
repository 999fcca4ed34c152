"""Labelled rows as spans, which `data.source` reads as any other; and labels of logged answers, which `feedback.labels` reads.

    <labels>/spans/000002/manifest.json     the commit of span 2: complete or not at all, never changed
    <labels>/v1/spans/000002.parquet        its rows, published after the commit (or where `labels.spans` says)
    <labels>/v1/answers/000002.parquet      its labels of logged answers: request_id, row, the label, known_at

Rows are written under a name with their hash first, then the manifest, then the published file; whatever is killed between two of them,
the next import ends the same. An item is in a span once; when its label changes later, its row comes again in the next one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import ConfigError, ServiceError
from components._core.examples.label_origin import METADATA_KEY, LabelOrigin
from components._core.files import dump_json
from components._core.store.append_log import make_nonce
from components._core.store.claims import Claims
from components._core.store.object_store import create, list_names, put, read_bytes
from components._labels.agreement import measure_alpha, measure_percent
from components._labels.agreement_report import summarise
from components._labels.consensus import Verdict
from components._labels.joined_tables import join_tables
from components._labels.label_schema import ITEM, LabelSchema
from components._labels.label_store import OWN, REQUEST, ROW, SHARE, LabelStore, now
from components._labels.labelled_items import LabelledItems

FORMAT = 1


@dataclass(frozen=True)
class SpanReport:
    """What became of the labelled items.

    Attributes:
        number: Number of the span that was written; 0: none.
        rows: Rows in it.
        answers: Labels of logged answers in it.
        corrects: Items among them that an earlier span has with another label.
        waiting: Labelled items that are too few for a span.
        places: Addresses of what was published.
    """

    number: int = 0
    rows: int = 0
    answers: int = 0
    corrects: int = 0
    waiting: int = 0
    places: list[str] = field(default_factory=list)


def write_span(store: LabelStore, schema: LabelSchema, items: LabelledItems) -> SpanReport:
    """Write the items that have a label which no span has, and publish what an earlier command left unpublished.

    Raises:
        ConfigError: When another file is where a span belongs.
        DataError: When the rows of several work lists do not fit together.
        ServiceError: When the store is damaged.
        UnavailableError: When the store does not answer.
    """
    while True:
        manifests = _read_manifests(store)
        if manifests:  # the ones before were published before it was committed
            _publish(store, schema, manifests[-1])
        written = {
            item: label
            for manifest in manifests
            if manifest["schema"] == schema.config.version
            for item, label in manifest["labels"].items()
        }
        new = [
            verdict
            for item, verdict in sorted(items.verdicts.items())
            if verdict.is_labelled and written.get(item) != verdict.label
        ]
        if len(new) < schema.config.min_rows or not new:
            return SpanReport(waiting=len(new))
        number = max((int(manifest["number"]) for manifest in manifests), default=0) + 1
        corrects = sum(verdict.item in written for verdict in new)
        manifest = _write_objects(store, schema, items, new, number, written.keys())
        if _commit(store, manifest):
            places = _publish(store, schema, manifest)
            return SpanReport(number, manifest["rows"], manifest["answers"], corrects, places=places)


def span_location(store: LabelStore, schema: LabelSchema) -> str:
    """Return the location of the published rows, with `{span}`: a project's `data.source`."""
    return schema.config.spans or f"{store.home}/v{schema.config.version}/spans/{{span}}.parquet"


def _read_manifests(store: LabelStore) -> list[dict[str, Any]]:
    numbers = sorted((name for name in list_names(f"{store.home}/spans") if name.isdecimal()), key=int)
    found = []
    for name in numbers:
        uri = f"{store.home}/spans/{name}/manifest.json"
        content = read_bytes(uri)
        if content is None:
            continue
        try:
            manifest = dict(json.loads(content))
            written = manifest["format"]
        except (ValueError, TypeError, KeyError):
            raise ServiceError("is damaged", where=uri, remedy="restore it from a backup") from None
        if written != FORMAT:
            raise ServiceError(
                f"has format {written!r}; this version of Naru reads {FORMAT}", where=uri, remedy="update Naru"
            )
        found.append(manifest)
    return found


def _commit(store: LabelStore, manifest: dict[str, Any]) -> bool:
    """Commit a span; returns False when another command has committed one with this number."""
    key = f"{int(manifest['number']):06d}"
    uri = f"{store.home}/spans/{key}/manifest.json"
    nonce = make_nonce()
    with Claims(f"{store.home}/claims", nonce).turn(key, lambda: read_bytes(uri) is not None) as is_ours:
        return is_ours and create(dump_json({**manifest, "nonce": nonce}).encode(), uri)


def _write_objects(
    store: LabelStore,
    schema: LabelSchema,
    items: LabelledItems,
    new: Sequence[Verdict],
    number: int,
    written: AbstractSet[str],
) -> dict[str, Any]:
    verdicts = {verdict.item: verdict for verdict in new}
    tables = store.read_items(verdicts)
    missing = verdicts.keys() - {item for table in tables for item in table[ITEM].to_pylist()}
    if missing:
        raise ServiceError(
            "the rows of labelled items are missing", where=store.home, remedy="restore it from a backup"
        )
    objects, counts = {}, {}
    for name, label, is_own in (("rows", _label_rows, pc.is_null), ("answers", _label_answers, pc.is_valid)):
        parts = [
            label(part, verdicts, schema) for table in tables if (part := table.filter(is_own(table[REQUEST]))).num_rows
        ]
        ids = {item for table in tables for item in table.filter(is_own(table[REQUEST]))[ITEM].to_pylist()}
        rows = join_tables(parts)
        counts[name] = rows.num_rows
        if rows.num_rows:
            given = [verdict for verdict in new if verdict.item in ids]
            origin = _origin(schema, items, given, len(ids & written))
            metadata = {METADATA_KEY: origin.to_bytes()}
            objects[name] = store.put_table(rows.replace_schema_metadata(metadata), name)
    return {
        "format": FORMAT,
        "number": number,
        "at": now(),
        "schema": schema.config.version,
        **counts,
        "objects": objects,
        "labels": {verdict.item: verdict.label for verdict in new},
    }


def _origin(schema: LabelSchema, items: LabelledItems, new: Sequence[Verdict], corrects: int) -> LabelOrigin:
    votes = items.votes(schema)
    times = [verdict.time for verdict in new if verdict.time]
    return LabelOrigin(
        rows=len(new),
        schema=schema.config.version,
        annotators=dict(sorted(Counter(name for verdict in new for name in verdict.annotators).items())),
        tools=dict(sorted(Counter(verdict.tool or "unknown" for verdict in new).items())),
        since=min(times, default=""),
        until=max(times, default=""),
        adjudicated=sum(verdict.state == "adjudicated" for verdict in new),
        corrects=corrects,
        agreement=summarise(measure_alpha(votes, schema.config.level), measure_percent(votes), schema.config.level),
    )


def _label_rows(table: pa.Table, verdicts: dict[str, Verdict], schema: LabelSchema) -> pa.Table:
    """Return rows with their label, and the columns of `labels.columns`, without the store's own."""
    found = [verdicts[item] for item in table[ITEM].to_pylist()]
    plain = table.select([name for name in table.column_names if name not in (*OWN, schema.label)])
    if taken := [name for name in schema.config.columns.values() if name in plain.column_names]:
        message = f"names {taken[0]!r}, which the rows have already"
        raise ConfigError(message, where="labels.columns", remedy="give it another name; the annotations are kept")
    plain = plain.append_column(schema.label, label_column(schema, [verdict.label for verdict in found]))
    more: dict[str, pa.Array] = {
        "id": pa.array([verdict.item for verdict in found], pa.string()),
        "annotators": pa.array([", ".join(verdict.annotators) for verdict in found], pa.string()),
        "time": pa.array([verdict.time or None for verdict in found], pa.string()),
        "tool": pa.array([verdict.tool or None for verdict in found], pa.string()),
        "agreement": pa.array([verdict.agreement for verdict in found], pa.float64()),
        "share": table[SHARE],
    }
    for what, name in schema.config.columns.items():
        plain = plain.append_column(name, more[what])
    return plain


def _label_answers(table: pa.Table, verdicts: dict[str, Verdict], schema: LabelSchema) -> pa.Table:
    found = [verdicts[item] for item in table[ITEM].to_pylist()]
    return pa.table(
        {
            "request_id": table[REQUEST],
            "row": table[ROW],
            schema.label: label_column(schema, [verdict.label for verdict in found]),
            "known_at": pa.array([verdict.time or None for verdict in found], pa.string()),
        }
    )


def label_column(schema: LabelSchema, labels: Sequence[str]) -> pa.Array:
    """Return labels as the column of a table: whole numbers where all classes are, real numbers without classes, else texts."""
    config = schema.config
    if config.classes and config.numbers is None:
        return pa.array(labels, pa.string())
    return pa.array(map(int, labels), pa.int64()) if config.classes else pa.array(map(float, labels), pa.float64())


def _publish(store: LabelStore, schema: LabelSchema, manifest: dict[str, Any]) -> list[str]:
    """Put the rows of a committed span where they are read, unless they are there; returns where."""
    places = []
    location = schema.config.spans if manifest["schema"] == schema.config.version else ""
    for name, kept in manifest["objects"].items():
        folder = {"rows": "spans", "answers": "answers"}[name]
        target = f"{store.home}/v{manifest['schema']}/{folder}/{{span}}.parquet"
        target = (location if name == "rows" and location else target).replace("{span}", f"{manifest['number']:06d}")
        content = store.read_object(kept)
        there = read_bytes(target)
        if there is None:
            put(content, target)
        elif there != content:
            message = f"another file is where span {manifest['number']} of the labels belongs"
            raise ConfigError(message, where=target, remedy="move that file, or set labels.spans to another place")
        places.append(target)
    return places
