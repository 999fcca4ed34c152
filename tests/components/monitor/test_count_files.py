"""Every object of the log is counted exactly once, whatever happens when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import ServiceError, UnavailableError
from components._core.monitoring.counts import Counts
from components._core.monitoring.feature_bins import TextBins, count
from components._core.monitoring.reference import Column, MonitoringReference
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import LogObject, list_objects
from components._core.request_log.value_hashes import ValueHasher
from components.monitor import count_files
from components.monitor.count_files import CountFile, HourCounts, count_hour, read_files
from components.monitor.count_rows import count_objects, read_versions
from components.monitor.hashed_values import HashedValues
from tests.components.monitor.request_lines import START, make_reference, rows_of, write_object

REFERENCE = make_reference(12)


def count_small(objects: Sequence[LogObject]) -> tuple[dict[str, Counts], LogCounts]:
    return count_objects(objects, {"1": REFERENCE})


def run(tmp_path: Path) -> HourCounts:
    return count_hour(
        str(tmp_path / "log"), str(tmp_path / "counts"), START, count_small, {"1": REFERENCE.cells_digest}
    )


def expected(*parts: dict[str, list[Any]]) -> dict[str, list[int]]:
    found = {}
    for name in ("delay", "carrier"):
        values = [value for part in parts for value in part[name]]
        found[name] = count(REFERENCE.features[name].bins, pa.array(values)).tolist()
    return found


def cells(found: HourCounts) -> dict[str, list[int]]:
    return {name: vector.tolist() for name, vector in found.versions["1"].cells.items()}


def test_counts_are_those_of_the_rows(tmp_path: Path):
    rows = rows_of(START, 500)
    write_object(tmp_path / "log", START, rows)
    found = run(tmp_path)
    assert cells(found) == expected(rows)
    assert found.versions["1"].rows == found.versions["1"].requests == 500
    assert found.versions["1"].outputs["probability"].sum() == found.versions["1"].latency.sum() == 500


def test_a_late_object_adds_a_file_and_nothing_is_counted_twice(tmp_path: Path):
    early, late = rows_of(START, 100), rows_of(START + timedelta(hours=1), 50)
    write_object(tmp_path / "log", START, early)
    assert (run(tmp_path).written, run(tmp_path).written) == (1, 0)
    write_object(tmp_path / "log", START, late, name="pod-2")
    assert run(tmp_path).written == 1
    assert cells(run(tmp_path)) == expected(early, late)
    assert len(list((tmp_path / "counts").rglob("*.json"))) == 2


def test_two_monitors_at_once_count_no_object_twice(tmp_path: Path):
    rows = {name: rows_of(START + timedelta(hours=place), 40) for place, name in enumerate(("a", "b", "c"))}
    paths = {name: write_object(tmp_path / "log", START, own, name=name) for name, own in rows.items()}
    run(tmp_path)
    hidden = paths["a"].rename(tmp_path / "aside")
    (whole,) = (tmp_path / "counts").rglob("*.json")
    moved = whole.rename(tmp_path / "whole")
    run(tmp_path)  # of b and c only
    moved.rename(whole)
    hidden.rename(paths["a"])
    assert cells(run(tmp_path)) == cells(run(tmp_path)) == expected(*rows.values())


@pytest.mark.parametrize("seed", range(20))
def test_however_monitors_overlap_each_object_is_counted_once(tmp_path: Path, seed: int):
    random = np.random.default_rng(seed)
    names = [f"dt=2026-03-02/hour=00/{place}.jsonl" for place in range(6)]
    place = f"{tmp_path}/counts/dt=2026-03-02/hour=00"
    for _ in range(5):
        chosen = sorted(random.choice(names, random.integers(1, 5), replace=False).tolist())
        file = CountFile(tuple(chosen), {"1": Counts(rows=len(chosen))})
        count_files.put(file.to_bytes(), f"{place}/{file.name}")
    for _ in range(3):
        taken = [name for file in read_files(place) for name in file.objects]
        assert len(taken) == len(set(taken))
        missing = sorted(set(names) - set(taken))
        if missing:
            file = CountFile(tuple(missing), {"1": Counts(rows=len(missing))})
            count_files.put(file.to_bytes(), f"{place}/{file.name}")
            again = [name for file in read_files(place) for name in file.objects]
            assert sorted(again) == names


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_a_write_the_next_run_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str):
    rows = rows_of(START, 100)
    write_object(tmp_path / "log", START, rows)
    write = count_files.put

    def dies(content: bytes, uri: str) -> None:
        if when == "after":
            write(content, uri)
        raise UnavailableError("killed")

    monkeypatch.setattr(count_files, "put", dies)
    with pytest.raises(UnavailableError, match="killed"):
        run(tmp_path)
    monkeypatch.setattr(count_files, "put", write)
    assert cells(run(tmp_path)) == expected(rows)
    assert len(list((tmp_path / "counts").rglob("*.json"))) == 1


def test_versions_are_counted_apart_and_an_unknown_one_by_its_rows(tmp_path: Path):
    write_object(tmp_path / "log", START, rows_of(START, 30))
    write_object(tmp_path / "log", START, rows_of(START, 20), name="canary", version="2")
    found = run(tmp_path)
    assert (found.versions["1"].rows, found.versions["2"].rows) == (30, 20)
    assert found.versions["2"].cells == {}


def test_a_masked_feature_is_not_missing(tmp_path: Path):
    rows = rows_of(START, 30)
    write_object(tmp_path / "log", START, {**rows, "carrier": [None] * 30}, masked=["carrier"])
    found = run(tmp_path).versions["1"]
    assert found.masked == {"carrier": 30} and found.cells["carrier"].sum() == 0
    assert found.cells["delay"].sum() == 30


def test_dropped_and_refused_requests_and_the_share_are_kept(tmp_path: Path):
    path = write_object(tmp_path / "log", START, rows_of(START, 10), share=0.25)
    with path.open("a") as file:
        for line in ({"dropped": 3}, {"refused": {"429": 2, "400": 1}}, {"refused": {"429": 5}}):
            file.write(json.dumps({**line, "model": "small", "version": "1", "log": 2}) + "\n")
        file.write("{damaged\n")
    found = run(tmp_path)
    assert found.versions["1"].dropped == 3 and found.versions["1"].errors == {"429": 7, "400": 1}
    assert found.versions["1"].represented == 40 and found.damaged == 1


def with_another_carrier() -> MonitoringReference:
    column = REFERENCE.features["carrier"]
    assert isinstance(column.bins, TextBins)
    wider = Column(TextBins((*column.bins.top, "XX")), np.insert(column.blocks, 3, 0, axis=1), column.novel)
    return replace(REFERENCE, features={**REFERENCE.features, "carrier": wider})


@pytest.mark.parametrize("before", [{}, {"1": with_another_carrier()}], ids=["none", "another"])
def test_rows_counted_by_another_reference_are_counted_again(tmp_path: Path, before: dict[str, MonitoringReference]):
    rows, late = rows_of(START, 50), rows_of(START + timedelta(hours=1), 20)
    path = write_object(tmp_path / "log", START, rows)
    digests = {version: reference.cells_digest for version, reference in before.items()}
    log, folder = str(tmp_path / "log"), str(tmp_path / "counts")
    for _ in range(2):  # to and fro: both stay, and each run takes its own
        count_hour(log, folder, START, lambda objects: count_objects(objects, before), digests)
        assert cells(run(tmp_path)) == expected(rows)
    assert len(list((tmp_path / "counts").rglob("*.json"))) == 2
    for file in (tmp_path / "counts").rglob("*.json"):
        if not CountFile.parse(file.read_bytes(), "").fits({"1": REFERENCE.cells_digest}):
            continue
        file.unlink()
    path.unlink()
    write_object(tmp_path / "log", START, late, name="pod-2")
    found = run(tmp_path)  # the log has those rows no more: they are known without cells
    assert found.versions["1"].rows == 70 and cells(found) == expected(late)


def test_a_count_file_of_a_later_naru_is_refused(tmp_path: Path):
    write_object(tmp_path / "log", START, rows_of(START, 10))
    run(tmp_path)
    (file,) = (tmp_path / "counts").rglob("*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 9}))
    with pytest.raises(ServiceError, match="format 9; allowed: 1 to 3"):
        run(tmp_path)


def test_a_damaged_count_file_is_an_error_with_what_to_do(tmp_path: Path):
    write_object(tmp_path / "log", START, rows_of(START, 10))
    run(tmp_path)
    (file,) = (tmp_path / "counts").rglob("*.json")
    file.write_text('{"objects": 3')
    with pytest.raises(ServiceError, match="damaged count file"):
        run(tmp_path)


KEY = ValueHasher(b"0123456789abcdef0123456789abcdef")


def hashed_log(folder: Path, carriers: list[Any]) -> list[LogObject]:
    """Write an hour in which the carriers are hashed, with another masked feature; return its objects."""
    rows, nothing = rows_of(START, len(carriers)), [None] * len(carriers)
    path = write_object(folder, START, {**rows, "carrier": nothing}, masked=["tail", "carrier"])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    hashes = [{"carrier": [each]} for each in KEY.hash(carriers)]
    path.write_text("".join(f"{json.dumps({**a, 'hashes': b})}\n" for a, b in zip(lines, hashes, strict=True)))
    return list_objects(str(folder), START)


def test_hashed_texts_are_counted_as_if_they_were_not_masked_where_the_key_is(tmp_path: Path):
    carriers = ["UA", "B6", "B6", "a new one", None, "", "EV"]
    objects = hashed_log(tmp_path, carriers)
    found = count_objects(objects, {"1": REFERENCE}, hasher=KEY)[0]["1"]
    wanted = count(REFERENCE.features["carrier"].bins, pa.array(carriers))
    assert found.cells["carrier"].tolist() == wanted.tolist() and found.masked == {}


@pytest.mark.parametrize("hasher", [None, ValueHasher(b"another key of a project")])
def test_hashes_without_their_key_stay_masked(tmp_path: Path, hasher: ValueHasher | None):
    objects = hashed_log(tmp_path, ["UA", "B6", None])
    found = count_objects(objects, {"1": REFERENCE}, hasher=hasher)[0]["1"]
    assert found.cells["carrier"].sum() == 0 and found.masked == {"carrier": 3}


def test_rows_before_the_hashes_are_counted_beside_them(tmp_path: Path):
    hashed_log(tmp_path, ["UA", "UA"])
    before = rows_of(START, 50)
    write_object(tmp_path, START, before, name="pod-0")
    objects = list_objects(str(tmp_path), START)
    found = count_objects(objects, {"1": REFERENCE}, hasher=KEY)[0]["1"]
    wanted = count(REFERENCE.features["carrier"].bins, pa.array([*before["carrier"], "UA", "UA"]))
    assert found.cells["carrier"].tolist() == wanted.tolist()


def test_the_requests_of_an_unseen_value_are_named_by_its_hash(tmp_path: Path):
    objects = hashed_log(tmp_path, ["UA", "a new one", "B6"])
    (_, rows), *_ = read_versions(objects[0], {"1": REFERENCE}, LogCounts(), HashedValues(KEY, {"1": REFERENCE}))
    assert rows["inputs.carrier"].to_pylist() == ["UA", *KEY.hash(["a new one"]), "B6"]
    assert rows["masked"].to_pylist() == [["tail"]] * 3
