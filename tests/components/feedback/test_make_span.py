"""Spans of a log and labels in folders: what is in them, once each, and what is set aside."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, DataError
from components._core.request_log.sampling import is_sampled
from components._core.types.signature import Feature
from components._feedback import buckets
from tests.components.feedback.made import NEXT_DAY, NOON, SIGNATURE, Place, expected, request
from tests.representatives import representatives


def test_a_span_has_the_features_as_logged_and_the_labels(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(10)])
    place.write_labels([{"request": f"r{number}", "outcome": number % 2} for number in range(8)])
    report = place.run()
    assert report.span == 1 and report.rows == 8 and report.open == 2
    assert place.rows(1) == sorted((expected(number, number % 2) for number in range(8)), key=str)
    schema = pq.read_schema(report.uri)
    assert schema.names == ["delay", "month", "carrier", "late"]
    assert schema.types == [pa.float64(), pa.int64(), pa.string(), pa.int64()]


def test_the_row_in_a_request_is_part_of_the_key(tmp_path: Path) -> None:
    place = Place(tmp_path, labels={"row": "row"})
    place.write_log([request(5, rows=3)])
    place.write_labels([{"request": "r5", "row": row, "outcome": row % 2} for row in (2, 0)])
    assert place.run().rows == 2
    assert place.rows(1) == sorted([expected(5, 0, 0), expected(5, 0, 2)], key=str)


def test_too_few_rows_wait_and_the_next_run_has_them(tmp_path: Path) -> None:
    place = Place(tmp_path, min_rows=3)
    place.write_log([request(number) for number in range(4)])
    place.write_labels([{"request": "r0", "outcome": 1}, {"request": "r1", "outcome": 0}])
    report = place.run()
    assert report.span is None and report.rows == 2 and not place.home.exists()
    place.write_labels([{"request": "r2", "outcome": 1}], "b")
    assert place.run().rows == 3 and place.spans == [1]


def test_a_row_enters_one_span_and_a_later_label_corrects_it_in_the_next(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(6)])
    place.write_labels([{"request": f"r{number}", "outcome": 0} for number in range(3)])
    assert place.run().span == 1
    first = (place.home / "spans" / "000001" / "rows.parquet").read_bytes()
    place.write_labels(
        [{"request": "r1", "outcome": 1}, {"request": "r2", "outcome": 0}, {"request": "r4", "outcome": 1}], "b"
    )
    report = place.run()
    assert report.span == 2 and report.counts["corrected"] == 1
    assert place.rows(2) == sorted([expected(1, 1), expected(4, 1)], key=str)
    assert place.manifest(2)["corrects"] == {"1": 1}
    assert (place.home / "spans" / "000001" / "rows.parquet").read_bytes() == first
    assert place.run().span is None  # nothing new
    place.write_labels([{"request": "r1", "outcome": 0}], "c")
    assert place.run().span == 3 and place.rows(3) == [expected(1, 0)] and place.manifest(3)["corrects"] == {"2": 1}


def test_the_latest_label_wins_before_a_span_is_written(tmp_path: Path) -> None:
    place = Place(tmp_path, labels={"time": "known_at"})
    place.write_log([request(1), request(2)])
    place.write_labels(
        [
            {"request": "r1", "outcome": 1, "known_at": "2026-01-10T18:00:00Z"},
            {"request": "r1", "outcome": 0, "known_at": "2026-01-10T15:00:00Z"},
            {"request": "r2", "outcome": 0, "known_at": "2026-01-10T15:00:00Z"},
        ]
    )
    place.write_labels([{"request": "r2", "outcome": 1, "known_at": "2026-01-10T15:00:00Z"}], "b")
    assert place.run().counts["superseded"] == 2
    assert place.rows(1) == sorted([expected(1, 1), expected(2, 1)], key=str)


def test_an_empty_label_closes_its_row(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(3)])
    place.write_labels([{"request": "r0", "outcome": 1}, {"request": "r1", "outcome": None}])
    report = place.run()
    assert report.rows == 1 and report.counts["closed"] == 1 and report.open == 1
    place.write_labels([{"request": "r1", "outcome": 1}, {"request": "r2", "outcome": 1}], "b")
    assert place.run().counts["labels_refused"] == 1 and place.rows(2) == [expected(2, 1)]
    assert place.manifest(2)["quarantine"]["closed_id"]["rows"] == 1


def test_late_objects_of_the_log_are_read_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(1)])
    place.write_labels([{"request": "r1", "outcome": 1}])
    place.run()
    place.write_log([request(2)], "pod-0")
    place.write_labels([{"request": "r2", "outcome": 0}], "b")
    report = place.run()
    assert report.objects == 1 and place.rows(2) == [expected(2, 0)]


def test_hours_are_listed_again_for_a_week_and_nothing_is_read_twice(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for day in range(0, 40, 4):
        at = NOON + timedelta(days=day)
        place.write_log([request(day, at)], hour=at)
        place.write_log([request(day + 1, at)], "late", at - timedelta(days=6))
        place.write_labels(
            [{"request": f"r{day}", "outcome": 1}, {"request": f"r{day + 1}", "outcome": 0}], f"{day:02d}"
        )
        report = place.run(at + timedelta(hours=2))
        assert report.objects == 2 and report.rows == 2 and not report.counts["repeated"]
    assert len(place.spans) == 10 and not place.run(at + timedelta(hours=3)).objects
    watermark = pq.read_table(place.home / "objects" / place.manifest(10)["state"]["watermark"]).to_pylist()
    assert sum(row["kind"] == "log" for row in watermark) < 8, "what is not listed again need not be remembered"


def test_an_open_hour_is_not_read_and_its_labels_wait(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(30)])
    late = NOON + timedelta(hours=1)
    place.write_log([request(99, late)], hour=late)
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in [*range(30), 99]])
    report = place.run(NOON + timedelta(hours=1, minutes=20))
    assert report.rows == 30 and report.counts["waiting"] == 1 and not report.counts["unknown"]
    assert place.run(NOON + timedelta(hours=3)).span == 2 and place.rows(2) == [expected(99, 1)]


def test_a_retry_counts_once_and_one_id_for_two_decisions_is_set_aside(tmp_path: Path) -> None:
    place = Place(tmp_path)
    other = {**request(2), "inputs": request(3)["inputs"]}
    place.write_log([request(1), request(1, NOON + timedelta(seconds=1)), request(2), other, request(4)])
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in (1, 2, 4)])
    report = place.run()
    assert report.rows == 2 and report.counts["repeated"] == 1 and report.counts["conflicting"] == 2
    quarantine = place.manifest(1)["quarantine"]["conflicting_id"]
    table = pq.read_table(place.home / "objects" / quarantine["object"])
    assert table["id"].to_pylist() == ["r2", "r2"] and quarantine["rows"] == 2


def test_unknown_ids_are_set_aside_up_to_a_quota(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(100)])
    place.write_labels(
        [{"request": f"r{number}", "outcome": 1} for number in range(98)] + [{"request": "x", "outcome": 1}] * 2
    )
    report = place.run()
    assert report.rows == 98 and report.counts["unknown"] == 1
    assert place.manifest(1)["quarantine"]["unknown_id"]["rows"] == 1
    place.write_log([request(500)], "pod-2")
    place.write_labels([{"request": "r500", "outcome": 1}], "b")
    assert place.run().counts["unknown"] == 0  # it counted before


def test_a_join_on_the_wrong_column_ends_with_examples_of_both_sides(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(100)])
    place.write_labels([{"request": f"flight-{number}", "outcome": 1} for number in range(50)])
    with pytest.raises(
        DataError, match=r"50 of 50 labels have an id that no logged answer has \(100.0%; allowed 5%\)"
    ) as error:
        place.run()
    assert "'flight-0', 'flight-1', 'flight-2'" in error.value.message and "ids in the log: 'r0'" in error.value.message
    assert "feedback.labels.id" in error.value.remedy and not place.home.exists()


def test_a_masked_feature_that_the_model_uses_refuses_the_span(tmp_path: Path) -> None:
    place = Place(tmp_path)
    inputs = {**request(1)["inputs"], "carrier": None}
    place.write_log([request(1, inputs=inputs, masked=["carrier"])])
    place.write_labels([{"request": "r1", "outcome": 1}])
    with pytest.raises(ConfigError, match="the feature 'carrier' is masked in 1 rows") as error:
        place.run()
    assert "serve.request_log.mask" in error.value.remedy and not place.home.exists()


def test_a_label_that_is_none_is_counted_with_its_reason(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(30)])
    rows = [{"request": f"r{number}", "outcome": 1} for number in range(25)]
    place.write_labels([*rows, {"request": "", "outcome": 1}, {"request": "r28", "outcome": 2.5}])
    report = place.run()
    assert report.rows == 25 and report.labels.bad == {"missing_id": 1, "bad_label": 1}
    assert "a.csv: 2.5" in report.labels.examples["bad_label"]


def test_columns_can_be_added_to_the_rows(tmp_path: Path) -> None:
    columns = {"id": "rid", "row": "place", "time": "at", "version": "by", "share": "share", "known_at": "known"}
    place = Place(tmp_path, columns=columns, labels={"time": "known_at"})
    place.write_log([request(1, share=0.5)])
    place.write_labels([{"request": "r1", "outcome": 1, "known_at": "2026-01-10T15:00:00Z"}])
    place.run()
    (row,) = place.rows(1)
    assert row == {**expected(1, 1), "rid": "r1", "place": 0, "at": NOON, "by": "3", "share": 0.5,
                   "known": NOON + timedelta(hours=3)}  # fmt: skip


def test_a_column_has_the_type_that_it_has_in_training_where_that_holds_its_values(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log(
        [request(number, inputs={"delay": [number], "month": [1], "carrier": ["A"]}) for number in range(2)]
    )
    place.write_labels([{"request": "r0", "outcome": 1}])
    place.run(types={"delay": pa.int64(), "month": pa.int64()})
    assert pq.read_schema(place.home / "spans/000001/rows.parquet").field("delay").type == pa.int64()
    place.write_log([request(7)], "pod-2")
    place.write_log([request(8, inputs={"delay": [0.5], "month": [1]})], "pod-3")
    place.write_labels([{"request": "r7", "outcome": 1}], "b")
    place.run(types={"delay": pa.int64()})
    assert pq.read_schema(place.home / "spans/000002/rows.parquet").field("delay").type == pa.float64()
    place.write_labels([{"request": "r8", "outcome": 1}, {"request": "r0", "outcome": 0}], "c")
    place.run(
        types={"delay": pa.int64()}
    )  # no new fraction; the row that waited has one, and a column does not change back
    assert [row["delay"] for row in place.rows(3)] == [0.0, 0.5]


def test_a_truth_value_of_training_is_one_again(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number, inputs={"delay": [1.5], "month": [number]}) for number in range(2)])
    place.write_labels([{"request": "r0", "outcome": 1}])
    place.run(types={"month": pa.bool_()})
    assert [row["month"] for row in place.rows(1)] == [False]
    place.write_log([request(9, inputs={"delay": [1.5], "month": [7]})], "pod-2")
    place.write_labels([{"request": "r9", "outcome": 1}], "b")
    place.run(types={"month": pa.bool_()})
    assert [row["month"] for row in place.rows(2)] == [7]


def test_late_labels_and_expired_answers_are_counted(tmp_path: Path) -> None:
    place = Place(tmp_path, labels={"time": "known_at"}, wait="2d", keep="10d")
    place.write_log([request(number) for number in range(5)])
    place.write_labels([{"request": "r1", "outcome": 1, "known_at": "2026-01-14T15:00:00Z"}])
    report = place.run(NOON + timedelta(days=5))
    assert report.counts["late"] == 1 and report.open == 4
    later = NOON + timedelta(days=11)
    place.write_log([request(9, later)], hour=later)
    place.write_labels(
        [{"request": f"r{number}", "outcome": 1, "known_at": "2026-01-21T20:00:00Z"} for number in (2, 9)], "b"
    )
    report = place.run(later + timedelta(hours=8))
    assert (
        report.rows == 2 and report.counts["expired"] == 3
    )  # a label that is there with the first join after it still counts


def test_a_span_is_final_when_enough_mature_answers_have_a_label(tmp_path: Path) -> None:
    place = Place(tmp_path, wait="1d")
    place.write_log([request(number) for number in range(1_000)])
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in range(900)])
    assert "older than feedback.wait" in place.run(NOON + timedelta(hours=3)).not_final
    place.write_labels([{"request": "r950", "outcome": 1}], "b")
    report = place.run(NOON + timedelta(days=2))
    assert report.not_final == "" and place.manifest(2)["final"]
    assert report.coverage.sum(axis=1).tolist() == [1_000, 901, 0]


def test_labels_that_depend_on_the_score_are_not_final(tmp_path: Path) -> None:
    place = Place(tmp_path, wait="1d", min_coverage=0.5)
    place.write_log([request(number) for number in range(1_000)])
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in range(1_000) if number % 10 > 3])
    report = place.run(NOON + timedelta(days=3))
    assert report.not_final.startswith("labels depend on the score: 0.0% to 100.0% of a decile")


@pytest.mark.parametrize("seed", representatives(range(4), 0))
def test_over_many_runs_every_key_is_in_one_span_with_its_latest_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Labels and objects arrive in any order; the spans together have what one join of all would have."""
    monkeypatch.setattr(buckets, "BUCKET_BYTES", 20_000)  # 1, 4, 12 and 30 buckets
    draw = random.Random(seed)
    place = Place(tmp_path, columns={"id": "rid"}, labels={"unknown_limit": 1.0})
    hours = [NOON + timedelta(hours=hour) for hour in range(4)]
    truth: dict[str, int] = {}
    waiting = list(range(400))
    draw.shuffle(waiting)
    logged: list[int] = []
    for step in range(4):
        batch, waiting = waiting[:100], waiting[100:]
        for part in range(2):
            place.write_log(
                [request(number, hours[step]) for number in batch[part::2]], f"pod-{step}-{part}", hours[step]
            )
        logged += batch
        labels = [(number, draw.randrange(2)) for number in draw.sample(range(400), 80)]
        place.write_labels([{"request": f"r{n}", "outcome": value} for n, value in labels], f"day-{step}")
        truth |= {f"r{number}": value for number, value in labels}
        place.run(hours[step] + timedelta(hours=1, minutes=11))
    final: dict[str, int] = {}
    counts: dict[str, int] = {}
    for span in place.spans:
        for row in place.rows(span):
            number = int(row["rid"][1:])
            assert {name: row[name] for name in ("delay", "month", "carrier")} == {
                name: values[0] for name, values in request(number)["inputs"].items()
            }
            counts[row["rid"]] = counts.get(row["rid"], 0) + 1
            assert final.get(row["rid"]) != row["late"], "a row came again with the label that it had"
            final[row["rid"]] = row["late"]
    assert final == truth
    corrected = sum(sum(place.manifest(span)["corrects"].values()) for span in place.spans)
    assert sum(counts.values()) - len(counts) == corrected and corrected > 0


