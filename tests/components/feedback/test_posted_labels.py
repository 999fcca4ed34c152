"""Labels that were posted to a server are one more source of the join, beside files or alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
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


def made_up(count: int) -> list[PostedLabel]:
    return [PostedLabel(f"made-up-{number}", 0, "1") for number in range(count)]


def unknown_ids(place: Posted, number: int) -> list[str]:
    """The ids that a span's join set aside."""
    kept = place.manifest(number)["quarantine"]["unknown_id"]["object"]
    return pq.read_table(place.home / "objects" / kept)["id"].to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("with_files", [True, False])
def test_made_up_ids_that_are_posted_never_stop_the_join_and_are_set_aside_and_shown(
    place: Posted, with_files: bool
) -> None:
    if with_files:
        place.write_labels([{"request": "r0", "outcome": 0}, {"request": "r2", "outcome": 1}])
    else:
        place.without_files()
    place.post(*made_up(400), *labels(1))
    report = place.run()
    assert (report.counts["unknown"], report.counts["posted_unknown"]) == (0, 400)
    wanted = [expected(1, 1), *([expected(0, 0), expected(2, 1)] if with_files else [])]
    assert place.rows(1) == sorted(wanted, key=str)
    assert len(unknown_ids(place, 1)) == 400
    assert set(report.posted_ids) <= {label.id for label in made_up(400)} and report.posted_ids


def test_unknown_ids_of_files_are_held_against_the_labels_of_files_alone(place: Posted) -> None:
    """However many labels are posted, with known ids or others, a wrong column is refused as without them."""
    place.write_labels([{"request": f"flight-{number}", "outcome": 0} for number in range(30)])
    place.post(*labels(*range(6)), *labels(*range(6), row=1), *made_up(5_000))
    with pytest.raises(DataError, match="30 of 30 labels have an id that no logged answer has") as caught:
        place.run()
    assert "flight-" in str(caught.value) and "made-up" not in str(caught.value)


def test_made_up_ids_in_an_hour_that_is_open_do_not_pass_for_a_wrong_column(place: Posted) -> None:
    place.without_files().post(*made_up(40), at=NEXT_DAY - timedelta(minutes=5))
    report = place.run()
    assert (report.counts["posted_waiting"], report.counts["waiting"], report.strangers) == (40, 40, None)


def test_made_up_ids_do_not_pile_up_in_the_state_for_as_long_as_answers_are_kept(place: Posted) -> None:
    place.without_files().post(*made_up(400), *labels(0))
    place.run()
    assert pending(place, 1) == 400, "an object of their hour may still come"
    later = NOON + timedelta(days=9)
    place.post(*labels(1), at=later - timedelta(hours=2))
    place.run(later)
    assert pending(place, 2) == 0 and expected(1, 1) in place.rows(2)


def test_a_posted_label_finds_an_answer_whose_object_comes_days_later(place: Posted) -> None:
    place.without_files().post(*labels(0), PostedLabel("r77", 0, "1"))
    place.run()
    place.write_log([request(77)], name="pod-2")
    place.run(NEXT_DAY + timedelta(days=4))
    assert place.rows(2) == [expected(77, 1)]


def pending(place: Posted, number: int) -> int:
    """How many labels wait after a span."""
    kept = place.manifest(number)["state"]["pending"]
    return int(pq.read_metadata(place.home / "objects" / kept).num_rows)
