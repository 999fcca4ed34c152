"""Values that differ only by case or blanks; words for yes and no."""

from components._data.columns.categories import find_variants, is_yes_or_no


def test_values_that_differ_by_case_or_blanks_are_found_the_frequent_first() -> None:
    values = {"Yes": 5, "yes": 9, "no": 1, "no ": 4, "perhaps": 2}
    assert find_variants(values) == [["yes", "Yes"], ["no ", "no"]]


def test_words_for_yes_and_no_are_recognised_in_any_case() -> None:
    assert is_yes_or_no({"Y": 1, "n": 2}) and is_yes_or_no({"예": 1, "아니오": 1})
    assert not is_yes_or_no({"yes": 1, "no": 1, "perhaps": 1})