def test_a_file_with_labels_that_grew_is_read_again_without_doubling(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(5)])
    rows: list[dict[str, Any]] = [{"request": "r0", "outcome": 1}]
    place.write_labels(rows)
    place.run()
    place.write_labels([*rows, {"request": "r3", "outcome": 0}])
    report = place.run()
    assert report.files == 1 and place.rows(2) == [expected(3, 0)]


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_labels_may_be_parquet_or_json_lines(tmp_path: Path, form: str) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(3)])
    if form == "parquet":
        pq.write_table(pa.table({"request": ["r1", "r2"], "outcome": [1.0, 0.0]}), place.labels / "a.parquet")
    else:
        (place.labels / "a.jsonl").write_text('{"request":"r1","outcome":1}\n{"request":"r2","outcome":0}\n')
    place.run()
    assert place.rows(1) == sorted([expected(1, 1), expected(2, 0)], key=str)


def test_ids_that_look_like_numbers_are_texts(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(1, id="007"), request(2, id="7")])
    place.write_labels([{"request": "007", "outcome": 1}, {"request": "7", "outcome": 0}])
    place.run()
    assert place.rows(1) == sorted([expected(1, 1), expected(2, 0)], key=str)


def test_a_source_without_labels_or_without_the_column_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(1)])
    with pytest.raises(DataError, match="is a folder without files"):
        place.run()
    place.write_labels([{"request": "r1", "outcome": 1}])
    with pytest.raises(ConfigError, match=r"there is no column 'request_id' in a\.csv; did you mean 'request'"):
        Place(tmp_path, labels={"id": "request_id"}).run()


