"""Features that the log masks, and that the labels' source has."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError
from tests.components.feedback.made import NEXT_DAY, NOON, Place, expected, request

MASK = frozenset({"carrier", "month"})


def masked(number: int, at: Any = NOON, names: frozenset[str] = MASK, **changes: Any) -> dict[str, Any]:
    """A line of the log without some features."""
    line = request(number, at, **changes)
    inputs = {name: None if name in names else values for name, values in line["inputs"].items()}
    return {**line, "inputs": inputs, "masked": sorted(names)}


def labelled(number: int, outcome: int | None = 1, **changes: Any) -> dict[str, Any]:
    """A label with the features that are masked, as in the request."""
    inputs = request(number)["inputs"]
    return {
        "request": f"r{number}",
        "outcome": outcome,
        "month": inputs["month"][0],
        "carrier": inputs["carrier"][0],
        **changes,
    }


def source(root: Path, **config: Any) -> Place:
    return Place(root, features="from source", **config)


def test_masked_features_come_from_the_files_of_the_labels(tmp_path: Path) -> None:
    place = source(tmp_path)
    place.write_log([masked(number) for number in range(20)])
    place.write_labels([labelled(number, number % 2) for number in range(20)])
    assert place.run(masked=MASK).rows == 20
    assert place.rows(1) == sorted((expected(number, number % 2) for number in range(20)), key=str)
    assert place.manifest(1)["carried"] == ["carrier", "month"]


def test_masked_features_come_from_a_table_that_is_joined_to_the_labels(tmp_path: Path) -> None:
    bookings = tmp_path / "bookings.csv"
    joins = [{"source": str(bookings), "on": {"request": "booking"}}]
    place = source(tmp_path / "place", labels={"join": joins})
    place.write_log([masked(number) for number in range(20)])
    place.write_labels([{"request": f"r{number}", "outcome": number % 2} for number in range(20)])
    rows = [labelled(number) for number in range(15)]
    lines = [f"{row['request']},{row['month']},{row['carrier'] or ''}" for row in rows]
    bookings.write_text("\n".join(["booking,month,carrier", *lines]))
    report = place.run(masked=MASK)
    assert report.rows == 15 and report.labels.bad == {"no_features": 5} and report.open == 5
    assert place.rows(1) == sorted((expected(number, number % 2) for number in range(15)), key=str)
    rows = [labelled(number) for number in range(20)]
    lines = [f"{row['request']},{row['month']},{row['carrier'] or ''}" for row in rows]
    bookings.write_text("\n".join(["booking,month,carrier", *lines]))
    again = place.run(masked=MASK)  # the labels' file did not change, and is read again for those that wait
    assert again.rows == 5 and not again.counts["corrected"]
    assert place.rows(2) == sorted((expected(number, number % 2) for number in range(15, 20)), key=str)
    assert not place.run(masked=MASK).files


def test_what_was_logged_is_never_replaced(tmp_path: Path) -> None:
    """The model saw the logged value, also where that was missing."""
    place = source(tmp_path)
    place.write_log([masked(7, names=frozenset({"month"})), request(14), masked(15)])
    place.write_labels([labelled(number, carrier="other", month=12) for number in (7, 14, 15)])
    place.run(masked=MASK)
    wanted = [{**expected(7, 1), "month": 12}, expected(14, 1), {**expected(15, 1), "month": 12, "carrier": "other"}]
    assert place.rows(1) == sorted(wanted, key=str)


def test_a_text_keeps_its_zeros_and_a_column_that_is_read_in_some_way_is_read_so_here(tmp_path: Path) -> None:
    from components._core.project.column_config import ColumnReading

    place = source(tmp_path)
    place.write_log([masked(number) for number in range(3)])
    place.write_labels([labelled(number, carrier=f"00{number}", month=f"{number + 1} mon") for number in range(3)])
    place.run(masked=MASK, readings={"month": ColumnReading(type="number")})
    assert [(row["carrier"], row["month"]) for row in place.rows(1)] == [("000", 1), ("001", 2), ("002", 3)]


def test_a_value_that_the_model_cannot_have_is_counted_and_its_row_waits(tmp_path: Path) -> None:
    place = source(tmp_path)
    place.write_log([masked(number) for number in range(30)])
    rows = [labelled(number) for number in range(26)]
    rows += [labelled(26, month=None), labelled(27, month="May"), labelled(28, month=1.5)]
    place.write_labels(rows)
    report = place.run(masked=MASK)
    assert report.rows == 26 and report.open == 4
    assert report.labels.bad.total() == 3 and report.labels.bad["missing_feature"] == 1
    place.write_labels([labelled(number, month=3) for number in (26, 27, 28)], "b")
    assert place.run(masked=MASK).rows == 3


def test_without_the_setting_or_the_column_no_span_is_written(tmp_path: Path) -> None:
    place = source(tmp_path)
    place.write_log([masked(1)])
    place.write_labels([{"request": "r1", "outcome": 1, "month": 1}])
    with pytest.raises(ConfigError, match=r"there is no column 'carrier' in a\.csv") as lacking:
        place.run(masked=MASK)
    assert lacking.value.where == "feedback.features"
    with pytest.raises(ConfigError, match="the feature 'carrier' is masked in 1 rows") as refused:
        Place(tmp_path).run(masked=MASK)
    assert "feedback.features" in refused.value.remedy and not place.home.exists()


def test_answers_that_waited_while_features_came_from_the_source_are_not_labelled_without(tmp_path: Path) -> None:
    place = source(tmp_path)
    place.write_log([masked(number) for number in range(4)])
    place.write_labels([labelled(0)])
    place.run(masked=MASK)
    place.write_labels([labelled(1)], "b")
    with pytest.raises(ConfigError, match="masked in answers that waited for a label") as error:
        Place(tmp_path).run()
    assert "'from source' again" in error.value.remedy
    assert place.run(masked=MASK).rows == 1


def test_labels_that_were_read_before_a_feature_was_masked_carry_it_now(tmp_path: Path) -> None:
    """The label came first, its request was logged in an hour that was closed later, and meanwhile the mask was set."""
    place, later = source(tmp_path), NOON + timedelta(hours=1)
    place.write_log([request(1)])
    place.write_log([masked(5, later)], hour=later)
    place.write_labels([labelled(1), labelled(5)])
    assert place.run(NOON + timedelta(hours=1, minutes=20)).rows == 1
    assert place.run(NEXT_DAY, masked=MASK).rows == 1
    assert place.rows(2) == [expected(5, 1)]


def test_features_of_a_training_type_that_does_not_hold_them_widen_the_column(tmp_path: Path) -> None:
    place, names = source(tmp_path), frozenset({"delay"})
    place.write_log([masked(number, names=names) for number in range(2)])
    place.write_labels([{"request": f"r{number}", "outcome": 1, "delay": number / 2} for number in range(2)])
    place.run(masked=names, types={"delay": pa.int64()})
    assert pq.read_schema(place.home / "spans/000001/rows.parquet").field("delay").type == pa.float64()
    assert sorted(row["delay"] for row in place.rows(1)) == [0.0, 0.5]


@pytest.mark.parametrize("seed", range(4))
def test_spans_have_what_a_log_without_a_mask_would_give(tmp_path: Path, seed: int) -> None:
    """Masks that change by the hour, labels in several files and rounds: the same rows as of the whole log."""
    chance = random.Random(seed)
    whole, part = Place(tmp_path / "whole"), source(tmp_path / "part")
    number, both = 0, (whole, part)
    waiting: list[int] = []
    for hour in range(6):
        at = NOON + timedelta(hours=hour)
        names = frozenset(name for name in ("carrier", "month", "delay") if chance.random() < 0.5)
        numbers = list(range(number, number + chance.randint(1, 30)))
        number = numbers[-1] + 1
        whole.write_log([request(each, at) for each in numbers], hour=at)
        part.write_log([masked(each, at, names) for each in numbers], hour=at)
        waiting += numbers
        chosen = [each for each in waiting if chance.random() < 0.6]
        waiting = [each for each in waiting if each not in chosen or chance.random() < 0.2]
        rows = [{**labelled(each, chance.choice([0, 1, 1, None])), "delay": float(each)} for each in chosen]
        for place in both if rows else ():
            place.write_labels(rows, f"{hour:02d}")
        if rows or hour:
            now = at + timedelta(hours=1, minutes=10)
            reports = [place.run(now, masked=names) for place in both]
            # where a mask is new, labels are read again, and so are those that did not count
            again = ("superseded", "contradicted", "labels_refused")
            counts = [{name: count for name, count in each.counts.items() if name not in again} for each in reports]
            assert counts[0] == counts[1] and reports[0].open == reports[1].open
    assert whole.spans == part.spans and whole.spans
    for span in whole.spans:
        assert whole.rows(span) == part.rows(span)
