"""The log of live tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components._core.errors import ServiceError
from components._core.store.ledger import Deployment, encode_deployment
from components._core.store.live_tests import (
    LiveTestRecord,
    append_live_test,
    find_open,
    open_live_tests,
    read_live_tests,
)


def began(store: str, version: str = "4") -> LiveTestRecord:
    model = f"{store}/tiny/models/{version}/artifacts/model"
    line = Deployment(
        version, model, "", "", {"accuracy": 0.9}, "f", "run", "2026-01-01T00:00:00+00:00", "me", "a test"
    )
    record = LiveTestRecord(
        "began",
        "2026-01-01T00:00:00+00:00",
        version,
        by="me",
        mode="shadow",
        settings={"requests": 10, "share": 1.0},
        metric="accuracy",
        needed=10,
        until="2026-01-08T00:00:00+00:00",
        champion=["3", "models/3/artifacts/model"],
        deployment=encode_deployment(line, store),
    )
    return append_live_test(open_live_tests(store, "tiny"), record)


def end(store: str, test: str, verdict: str) -> None:
    record = LiveTestRecord("ended", "2026-01-02T00:00:00+00:00", "4", test=test, verdict=verdict, reason="why")
    append_live_test(open_live_tests(store, "tiny"), record)


def test_a_test_goes_on_until_its_first_end_which_holds(tmp_path: Path) -> None:
    store = str(tmp_path)
    first = began(store)
    (test,) = read_live_tests(store, "tiny")
    assert find_open([test]) == test and test.began == first and test.champion[0] == "3"
    end(store, first.line, "promoted")
    end(store, first.line, "refused")
    (test,) = read_live_tests(store, "tiny")
    assert test.ended is not None and test.ended.verdict == "promoted" and find_open([test]) is None


def test_its_line_of_the_ledger_follows_a_store_that_moves(tmp_path: Path) -> None:
    began(str(tmp_path / "one"))
    (tmp_path / "one").rename(tmp_path / "two")
    (test,) = read_live_tests(str(tmp_path / "two"), "tiny")
    assert test.deployment(str(tmp_path / "two"), "tiny").model.endswith("/two/tiny/models/4/artifacts/model")


@pytest.mark.parametrize("lacking", ["champion", "until", "deployment", "state"])
def test_a_damaged_line_is_an_error_and_not_the_end_of_a_test(tmp_path: Path, lacking: str) -> None:
    began(str(tmp_path))
    (path,) = (tmp_path / "tiny" / "live-tests").glob("*.json")
    raw = json.loads(path.read_text())
    del raw[lacking]
    path.write_text(json.dumps(raw))
    with pytest.raises(ServiceError, match="damaged line of the log of live tests"):
        read_live_tests(str(tmp_path), "tiny")