def test_labels_of_an_open_hour_are_kept_after_the_share_was_raised(tmp_path: Path) -> None:
    place, later = Place(tmp_path, labels={"time": "known"}), NOON + timedelta(hours=4)
    sampled = [number for number in range(2_000) if is_sampled(f"r{number}", 0.1)][:50]
    others = [number for number in range(2_000) if not is_sampled(f"r{number}", 0.1)][:50]
    place.write_log([request(number, share=0.1) for number in sampled])
    place.write_labels([{"request": f"r{number}", "outcome": 1, "known": NOON.isoformat()} for number in sampled])
    place.write_log([request(number, later) for number in others], hour=later)
    known = (later + timedelta(minutes=1)).isoformat()
    place.write_labels([{"request": f"r{number}", "outcome": 1, "known": known} for number in others], "b")
    report = place.run(later + timedelta(minutes=30))
    assert report.rows == 50 and report.counts["waiting"] == 50 and not report.counts["unsampled"]
    assert place.run(later + timedelta(hours=3)).rows == 50


def test_a_wrong_column_is_found_where_few_requests_are_sampled(tmp_path: Path) -> None:
    place = Place(tmp_path)
    sampled = [number for number in range(10_000) if is_sampled(f"r{number}", 0.02)]
    place.write_log([request(number, share=0.02) for number in sampled])
    place.write_labels([{"request": f"wrong-{number}", "outcome": 1} for number in range(5_000)])
    with pytest.raises(DataError, match=r"labels have an id that no logged answer has \(100.0%"):
        place.run()


