from pathlib import Path

import pytest

from components._core.errors import ServiceError
from components._core.store.rollout_history import Change, append_change, read_changes


def test_changes_are_read_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    first = Change("r1", "start", "4", {"3": 100.0}, "2026-01-31T09:30:00+00:00", "ada", "training run r")
    second = Change(
        "r1", "roll back", "4", {"3": 100.0}, "2026-01-31T09:31:00+00:00", "ada", "", "failed", "it crashes"
    )
    for change in (first, second):
        append_change(str(tmp_path), "p", change)
    assert read_changes(str(tmp_path), "p") == [first, second]
    assert read_changes(str(tmp_path), "other") == []


def test_a_damaged_line_is_reported_with_its_file(tmp_path: Path) -> None:
    file = Path(append_change(str(tmp_path), "p", Change("r", "start", "4")))
    file.write_text('{"rollout": "r"}')
    with pytest.raises(ServiceError, match="damaged line of the rollout history") as error:
        read_changes(str(tmp_path), "p")
    assert error.value.where == str(file)
