"""How much is kept: a number of the newest ones, an age, or all."""

from __future__ import annotations

import pytest

from components._core.project.keep_config import parse_keep


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10", "the newest 10"),
        ("30d", "up to 30 days"),
        ("2w", "up to 14 days"),
        ("1d", "up to 24 hours"),
        ("90min", "up to 1.5 hours"),
        ("all", "all"),
    ],
)
def test_a_rule_is_shown_as_a_person_says_it(text: str, shown: str) -> None:
    assert str(parse_keep(text)) == shown


@pytest.mark.parametrize("text", ["6m", "1m", "1.5 m", "12 m"])
def test_an_age_that_may_be_minutes_or_months_removes_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="may be minutes or months"):
        parse_keep(text)
