"""Values that differ only by case or blanks; words for yes and no."""

import pytest

from components._data.columns.categories import describe_variants, find_variants, is_yes_or_no


def test_values_that_differ_by_case_or_blanks_are_found_the_frequent_first() -> None:
    values = {"Yes": 5, "yes": 9, "no": 1, "no ": 4, "perhaps": 2}
    assert find_variants(values) == [["yes", "Yes"], ["no ", "no"]]


def test_words_for_yes_and_no_are_recognised_in_any_case() -> None:
    assert is_yes_or_no({"Y": 1, "n": 2}) and is_yes_or_no({"예": 1, "아니오": 1})
    assert not is_yes_or_no({"yes": 1, "no": 1, "perhaps": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("yes", "yes\u200b"),
        ("7", "\uff17"),
        ("A", "\uff21"),
        ("\ufeffno", "no"),
        ("\uac00", "\u1100\u1161"),
    ],
)
def test_values_that_look_alike_are_found_and_shown_by_their_code(one: str, other: str) -> None:
    (ways,) = find_variants({one: 3, other: 2, "b": 1})
    assert ways == [one, other]
    told = describe_variants(ways)
    assert told.isascii() and "look alike" in told and ascii(one) in told and ascii(other) in told


def test_other_letters_are_other_values() -> None:
    assert find_variants({"e": 1, "\u00e9": 1, "\u0435": 1, "l": 1, "1": 1}) == []
