"""Each row gets the newest row of its key at or before its time: held against a search row by row."""

from __future__ import annotations

import datetime
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, DataError
from components._core.project.project_file import parse_project
from components._data.formats.bad_rows import BadRow
from components._data.formats.rows import Rows
from components._data.joins import second_table
from components._data.joins.as_of import NONE, AsOfIndex
from components._data.joins.table_joins import TableJoins

Row = dict[str, Any]


def joins(types: dict[str, pa.DataType], *second: Row, rejected: list[BadRow] | None = None, **data: Any) -> TableJoins:
    raw = {"source": "t.csv", "join": list(second), **data}
    project = parse_project({"name": "p", "task": "regression", "label": "y", "data": raw})
    return TableJoins(project.data, types, [].append if rejected is None else rejected.append)


def rows_of(table: pa.Table, size: int = 7) -> list[Rows]:
    nothing = pa.RecordBatch.from_arrays([pa.nulls(size)], names=[""])
    return [Rows(batch, nothing, lambda: np.arange(size)) for batch in table.to_batches(max_chunksize=size)]


def apply(made: TableJoins, table: pa.Table) -> pa.Table:
    read = [made.apply(rows, made.counts).examples for rows in rows_of(table)]
    return pa.Table.from_batches(read)


def join_one(table: pa.Table, path: Path, join: Row, **data: Any) -> tuple[TableJoins, list[Row]]:
    made = joins(dict(zip(table.schema.names, table.schema.types, strict=True)), {"source": str(path), **join}, **data)
    return made, apply(made, table).to_pylist()


def brute_force(row: Row, second: list[Row], keys: list[str], time: str, row_time: str) -> Row | None:
    """The last row of the key at or before the time; of equal times any, since they have equal values."""
    if row[row_time] is None or any(row[key] is None for key in keys):
        return None
    found = None
    for other in second:
        same = all(other[key] == row[key] for key in keys)
        if same and other[time] is not None and other[time] <= row[row_time]:
            found = other if found is None or other[time] >= found[time] else found
    return found


KEYS: dict[str, Any] = {
    "texts": lambda draw: draw.choice(["a", "B", "NA", "ä b", "7", None]),
    "whole numbers": lambda draw: draw.choice([1, 2, 2**53 + 1, 2**53, -3, None]),
    "real numbers": lambda draw: draw.choice([0.5, 1.0, -0.0, 1e300 / 1e270, None]),
    "truth values": lambda draw: draw.choice([True, False, None]),
}
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
TIMES: dict[str, Any] = {
    "timestamps": lambda draw: draw.choice([START + datetime.timedelta(minutes=draw.randrange(90)), None]),
    "years": lambda draw: draw.choice([draw.randrange(1990, 2024), None]),
    "reals": lambda draw: draw.choice([draw.randrange(40) / 4, None]),
}


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("key", KEYS)
def test_a_row_gets_what_a_search_row_by_row_finds(key: str, time: str, tmp_path: Path) -> None:
    draw = random.Random(f"{key} {time}")
    by_key: dict[Any, float] = {}
    second = []
    for _ in range(120):
        row = {"k": KEYS[key](draw), "other": draw.randrange(3), "at": TIMES[time](draw)}
        row["value"] = by_key.setdefault((row["k"], row["other"], row["at"]), draw.random())
        second.append(row)
    table = [{"k": KEYS[key](draw), "other": draw.randrange(4), "t": TIMES[time](draw)} for _ in range(200)]
    kinds = pa.Table.from_pylist(second).schema
    pq.write_table(pa.Table.from_pylist(second), tmp_path / "s.parquet")
    rows = pa.Table.from_pylist(
        table, schema=pa.schema([("k", kinds.field("k").type), ("other", pa.int64()), ("t", kinds.field("at").type)])
    )
    made, found = join_one(rows, tmp_path / "s.parquet", {"on": ["k", "other"], "time": "at", "row_time": "t"})
    expected = [brute_force(row, second, ["k", "other"], "at", "t") for row in table]
    assert [row["value"] for row in found] == [None if row is None else row["value"] for row in expected]
    assert made.counts[0].rows == 200
    assert made.counts[0].unmatched == sum(row is None for row in expected) > 20
    assert made.counts[0].timeless == sum(row["t"] is None for row in table)
    assert made.joins[0].unusable == sum(row["k"] is None or row["at"] is None for row in second)


