"""Spans of labelled rows: each item once, whatever is killed; their origin goes through ingest; they start a training run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.examples.label_agreement import check_origin, judge_agreement
from components._core.examples.label_origin import METADATA_KEY, LabelOrigin, merge_origins, parse_origin
from components._core.project.label_config import Labelling
from components._core.project.project_file import Project, parse_project
from components._labels import label_spans
from components._labels.label_schema import LabelSchema
from components._labels.label_spans import SpanReport, span_location, write_span
from components._labels.label_store import LabelStore
from components._labels.labelled_items import read_labelled
from components.ingest.ingest import ingest_examples
from components.watch.causes import find_causes
from components.watch.decide import decide
from components.watch.observe import Observer
from components.watch.records import History, Record
from tests.components.labels.made import annotate, make_rows, make_schema, make_store, take
from tests.components.watch.made import START

SCHEMA = make_schema(columns={"id": "item", "annotators": "who", "agreement": "agreed"})


def _label(
    store: LabelStore, labels: Mapping[str, Mapping[str, str]], schema: LabelSchema = SCHEMA, **more: Any
) -> SpanReport:
    take(store, schema, annotate(schema, labels, **more))
    return write_span(store, schema, read_labelled(store, schema))


def _rows(store: LabelStore, span: int, schema: LabelSchema = SCHEMA) -> list[dict[str, Any]]:
    return pq.read_table(span_location(store, schema).replace("{span}", f"{span:06d}")).to_pylist()


def test_labelled_rows_become_a_span_with_their_columns_and_types(tmp_path: Path) -> None:
    store = LabelStore(str(tmp_path / "store"), "reviews")
    store.add_list(make_rows(["good", "bad"], stars=[5, None], raw=[b"\x00", b"\xff"]), "table", {})

    report = _label(store, {"good": {"ann": "positive"}})

    assert (report.number, report.rows, report.corrects) == (1, 1, 0)
    assert _rows(store, 1) == [
        {
            "review": "good",
            "stars": 5,
            "raw": b"\x00",
            "mood": "positive",
            "item": "item-good",
            "who": "ann",
            "agreed": 1.0,
        }
    ]


def test_an_item_is_in_one_span_and_comes_again_when_its_label_changes(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    _label(store, {"good": {"ann": "negative"}})
    second = _label(store, {"bad": {"ann": "negative"}})
    third = _label(store, {"good": {"ann": "positive"}}, time="2026-12-01T00:00:00Z")

    assert [row["review"] for row in _rows(store, 2)] == ["bad"]
    assert (second.corrects, third.number, third.corrects) == (0, 3, 1)
    assert [(row["review"], row["mood"]) for row in _rows(store, 3)] == [("good", "positive")]
    assert write_span(store, SCHEMA, read_labelled(store, SCHEMA)).number == 0


def test_too_few_labelled_rows_wait(tmp_path: Path) -> None:
    store, schema = make_store(tmp_path), make_schema(min_rows=2)

    assert _label(store, {"good": {"ann": "positive"}}, schema) == SpanReport(waiting=1)
    assert _label(store, {"bad": {"ann": "negative"}}, schema).rows == 2


def test_classes_that_are_numbers_are_whole_numbers_and_a_label_without_classes_is_a_real_one(tmp_path: Path) -> None:
    ratings = make_schema(classes=[0, 1], version=1)
    store = make_store(tmp_path)
    _label(store, {"good": {"ann": "1"}}, ratings)

    assert _rows(store, 1, ratings)[0]["mood"] == 1
    assert label_spans.label_column(make_schema(classes=[]), ["2.5", "3"]).to_pylist() == [2.5, 3.0]


@pytest.mark.parametrize("killed_in", ["_commit", "put"])
def test_a_command_that_is_killed_between_two_writes_is_continued_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_in: str
) -> None:
    store = make_store(tmp_path)

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(label_spans, killed_in, die)
        with pytest.raises(KeyboardInterrupt):
            _label(store, {"good": {"ann": "positive"}})
    assert not list((tmp_path / "store/reviews/labels").rglob("v1/spans/*.parquet"))

    write_span(store, SCHEMA, read_labelled(store, SCHEMA))

    assert [row["review"] for row in _rows(store, 1)] == ["good"]
    assert len(list((tmp_path / "store/reviews/labels/spans").iterdir())) == 1


def test_a_file_of_another_origin_is_never_taken_for_a_span(tmp_path: Path) -> None:
    schema = make_schema(spans=f"{tmp_path}/mine/{{span}}.parquet")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/000001.parquet").write_bytes(b"mine")

    with pytest.raises(ConfigError, match="another file is where span 1 of the labels belongs"):
        _label(make_store(tmp_path), {"good": {"ann": "positive"}}, schema)
    assert (tmp_path / "mine/000001.parquet").read_bytes() == b"mine"


def test_labels_of_logged_answers_are_written_as_the_feedback_reads_them(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.add_list(make_rows(["x", "y"], request="r-7"), "log", {})

    report = _label(store, {"y": {"ann": "negative"}})

    (place,) = report.places
    assert (report.rows, report.answers) == (0, 1)
    assert pq.read_table(place).to_pylist() == [
        {"request_id": "r-7", "row": 1, "mood": "negative", "known_at": "2026-11-30T10:00:00.000+00:00"}
    ]


def test_rows_and_logged_answers_of_one_import_have_an_origin_each(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.add_list(make_rows(["x"], request="r-7"), "log", {})

    report = _label(store, {"x": {"ann": "negative"}, "good": {"bob": "positive"}})

    origins = [parse_origin(pq.read_schema(place).metadata[METADATA_KEY]) for place in report.places]
    assert [(origin.rows, origin.annotators) for origin in origins if origin] == [(1, {"bob": 1}), (1, {"ann": 1})]


def test_a_column_with_types_that_do_not_go_together_is_named_and_the_annotations_stay(tmp_path: Path) -> None:
    store = LabelStore(str(tmp_path / "store"), "reviews")
    store.add_list(make_rows(["good"], stars=[5]), "table", {})
    store.add_list(make_rows(["bad"], stars=["five"]), "table", {})

    with pytest.raises(
        DataError, match="column 'stars' of the labelled rows: has the type int64 in one work list and string"
    ):
        _label(store, {"good": {"ann": "positive"}, "bad": {"ann": "negative"}})
    assert len(read_labelled(store, SCHEMA).verdicts) == 2


def _project(store: LabelStore, **labels: Any) -> Project:
    return parse_project(
        {
            "name": "reviews",
            "task": "binary_classification",
            "label": "mood",
            "data": {"source": span_location(store, SCHEMA), "exclude": ["item", "who", "agreed"]},
            "labels": {"classes": ["negative", "positive"], "min_alpha": 0.6, "min_items": 2, **labels},
            "triggers": {"on": [{"name": "labels", "new_data": {"rows": 2, "settle": "0s"}}]},
        }
    )


def test_the_origin_of_the_labels_is_in_the_manifest_of_the_dataset_that_ingest_reads(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    _label(store, {"good": {"ann": "positive", "bob": "positive"}, "bad": {"ann": "negative", "bob": "negative"}})
    _label(store, {"fair": {"bob": "positive"}}, time="2026-12-01T00:00:00Z")
    for name in ("examples", "quarantine"):
        (tmp_path / name).mkdir()

    ingest_examples(_project(store), examples=tmp_path / "examples", quarantine=tmp_path / "quarantine")

    manifest = Manifest.load(tmp_path / "examples")
    labels = [
        row for split in SPLITS for batch in read_batches(tmp_path / "examples", split) for row in batch.to_pylist()
    ]
    assert manifest.labels is not None
    assert {row["review"]: row["mood"] for row in labels} == {"good": "positive", "bad": "negative", "fair": "positive"}
    assert manifest.labels.annotators == {"ann": 2, "bob": 3}
    assert manifest.labels.tools == {"Label Studio": 3}
    assert (manifest.labels.since[:10], manifest.labels.until[:10]) == ("2026-11-30", "2026-12-01")
    assert (manifest.labels.agreement["alpha"], manifest.labels.agreement["items"]) == (1.0, 2)
    assert check_origin(manifest.labels, _project(store).labels)[0].status == "pass"


def test_a_manifest_without_an_origin_is_written_as_before(tmp_path: Path) -> None:
    Manifest("f", {}, {}, [], []).save(tmp_path)

    assert "labels" not in json.loads((tmp_path / "manifest.json").read_text())


def test_new_labels_start_a_training_run_once_there_are_enough(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    _label(store, {"good": {"ann": "positive"}})
    project = _project(store)
    observer = Observer(str(tmp_path / "runs"), "reviews")

    def look(records: list[Record]) -> tuple[list[tuple[str, int]], list[Record]]:
        state = observer.observe(project, History(records), lambda _: project.data)
        found = [(found.reason, found.cause.evidence["rows"]) for found in find_causes(state, START)]
        return found, decide(state, START)

    too_few, _ = look([])
    _label(store, {"bad": {"ann": "negative"}})
    enough, decided = look([])
    claimed = [replace(record, line=f"{place:06d}") for place, record in enumerate(decided, 1)]
    _label(store, {"fair": {"ann": "negative"}})

    assert (too_few, enough) == ([("rows", 1)], [("", 2)])
    assert look(claimed)[0] == [("rows", 1)]  # the span that the run was started for counts no longer


CONFIG = Labelling.model_validate({"classes": ["a", "b"], "min_alpha": 0.667, "min_items": 30})


@pytest.mark.parametrize(
    ("agreement", "status", "reason"),
    [
        ({"alpha": 0.8, "low": 0.7, "high": 0.9, "items": 30}, "pass", "alpha 0.800 (0.700 to 0.900) on 30 items"),
        ({"alpha": 0.5, "low": 0.4, "high": 0.7, "items": 30}, "fail", "is below labels.min_alpha, 0.667"),
        ({"alpha": 1.0, "items": 29}, "no_baseline", "two annotators have seen 29 items; 30 are needed"),
        ({"alpha": None, "items": 99}, "no_baseline", "alpha is undefined"),
        ({}, "no_baseline", "two annotators have seen 0 items"),
    ],
)
def test_alpha_is_a_check_and_never_passes_silently(agreement: dict[str, Any], status: str, reason: str) -> None:
    check = judge_agreement(agreement, CONFIG)

    assert check.status == status
    assert reason in check.reason


def test_a_dataset_of_other_files_has_no_baseline_and_a_project_without_a_bound_no_check() -> None:
    assert [check.status for check in check_origin(None, CONFIG)] == ["no_baseline"]
    assert check_origin(None, Labelling.model_validate({"classes": ["a", "b"]})) == []
    assert check_origin(None, None) == []


def test_origins_are_merged_and_the_last_files_agreement_counts() -> None:
    one = LabelOrigin(2, 1, {"ann": 2}, {"CSV": 2}, "2026-01-02", "2026-01-03", agreement={"alpha": 0.1})
    other = LabelOrigin(3, 1, {"ann": 1, "bob": 3}, {"CSV": 3}, "2026-01-01", "2026-01-02", 1, 2, {"alpha": 0.9})

    assert merge_origins([one, other]) == LabelOrigin(
        5, 1, {"ann": 3, "bob": 3}, {"CSV": 5}, "2026-01-01", "2026-01-03", 1, 2, {"alpha": 0.9}, 2
    )
    assert parse_origin(one.to_bytes()) == one


@pytest.mark.parametrize(
    "content", [None, b"", b"[]", b'{"rows": 1}', b'{"rows": "x", "schema": 1}', b"{" * 9, b" " * (1 << 21)]
)
def test_metadata_that_is_no_origin_is_none(content: bytes | None) -> None:
    assert parse_origin(content) is None
