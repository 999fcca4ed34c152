"""Reading objects of the log: every value as it was logged, every line either a row or a counted damage."""

import json
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core.errors import UnavailableError
from components._core.request_log import blocks
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import LogObject
from components._core.request_log.reader import read_object
from components._core.types.signature import Feature, Signature

SIGNATURE = Signature(
    "binary_classification",
    (Feature("delay", "float32", True), Feature("month", "int64", False), Feature("carrier", "string", True)),
    {"probabilities": "float32", "class": "string"},
    ("on time", "late"),
)
AT = "2026-01-01T12:00:00.250000+00:00"


def line(number: int = 0, **changes: Any) -> dict[str, Any]:
    found = {
        "id": f"r{number}",
        "time": AT,
        "model": "tiny",
        "version": "3",
        "latency_ms": 1.5,
        "inputs": {"delay": [0.1], "month": [7], "carrier": ["AA"]},
        "masked": [],
        "outputs": {"probabilities": [[0.25, 0.75]], "class": ["late"]},
        "share": 0.5,
        "schema": "5a",
        "log": 2,
    }
    return {**found, **changes}


def written(folder: Path, *lines: dict[str, Any] | str | bytes) -> LogObject:
    file = folder / "a.jsonl"
    parts = [
        each if isinstance(each, bytes) else each.encode() if isinstance(each, str) else json.dumps(each).encode()
        for each in lines
    ]
    file.write_bytes(b"".join(part + b"\n" for part in parts))
    return LogObject(str(file), "dt=2026-01-01/hour=12/a.jsonl", file.stat().st_size, "1")


def read(
    found: LogObject, signature: Signature | None = SIGNATURE, **options: Any
) -> tuple[list[dict[str, Any]], LogCounts]:
    counts = LogCounts()
    rows = [row for batch in read_object(found, counts, signature, **options) for row in batch.to_pylist()]
    return rows, counts