def write_days(place: Place, days: range, name: str) -> None:
    """Answers of each day after NOON, and their labels two hours later."""
    labels = []
    for day in days:
        at = NOON + timedelta(days=day)
        numbers = [10_000 + day * 10 + place for place in range(10)]
        place.write_log([request(number, at) for number in numbers], hour=at)
        known = (at + timedelta(hours=2)).isoformat()
        labels += [{"request": f"r{number}", "outcome": 1, "known": known} for number in numbers]
    place.write_labels(labels, name)


def test_labels_older_than_keep_are_counted_and_are_no_unknown_ids(tmp_path: Path) -> None:
    place = Place(tmp_path, labels={"time": "known"}, wait="2d", keep="20d")
    write_days(place, range(-60, 0), "a")
    report = place.run()
    assert report.rows == 190 and report.counts["older"] == 410 and not report.counts["unknown"]


def test_after_a_pause_longer_than_keep_nothing_is_left_out(tmp_path: Path) -> None:
    place = Place(tmp_path, labels={"time": "known"}, wait="2d", keep="20d")
    write_days(place, range(-5, 0), "a")
    assert place.run(NOON).rows == 50
    write_days(place, range(60), "b")
    report = place.run(NOON + timedelta(days=60))
    assert report.rows == 600 and not report.counts["unknown"] and not report.counts["repeated"]


