"""What a span keeps of the answers to its rows, for the monitor: times, versions, scores and labels, once each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components._core.errors import ServiceError
from components._core.types.signature import Signature
from components._feedback.scored_rows import read_scored
from components._feedback.span_store import SpanStore
from tests.components.feedback.made import NEXT_DAY, NOON, SIGNATURE, Place, request


def read(place: Place, since: datetime = NOON - timedelta(days=30)) -> list[dict[str, Any]]:
    store = SpanStore(str(place.home), place.settings().spans)
    return [row for table in read_scored(store, since) for row in table.to_pylist()]


def labels_of(place: Place, since: datetime = NOON - timedelta(days=30)) -> dict[str, Any]:
    """Return the label by version; each request of these tests has a version of its own."""
    rows = read(place, since)
    assert len({row["version"] for row in rows}) == len(rows)
    return {row["version"]: row["label"] for row in rows}


def write_requests(place: Place, numbers: range, at: datetime = NOON) -> None:
    lines = [request(number, at + timedelta(seconds=number), version=f"v{number}") for number in numbers]
    place.write_log(lines, f"pod-{numbers.start}", at)


def write_labels(place: Place, name: str, **labels: int | None) -> None:
    place.write_labels([{"request": request_id, "outcome": label} for request_id, label in labels.items()], name)


def test_a_span_keeps_time_version_score_and_label_and_no_features(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_requests(place, range(4))
    write_labels(place, "a", r0=1, r3=0)
    place.run()
    entry = place.manifest(1)["scored"]
    table = pq.read_table(place.home / "objects" / entry["object"])
    assert entry["rows"] == table.num_rows == 2
    assert set(table.schema.names).isdisjoint({"delay", "month", "carrier", "id"})
    assert [
        (datetime.fromtimestamp(row["time"] / 1e6, UTC), row["version"], row["score"], row["label"])
        for row in table.to_pylist()
    ] == [(NOON, "v0", 1.0, 1), (NOON + timedelta(seconds=3), "v3", 0.7, 0)]


def test_the_last_correction_replaces_the_row_with_the_time_of_its_answer(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_requests(place, range(6))
    write_labels(place, "a", r0=0, r1=0, r2=0)
    place.run()
    write_labels(place, "b", r1=1, r2=1, r4=0)
    place.run()
    assert labels_of(place) == {"v0": 0, "v1": 1, "v2": 1, "v4": 0}
    write_labels(place, "c", r2=0, r5=1)
    place.run()
    assert place.spans == [1, 2, 3]
    assert labels_of(place) == {"v0": 0, "v1": 1, "v2": 0, "v4": 0, "v5": 1}
    corrected = next(row for row in read(place) if row["version"] == "v2")
    assert corrected["score"] == 0.8 and corrected["time"] == (NOON + timedelta(seconds=2)).timestamp() * 1e6


def test_an_answer_that_never_gets_a_label_is_kept_without_one(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_requests(place, range(3))
    write_labels(place, "a", r0=1, r1=None)
    place.run()
    assert labels_of(place) == {"v0": 1, "v1": None}


def test_rows_before_a_time_are_left_out_and_their_corrections_too(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_requests(place, range(2))
    write_labels(place, "a", r0=0, r1=0)
    place.run()
    later = NOON + timedelta(days=3)
    write_requests(place, range(10, 12), later)
    write_labels(place, "b", r0=1, r10=1, r11=0)
    place.run(later + timedelta(days=1))
    assert labels_of(place, NOON + timedelta(days=2)) == {"v10": 1, "v11": 0}
    assert labels_of(place, NOON) == {"v0": 1, "v1": 0, "v10": 1, "v11": 0}


def test_a_row_of_a_span_that_kept_no_scores_is_corrected_all_the_same(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_requests(place, range(3))
    write_labels(place, "a", r0=0, r1=0)
    place.run()
    manifest = place.home / "spans" / "000001" / "manifest.json"
    manifest.write_text(json.dumps({name: value for name, value in place.manifest(1).items() if name != "scored"}))
    write_labels(place, "b", r1=1, r2=1)
    assert place.run().span == 2 and place.manifest(2)["scored"]["rows"] == 2
    assert labels_of(place) == {"v2": 1}, "the time of the corrected answer is not known"
    write_labels(place, "c", r1=0, r2=0)
    place.run()
    assert labels_of(place) == {"v2": 0}


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_requests(place, range(2))
    write_labels(place, "a", r0=0, r1=0)
    place.run()
    path = place.home / "objects" / place.manifest(1)["scored"]["object"]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ServiceError, match="is damaged"):
        read(place)


def test_a_task_with_scores_by_class_keeps_all_of_them(tmp_path: Path) -> None:
    outputs = {"probabilities": "float32", "class": "string"}
    signature = Signature("multiclass_classification", SIGNATURE.inputs, outputs, ("0", "1"))
    place = Place(tmp_path)
    write_requests(place, range(12))
    write_labels(place, "a", r3=1)
    place.run(signature=signature)
    write_labels(place, "b", r3=0, r9=1)  # r9 waited as state, and r3 is corrected
    place.run(NEXT_DAY, signature=signature)
    found = {row["version"]: (row["scores"], row["label"]) for row in read(place)}
    assert found == {"v3": ([0.7, 0.3], 0), "v9": ([pytest.approx(0.1), 0.9], 1)}
