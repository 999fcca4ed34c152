"""A/B in the champion's server: who answers is fixed by a digest, and a failure of the version under test never reaches a client."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from components._core.request_log.live_test_lines import LiveRequest, read_live_lines
from components.serve.label_log import LabelLog
from components.serve.live_test.challenger_client import ChallengerError
from components.serve.live_test.contract import LiveTestSettings
from components.serve.live_test.split import Split
from components.serve.request_log import AnsweredRequest, LogSettings

OUTPUTS = {"probability": np.array([0.25], np.float32)}


class Challenger:
    """Answers, or fails with a code."""

    def __init__(self, code: str = "") -> None:
        self.code = code

    def ask(self, request_id: str, columns: Any) -> dict[str, Any]:
        if self.code:
            raise ChallengerError(self.code)
        return OUTPUTS


def make(folder: Path, *, share: float = 0.5, key: str = "", code: str = "", test: str = "000001-a") -> Split:
    log = LabelLog(LogSettings(str(folder), flush_seconds=600), "lines of a live test")
    return Split(LiveTestSettings(test, "3", "4", share, key), Challenger(code), log, lambda: False)  # type: ignore[arg-type]


def answered(request_id: str, columns: dict[str, Any]) -> AnsweredRequest:
    return AnsweredRequest(request_id, time.time(), 0.001, 1, columns, OUTPUTS)


def lines(split: Split, folder: Path) -> list[LiveRequest]:
    split.close()
    return read_live_lines(str(folder), datetime.now(UTC)).requests


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_is_held_and_is_independent_of_another_test(tmp_path: Path, share: float) -> None:
    one, other = make(tmp_path, share=share), make(tmp_path, share=share, test="000002-b")
    ids = [f"request-{number}" for number in range(4_000)]
    ours, theirs = ([split.routes(name, {}) for name in ids] for split in (one, other))
    assert stats.binomtest(sum(ours), len(ids), share).pvalue > 0.001
    both = sum(a and b for a, b in zip(ours, theirs, strict=True))
    assert stats.binomtest(both, len(ids), share * share).pvalue > 0.001


def test_the_same_customer_always_gets_the_same_version(tmp_path: Path) -> None:
    """However its number is written, in another process, and whatever the request's id is."""
    one, two = make(tmp_path, key="customer"), make(tmp_path, key="customer")
    arms = Counter[bool]()
    for customer in range(200):
        forms: list[Any] = [[customer], [float(customer)], np.array([customer]), [str(customer)]]
        found = {split.routes(f"r{n}", {"customer": form}) for split in (one, two) for n, form in enumerate(forms)}
        assert len(found) == 1
        arms.update(found)
    assert min(arms.values()) > 70


def test_a_request_without_the_key_is_assigned_by_its_id(tmp_path: Path) -> None:
    split = make(tmp_path, key="customer")
    found = {split.routes(f"r{number}", {"customer": [None]}) for number in range(50)}
    assert found == {True, False}


def test_each_answer_is_a_line_of_its_arm(tmp_path: Path) -> None:
    split = make(tmp_path, key="customer")
    for number in range(40):
        columns = {"customer": [number]}
        if split.routes(str(number), columns):
            answer = split.ask(str(number), columns)
            assert answer is not None and answer.version == "4"
        else:
            split.add(answered(str(number), columns))
    found = lines(split, tmp_path)
    assert len(found) == 40 and len({request.unit for request in found}) == 40
    assert all((request.champion is None) != (request.challenger is None) for request in found)


def test_where_the_version_under_test_fails_the_champion_answers_and_the_line_says_so(tmp_path: Path) -> None:
    split = make(tmp_path, share=0.99, code="no_answer")
    name = next(str(number) for number in range(100) if split.routes(str(number), {}))
    assert split.ask(name, {}) is None
    split.add(answered(name, {}))
    (found,) = lines(split, tmp_path)
    assert found.failed == "no_answer" and found.challenger is None and found.champion is not None


def test_a_request_that_named_the_champions_version_is_in_no_arm(tmp_path: Path) -> None:
    """Otherwise the champion's arm had clients that the other never gets."""
    split = make(tmp_path)
    for number in range(20):
        split.add(answered(str(number), {}), is_open=False)
    assert lines(split, tmp_path) == []


def test_requests_that_the_champion_refuses_as_well_hide_no_later_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.serve.live_test.split._MOST_FAILURES", 3)
    split = make(tmp_path, share=0.99, code="refused")
    names = [str(number) for number in range(100) if split.routes(str(number), {})][:8]
    for name in names:
        split.ask(name, {})
    for name in (names[-1], names[0]):
        split.add(answered(name, {}))
    assert {request.id: request.failed for request in lines(split, tmp_path)} == {
        names[-1]: "refused",
        names[0]: "failed",
    }
