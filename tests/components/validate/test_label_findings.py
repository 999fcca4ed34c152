from __future__ import annotations

from collections import Counter

import pytest

from components.validate.label_findings import check_label, in_order


def _messages(project, kind="int64", **counts):
    splits = {split: Counter(counts.get(split, {})) for split in ("train", "eval", "test")}
    return {finding.kind: finding.message for finding in check_label(project, kind, splits)}


def test_a_binary_label_with_two_values_is_good(project):
    assert _messages(project(), train={"0": 50, "1": 20}, eval={"0": 5}) == {}


def test_a_label_with_one_value_is_reported(project):
    assert "has the value '0' in every training row" in _messages(project(), train={"0": 50})["label_values"]


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_binary_label_with_a_third_value_anywhere_is_reported(project, split):
    counts = {"train": {"0": 50, "1": 20}}
    counts[split] = counts.get(split, {}) | {"2": 10}
    assert "has 3 values ('0', '1', '2')" in _messages(project(), **counts)["label_values"]


def test_a_positive_value_that_the_label_lacks_is_reported_with_what_it_has(project):
    messages = _messages(project(positive="yes"), train={"0": 50, "1": 20})
    assert "positive: 'yes' is not a value of the label 'late', which has '0', '1'" in messages["label_values"]


def test_a_regression_needs_numbers(project):
    of = project(task="regression")
    assert "label_values" in _messages(of, kind="string")
    assert _messages(of, kind="float32") == {}


@pytest.mark.parametrize("number", [2, 1_500])
def test_a_label_of_lists_is_reported_with_what_is_done_instead(project, number):
    lists = {f'["a", "b{each}"]': 20 for each in range(number)}
    message = _messages(project(task="multiclass_classification"), kind="string", train=lists)["label_values"]
    assert """has a list in each training row, such as '["a", "b0"]'""" in message
    assert "make a project for each over the same table" in message


def test_a_label_of_which_some_values_have_brackets_is_good(project):
    train = {"[a]": 50, "[1]": 50, "b": 20}
    assert _messages(project(task="multiclass_classification"), kind="string", train=train) == {}


def test_classes_that_are_rare_or_only_outside_train_are_reported(project):
    messages = _messages(project(task="multiclass_classification"), train={"a": 50, "b": 20, "c": 9}, test={"d": 1})
    assert messages == {
        "rare_class": "only 9 training rows have late = c",
        "label_unseen": "test has label values that train lacks: 'd'; the model cannot learn them",
    }


def test_values_are_ordered_as_numbers_where_they_are(project):
    assert list(in_order(Counter({"10": 1, "9": 1, "b": 1, "a": 1}))) == ["9", "10", "a", "b"]
