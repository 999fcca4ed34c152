"""Labels that were posted to a server are one more source of the join, beside files or alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._core.request_log.posted_labels import PostedLabel, posted_labels_uri, write_lines
from components._feedback.feedback_report import FeedbackReport
from tests.components.feedback.made import NEXT_DAY, NOON, SIGNATURE, Place, expected, request


class Posted(Place):
    """A place whose server takes labels; those of a file are optional."""

    def __init__(self, root: Path, **config: Any) -> None:
        super().__init__(root, endpoint=True, **config)

    def without_files(self) -> Posted:
        self.config = self.config.model_copy(update={"labels": None})
        return self

    def post(self, *labels: PostedLabel, at: datetime = NOON + timedelta(hours=3), name: str = "pod-1") -> None:
        folder = Path(posted_labels_uri(str(self.log))) / f"{at:dt=%Y-%m-%d/hour=%H}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.jsonl").write_bytes(write_lines(labels, at.timestamp()))

    def run(self, now: datetime = NEXT_DAY, **changes: Any) -> FeedbackReport:
        return super().run(now, **{"posted": posted_labels_uri(str(self.log)), **changes})


@pytest.fixture
def place(tmp_path: Path) -> Posted:
    made = Posted(tmp_path)
    made.write_log([request(number, rows=2) for number in range(6)])
    return made


def labels(*numbers: int, label: str | None = "1", row: int = 0) -> list[PostedLabel]:
    return [PostedLabel(f"r{number}", row, label) for number in numbers]


def test_they_are_joined_alone_by_id_and_row(place: Posted) -> None:
    place.without_files().post(*labels(0, 1, label="1"), *labels(1, label="0", row=1))
    report = place.run()
    assert report.span == 1 and report.files == 1
    wanted = [expected(0, 1), expected(1, 1), expected(1, 0, row=1)]
    assert place.rows(1) == sorted(wanted, key=str)
    assert place.manifest(1)["labels"]["source"] == "posted"


def test_they_are_joined_beside_files_and_the_later_one_wins(place: Posted) -> None:
    place.write_labels([{"request": "r0", "outcome": 0}, {"request": "r1", "outcome": 0}])
    place.post(*labels(1, 2))
    report = place.run()
    assert report.files == 2 and report.counts["superseded"] == 1
    assert place.rows(1) == sorted([expected(0, 0), expected(1, 1), expected(2, 1)], key=str)


def test_a_file_is_read_once_and_what_comes_later_goes_into_the_next_span(place: Posted) -> None:
    place.without_files().post(*labels(0))
    assert place.run().span == 1
    assert place.run(NEXT_DAY + timedelta(hours=1)).files == 0
    place.post(*labels(1), *labels(0, label="0"), at=NOON + timedelta(hours=4))
    place.post(*labels(2), name="pod-2")  # of an hour that was read, from a server whose store was away
    report = place.run(NEXT_DAY + timedelta(hours=2))
    assert report.span == 2 and report.files == 2
    assert place.rows(2) == sorted([expected(0, 0), expected(1, 1), expected(2, 1)], key=str)
    assert place.manifest(2)["corrects"] == {"1": 1}


def test_no_posted_label_is_no_error_and_a_null_closes_its_row(place: Posted) -> None:
    place.without_files()
    assert place.run().span is None
    place.post(*labels(0, label=None), *labels(1))
    report = place.run()
    assert report.counts["closed"] == 1 and place.rows(1) == [expected(1, 1)]


def test_posted_files_are_no_objects_of_the_request_log(place: Posted) -> None:
    place.without_files().post(*labels(0))
    report = place.run()
    assert report.objects == 1 and report.answers.log.damaged == 0


def test_classes_that_look_like_something_else_stay_texts(tmp_path: Path) -> None:
    place = Posted(tmp_path).without_files()
    place.write_log([request(number) for number in range(4)])
    texts = ["1.0", "NA", "2026-01-31", "true"]
    place.post(*(PostedLabel(f"r{number}", 0, text) for number, text in enumerate(texts)))
    signature = replace(SIGNATURE, task="multiclass_classification", classes=tuple(sorted(texts)))
    place.run(label_type=pa.string(), signature=signature)
    assert sorted(row["late"] for row in place.rows(1)) == sorted(texts)


def test_posted_labels_of_unknown_ids_end_the_join_with_ids_of_both_sides(place: Posted) -> None:
    place.without_files().post(*(PostedLabel(f"flight-{number}", 0, "1") for number in range(40)))
    with pytest.raises(DataError, match="40 of 40 labels have an id that no logged answer has") as caught:
        place.run()
    assert "flight-" in str(caught.value) and "posted" in str(caught.value)
