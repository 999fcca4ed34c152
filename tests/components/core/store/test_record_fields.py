"""A damaged line of a log of records says what is wrong in our words."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.errors import ServiceError
from components._core.store.approvals import open_approvals, read_requests
from components._core.store.rollout_history import read_changes
from components.watch.records import open_records, read_history

READ = {
    "triggers": lambda store: read_history(open_records(store, "p")),
    "approvals": lambda store: read_requests(open_approvals(store, "p")),
    "rollouts": lambda store: read_changes(store, "p"),
}


@pytest.mark.parametrize("log", READ)
@pytest.mark.parametrize(
    ("content", "message"),
    [("[]", "must be a mapping"), ("null", "must be a mapping"), ("7", "must be a mapping"), ("{}", "lacks '")],
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, log: str, content: str, message: str) -> None:
    (tmp_path / "p" / log).mkdir(parents=True)
    (tmp_path / "p" / log / "000001-0123456789abcdef01234567.json").write_text(content)
    with pytest.raises(ServiceError, match=message) as raised:
        READ[log](str(tmp_path))
    assert "000001-" in raised.value.where and "object" not in str(raised.value) and "__init__" not in str(raised.value)