def test_a_span_by_a_clock_that_was_ahead_hides_no_hour(tmp_path: Path) -> None:
    place = Place(tmp_path, labels={"time": "known"})
    write_days(place, range(-1, 0), "a")
    assert place.run(NOON + timedelta(days=60)).rows == 10
    write_days(place, range(20), "b")
    report = place.run(NOON + timedelta(days=20))
    assert report.rows == 200 and not report.counts["unknown"] and not report.counts["repeated"]


def test_a_prompt_label_waits_for_its_hour(tmp_path: Path) -> None:
    place, now = Place(tmp_path, labels={"time": "known"}), NOON + timedelta(hours=3, minutes=30)
    place.write_log([request(number) for number in range(100)])
    place.write_labels([{"request": "r1000", "outcome": 1, "known": (now - timedelta(seconds=5)).isoformat()}])
    report = place.run(now)
    assert report.counts["waiting"] == 1 and not report.counts["unknown"]
    place.write_log([request(1_000, now)], hour=now.replace(minute=0))
    assert place.run(now + timedelta(minutes=5)).counts["waiting"] == 1
    assert place.run(now + timedelta(hours=1)).rows == 1


def test_a_feature_that_changed_its_type_is_missing_where_it_does_not_fit(tmp_path: Path) -> None:
    place, later = Place(tmp_path), NOON + timedelta(hours=2)
    texts = replace(SIGNATURE, inputs=(SIGNATURE.accepted[0], Feature("month", "string", False)))
    logged = [request(number, inputs={"delay": [1.5], "month": ["m1" if number % 2 else "7"]}) for number in range(8)]
    place.write_log(logged)
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in range(4)])
    assert place.run(signature=texts).rows == 4
    place.write_log([request(100, later)], hour=later)
    rows = [{"request": f"r{number}", "outcome": 0} for number in (2, 3, 4, 5, 100)]
    place.write_labels(rows, "b")
    report = place.run(NEXT_DAY)
    assert report.counts["corrected"] == 2 and report.counts["joined"] == 3 and report.counts["retyped"] == 2
    assert sorted(str(row["month"]) for row in place.rows(2)) == ["5", "7", "7", "None", "None"]


