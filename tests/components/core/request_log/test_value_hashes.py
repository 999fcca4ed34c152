"""Hashes of masked values: equal for equal values, of one key, unreadable without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components._core.errors import ConfigError
from components._core.request_log.value_hashes import ValueHasher, find_hasher, require_hasher

KEY = "0123456789abcdef0123456789abcdef"
HASHER = ValueHasher(KEY.encode())


def test_the_hash_of_a_value_is_the_same_in_every_release() -> None:
    # printf %s UA | openssl dgst -sha256 -hmac $KEY
    assert HASHER.hash(["UA"]) == ["d4f2e3c9:46ccdad2685b2df1c512add6a288d89c"]


@pytest.mark.parametrize(
    "values",
    [
        ["UA", b"UA", np.array(["UA"], object)],
        [7, 7.0, "7", np.array([7]), np.array([7.0]), np.array([7], np.float32)],
        [0.1, "0.1", np.array([0.1]), np.array([0.1], np.float32)],
        [0, -0.0, False],
        [None, float("nan"), "", np.array([np.nan], np.float32)],
    ],
)
def test_equal_values_have_equal_hashes_however_they_are_sent(values: list[Any]) -> None:
    found = {hashed for one in values for hashed in HASHER.hash(one if isinstance(one, np.ndarray) else [one])}
    assert len(found) == 1


def test_different_values_and_different_keys_have_different_hashes() -> None:
    values = ["UA", "ua", "AA", 7, 7.5, -7, None, "한", "\ud800"]
    found = HASHER.hash(values)
    assert len(set(found)) == len(values)
    assert not set(found) & set(ValueHasher(b"another key of a project").hash(values))


def test_a_missing_value_says_only_by_which_key_it_was_hashed() -> None:
    assert HASHER.hash([None]) == ["d4f2e3c9:"] == [HASHER.prefix]


def test_a_missing_key_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NARU_LOG_KEY", raising=False)
    assert find_hasher() is None and require_hasher([]) is None
    with pytest.raises(ConfigError, match="hashes carrier with this key") as caught:
        require_hasher(["carrier"])
    assert "NARU_LOG_KEY" in caught.value.where and "openssl rand -hex 32" in caught.value.remedy


def test_a_short_key_is_refused_and_no_key_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_LOG_KEY", "hunter2")
    with pytest.raises(ConfigError, match="has 7 bytes; must have at least 16") as caught:
        require_hasher(["carrier"])
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("NARU_LOG_KEY", f"{KEY}\n")
    hasher = require_hasher(["carrier"])
    assert hasher and hasher.hash(["UA"]) == HASHER.hash(["UA"]) and KEY not in repr(hasher)
