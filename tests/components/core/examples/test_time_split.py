"""A row's split by time: by two borders, exact on later examples, unknown where they were rounded."""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pytest

from components._core.examples.hash_split import UNKNOWN
from components._core.examples.split_definition import TimeSplit, load_definition
from components._core.examples.time_split import assign_splits, read_times, reassign_splits, write_time


def split(eval_from: float | str, test_from: float | str) -> TimeSplit:
    return TimeSplit("t", eval_from, test_from, 0.8, 0.1, 0.1)


def batch(values: list[Any], kind: pa.DataType) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(values, kind)], names=["t"])


@pytest.mark.parametrize(
    ("values", "kind", "borders"),
    [
        ([1, 4, 5, 8, 9, None], pa.int64(), (5, 9)),
        ([0.5, 1.25, 1.5, 2.0, 2.5, None], pa.float32(), (1.5, 2.5)),
        (["2013-01-01", "2013-01-31", "2013-02-01", "2013-02-02", "2013-03-01", "soon"], pa.string(), ("2013-02-01", "2013-03-01")),
        (["2013-01-01T10:00", "2013-01-01T10:00:00.5", "2013-01-01 10:00:01", "2013-01-01 11:59:59Z", "2013-01-01T14:00+02:00", ""],
         pa.string(), ("2013-01-01 10:00:01", "2013-01-01 12:00:00")),
    ],
)  # fmt: skip
def test_a_row_is_compared_with_two_borders_and_one_without_a_time_is_train(
    values: list[Any], kind: pa.DataType, borders: Any
) -> None:
    assert assign_splits(batch(values, kind), split(*borders)).tolist() == [0, 0, 1, 1, 2, 0]
    assert reassign_splits(batch(values, kind), split(*borders), {"t": str(kind)}).tolist() == [0, 0, 1, 1, 2, 0]


def test_a_time_is_written_as_it_is_read() -> None:
    texts = pa.array(["2013-01-31 09:05:00.250000", "1969-12-31 23:59:59"])
    assert [write_time(time, pa.string()) for time in read_times(texts).to_pylist()] == texts.to_pylist()
    assert (write_time(7, pa.int64()), write_time(0.1, pa.float32())) == (7, 0.1)


def test_a_definition_is_read_from_a_manifest_and_known_by_its_borders() -> None:
    definition = split("2013-02-01", "2013-03-01")
    assert load_definition(json.loads(json.dumps(asdict(definition)))) == definition
    others = [split("2013-02-01", "2013-03-02"), split("2013-01-01", "2013-03-01"), split(1, 2)]
    assert len({definition.fingerprint, *(other.fingerprint for other in others)}) == 4
    assert TimeSplit("t", 1, 2, 0.8, 0.1, 0.1).fingerprint == TimeSplit("t", 1, 2, 0.6, 0.2, 0.2).fingerprint
    with pytest.raises(KeyError, match="place"):
        load_definition({**asdict(definition), "kind": "place"})
    with pytest.raises(ValueError, match="soon"):
        load_definition({**asdict(definition), "test_from": "soon"})


def test_where_the_examples_are_rounded_or_of_another_kind_today_a_row_is_unknown() -> None:
    large = 2**24 + 1
    rounded = batch([float(large - 100), float(large), float(large + 100), 5.0], pa.float32())
    assert reassign_splits(rounded, split(3, large), {"t": "int64"}).tolist() == [1, UNKNOWN, 2, 1]
    texts = batch(["1", None], pa.string())
    assert reassign_splits(texts, split(1, 2), {"t": "int64"}).tolist() == [UNKNOWN, 0]
    whole = batch([1, 2, 3], pa.int64())
    assert reassign_splits(whole, split(2.0, 3.0), {"t": "float32"}).tolist() == [0, 1, 2]


def test_a_split_by_times_of_single_precision_is_followed_on_exact_ones() -> None:
    exact = batch([1_700_000_000.0 + second for second in (0, 63, 65, 127, 193)], pa.float64())
    single = pa.RecordBatch.from_arrays([exact[0].cast(pa.float32(), safe=False)], names=["t"])
    then = split(1_700_000_000.0 + 128, 1_700_000_000.0 + 256)
    expected = assign_splits(single, then).tolist()
    assert reassign_splits(exact, then, {"t": "float32"}).tolist() == expected
    assert assign_splits(exact, then).tolist() != expected


def test_exact_times_are_unknown_beside_a_border_where_they_are_rounded_today() -> None:
    rounded = batch([0.1, 0.2, 0.3], pa.float32())
    assert reassign_splits(rounded, split(0.2, 0.25), {"t": "float64"}).tolist() == [0, UNKNOWN, 2]


def test_times_are_compared_as_their_texts() -> None:
    at = [dt.datetime(2013, 1, 31, hour) for hour in (9, 10, 11)]
    borders = split("2013-01-31 10:00:00", "2013-01-31 11:00:00")
    for kind in (pa.timestamp("us"), pa.timestamp("ns", tz="UTC"), pa.timestamp("ms")):
        assert assign_splits(batch([*at, None], kind), borders).tolist() == [0, 1, 2, 0]
        assert reassign_splits(batch([*at, None], kind), borders, {"t": "string"}).tolist() == [0, 1, 2, 0]
    days = batch([dt.date(2013, 1, 30), dt.date(2013, 2, 1), None], pa.date32())
    assert assign_splits(days, borders).tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S.%f",
        "%Y-%m-%d %H",
        "%Y%m%d",
        "%Y-%m-%dT%H:%M:%S+02:00",
        " %Y-%m-%d",
        "%Y-%m",
        "%G-W%V-%u",
        "%Y-%m-%dT24:00",
        "%Y-%m-%dT23:59:60",
        "%Y-%m-%d %H:%M:%S.123456789",
        "%H:%M",
    ],
)
def test_many_texts_are_read_at_once_as_each_is_alone(form: str) -> None:
    dice = random.Random(7)
    days = [dt.datetime(1000, 1, 1) + dt.timedelta(seconds=dice.randrange(280_000_000_000)) for _ in range(50)]
    texts = [day.strftime(form) for day in days]
    alone = [time for text in texts for time in read_times(pa.array([text, "other"])).to_pylist()[:1]]
    assert read_times(pa.array(texts)).to_pylist() == alone