def test_a_label_that_changed_its_type_closes_no_row(tmp_path: Path) -> None:
    place, later = Place(tmp_path, labels={"time": "known"}), NOON + timedelta(hours=2)
    known = {"known": (later + timedelta(minutes=1)).isoformat()}
    place.write_log([request(number) for number in range(4)])
    place.write_labels([{"request": f"r{number}", "outcome": "yes", **known} for number in (0, 1, 100)])
    before = {"label_type": pa.string(), "signature": replace(SIGNATURE, classes=("no", "yes"))}
    assert place.run(later + timedelta(minutes=5), **before).rows == 2
    place.write_log([request(100, later)], hour=later)
    place.write_labels([{"request": "r2", "outcome": 1, **known}], "b")
    report = place.run(NEXT_DAY)
    assert report.rows == 1 and report.open == 2 and not report.counts["closed"]


def test_a_time_that_cannot_be_read_and_an_infinite_label_are_counted_with_their_reason(tmp_path: Path) -> None:
    place = Place(tmp_path, labels={"time": "known"})
    place.write_log([request(number) for number in range(8)])
    outcomes = ["1.5", "inf", "-inf", "nan", "abc", "2.5", "3.5", ""]
    times = ["2026-01-10T13:00Z"] * 5 + ["10/01/2026 5pm", "", ""]
    rows = [
        {"request": f"r{number}", "outcome": outcome, "known": time}
        for number, (outcome, time) in enumerate(zip(outcomes, times, strict=True))
    ]
    place.write_labels(rows)
    report = place.run(label_type=pa.float64(), signature=replace(SIGNATURE, task="regression", classes=()))
    assert report.labels.bad == {"bad_label": 3, "bad_time": 1}
    assert "10/01/2026 5pm" in report.labels.examples["bad_time"]
    assert [row["late"] for row in place.rows(1)] == [1.5, 3.5] and report.counts["closed"] == 2


@pytest.mark.parametrize("kind", [pa.float64(), pa.int64()], ids=str)
def test_nan_in_parquet_is_an_empty_label(tmp_path: Path, kind: pa.DataType) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(4)])
    outcome = pa.array([1.0, float("nan"), 0.0, None], from_pandas=False)
    pq.write_table(
        pa.table({"request": [f"r{number}" for number in range(4)], "outcome": outcome}), place.labels / "a.parquet"
    )
    report = place.run(label_type=kind)
    assert report.rows == 2 and report.counts["closed"] == 2 and not report.labels.bad


def test_a_corrected_row_has_the_time_of_its_new_label(tmp_path: Path) -> None:
    place = Place(tmp_path, labels={"time": "known"}, columns={"known_at": "known_at"})
    place.write_log([request(1)])
    for day, name in ((0, "a"), (2, "b")):
        known = NOON + timedelta(days=day)
        place.write_labels([{"request": "r1", "outcome": day // 2, "known": known.isoformat()}], name)
        place.run(known + timedelta(hours=3))
        assert [row["known_at"] for row in place.rows(1 + day // 2)] == [known]


def test_a_correction_of_a_span_that_was_deleted_is_set_aside_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(6)])
    for name, number in (("a", 0), ("b", 1)):
        place.write_labels([{"request": f"r{number}", "outcome": 0}], name)
        place.run()
    (place.home / "spans" / "000001" / "rows.parquet").unlink()
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in range(3)], "c")
    report = place.run()
    assert report.counts["not_corrected"] == 1 and report.counts["corrected"] == 1 and report.rows == 2
    quarantine = place.manifest(3)["quarantine"]["closed_id"]
    assert pq.read_table(place.home / "objects" / quarantine["object"])["id"].to_pylist() == ["r0"]
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in range(4)], "d")
    report = place.run()
    assert report.rows == 1 and not report.counts["not_corrected"]


def test_rows_of_another_model_in_the_log_are_left_out(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(4)] + [request(100, model="another")])
    place.write_labels([{"request": "r1", "outcome": 1}])
    report = place.run()
    assert report.open == 3 and report.answers.foreign == 1 and place.manifest(1)["foreign"] == 1
