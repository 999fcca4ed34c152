"""A body of JSON is refused before it is parsed when it would become more than the largest request does."""

from __future__ import annotations

import json

import pytest

from components.serve.http_refusals import HttpRefusal
from components.serve.json_guard import JsonGuard
from components.serve.limits import Limits


def status_of(body: bytes) -> int:
    with pytest.raises(HttpRefusal) as caught:
        GUARD.check(body)
    return caught.value.status


GUARD = JsonGuard(Limits(rows=1_000), 4)
TEXT = '[{":,' * 400
ROW = {"delay": 1.5, "month": 6, "carrier": TEXT, 'no"i\\se': 0.5}
LARGEST = {
    "columns": {name: [value] * 1_000 for name, value in ROW.items()},
    "rows": [ROW] * 1_000,
    "a row more": [ROW] * 1_001,
    "a table": [list(ROW.values())] * 1_000,
    "an escape at the end of a text": {"x": ["\\" * 500 + '"' * 501 + TEXT, "\\"] * 400},
}
TOO_LARGE = {
    "rows": [{"a": 1}] * 20_000,
    "lists": [[]] * 20_000,
    "values": {"a": [1] * 20_000},
    "texts": {"a": ["x"] * 20_000},
    "names": {f"a{number}": 1 for number in range(20_000)},
    "empty mappings": [{}] * 20_000,
}


@pytest.mark.parametrize("case", LARGEST)
def test_the_largest_request_is_parsed_whatever_its_texts_hold(case: str) -> None:
    GUARD.check(json.dumps({"jsonData": LARGEST[case]}).encode())


@pytest.mark.parametrize("case", TOO_LARGE)
def test_more_values_than_any_request_has_are_refused_before_they_are_made(case: str) -> None:
    assert status_of(json.dumps({"jsonData": TOO_LARGE[case]}).encode()) == 413
