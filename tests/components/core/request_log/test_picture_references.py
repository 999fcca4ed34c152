"""Pictures in the request log: a reference and measures in place of the bytes, in a line that all readers take."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import numpy as np
import pytest

from components._core.request_log import picture_references
from components._core.request_log.answered_lines import LineWriter
from components._core.request_log.json_lines import parse_line
from components._core.types.measured_columns import MONITORED_MEASURES
from tests.components.predictor.test_border import encode

DATA = encode("PNG", size=(30, 20))
TEXT = base64.urlsafe_b64encode(DATA).decode()
MEASURES = sorted(f"photo.{name}" for name in MONITORED_MEASURES)


def make_writer() -> LineWriter:
    return LineWriter("m", "1", masked=frozenset({"photo"}), pictures=frozenset({"photo"}))


def write(writer: LineWriter) -> dict[str, Any]:
    inputs = {"photo": [TEXT, None], "age": np.array([1, 2])}
    line: dict[str, Any] = json.loads(writer.write("a", 0.0, 0.001, inputs, {"probability": np.array([0.25, 0.75])}))
    return line


def test_a_reference_and_measures_stand_in_place_of_a_picture() -> None:
    line = write(make_writer())
    assert line["inputs"]["photo"] is None and line["masked"] == ["photo"]
    assert line["pictures"]["photo"] == [{"sha256": hashlib.sha256(DATA).hexdigest(), "size": len(DATA)}, None]
    assert line["inputs"]["photo.width"] == [30, None] and line["inputs"]["photo.size"] == [len(DATA), None]
    assert sorted(name for name in line["inputs"] if "." in name) == MEASURES
    assert TEXT not in json.dumps(line)


def test_measuring_takes_a_share_of_the_time_and_what_is_not_measured_is_masked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    monkeypatch.setattr(picture_references.time, "monotonic", clock)
    writer = make_writer()
    write(writer)  # took half a second: the next may be measured 10 seconds later
    assert write(writer)["masked"] == sorted(["photo", *MEASURES])
    now[0] += 10
    assert write(writer)["masked"] == ["photo"]


def test_a_damaged_picture_is_referred_to_and_not_measured() -> None:
    writer = make_writer()
    line = json.loads(writer.write("a", 0.0, 0.001, {"photo": [TEXT[:40]]}, {"probability": np.array([0.25])}))
    assert line["masked"] == sorted(["photo", *MEASURES]) and line["pictures"]["photo"][0]["size"] == 30


def test_readers_of_the_log_take_such_a_line() -> None:
    request = parse_line(json.dumps(write(make_writer())).encode())
    assert request is not None
    assert request.inputs["photo"] is None and request.inputs["photo.height"] == [20, None]


def test_pictures_are_kept_where_the_project_wants_them() -> None:
    line = write(LineWriter("m", "1"))
    assert line["inputs"]["photo"] == [TEXT, None] and "pictures" not in line
