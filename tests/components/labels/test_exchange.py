"""Exchange formats: what is written can be filled in and read again; damaged files and what is no label are named."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from components._core.errors import ConfigError, DataError
from components._labels.exchange.coco import CocoFormat
from components._labels.exchange.contract import WorkItem
from components._labels.exchange.csv_table import CsvTableFormat
from components._labels.exchange.label_studio import LabelStudioFormat
from components._labels.exchange.table import find_format, recognise_format
from tests.components.labels.made import annotate, make_schema

SCHEMA = make_schema(question='Is it "good" & <fair>?')
STUDIO, COCO, CSV = LabelStudioFormat(), CocoFormat(), CsvTableFormat()


def _picture(kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 5), (200, 10, 10)).save(buffer, kind)
    return buffer.getvalue()


def _items(*texts: str) -> list[WorkItem]:
    return [WorkItem(f"item-{place}", {"review": text}, {}) for place, text in enumerate(texts)]


def test_label_studios_tasks_carry_the_item_and_what_is_shown() -> None:
    files = STUDIO.write(SCHEMA, ["review"], _items("아주 좋다", "bad"))

    assert json.loads(files[".json"])[0]["data"] == {
        "naru_item": "item-0",
        "naru_project": "reviews",
        "naru_schema": 1,
        "review": "아주 좋다",
    }


def test_label_studios_interface_is_xml_with_a_control_for_the_label() -> None:
    items = [WorkItem("one", {"a picture": _picture(), "review": "x"}, {"ann": "positive"})]

    root = ET.fromstring(STUDIO.write(SCHEMA, ["a picture", "review"], items)[".interface.xml"])

    choices = root.find("Choices")
    assert root.find("Header").get("value") == 'Is it "good" & <fair>?'
    assert [choice.get("value") for choice in choices] == ["negative", "positive"]
    assert root.find("Image").get("value") == "$column_1"
    assert choices.get("toName") == root.find("Image").get("name")
    assert root.find("Text[@name='naru_votes']") is not None


def test_label_studio_shows_a_picture_by_its_content() -> None:
    task = json.loads(STUDIO.write(SCHEMA, ["p"], [WorkItem("one", {"p": _picture("JPEG")}, {})])[".json"])[0]
    before, _, content = task["data"]["p"].partition(",")

    assert before == "data:image/jpeg;base64"
    assert base64.b64decode(content) == _picture("JPEG")


def test_numbers_are_asked_for_with_their_bounds() -> None:
    root = ET.fromstring(STUDIO.write(make_schema(classes=[], min=0, max=5), ["review"], _items("x"))[".interface.xml"])

    assert root.find("Number").get("min") == "0"
    assert root.find("Number").get("max") == "5"


def test_label_studios_flat_export_is_read() -> None:
    flat = [
        {
            "id": 1,
            "naru_item": "item-0",
            "naru_project": "reviews",
            "naru_schema": 1,
            "label": "positive",
            "annotator": 7,
        }
    ]

    (found,) = STUDIO.read(json.dumps(flat).encode(), "x.json", SCHEMA).labels

    assert (found.item, found.label, found.annotator) == ("item-0", "positive", "7")


def test_skipped_and_unreadable_annotations_are_counted() -> None:
    tasks = json.loads(annotate(SCHEMA, {text: {"ann": "positive"} for text in "abcd"}))
    tasks[0]["annotations"][0]["was_cancelled"] = True
    tasks[1]["annotations"][0]["result"] = []
    tasks[2]["annotations"][0]["result"][0]["value"]["choices"] = ["positive", "negative"]
    tasks[3]["annotations"] = 5

    found = STUDIO.read(json.dumps(tasks).encode(), "x.json", SCHEMA)

    assert (found.skipped, found.labels) == (2, [])
    assert found.unreadable[0] == ("x.json, task 3", "has 2 labels; one is allowed")
    assert found.unreadable[1][0] == "x.json, task 4"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"data": {"naru_item"', "is not JSON: .*is it cut off"),
        (b"[" * 100_000, "nested too deep|is not JSON"),
        (b"[1, 2]", "is not a list of Label Studio's tasks"),
        (b"[\xff]", "is not UTF-8"),
    ],
)
def test_a_damaged_export_is_named(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        STUDIO.read(content, "x.json", SCHEMA)


def test_csv_comes_back_filled_in_also_from_a_spreadsheet_that_writes_semicolons() -> None:
    text = CSV.write(SCHEMA, ["review"], _items('a, "b"', "c\nd"))[".csv"].decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    filled = io.StringIO()
    place = rows[0].index("mood")
    for row in rows:
        row[place : place + 3] = (
            ["mood", "annotator", "time"] if row is rows[0] else ["positive", "ann", "2026-11-30 10:00"]
        )
        csv.writer(filled, delimiter=";").writerow(row)

    found = CSV.read(filled.getvalue().encode("utf-8-sig"), "x.csv", SCHEMA)

    assert [(each.item, each.label, each.annotator) for each in found.labels] == [
        ("item-0", "positive", "ann"),
        ("item-1", "positive", "ann"),
    ]
    assert found.labels[0].time == "2026-11-30T10:00:00.000+00:00"
    assert (found.labels[0].project, found.labels[0].schema) == ("reviews", 1)


def test_csv_rows_without_a_label_are_skipped_and_a_wrong_time_is_named() -> None:
    content = b"naru_item,mood,time\na,,\nb,positive,yesterday\n"

    found = CSV.read(content, "x.csv", SCHEMA)

    assert found.skipped == 1
    assert found.unreadable == [("x.csv, line 3", "'yesterday' is not a time as in 2026-01-31T09:00Z")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"item,mood\na,b\n", "must have the column 'naru_item' once; found: item, mood"),
        (b"naru_item,mood\na,b,c\n", "line 2: has 3 cells, and the header 2"),
        (b'naru_item,mood\n"a,b\n', "is not CSV|has 1 cells"),
        (b"naru_item,mood\n\xb0\xa1,b\n", "is not UTF-8"),
        (b"", "must have the column 'naru_item' once; found: nothing"),
    ],
)
def test_a_damaged_csv_is_named(content: bytes, message: str) -> None:
    with pytest.raises(DataError) as raised:
        list(CSV.read(content, "x.csv", SCHEMA).labels)
    assert re.search(message, str(raised.value))


def test_csv_has_no_place_for_pictures() -> None:
    with pytest.raises(ConfigError, match="has no place for pictures"):
        CSV.write(SCHEMA, ["p"], [WorkItem("one", {"p": _picture()}, {})])


def test_coco_has_the_pictures_beside_the_list_and_comes_back() -> None:
    files = COCO.write(SCHEMA, ["p", "title"], [WorkItem("one", {"p": _picture("JPEG"), "title": "x"}, {})])
    raw = json.loads(files[".json"])
    raw["annotations"] = [
        {"id": 1, "image_id": 1, "category_id": 2, "attributes": {"annotator": "ann"}},
        {"id": 2, "image_id": 9, "category_id": 2},
        {"id": 3, "image_id": 1, "category_id": 9},
    ]

    found = COCO.read(json.dumps(raw).encode(), "x.json", SCHEMA)

    assert files["pictures/one.jpeg"] == _picture("JPEG")
    assert (raw["images"][0]["width"], raw["images"][0]["height"]) == (8, 5)
    assert [(each.item, each.label, each.annotator, each.project) for each in found.labels] == [
        ("one", "positive", "ann", "reviews")
    ]
    assert [reason for _, reason in found.unreadable] == [
        "names a picture that the file does not have",
        "names a category that the file does not have",
    ]


def test_a_picture_that_a_tool_renamed_by_folder_only_keeps_its_item() -> None:
    raw = {
        "images": [{"id": 1, "file_name": "train/one.png"}],
        "categories": [{"id": 1, "name": "positive"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1}],
    }

    assert COCO.read(json.dumps(raw).encode(), "x.json", SCHEMA).labels[0].item == "one"


def test_coco_needs_pictures_that_can_be_read() -> None:
    with pytest.raises(ConfigError, match="needs one column of pictures; found no column of pictures"):
        COCO.write(SCHEMA, ["review"], _items("x"))
    with pytest.raises(DataError, match="a picture cannot be read"):
        COCO.write(SCHEMA, ["p"], [WorkItem("one", {"p": b"GIF89a"}, {})])


def test_a_file_is_recognised_by_its_content_and_a_wrong_name_is_named() -> None:
    assert recognise_format(b'\xef\xbb\xbf [{"id": 1}]').name == "label-studio"
    assert recognise_format(b'{"images": []}').name == "coco"
    assert recognise_format(b"naru_item,mood\n").name == "csv"
    with pytest.raises(ConfigError, match="unknown format 'label_studio'; did you mean 'label-studio'"):
        find_format("label_studio")


def test_a_text_of_a_stranger_is_no_formula_in_a_spreadsheet() -> None:
    text = CSV.write(SCHEMA, ["review"], _items("=HYPERLINK(1)", "-1.5", "@x", "fine"))[".csv"].decode("utf-8-sig")

    assert [row["review"] for row in csv.DictReader(io.StringIO(text))] == ["'=HYPERLINK(1)", "-1.5", "'@x", "fine"]