def expected(each: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per row of a request: the oracle, by loops."""
    rows = len(each["outputs"]["class"])
    once = {
        name: each.get(name) for name in ("id", "model", "version", "latency_ms", "share", "schema", "masked", "source")
    }
    made = []
    for row in range(rows):
        inputs = {f"inputs.{f.name}": each["inputs"].get(f.name) for f in SIGNATURE.inputs}
        outputs = {f"outputs.{name}": values for name, values in each["outputs"].items()}
        cells = {name: None if values is None else values[row] for name, values in {**inputs, **outputs}.items()}
        made.append({**once, "time": datetime.fromisoformat(each["time"]), "row": row, **cells})
    return made


@pytest.mark.parametrize("signature", [SIGNATURE, None], ids=["signature", "inferred"])
def test_every_row_of_every_request_is_read_as_it_was_logged(tmp_path: Path, signature: Signature | None) -> None:
    draw = random.Random(3)
    lines = []
    for number in range(3_000):
        rows = draw.choice([1, 1, 1, 2, 5])
        inputs: dict[str, Any] = {
            "delay": [draw.choice([None, draw.uniform(-5, 500)]) for _ in range(rows)],
            "month": [draw.randint(1, 12) for _ in range(rows)],
            "carrier": [draw.choice(["AA", "Zürich", "", None]) for _ in range(rows)],
        }
        if draw.random() < 0.1:
            inputs["delay"] = None
        if draw.random() < 0.1:
            del inputs["carrier"]
        outputs = {"probabilities": [[draw.random()] * 2 for _ in range(rows)], "class": ["late"] * rows}
        others = {"source": "batch"} if number % 10 == 0 else {}
        masked = ["delay"] if inputs["delay"] is None else []
        lines.append(line(number, inputs=inputs, outputs=outputs, masked=masked, **others))
    rows, counts = read(written(tmp_path, *lines), signature, batch_rows=700)
    assert rows == [row for each in lines for row in expected(each)]
    assert counts.requests == 3_000 and counts.rows == len(rows) and counts.damaged == 0


def test_batches_have_bounded_rows_and_one_schema(tmp_path: Path) -> None:
    many = line(inputs={"delay": [1.5] * 100, "month": [2] * 100}, outputs={"class": ["late"] * 100})
    batches = list(read_object(written(tmp_path, *[many] * 10), LogCounts(), SIGNATURE, batch_rows=64))
    assert max(batch.num_rows for batch in batches) == 64 and sum(batch.num_rows for batch in batches) == 1_000
    assert len({str(batch.schema) for batch in batches}) == 1
    schema = batches[0].schema
    assert schema.field("inputs.delay").type == pa.float64() and schema.field("inputs.month").type == pa.int64()
    assert schema.field("inputs.carrier").type == pa.string() and schema.field("time").type == pa.timestamp("us", "UTC")


def test_a_masked_value_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    masked = line(0, inputs={"delay": [1.0], "month": [1], "carrier": None}, masked=["carrier"])
    missing = line(1, inputs={"delay": [None], "month": [1], "carrier": [None]})
    absent = line(2, inputs={"delay": [None], "month": [1]})
    rows, _ = read(written(tmp_path, masked, missing, absent))
    assert [row["inputs.carrier"] for row in rows] == [None, None, None]
    assert [row["masked"] for row in rows] == [["carrier"], [], []]


def test_format_1_has_neither_share_nor_schema(tmp_path: Path) -> None:
    old = {name: value for name, value in line().items() if name not in ("share", "schema", "log")}
    rows, counts = read(written(tmp_path, old))
    assert rows[0]["share"] is None and rows[0]["schema"] is None and rows[0]["id"] == "r0" and counts.damaged == 0


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b'{"id":"r9","time":"2026', "not JSON"),
        (b'{"id":"\xff"}', "not UTF-8"),
        (b"[1]", "not a JSON object"),
        (json.dumps(line(9)) + json.dumps(line(10)), "not JSON"),
        (line(9, log=3), "format 3; this version of Naru reads 1 to 2"),
        (line(9, time="yesterday"), "'time' is not a time in ISO 8601"),
        (line(9, id=5), "'id' is not a text"),
        (line(9, id="\ud800"), "'id': the text has half of a character"),
        (line(9, inputs=None), "'inputs' is not an object"),
        (line(9, inputs={"delay": 5}), "inputs.delay is not a list"),
        (line(9, inputs={"delay": [1, 2], "month": [1]}), "features and outputs have different numbers of values"),
        (line(9, inputs={"delay": [1.0], "month": [7.5]}), "'month': 7.5 is not a whole number"),
        (line(9, inputs={"delay": ["x"], "month": [7]}), "'delay': \"x\" is not a number"),
        ('{"id":"r9","id":"r9"}', "key 'id' occurs twice"),
        ({"log": 2, "hello": 1}, "neither an answered request nor a count"),
        ({"log": 2, "dropped": -1}, "neither an answered request nor a count"),
    ],
)
@pytest.mark.parametrize("around", [1, 200])
def test_a_damaged_line_is_counted_with_its_number_and_the_others_are_read(
    tmp_path: Path, damaged: Any, reason: str, around: int
) -> None:
    before, after = ([line(number + start) for number in range(around)] for start in (0, 1_000))
    rows, counts = read(written(tmp_path, *before, damaged, *after))
    assert sorted(row["id"] for row in rows) == sorted(each["id"] for each in [*before, *after])
    assert counts.damaged == 1 and counts.requests == 2 * around
    (found,) = counts.examples
    assert (
        found.object == "dt=2026-01-01/hour=12/a.jsonl" and found.line == around + 1 and found.reason.startswith(reason)
    )


def test_an_object_that_was_cut_off_loses_its_last_line_only(tmp_path: Path) -> None:
    found = written(tmp_path, line(0), line(1))
    file = Path(found.uri)
    file.write_bytes(file.read_bytes()[:-30])
    rows, counts = read(found)
    assert [row["id"] for row in rows] == ["r0"] and [each.line for each in counts.examples] == [2]


def test_a_line_that_is_too_long_is_skipped_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1_000)
    huge = line(1, inputs={"carrier": ["x" * 50_000], "month": [1]})
    rows, counts = read(written(tmp_path, line(0), huge, line(2), line(3)), longest_line=5_000)
    assert [row["id"] for row in rows] == ["r0", "r2", "r3"]
    assert [(each.line, each.reason) for each in counts.examples] == [(2, "the line is too long")]


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_the_cut_into_blocks_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    lines = [line(0), b"", line(1, id="\ud800"), line(2), {"log": 2, "version": "3", "dropped": 4}, b"{", line(3)]
    monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
    rows, counts = read(written(tmp_path, *lines))
    assert [row["id"] for row in rows] == ["r0", "r2", "r3"]
    assert [each.line for each in counts.examples] == [3, 6] and counts.dropped == {"3": 4}


def test_drops_and_refusals_are_added_up(tmp_path: Path) -> None:
    counted = {"model": "tiny", "version": "3", "log": 2}
    found = written(
        tmp_path,
        line(0),
        {"dropped": 2, **counted},
        {"refused": {"wrong_type": 3, "too_busy": 1}, **counted},
        {"dropped": 5, **counted},
        {"refused": {"wrong_type": 1}, **counted},
    )
    rows, counts = read(found)
    assert len(rows) == 1 and counts.dropped == {"3": 7} and counts.damaged == 0
    assert counts.refused == {("3", "wrong_type"): 4, ("3", "too_busy"): 1}


def test_whole_numbers_keep_every_digit(tmp_path: Path) -> None:
    most = 2**63 - 1
    rows, counts = read(
        written(tmp_path, *[line(n, inputs={"delay": [2**53], "month": [most - n]}) for n in range(100)])
    )
    assert [row["inputs.month"] for row in rows] == [most - n for n in range(100)] and counts.rounded == 0
    rows, counts = read(written(tmp_path, line(0, inputs={"delay": [2**53 + 1], "month": [1]})))
    assert rows[0]["inputs.delay"] == 2.0**53 and counts.rounded == 1


def test_a_whole_number_that_was_read_as_a_real_one_is_whole_again(tmp_path: Path) -> None:
    inputs = {"delay": [1, 2.5], "month": [7.0, 8.0]}
    lines = [line(n, inputs=inputs, outputs={"class": ["late"] * 2}) for n in range(100)]
    rows, counts = read(written(tmp_path, *lines, line(100, inputs={"month": None, "delay": [1]}, masked=["month"])))
    assert [row["inputs.month"] for row in rows[:2]] == [7, 8] and isinstance(rows[0]["inputs.month"], int)
    assert rows[-1]["inputs.month"] is None and counts.damaged == 0


def test_nan_is_a_missing_value(tmp_path: Path) -> None:
    rows, _ = read(written(tmp_path, line(0, inputs={"delay": [float("nan")], "month": [1]}), line(1)))
    assert rows[0]["inputs.delay"] is None and rows[1]["inputs.delay"] == 0.1


def test_a_feature_that_the_signature_does_not_have_is_counted(tmp_path: Path) -> None:
    other = line(1, inputs={"delay": [1.0], "month": [1], "weather": ["rain"]})
    rows, counts = read(written(tmp_path, line(0), other))
    assert "inputs.weather" not in rows[0] and counts.unknown == {"weather": 1}
    rows, counts = read(written(tmp_path, line(0), other), None)
    assert [row["inputs.weather"] for row in rows] == [None, "rain"] and not counts.unknown


def test_without_a_signature_types_hold_every_value_of_the_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 300)
    values: list[Any] = [None, 1, 2.5, None, 3]
    lines = [
        line(n, inputs={"delay": [value], "odd": [value if value != 2.5 else "x"]}) for n, value in enumerate(values)
    ]
    rows, counts = read(written(tmp_path, *lines), None)
    assert [row["inputs.delay"] for row in rows] == [None, 1.0, 2.5, None, 3.0]
    assert [row["inputs.odd"] for row in rows] == [None, "1", "x", None, "3"] and counts.damaged == 0


def test_an_object_that_is_no_longer_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot read the request log"):
        read(LogObject(str(tmp_path / "gone.jsonl"), "gone.jsonl", 1, "1"))


def test_an_empty_object_has_no_rows(tmp_path: Path) -> None:
    assert read(written(tmp_path))[0] == [] and read(written(tmp_path), None)[0] == []


@pytest.mark.parametrize("share", [1e-320, 0.0, -0.5, 1.5])
def test_a_share_that_is_none_makes_the_line_damaged(tmp_path: Path, share: float):
    rows, counts = read(written(tmp_path, line(1), line(2, share=share), line(3)))
    assert [row["id"] for row in rows] == ["r1", "r3"] and counts.damaged == 1
    assert counts.examples[0].line == 2 and counts.examples[0].reason.startswith(
        f"'share' is {share:g}; allowed: 1e-06"
    )


@pytest.mark.parametrize("is_fast", [True, False])
def test_hashes_are_read_of_the_features_that_are_named(tmp_path: Path, is_fast: bool) -> None:
    masked: dict[str, Any] = {"inputs": {"delay": [0.1, None], "month": [7, 8], "carrier": None}, "masked": ["carrier"]}
    outputs = {"outputs": {"probabilities": [[0.25, 0.75]] * 2, "class": ["late"] * 2}}
    hashed = line(0, **masked, **outputs, hashes={"carrier": ["k:1f", "k:"]})
    other = line(1) if is_fast else json.dumps(line(1)).replace("0.1", "NaN")
    rows, counts = read(written(tmp_path, hashed, other), hashed=["carrier"])
    assert [row["hashes.carrier"] for row in rows] == ["k:1f", "k:", None]
    assert [row["inputs.carrier"] for row in rows] == [None, None, "AA"] and counts.damaged == 0
    plain, _ = read(written(tmp_path, hashed, other))
    assert [row["masked"] for row in plain] == [["carrier"], ["carrier"], []] and "hashes.carrier" not in plain[0]


def test_a_line_with_too_few_hashes_is_damaged(tmp_path: Path) -> None:
    rows, counts = read(written(tmp_path, line(0), line(1, hashes={"carrier": ["k:1f", "k:2e"]})), hashed=["carrier"])
    assert len(rows) == 1 and counts.damaged == 1
