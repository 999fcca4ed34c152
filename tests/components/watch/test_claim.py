"""Of many deciders one claims, in a folder and on an S3 whose conditional writes hold nothing; and records that are damaged."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from components._core.errors import ServiceError
from components.watch.claim import claim_decision, claim_start
from components.watch.records import Cause, Record, append_record, format_time, open_records, read_history
from tests.components.core.store.s3_stub import serving, shorten_claims
from tests.components.watch.made import START

DECIDERS = 8


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    if request.param == "folder":
        yield str(tmp_path / "store")
        return
    with serving("ignored", shorten_claims(monkeypatch)) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield "s3://naru/store"


def _record(key: str, decider: str) -> Record:
    cause = Cause(key, "new_data", "data", "new", {"states": {"1": "a"}})
    return Record("claimed", format_time(START), (cause,), run="r", decider=decider)


def test_of_deciders_at_once_one_claims_and_one_starts(store: str) -> None:
    log, start = open_records(store, "p"), Barrier(DECIDERS)
    known = read_history(log)

    def decide(number: int) -> int:
        start.wait()
        decision = claim_decision(log, known, _record("k", f"d{number}"))
        return int(decision is not None)

    with ThreadPoolExecutor(DECIDERS) as pool:
        assert sum(pool.map(decide, range(DECIDERS))) == 1
    (decision,) = read_history(log).decisions

    def begin(number: int) -> int:
        start.wait()
        return int(claim_start(log, decision, Record("started", format_time(START), decider=f"d{number}")) is not None)

    with ThreadPoolExecutor(DECIDERS) as pool:
        assert sum(pool.map(begin, range(DECIDERS))) == 1
    (decision,) = read_history(log).decisions
    assert len(decision.started) == 1


def test_a_claim_that_is_based_on_old_records_is_not_made(store: str) -> None:
    log = open_records(store, "p")
    known = read_history(log)
    assert claim_decision(log, known, _record("k", "first")) is not None
    assert claim_decision(log, known, _record("k", "second")) is None
    assert claim_decision(log, read_history(log), _record("k", "third")) is None  # the line is void
    assert claim_decision(log, read_history(log), _record("other", "fourth")) is not None
    assert len(read_history(log).decisions) == 2


def test_a_run_that_ended_is_not_started_again(store: str) -> None:
    log = open_records(store, "p")
    decision = claim_decision(log, read_history(log), _record("k", "d"))
    assert decision is not None
    append_record(log, Record("ended", format_time(START), decision=decision.name, verdict="succeeded"))
    assert claim_start(log, decision, Record("started", format_time(START))) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"state": "claimed"}', '{"state": "new", "at": "2026-01-01T00:00:00+00:00"}',
                                     '{"state": "reset", "at": "2026-01-01"}', '{"state": "reset", "at": "2026-01-01T00:00:00+00:00", "causes": [1]}'])  # fmt: skip
def test_a_damaged_line_is_an_error_and_never_left_out(tmp_path: Path, content: str) -> None:
    log = open_records(str(tmp_path), "p")
    name = append_record(log, Record("reset", format_time(START)))
    (tmp_path / "p" / "triggers" / f"{name}.json").write_text(content)
    with pytest.raises(ServiceError, match="damaged line of the log of triggers"):
        read_history(log)


def test_a_line_of_a_later_naru_is_read_and_credentials_are_never_written(tmp_path: Path) -> None:
    log = open_records(str(tmp_path), "p")
    evidence = {"uri": "https://me:secret@host/t.csv"}
    name = append_record(log, Record("requested", format_time(START), (Cause("k", "demand", "a", "w", evidence),)))
    file = tmp_path / "p" / "triggers" / f"{name}.json"
    assert "secret" not in file.read_text()
    file.write_text(json.dumps({**json.loads(file.read_text()), "approved": "later"}))
    assert read_history(log).records[0].causes[0].key == "k"
