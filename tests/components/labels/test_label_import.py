"""Imports: what is kept, what is refused with its name, what is set aside; the same file again changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components._core.errors import ConfigError, DataError, ServiceError
from components._labels.exchange.label_studio import LabelStudioFormat
from components._labels.label_import import import_labels
from components._labels.labelled_items import read_labelled
from tests.components.labels.made import annotate, make_schema, make_store, take

SCHEMA = make_schema(annotators_per_item=2, adjudicators=["lead"])


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_several_annotators_give_a_majority_a_tie_or_nothing_yet(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    labels = {
        "good": {"ann": "positive", "bob": "positive"},
        "bad": {"ann": "positive", "bob": "negative"},
        "fair": {"ann": "negative"},
    }

    report = take(store, SCHEMA, annotate(SCHEMA, labels))

    verdicts = read_labelled(store, SCHEMA).verdicts
    assert (report.new, report.changed, report.known) == (5, 0, 0)
    assert {item: (verdict.state, verdict.label) for item, verdict in verdicts.items()} == {
        "item-good": ("settled", "positive"),
        "item-bad": ("tied", ""),
        "item-fair": ("waiting", ""),
    }
    assert verdicts["item-good"].agreement == 1.0
    assert verdicts["item-good"].annotators == ("ann", "bob")
    assert verdicts["item-good"].tool == "Label Studio"


def test_an_adjudicator_decides_and_does_not_count_for_the_agreement(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    take(store, SCHEMA, annotate(SCHEMA, {"bad": {"ann": "positive", "bob": "negative", "lead": "negative"}}))

    labelled = read_labelled(store, SCHEMA)

    assert labelled.verdicts["item-bad"].state == "adjudicated"
    assert labelled.verdicts["item-bad"].label == "negative"
    assert labelled.verdicts["item-bad"].agreement == 0.5
    assert labelled.votes(SCHEMA).annotators == ("ann", "bob")


def test_the_same_file_again_changes_no_byte_of_the_store(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    content = annotate(SCHEMA, {"good": {"ann": "positive"}, "bad": {"ann": "negative"}})
    take(store, SCHEMA, content)
    before = _files(tmp_path)

    report = take(store, SCHEMA, content)

    assert (report.new, report.changed, report.known) == (0, 0, 2)
    assert _files(tmp_path) == before


def test_a_later_annotation_of_the_same_person_replaces_the_earlier_one_and_an_older_export_does_not(
    tmp_path: Path,
) -> None:
    store = make_store(tmp_path)
    older = annotate(SCHEMA, {"good": {"ann": "negative"}}, "2026-11-30T10:00:00Z")
    newer = annotate(SCHEMA, {"good": {"ann": "positive"}}, "2026-11-30T11:00:00+01:00")
    newest = annotate(SCHEMA, {"good": {"ann": "positive"}}, "2026-11-30T10:00:01Z")
    take(store, SCHEMA, older)

    assert take(store, SCHEMA, newest).changed == 1
    assert take(store, SCHEMA, older).known == 1
    assert newer != newest
    assert read_labelled(store, SCHEMA).annotations["item-good"][0].label == "positive"


def test_an_annotator_who_labels_an_item_twice_in_a_file_is_named_and_the_latest_counts(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    tasks = json.loads(annotate(SCHEMA, {"good": {"ann": "positive"}}))
    second = json.loads(annotate(SCHEMA, {"good": {"ann": "negative"}}, "2026-11-30T09:00:00Z"))
    tasks[0]["annotations"] += second[0]["annotations"]

    report = take(store, SCHEMA, json.dumps(tasks).encode())

    assert report.repeated == [("done.json, task 1", "item-good")]
    assert report.annotators == {"ann": 1}
    assert read_labelled(store, SCHEMA).annotations["item-good"][0].label == "positive"


def test_two_labels_of_one_annotator_at_one_time_are_none_and_named(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    tasks = json.loads(annotate(SCHEMA, {"good": {"ann": "positive"}, "bad": {"ann": "negative"}}))
    tasks[0]["annotations"] += json.loads(annotate(SCHEMA, {"good": {"ann": "negative"}}))[0]["annotations"]
    tasks[1]["annotations"] *= 2

    report = take(store, SCHEMA, json.dumps(tasks).encode())

    reason = "item item-good has the labels 'negative' and 'positive' of one annotator at one time"
    assert report.unreadable == [("done.json, task 1", reason)]
    assert (report.new, report.repeated) == (1, [("done.json, task 2", "item-bad")])
    assert list(read_labelled(store, SCHEMA).verdicts) == ["item-bad"]


def test_items_that_no_list_has_are_named_and_kept_aside(tmp_path: Path) -> None:
    store = make_store(tmp_path)

    report = take(store, SCHEMA, annotate(SCHEMA, {"good": {"ann": "positive"}, "strange": {"ann": "negative"}}))

    assert report.unknown == [("done.json, task 2", "item-strange")]
    (aside,) = (tmp_path / "store/reviews/labels/aside").iterdir()
    assert json.loads(aside.read_text()) == {
        "item": "item-strange",
        "reason": "unknown item",
        "where": "done.json, task 2",
    }


def test_a_file_of_unknown_items_only_is_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path)

    with pytest.raises(DataError, match="no work list of this project has its items: 'item-a', 'item-b'"):
        take(store, SCHEMA, annotate(SCHEMA, {"a": {"ann": "positive"}, "b": {"ann": "positive"}}))


def test_labels_that_the_schema_does_not_have_are_refused_with_their_names_and_nothing_is_kept(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    before = _files(tmp_path)

    with pytest.raises(
        DataError, match=r"1 of 2 labels are not in the schema: 'positiv'; done.json, task 2: .*did you mean"
    ):
        take(store, SCHEMA, annotate(SCHEMA, {"good": {"ann": "positive"}, "bad": {"ann": "positiv"}}))
    assert _files(tmp_path) == before


def test_an_export_of_another_project_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is an export of the project 'hotels'; this one is 'reviews'"):
        take(make_store(tmp_path), SCHEMA, annotate(SCHEMA, {"good": {"ann": "positive"}}, naru_project="hotels"))


def test_an_export_of_another_version_of_the_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="was exported with version 1 of the label schema; the project has version 2"):
        take(make_store(tmp_path), make_schema(version=2), annotate(SCHEMA, {"good": {"ann": "positive"}}))


def test_annotations_of_an_earlier_version_stay_and_count_no_longer(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    take(store, SCHEMA, annotate(SCHEMA, {"good": {"ann": "positive", "bob": "positive"}}))

    assert not read_labelled(store, make_schema(version=2)).verdicts
    assert read_labelled(store, SCHEMA).verdicts


def test_a_class_that_is_taken_out_of_the_schema_is_named_with_its_annotations(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    take(store, SCHEMA, annotate(SCHEMA, {"good": {"ann": "positive"}}))

    with pytest.raises(ConfigError, match="no longer allows labels that 1 annotations of version 1 have: 'positive'"):
        read_labelled(store, make_schema(classes=["negative", "neutral"]))


def test_labels_without_an_annotator_need_one(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    tasks = json.loads(annotate(SCHEMA, {"good": {"ann": "positive"}}))
    del tasks[0]["annotations"][0]["completed_by"]
    content = json.dumps(tasks).encode()

    with pytest.raises(ConfigError, match=r"labels without an annotator: 1, the first in done\.json, task 1"):
        take(store, SCHEMA, content)
    assert take(store, SCHEMA, content, "ann").annotators == {"ann": 1}


def test_numbers_are_held_against_their_bounds_and_settled_by_the_median(tmp_path: Path) -> None:
    schema = make_schema(classes=[], min=0, max=10, annotators_per_item=3)
    store = make_store(tmp_path)

    def numbers(**given: float) -> bytes:
        tasks = json.loads(annotate(schema, {"good": dict.fromkeys(given, "x")}))
        for annotation, number in zip(tasks[0]["annotations"], given.values(), strict=True):
            annotation["result"][0]["value"] = {"number": number}
        return json.dumps(tasks).encode()

    with pytest.raises(DataError, match=r"11.5 is above labels.max, 10"):
        take(store, schema, numbers(ann=11.5))
    take(store, schema, numbers(ann=1, bob=2.5, cy=9))

    assert read_labelled(store, schema).verdicts["item-good"].label == "2.5"


def test_damage_of_the_store_is_named(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    take(store, SCHEMA, annotate(SCHEMA, {"good": {"ann": "positive"}}))
    (kept,) = (tmp_path / "store/reviews/labels/annotations").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"positive", b"negative"))

    with pytest.raises(ServiceError, match="is damaged: its content has another hash"):
        read_labelled(store, SCHEMA)


def test_a_number_and_the_name_that_a_server_says_are_one_annotator_in_either_order(tmp_path: Path) -> None:
    schema = make_schema(annotators_per_item=2, adjudicators=["lead@x.de"])
    number = annotate(schema, {"good": {"1": "positive", "2": "positive"}, "bad": {"1": "negative", "3": "negative"}})
    people = {"1": "ann@x.de", "3": "lead@x.de"}

    def votes(*known: dict[str, str] | None) -> dict[str, dict[str, str]]:
        store = make_store(tmp_path / str(len(list(tmp_path.iterdir()))))
        for names in known:
            found = LabelStudioFormat().read(number, "x", schema)
            import_labels(store, schema, found, "x", number, "", names)
        return {item: verdict.votes for item, verdict in read_labelled(store, schema).verdicts.items()}

    named = {"item-good": {"ann@x.de": "positive", "2": "positive"}, "item-bad": {"ann@x.de": "negative"}}
    assert votes(people) == votes(None, people) == votes(people, None) == votes(people, people) == named
