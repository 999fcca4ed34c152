"""The lines of a live test: written by the champion's server, apart from the log of what was returned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from components._core.request_log.hours import list_closed_hours
from components._core.request_log.layout import hour_folder
from components._core.request_log.live_test_lines import (
    CHALLENGER,
    CHAMPION,
    answer_of,
    live_test_uri,
    read_live_lines,
    write_line,
    write_lost,
)

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
OWN = answer_of("3", 0.0012, {"probability": np.array([0.25, 0.5], np.float32)})
OTHER = answer_of("4", 0.002, {"probability": np.array([0.75, 0.5], np.float32)})


def put(folder: Path, name: str, *lines: bytes) -> None:
    path = folder / hour_folder(NOW.timestamp()) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))


def test_pairs_single_answers_failures_and_losses_are_read_as_they_were_written(tmp_path: Path) -> None:
    seconds = NOW.timestamp()
    folder = Path(live_test_uri(str(tmp_path), "000001-a"))
    put(
        folder,
        "pod-1.jsonl",
        write_line("shadow", "a", seconds, {CHAMPION: OWN, CHALLENGER: OTHER}),
        write_line("ab", "b", seconds, {CHALLENGER: OTHER}, unit="f00d"),
        write_line("ab", "c", seconds, {CHALLENGER: {"failed": "no_answer"}, CHAMPION: OWN}, unit="beef"),
        write_lost("shadow", {"busy": 3}),
        b"{half a line\n",
    )
    put(folder, "pod-2.jsonl", write_lost("shadow", {"busy": 2, "full": 1}))
    found = read_live_lines(str(folder), NOW)
    first, second, third = found.requests
    assert first.champion is not None and first.challenger is not None
    assert first.champion.outputs == {"probability": [0.25, 0.5]} and first.champion.milliseconds == 1.2
    assert first.challenger.outputs == {"probability": [0.75, 0.5]} and first.unit == "a"
    assert second.champion is None and second.challenger is not None and second.unit == "f00d"
    assert third.failed == "no_answer" and third.challenger is None and third.champion is not None
    assert found.lost == {"busy": 5, "full": 1} and (found.damaged, found.total) == (1, 6)


GOOD = write_line("shadow", "a", NOW.timestamp(), {CHAMPION: OWN, CHALLENGER: OTHER})


@pytest.mark.parametrize(
    "line",
    [
        GOOD[: len(GOOD) // 2],
        b"\x00\xff\xfe",
        b"[1, 2]",
        b"null",
        b"7",
        b"[" * 100_000,
        b"{}",
        b'{"lost": {"busy": -3}}',
        b'{"lost": {"busy": 1e400}}',
        b'{"lost": {"busy": "3"}}',
        b'{"lost": 3}',
        GOOD.replace(b'"a"', b"7"),
        GOOD.replace(b'"a"', b'["a"]'),
        GOOD.replace(b"1.2", b'"1.2"'),
        GOOD.replace(b"1.2", b"NaN"),
        GOOD.replace(b"1.2", b"-1"),
        GOOD.replace(b"1.2", b"1" + b"0" * 400),
        GOOD.replace(b"[0.25, 0.5]", b'"0.25"'),
        GOOD.replace(b"[0.25, 0.5]", b"0.25"),
        GOOD.replace(b'{"probability": [0.25, 0.5]}', b"{}"),
        GOOD.replace(b"[0.25, 0.5]", b'[0.25, 0.5], "other": [1]'),
        GOOD.replace(b'"champion"', b'"somebody"').replace(b'"challenger"', b'"else"'),
        b'{"id": "a", "challenger": {"failed": "no_answer"}}',
        b'{"id": "a", "champion": 7}',
        b'{"id": "a", "challenger": {"failed": 7}}',
    ],
)
def test_a_damaged_line_is_counted_and_nothing_else_is_taken_from_it(tmp_path: Path, line: bytes) -> None:
    folder = Path(live_test_uri(str(tmp_path), "t"))
    put(folder, "a.jsonl", line.rstrip() + b"\n", write_lost("shadow", {"full": 1}))
    found = read_live_lines(str(folder), NOW)
    assert (found.requests, found.lost, found.damaged, found.total) == ([], {"full": 1}, 1, 2)


def test_of_a_request_that_was_sent_again_the_first_counts(tmp_path: Path) -> None:
    folder = Path(live_test_uri(str(tmp_path), "t"))
    put(
        folder,
        "a.jsonl",
        *[write_line("shadow", "a", NOW.timestamp(), {CHAMPION: OWN, CHALLENGER: each}) for each in (OTHER, OWN)],
    )
    (only,) = read_live_lines(str(folder), NOW).requests
    assert only.challenger is not None and only.challenger.outputs == {"probability": [0.75, 0.5]}


def test_readers_of_the_request_log_do_not_see_the_lines(tmp_path: Path) -> None:
    """So no answer of a shadow is counted as served: neither by the monitor, nor by the join, nor by a canary."""
    put(Path(live_test_uri(str(tmp_path), "t")), "a.jsonl", write_lost("ab", {"full": 1}))
    assert list_closed_hours(str(tmp_path), NOW + timedelta(days=1)) == []


def test_before_the_first_line_there_is_none(tmp_path: Path) -> None:
    assert read_live_lines(live_test_uri(str(tmp_path), "t"), NOW).requests == []