def test_the_index_finds_the_newest_row_of_many_keys() -> None:
    draw = np.random.default_rng(3)
    keys, times = draw.integers(0, 50, 2_000).astype(np.uint64), draw.integers(0, 60, 2_000)
    wanted, at = draw.integers(0, 55, 3_000).astype(np.uint64), draw.integers(-2, 65, 3_000)
    places = AsOfIndex(keys, times).find(wanted, at)
    for key, time, place in zip(wanted, at, places, strict=True):
        known = times[(keys == key) & (times <= time)]
        assert (place == NONE) == (len(known) == 0)
        assert place == NONE or (keys[place] == key and times[place] == known.max())


def write_csv(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def flights(*times: str | None, station: str = "a") -> pa.Table:
    return pa.table({"station": pa.array([station] * len(times), pa.string()), "t": pa.array(times, pa.string())})


WEATHER = "station,at,temp\na,2024-01-01T10:00,10\na,2024-01-01T12:00,12\nb,2024-01-01T11:00,21\n"


def test_a_value_from_the_rows_own_time_counts_and_a_later_one_never(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "w.csv", WEATHER)
    table = flights("2024-01-01T09:59:59", "2024-01-01T10:00", "2024-01-01T11:59:59.999999", "2024-01-01T12:00")
    assert [row["temp"] for row in join_one(table, path, {"on": "station", "time": "at", "row_time": "t"})[1]] == [
        None,
        10,
        10,
        12,
    ]


@pytest.mark.parametrize(
    "written", ["2024-01-01T13:00+02:00", "2024-01-01 11:00:00Z", "2024-01-01T06:00-05:00", "2024-01-01 11:00"]
)
def test_times_with_offsets_are_compared_in_utc(written: str, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "w.csv", WEATHER + f"a,{written},11\n")
    table = flights("2024-01-01T10:59:59Z", "2024-01-01T12:00:00+01:00")
    assert [row["temp"] for row in join_one(table, path, {"on": "station", "time": "at", "row_time": "t"})[1]] == [
        10,
        11,
    ]


def test_whole_times_are_compared_exactly_with_real_ones(tmp_path: Path) -> None:
    base = 1_700_000_000_000_000_001  # nanoseconds since 1970: a float64 is up to 128 beside it
    pq.write_table(pa.table({"k": ["a", "a"], "at": [base, base + 1], "v": [1, 2]}), tmp_path / "s.parquet")
    table = pa.table({"k": ["a", "a"], "t": [base, base + 1]})
    assert [
        row["v"] for row in join_one(table, tmp_path / "s.parquet", {"on": "k", "time": "at", "row_time": "t"})[1]
    ] == [1, 2]
    real = pa.table({"k": ["a", "a", "a"], "t": [1.5, 2.0, 0.5]})
    pq.write_table(pa.table({"k": ["a", "a"], "at": [1, 2], "v": [1, 2]}), tmp_path / "s.parquet")
    assert [
        row["v"] for row in join_one(real, tmp_path / "s.parquet", {"on": "k", "time": "at", "row_time": "t"})[1]
    ] == [1, 2, None]
    pq.write_table(pa.table({"k": ["a", "a"], "at": [0.5, 1.5], "v": [1, 2]}), tmp_path / "s.parquet")
    whole = pa.table({"k": ["a", "a", "a"], "t": [0, 1, 2]})
    assert [
        row["v"] for row in join_one(whole, tmp_path / "s.parquet", {"on": "k", "time": "at", "row_time": "t"})[1]
    ] == [None, 1, 2]


def test_a_row_older_than_within_counts_as_none(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "w.csv", WEATHER)
    table = flights("2024-01-01T11:30", "2024-01-01T11:30:00.000001", None, "2024-01-01T12:00", "2023-01-01")
    made, rows = join_one(table, path, {"on": "station", "time": "at", "row_time": "t", "within": "90min"})
    assert [row["temp"] for row in rows] == [10, None, None, 12, None]
    count = made.counts[0]
    assert (count.rows, count.unmatched, count.timeless, count.too_old) == (5, 3, 1, 1)


def test_numbers_of_different_types_are_equal_by_value(tmp_path: Path) -> None:
    write_csv(tmp_path / "s.csv", "id,v\n1,10\n2,20\n3,30\n")
    table = pa.table({"k": pa.array([1.0, 2.5, None, 3.0], pa.float64())})
    assert [row["v"] for row in join_one(table, tmp_path / "s.csv", {"on": {"k": "id"}})[1]] == [10, None, None, 30]
    pq.write_table(
        pa.table({"id": pa.array([1.0, 2.5, None, 3.0], pa.float32()), "v": [1, 2, 3, 4]}), tmp_path / "s.parquet"
    )
    whole = pa.table({"k": pa.array([1, 2, 3, None], pa.int64())})
    assert [row["v"] for row in join_one(whole, tmp_path / "s.parquet", {"on": {"k": "id"}})[1]] == [1, None, 4, None]


def test_dates_are_equal_to_their_texts(tmp_path: Path) -> None:
    write_csv(tmp_path / "s.csv", "day,v\n2024-01-01,1\n2024-01-02,2\n")
    table = pa.table({"day": pa.array([datetime.date(2024, 1, 2), None, datetime.date(2023, 1, 1)])})
    assert [row["v"] for row in join_one(table, tmp_path / "s.csv", {"on": ["day"]})[1]] == [2, None, None]


def test_a_key_is_read_as_the_column_that_it_is_compared_with(tmp_path: Path) -> None:
    write_csv(tmp_path / "s.csv", "code,v,at\n70,1,10.02.21\n71,2,10.02.21\n")
    table = pa.table({"zip": ["70", "71"], "t": ["2021-02-11", "2021-02-09"]})
    columns = {"zip": {"type": "category"}}
    join = {"on": {"zip": "code"}, "time": "at", "row_time": "t", "readings": {"at": {"type": "date", "order": "dmy"}}}
    assert [row["v"] for row in join_one(table, tmp_path / "s.csv", join, columns=columns)[1]] == [1, None]
    with pytest.raises(
        ConfigError,
        match=r"data\.join\.0\.on: zip is string and code is int64: .*(.|\n)*data\.columns\.zip and data\.join\.0\.readings\.code",
    ):
        join_one(table, tmp_path / "s.csv", join)


def test_columns_can_be_chosen_and_named(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "w.csv", "station,temp,wind\na,1,2\n")
    made, rows = join_one(pa.table({"station": ["a"], "temp": [9]}), path, {"on": "station", "prefix": "w_"})
    assert rows == [{"station": "a", "temp": 9, "w_temp": 1, "w_wind": 2}]
    assert made.column_types == {"station": "string", "temp": "int64", "w_temp": "int64", "w_wind": "int64"}
    assert (
        join_one(pa.table({"station": ["a"], "temp": [9]}), path, {"on": "station", "columns": ["wind"]})[1][0]["wind"]
        == 2
    )


def test_a_join_may_use_what_an_earlier_one_brought(tmp_path: Path) -> None:
    write_csv(tmp_path / "users.csv", "user,city\nu1,X\nu2,Y\n")
    write_csv(tmp_path / "cities.csv", "city,size\nX,10\n")
    on_user, on_city = (
        {"source": str(tmp_path / "users.csv"), "on": "user"},
        {"source": str(tmp_path / "cities.csv"), "on": "city"},
    )
    made = joins({"user": pa.string()}, on_user, on_city)
    assert apply(made, pa.table({"user": ["u1", "u2", "u3"]})).to_pydict() == {
        "user": ["u1", "u2", "u3"], "city": ["X", "Y", None], "size": [10, None, None],
    }  # fmt: skip
    assert [count.unmatched for count in made.counts] == [1, 2]


def test_one_table_is_joined_twice(tmp_path: Path) -> None:
    write_csv(tmp_path / "cities.csv", "city,size\nX,10\nY,20\n")
    both = [
        {"source": str(tmp_path / "cities.csv"), "on": {end: "city"}, "prefix": f"{end}_"} for end in ("start", "end")
    ]
    made = joins({"start": pa.string(), "end": pa.string()}, *both)
    found = apply(made, pa.table({"start": ["X", "Z"], "end": ["Y", "X"]})).to_pylist()
    assert [(row["start_size"], row["end_size"]) for row in found] == [(10, 20), (None, 10)]
    assert [join.second.name for join in made.joins] == ["cities.csv on start", "cities.csv on end"]


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "arrow"])
def test_types_are_those_of_the_same_table_read_by_a_run(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"s.{format}"
    table = pa.table({"k": ["a", "b"], "whole": [1, None], "real": [0.5, None], "word": ["x", None]})
    if format == "csv":
        path.write_text("k,whole,real,word\na,1,0.5,x\nb,,,\n")
    elif format == "jsonl":
        path.write_text('{"k": "a", "whole": 1, "real": 0.5, "word": "x"}\n{"k": "b"}\n')
    elif format == "parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    made, rows = join_one(pa.table({"k": ["b", "a", "c"]}), path, {"on": "k"})
    assert made.column_types == {"k": "string", "whole": "int64", "real": "float64", "word": "string"}
    nothing = {"whole": None, "real": None, "word": None}
    assert rows == [{"k": "b", **nothing}, {"k": "a", "whole": 1, "real": 0.5, "word": "x"}, {"k": "c", **nothing}]


def test_spans_of_a_second_table_are_read_as_one(tmp_path: Path) -> None:
    for span in (1, 2):
        write_csv(tmp_path / f"s-{span}.csv", f"k,v\nk{span},{span}\n")
    rows = join_one(pa.table({"k": ["k2", "k1"]}), tmp_path / "s-{span}.csv", {"on": "k"})[1]
    assert [row["v"] for row in rows] == [2, 1]


def test_rows_of_a_second_table_that_cannot_be_read_are_set_aside_and_counted(tmp_path: Path) -> None:
    path, rejected = write_csv(tmp_path / "s.csv", "k,v\na,1\nb\nc,3\n"), list[BadRow]()
    join = {"source": str(path), "on": "k"}
    made = joins({"k": pa.string()}, join, rejected=rejected, quarantine_limit=0.5)
    assert [(row.file, row.line) for row in rejected] == [("s.csv", 3)] and made.joins[0].second.bad.rows == 1
    with pytest.raises(DataError, match=r"s\.csv, line 3: 1 of 3 rows of the second table cannot be read"):
        joins({"k": pa.string()}, join)


SAME_TWICE = WEATHER + "a,2024-01-01T12:00,12\n"
TWO_VALUES = WEATHER + "a,2024-01-01T13:00+01:00,13\na,2024-01-01T12:00,14\n"


def test_equal_rows_count_once_and_different_ones_of_a_key_and_time_are_refused(tmp_path: Path) -> None:
    join = {"on": "station", "time": "at", "row_time": "t"}
    assert join_one(flights("2024-01-02"), write_csv(tmp_path / "w.csv", SAME_TWICE), join)[1][0]["temp"] == 12
    with pytest.raises(
        DataError,
        match=r"w\.csv: 2 rows have the key and time of another row and other values; the first: station 'a', at '2024",
    ):
        join_one(flights("2024-01-02"), write_csv(tmp_path / "w.csv", TWO_VALUES), join)


def test_a_key_with_several_values_needs_a_time(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "w.csv", "station,temp,wind\na,10,\na,12,\nb,1,\n")
    with pytest.raises(
        DataError,
        match=r"1 row has the key of another row and other values; the first: station 'a'\n.*data\.join\.0\.time",
    ):
        join_one(flights("2024-01-02"), path, {"on": "station"})
    assert join_one(flights("2024-01-02"), path, {"on": "station", "columns": ["wind"]})[1][0]["wind"] is None


def test_a_hash_that_two_keys_share_gives_no_row_of_the_other_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components._data.joins import table_joins

    monkeypatch.setattr(
        table_joins,
        "hash_keys",
        lambda batch, names: (np.zeros(batch.num_rows, np.uint64), np.zeros(batch.num_rows, bool)),
    )
    path = write_csv(tmp_path / "s.csv", "k,v,at\na,1,1\nb,2,1\n")
    rows = join_one(pa.table({"k": ["a", "b", "c"], "t": [1, 1, 1]}), path, {"on": "k", "time": "at", "row_time": "t"})[
        1
    ]
    assert {row["v"] for row in rows} - {None} <= {1, 2}
    assert all(row["v"] in (None, {"a": 1, "b": 2}.get(row["k"])) for row in rows)


@pytest.mark.parametrize(
    ("text", "join", "error", "message"),
    [
        ("", {}, DataError, "is empty"),
        ("station,at,temp\n", {}, DataError, r"w\.csv: has a header and no rows"),
        (WEATHER, {"on": "place"}, ConfigError, r"data\.join\.0\.on: there is no column 'place'"),
        (WEATHER, {"on": {"station": "Station"}}, ConfigError, r"data\.join\.0\.on \(w\.csv\): .* did you mean 'station'"),
        (WEATHER, {"time": "when"}, ConfigError, r"data\.join\.0\.time \(w\.csv\): there is no column 'when'"),
        (WEATHER, {"row_time": "when"}, ConfigError, r"data\.join\.0\.row_time: there is no column 'when'"),
        (WEATHER, {"row_time": ""}, ConfigError, r"data\.join\.0: time needs the time of each row.*\n.*data\.join\.0\.row_time"),
        (WEATHER, {"columns": ["wind"]}, ConfigError, r"data\.join\.0\.columns \(w\.csv\): there is no column 'wind'"),
        (WEATHER, {"prefix": "", "on": "station", "row_time": "temp"}, ConfigError, r"brings a column 'temp', which the table has already\n.*prefix: w_"),
        (WEATHER.replace("2024", "in 2024"), {}, DataError, r"w\.csv: no row has a key and a time in 'at' that can be read"),
        (WEATHER.replace("a,", ",").replace("b,", ","), {}, DataError, r"w\.csv: no row has a key"),
        ("station,at,temp\na,5,1\n", {}, ConfigError, r"data\.join\.0\.time: 'at' has numbers and 't' has dates"),
        (WEATHER, {"within": 3}, ConfigError, r"data\.join\.0\.within: found 3(\.0)?, and the times are dates; allowed: a number with a unit"),
        ("station,at\na,2024-01-01\n", {}, ConfigError, r"w\.csv has no column besides at, station"),
        (WEATHER, {"format": "cvs"}, ConfigError, r"data\.join\.0\.format: unknown format 'cvs'"),
        (WEATHER, {"sql": {"table": "x"}}, ConfigError, r"data\.join\.0\.sql: is for databases"),
        (WEATHER, {"source": "nowhere.csv"}, DataError, r"nowhere\.csv: there is no such file\n.*data\.join\.0\.source"),
        ("station,at,temp,temp\na,2024,1,2\n", {}, DataError, r"w\.csv: duplicate column 'temp'"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined_is_refused_with_its_place(
    text: str, join: Row, error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "w.csv", text)
    table = (
        flights("2024-01-02").append_column("temp", pa.array([1]))
        if join.get("row_time") == "temp"
        else flights("2024-01-02")
    )
    with pytest.raises(error, match=message):
        join_one(table, path, {"on": "station", "time": "at", "row_time": "t", **({"source": str(path)} | join)})


def test_a_table_whose_times_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "w.csv", WEATHER)
    with pytest.raises(
        DataError,
        match=r"data\.join\.0\.row_time: column 't' has no time that can be read, such as '5/6/24'\n.*data\.columns\.t",
    ):
        join_one(flights(None, "5/6/24"), path, {"on": "station", "time": "at", "row_time": "t"})


def test_a_second_table_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_table, "MOST_BYTES", 20)
    path = write_csv(tmp_path / "w.csv", WEATHER)
    with pytest.raises(
        DataError, match=r"w\.csv: the columns of the second table take more than .* GiB, .*\n.*data\.join\.0\.columns"
    ):
        join_one(flights("2024-01-02"), path, {"on": "station", "time": "at", "row_time": "t"})


def test_a_column_of_no_known_type_does_no_harm_where_it_is_not_brought(tmp_path: Path) -> None:
    odd = pa.array([datetime.timedelta(hours=1)], pa.duration("s"))
    pq.write_table(pa.table({"k": ["a"], "v": [1], "odd": odd}), tmp_path / "s.parquet")
    assert join_one(pa.table({"k": ["a"]}), tmp_path / "s.parquet", {"on": "k", "columns": ["v"]})[1] == [
        {"k": "a", "v": 1}
    ]
    with pytest.raises(DataError, match="odd"):
        join_one(pa.table({"k": ["a"]}), tmp_path / "s.parquet", {"on": "k"})
