"""The join of a bucket against an oracle that does the same with loops and dictionaries."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pytest

from components._feedback.bucket_join import BucketResult, Moments, join_bucket
from components._feedback.columns import (
    CLOSED,
    CONFLICTING,
    EXPIRED,
    IN_SPAN,
    NO_TIME,
    answers_schema,
    done_schema,
    labels_schema,
)

ANSWERS, LABELS, DONE = answers_schema({"x": pa.int64()}), labels_schema(pa.int64()), done_schema(pa.int64())
MOMENTS = Moments(read_until=500, expired=40, share=1.0)

Row = dict[str, Any]


def answer(number: int, row: int = 0, time: int = 100, **changes: Any) -> Row:
    found = {"id": f"r{number}", "row": row, "time": time, "version": "1", "share": 1.0, "score": 0.5, "hash": 7}
    return {**found, "rank": 0, "place": 0, "f.x": 1, **changes}


def label(number: int, value: int | None = 1, row: int = 0, time: int = NO_TIME, **changes: Any) -> Row:
    found = {"id": f"r{number}", "row": row, "label": value, "time": time, "object": 0, "place": 0, "seen": 200}
    return {**found, "is_judged": False, **changes}


def done(number: int, row: int = 0, status: int = IN_SPAN, value: int | None = 1, **changes: Any) -> Row:
    found = {"id": f"r{number}", "row": row, "hash": 7, "status": status, "span": 3, "position": 5, "label": value}
    return {**found, "time": NO_TIME, "object": -1, **changes}


def join(answers: list[Row], labels: list[Row], known: list[Row], moments: Moments = MOMENTS) -> BucketResult:
    tables = [
        pa.Table.from_pylist(rows, schema=schema)
        for rows, schema in ((answers, ANSWERS), (labels, LABELS), (known, DONE))
    ]
    return join_bucket(*tables, moments)


def keys(table: pa.Table) -> list[tuple[str, int]]:
    return sorted(zip(table["id"].to_pylist(), table["row"].to_pylist(), strict=True))


def oracle(answers: list[Row], labels: list[Row], known: list[Row], moments: Moments) -> dict[str, Any]:
    """What becomes of every key, one after the other."""
    by_key: dict[tuple[str, int], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for which, rows in enumerate((answers, labels)):
        for row in rows:
            by_key[row["id"], row["row"]][which].append(row)
    ended = {(row["id"], row["row"]): row for row in known}
    found: dict[str, Any] = {name: [] for name in ("labelled", "open", "conflicting", "unknown", "pending", "refused")}
    found |= {"corrected": [], "closed": [], "expired": []}
    for key, (mine, theirs) in by_key.items():
        mine = sorted(mine, key=lambda row: (row["time"], row["rank"], row["place"]))
        best = max(theirs, key=lambda row: (row["time"], row["object"], row["place"])) if theirs else None
        if earlier := ended.get(key):
            is_odd = earlier["status"] == CONFLICTING
            found["conflicting"] += [row["place"] for row in mine if is_odd or row["hash"] != earlier["hash"]]
            if best is None:
                continue
            differs = best["label"] != earlier["label"]
            later = (best["time"], best["object"]) >= (earlier["time"], earlier["object"])
            if earlier["status"] != IN_SPAN:
                found["refused"] += [key] if differs else []
            elif later and best["label"] is None:
                found["refused"].append(key)
            elif later and differs:
                found["corrected"].append((*key, best["label"]))
        elif len({row["hash"] for row in mine}) > 1:
            found["conflicting"] += [row["place"] for row in mine]
            found["refused"] += [key] if best else []
        elif mine:
            if best is None:
                found["expired" if mine[0]["time"] < moments.expired else "open"].append((*key, mine[0]["place"]))
            else:
                value = best["label"]
                found["closed" if value is None else "labelled"].append((*key, mine[0]["place"], value))
        elif best:
            is_new = best["seen"] <= moments.read_until and not best["is_judged"]
            found["unknown"] += [key] if is_new else []
            found["pending"] += [key] if best["seen"] >= moments.expired else []
    return {name: sorted(values, key=str) for name, values in found.items()}


def as_oracle(result: BucketResult) -> dict[str, Any]:
    def rows(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
        return list(zip(*(table[name].to_pylist() for name in names), strict=True))

    found = {
        "labelled": rows(result.labelled, "id", "row", "place", "label"),
        "open": rows(result.open, "id", "row", "place"),
        "expired": rows(result.expired, "id", "row", "place"),
        "closed": [(*row, None) for row in rows(result.newly_closed, "id", "row", "place")],
        "conflicting": result.conflicting["place"].to_pylist(),
        "unknown": rows(result.unknown, "id", "row"),
        "pending": rows(result.pending, "id", "row"),
        "refused": rows(result.closed, "id", "row"),
        "corrected": rows(result.corrected, "id", "row", "label"),
    }
    return {name: sorted(values, key=str) for name, values in found.items()}


@pytest.mark.parametrize("seed", range(60))
def test_any_mixture_is_joined_as_by_hand(seed: int) -> None:
    draw = random.Random(seed)
    size = draw.choice([1, 5, 40, 200])
    answers = [
        answer(draw.randrange(size), draw.randrange(2), draw.randrange(100), place=place, rank=draw.randrange(-1, 3),
               hash=draw.choice([7, 7, 7, 8]))
        for place in range(draw.randrange(2 * size))
    ]  # fmt: skip
    labels = [
        label(draw.randrange(size), draw.choice([0, 1, None]), draw.randrange(2), draw.choice([NO_TIME, 5, 6]),
              place=place, object=draw.randrange(3), seen=draw.choice([10, 200, 900]), is_judged=draw.random() < 0.2)
        for place in range(draw.randrange(2 * size))
    ]  # fmt: skip
    numbers = draw.sample(range(size), draw.randrange(size))
    known = [
        done(number, draw.randrange(2), draw.choice([IN_SPAN, IN_SPAN, CLOSED, CONFLICTING, EXPIRED]),
             time=draw.choice([NO_TIME, 5]), object=draw.randrange(-1, 3))
        for number in numbers
    ]  # fmt: skip
    known = [row if row["status"] == IN_SPAN else {**row, "label": None} for row in known]
    result = join(answers, labels, known)
    assert as_oracle(result) == oracle(answers, labels, known, MOMENTS)
    ended = result.newly_closed.num_rows + result.expired.num_rows
    kept = result.kept.num_rows + result.corrected.num_rows
    assert kept == len(known) and result.done.num_rows >= ended


def test_a_retry_is_one_row_and_the_first_answer_counts() -> None:
    result = join([answer(1, time=9, place=1, score=0.9), answer(1, time=5, place=2, score=0.1)], [label(1)], [])
    assert result.labelled["score"].to_pylist() == [0.1] and result.counts["repeated"] == 1


def test_one_id_for_two_decisions_is_set_aside_with_all_its_labels() -> None:
    result = join([answer(1), answer(1, hash=8, place=1)], [label(1)], [])
    assert result.conflicting.num_rows == 2 and not result.labelled.num_rows and not result.unknown.num_rows
    assert result.done["status"].to_pylist() == [CONFLICTING] and keys(result.closed) == [("r1", 0)]


def test_of_equal_times_the_label_in_the_file_with_the_later_name_counts() -> None:
    result = join([answer(1)], [label(1, 5, object=1), label(1, 6, object=2), label(1, 4, object=0)], [])
    assert result.labelled["label"].to_pylist() == [6] and result.counts["superseded"] == 2


def test_a_later_time_counts_more_than_a_later_file() -> None:
    result = join([answer(1)], [label(1, 5, time=9, object=0), label(1, 6, time=8, object=9)], [])
    assert result.labelled["label"].to_pylist() == [5] and result.labelled["known_at"].to_pylist() == [9]


def test_a_row_whose_row_number_no_answer_has_is_unknown() -> None:
    result = join([answer(1)], [label(1, row=1)], [])
    assert keys(result.unknown) == [("r1", 1)] and keys(result.open) == [("r1", 0)]


def test_a_correction_remembers_the_new_label_and_keeps_the_old_place() -> None:
    result = join([], [label(1, 0, time=9)], [done(1, value=1, time=5)])
    assert result.corrected.select(["span", "position", "label", "time"]).to_pylist() == [
        {"span": 3, "position": 5, "label": 0, "time": 9}
    ]
    assert not result.kept.num_rows


def test_an_id_that_the_log_did_not_sample_is_not_unknown() -> None:
    numbers = range(400)
    result = join([answer(1)], [label(number) for number in numbers], [], Moments(500, 40, 0.25))
    assert result.counts["unsampled"] + result.counts["unknown"] + result.counts["joined"] == 400
    assert 250 < result.counts["unsampled"] < 350


def test_a_label_waits_for_hours_that_are_not_read_yet() -> None:
    result = join([answer(1)], [label(2, seen=600)], [])
    assert not result.unknown.num_rows and keys(result.pending) == [("r2", 0)] and result.counts["waiting"] == 1


def test_empty_tables_have_empty_results() -> None:
    assert all(not values for values in as_oracle(join([], [], [])).values())
