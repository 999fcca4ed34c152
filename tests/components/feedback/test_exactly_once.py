"""Whatever is killed between any two writes, and however many write at once: a row is in one span."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, ServiceError
from components._core.store import object_store
from components._core.store.object_store import list_names, read_bytes
from components._feedback import span_store
from components._feedback.make_span import make_span
from components._feedback.span_store import SpanStore
from tests.components.core.store.s3_stub import serving, shorten_claims
from tests.components.feedback.made import NEXT_DAY, Place, expected, request

WRITES = ("upload", "create", "remove")


class KilledError(BaseException):
    """Stands for SIGKILL: no handler of Naru's runs for it but `finally`."""


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int, *, after: bool) -> list[str]:
    """Let the process die before or after its write of this number; returns the writes so far."""
    done: list[str] = []

    def dying(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            is_last = len(done) == number
            if is_last and not after:
                raise KilledError
            found = write(*arguments)
            done.append(f"{name} {arguments[-1]}")
            if is_last:
                raise KilledError
            return found

        return call

    for name in WRITES:
        monkeypatch.setattr(span_store, name, dying(name, getattr(object_store, name)))
    return done


def with_one_span(root: Path) -> Place:
    place = Place(root)
    place.write_log([request(number) for number in range(8)])
    place.write_labels([{"request": f"r{number}", "outcome": 0} for number in range(4)])
    assert place.run().span == 1
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in (1, 5, 6)], "b")
    return place


SECOND = sorted([expected(1, 1), expected(5, 1), expected(6, 1)], key=str)


@pytest.mark.parametrize(
    "after", [pytest.param(False, id="before", marks=pytest.mark.slow), pytest.param(True, id="after")]
)
def test_a_run_that_is_killed_at_any_write_is_ended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    killed = 0
    for number in range(40):
        place = with_one_span(tmp_path / str(number))
        before = place.rows(1)
        with monkeypatch.context() as patched:
            done = kill_at(patched, number, after=after)
            try:
                place.run()
            except KilledError:
                killed += 1
            else:
                assert number == len(done)  # all writes went through: each was killed once
                break
        published = place.home / "spans" / "000002" / "rows.parquet"
        assert not published.exists() or place.spans == [1, 2]  # nothing is read that is not committed
        place.run()
        assert place.spans == [1, 2] and place.rows(1) == before and place.rows(2) == SECOND
        assert place.run().span is None and place.rows(2) == SECOND
        names = {*place.manifest(2)["state"].values()}
        assert names <= set(list_names(str(place.home / "objects")))
    assert killed >= 10


def test_two_writers_at_once_give_one_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = with_one_span(tmp_path)
    together, commit = Barrier(2), SpanStore.commit

    def commit_together(store: SpanStore, manifest: dict[str, Any]) -> bool:
        together.wait()
        return commit(store, manifest)

    monkeypatch.setattr(SpanStore, "commit", commit_together)
    with ThreadPoolExecutor(2) as pool:
        reports = [each.result() for each in [pool.submit(place.run) for _ in range(2)]]
    assert sorted(report.is_overtaken for report in reports) == [False, True]
    monkeypatch.undo()
    assert place.spans == [1, 2] and place.rows(2) == SECOND and place.run().span is None


@pytest.mark.parametrize("conditions", ["atomic", "ignored", "checked before the write"])
def test_two_writers_in_s3_give_one_span_also_where_conditions_do_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conditions: Any
) -> None:
    place = Place(tmp_path)
    place.write_log([request(number) for number in range(4)])
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in range(3)])
    with serving(conditions, shorten_claims(monkeypatch)) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        home = "s3://bucket/tiny/feedback"
        with ThreadPoolExecutor(2) as pool:
            reports = [each.result() for each in [pool.submit(place.run, home=home) for _ in range(2)]]
        assert [report.is_overtaken for report in reports].count(False) == 1
        assert list_names(f"{home}/spans") == ["000001"]
        manifest = json.loads(read_bytes(f"{home}/spans/000001/manifest.json") or b"")
        assert manifest["rows"]["rows"] == 3 and read_bytes(f"{home}/spans/000001/rows.parquet")
        again = place.run(home=home)
        assert again.span is None and again.objects == again.files == 0


def test_damaged_state_is_refused(tmp_path: Path) -> None:
    place = with_one_span(tmp_path)
    state = place.home / "objects" / place.manifest(1)["state"]["open"]
    state.write_bytes(state.read_bytes()[:-1] + b"x")
    with pytest.raises(ServiceError, match="is damaged: its content has another hash"):
        place.run()


def test_a_manifest_of_a_later_naru_is_refused(tmp_path: Path) -> None:
    place = with_one_span(tmp_path)
    file = place.home / "spans" / "000001" / "manifest.json"
    file.write_text(json.dumps({**place.manifest(1), "format": 9}))
    with pytest.raises(ServiceError, match="has format 9; this version of Naru reads 1"):
        place.run()


def publish_first(_: SpanStore, manifest: dict[str, Any], folder: Path) -> None:
    """Stands for a process that is killed after the commit of the second span."""
    if manifest["number"] > 1:
        raise KilledError


def test_rows_of_a_committed_span_are_published_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = with_one_span(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(SpanStore, "publish", publish_first)
        with pytest.raises(KilledError):
            place.run()
    place.write_labels([{"request": "r5", "outcome": 0}], "c")
    shown = make_span(place.settings(), NEXT_DAY, write=False)  # corrects rows that are not published yet
    assert shown.counts["corrected"] == 1
    place.run()
    assert place.spans == [1, 2, 3] and place.rows(2) == SECOND and place.rows(3) == [expected(5, 0)]


def with_a_file_of_another_origin(root: Path) -> tuple[Place, Path]:
    place = Place(root, spans=str(root / "flights" / "{span}.parquet"))
    place.write_log([request(number) for number in range(8)])
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in range(4)])
    (root / "flights").mkdir()
    return place, root / "flights" / "000001.parquet"


def test_a_number_where_a_file_of_another_origin_is_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    place, theirs = with_a_file_of_another_origin(tmp_path)
    pq.write_table(pa.table({"mine": [1, 2]}), theirs)
    with pytest.raises(ConfigError, match="there is a file already where the rows of span 1 belong") as error:
        place.run()
    assert "feedback.first_span" in error.value.remedy and not place.spans
    config = place.config.model_copy(update={"first_span": 2})
    assert place.run(config=config).rows == 4
    assert pq.read_table(theirs)["mine"].to_pylist() == [1, 2]
    assert pq.read_table(theirs.with_name("000002.parquet")).num_rows == 4


def test_rows_are_kept_while_another_file_is_where_they_belong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, theirs = with_a_file_of_another_origin(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(SpanStore, "publish", lambda *_: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            place.run()
    theirs.write_text("another file")
    for _ in range(2):
        with pytest.raises(ServiceError, match="another file is where the rows of span 1 belong; the rows are kept in"):
            place.run()
    theirs.unlink()
    place.run()
    assert pq.read_table(theirs).num_rows == 4
