"""What a posted label may be: id and row within the limits, and a label of the task."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from components._core.request_log.posted_labels import PostedLabel
from components._core.types.signature import Feature, Signature
from components._predictor.refusals import Refusal
from components.serve.label_rules import LabelRules
from components.serve.limits import Limits

TASKS = {
    "binary_classification": ("0", "1"),
    "multiclass_classification": ("early", "late", "on time"),
    "regression": (),
}


def rules(task: str = "multiclass_classification", classes: tuple[str, ...] | None = None, **limits: int) -> LabelRules:
    signature = Signature(task, (Feature("x", "float32", True),), {}, TASKS[task] if classes is None else classes)
    return LabelRules(signature, Limits(**{"rows": 5, **limits}))


def read(given: LabelRules, *labels: dict[str, Any]) -> list[PostedLabel]:
    return given.read(json.dumps({"labels": labels}).encode())


def refused(given: LabelRules, body: object, *, truth: bool = False) -> str:
    content: Any = body if truth or isinstance(body, bytes) else json.dumps(body).encode()
    read_body = given.read_truth if truth else given.read
    with pytest.raises(Refusal) as caught:
        read_body(content)
    return str(caught.value)


def test_one_label_or_several_with_the_row_zero_where_none_is_named() -> None:
    one = {"id": "a", "label": "late"}
    assert rules().read(json.dumps(one).encode()) == [PostedLabel("a", 0, "late")]
    assert read(rules(), one, {"id": "a", "row": 4, "label": None}) == [("a", 0, "late"), ("a", 4, None)]


@pytest.mark.parametrize(
    ("task", "classes", "given", "kept"),
    [
        ("binary_classification", None, 1, "1"),
        ("binary_classification", None, 1.0, "1"),
        ("binary_classification", None, "1", "1"),
        ("binary_classification", None, True, "1"),
        ("binary_classification", ("false", "true"), True, "true"),
        ("multiclass_classification", None, "late", "late"),
        ("multiclass_classification", None, "diverted", "diverted"),  # a class that the model has never seen is a label
        ("multiclass_classification", ("1", "2", "3"), 4, "4"),
        ("regression", None, 2, 2),
        ("regression", None, -0.5, -0.5),
        ("regression", None, 2**63 - 1, 2**63 - 1),
        ("regression", None, 10**300, 1e300),
        ("regression", None, -(2**63), -(2.0**63)),
    ],
)
def test_a_label_of_the_task_is_kept(task: str, classes: tuple[str, ...] | None, given: object, kept: object) -> None:
    (found,) = read(rules(task, classes), {"id": "a", "label": given})
    assert found.label == kept and type(found.label) is type(kept)


@pytest.mark.parametrize(
    ("task", "label", "code"),
    [
        ("binary_classification", 2, "wrong_type: the label 2 is no class of this model; allowed: '0', '1', or null"),
        ("binary_classification", "yes", "wrong_type: the label 'yes' is no class"),
        ("binary_classification", 0.5, "wrong_type: the label 0.5 is no class"),
        ("binary_classification", [1], "wrong_type: the label must be a class, found [1]"),
        ("multiclass_classification", "", "wrong_type: the label must be a class"),
        ("multiclass_classification", "x" * 300, "over_limit: the label 'xxxx"),
        ("multiclass_classification", "\ud800", "wrong_type: the label must be a class"),
        ("multiclass_classification", "\x00", "wrong_type: the label must be a class"),
        ("multiclass_classification", "late\n", "wrong_type: the label must be a class"),
        ("multiclass_classification", "late\u200b", "wrong_type: the label must be a class"),
        ("multiclass_classification", "la\u200dte", "wrong_type: the label must be a class"),
        # the place in a list of classes, as argmax gives it, would become a class of its own
        ("multiclass_classification", 1, "wrong_type: the label must be a class, found 1; allowed: 'early'"),
        ("multiclass_classification", 1.5, "wrong_type: the label must be a class, found 1.5"),
        ("multiclass_classification", True, "wrong_type: the label must be a class, found True"),
        (
            "multiclass_classification",
            "LATE ",
            "wrong_type: the label 'LATE ' differs from the class 'late' in case or blanks only; send 'late'",
        ),
        ("multiclass_classification", "on  time", "wrong_type: the label 'on  time' differs from the class 'on time'"),
        ("regression", "3.5", "wrong_type: the label must be a number or null, found '3.5'"),
        ("regression", True, "wrong_type: the label must be a number"),
        ("regression", float("nan"), "not_finite: "),
        ("regression", float("inf"), "not_finite: "),
        ("regression", 10**400, "not_finite: "),
    ],
)
def test_another_label_is_refused_with_what_is_allowed(task: str, label: object, code: str) -> None:
    assert refused(rules(task), {"id": "a", "label": label}).startswith(code)


FAMILY, GOES = "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0645\u06cc\u200c\u0634\u0648\u062f"


def test_a_new_class_of_emoji_or_of_a_script_with_joiners_is_a_label() -> None:
    for label in (FAMILY, GOES):
        assert read(rules("multiclass_classification"), {"id": "a", "label": label}) == [("a", 0, label)]


def test_a_class_that_differs_in_joiners_only_is_refused_with_the_one_that_is_known() -> None:
    given = rules("multiclass_classification", (GOES, "yes", "no"))
    assert read(given, {"id": "a", "label": GOES}) == [("a", 0, GOES)]
    said = refused(given, {"id": "a", "label": GOES.replace("\u200c", "")})
    assert said.startswith("wrong_type: the label") and "in joiners only; send" in said


def test_a_class_with_a_line_break_and_two_classes_that_differ_in_case_are_labels() -> None:
    given = rules(classes=("a\nb", "yes", "Yes"))
    for label in ("a\nb", "yes", "Yes", "no"):
        assert read(given, {"id": "a", "label": label}) == [("a", 0, label)]


def test_many_keys_of_which_the_last_occurs_twice_are_refused_at_once() -> None:
    keys = b",".join(b'"%d":0' % number for number in range(40_000))
    started = time.process_time()
    assert refused(rules(rows=10_000), b"{" + keys + b',"z":0,"z":0}').startswith(
        "wrong_shape: in the body key 'z' occurs twice"
    )
    assert time.process_time() - started < 1
    long = refused(rules(rows=10_000), b'{"%b":0,"%b":0}' % (b"k" * 90_000, b"k" * 90_000))
    assert "occurs twice" in long and len(long) < 400


def test_a_byte_order_mark_is_ignored_and_each_protocol_hears_of_its_own_form() -> None:
    body = json.dumps({"id": "a", "label": "late"}).encode()
    assert rules().read(b"\xef\xbb\xbf" + body) == [("a", 0, "late")]
    with pytest.raises(Refusal, match="truth"):
        rules().parse_truth(b"{")


def test_a_class_of_whole_numbers_is_one() -> None:
    assert "no class of this model" in refused(rules(classes=("1", "2", "3")), {"id": "a", "label": "late"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "wrong_shape: the body is not JSON"),
        (b"\xff", "wrong_shape: the body is not JSON"),
        (b'{"id": "a", "id": "b", "label": 1}', "wrong_shape: in the body key 'id' occurs twice"),
        (b"[" * 900, "wrong_shape: the body is not JSON"),
        ([], "wrong_shape: the body is no object"),
        ("late", "wrong_shape: the body is no object"),
        ({"labels": []}, "wrong_shape: labels must be a list with at least one"),
        ({"labels": {}}, "wrong_shape: labels must be a list"),
        ({"labels": [7]}, "wrong_shape: not an object"),
        ({"id": "a"}, "wrong_shape: label is missing; a label of null says"),
        ({"label": "late"}, "wrong_shape: id is missing"),
        ({"id": "a", "label": "late", "reward": 1}, "wrong_shape: unknown key 'reward'; allowed: id, row, label"),
        ({"id": 7, "label": "late"}, "wrong_type: the id must be the text that came with the answer, found 7"),
        ({"id": "", "label": "late"}, "wrong_type: the id must be"),
        ({"id": "\ud800", "label": "late"}, "wrong_type: the id must be"),
        ({"id": "é" * 65, "label": "late"}, "over_limit: the id"),
        ({"id": "a", "row": -1, "label": "late"}, "wrong_type: the row must be a whole number from 0 to 4, found -1"),
        ({"id": "a", "row": 5, "label": "late"}, "wrong_type: the row must be a whole number from 0 to 4, found 5"),
        ({"id": "a", "row": 1.0, "label": "late"}, "wrong_type: the row"),
        ({"id": "a", "row": True, "label": "late"}, "wrong_type: the row"),
        (
            {"labels": [{"id": "a", "label": "late"}] * 6},
            "too_many_rows: 6 labels in one request; at most 5 are allowed",
        ),
        (b'{"labels": [' + b"[]," * 2_000 + b"[]]}", "too_many_rows: more than 5 labels"),
    ],
)
def test_a_body_that_is_none_is_refused_with_what_is_wrong(body: object, message: str) -> None:
    assert refused(rules(), body).startswith(message)


def test_of_many_labels_the_wrong_one_is_named_and_none_is_taken() -> None:
    good, bad = {"id": "a", "label": "late"}, {"id": "", "label": "late"}
    assert refused(rules(), {"labels": [good, bad]}).startswith("wrong_type: label 1: the id")


# Seldon's protocol


def message(truth: object, puid: object = "a", request: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"truth": truth, "reward": 0.0}
    if puid is not None:
        found["response"] = {"meta": {"puid": puid}, "jsonData": {}}
    if request is not None:
        found["request"] = {"meta": {"puid": request}}
    return found


@pytest.mark.parametrize(
    "truth",
    [
        {"data": {"ndarray": ["late", None]}},
        {"data": {"names": ["y"], "ndarray": [["late"], [None]]}},
        {"jsonData": ["late", None]},
    ],
)
def test_truth_has_a_label_for_each_row(truth: dict[str, Any]) -> None:
    assert rules().read_truth(message(truth)) == [("a", 0, "late"), ("a", 1, None)]


def test_truth_of_numbers_of_one_text_and_of_a_later_row() -> None:
    tensor = {"data": {"tensor": {"shape": [2, 1], "values": [1.0, 0.0]}}}
    assert rules("binary_classification").read_truth(message(tensor)) == [("a", 0, "1"), ("a", 1, "0")]
    assert rules().read_truth(message({"strData": "late"}, None, "b")) == [("b", 0, "late")]
    later = {"jsonData": "late", "meta": {"tags": {"row": 3.0}}}  # over gRPC every number is a float
    assert rules().read_truth(message(later)) == [("a", 3, "late")]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ([], "wrong_shape: the body is no object"),
        ({"reward": 1.0, "response": {"meta": {"puid": "a"}}}, "wrong_shape: truth is missing"),
        (message({}), "wrong_shape: truth has neither"),
        (message({"binData": "AA=="}), "wrong_shape: truth has neither"),
        # a tensor without values is no label of null, which would say that there will never be one
        (message({"data": {"tensor": {"shape": [1]}}}), "wrong_shape: truth.data.tensor must be"),
        (message({"data": {"tensor": {"values": None}}}), "wrong_shape: truth.data.tensor must be"),
        (
            message({"data": {"tensor": {"shape": [2, 2], "values": [1, 0, 0, 1]}}}),
            "wrong_shape: truth.data.tensor has shape [2, 2] and 4 values",
        ),
        (message({"data": {"tensor": {"shape": [5], "values": [1]}}}), "wrong_shape: truth.data.tensor has shape [5]"),
        (
            message({"data": {"tensor": {"values": [1]}, "ndarray": [0]}}),
            "wrong_shape: truth has data.ndarray and data.tensor; send one",
        ),
        (
            message({"data": {"ndarray": ["late"]}, "jsonData": ["early"]}),
            "wrong_shape: truth has data.ndarray and jsonData",
        ),
        (
            message({"data": {"ndarray": ["late"]}, "strData": "early"}),
            "wrong_shape: truth has data.ndarray and strData",
        ),
        (message({"jsonData": []}), "wrong_shape: truth must be a list with one label for each row"),
        (message({"jsonData": {"y": 1}}), "wrong_shape: truth must be a list"),
        (message({"data": {"ndarray": [["late", "early"]]}}), "wrong_shape: truth must be a list"),
        (
            message({"jsonData": None}, None),
            "wrong_type: response.meta.puid: the id must be the text that came with the answer, found None",
        ),
        (
            message({"jsonData": None}, 7),
            "wrong_type: response.meta.puid: the id must be the text that came with the answer, found 7",
        ),
        (message({"jsonData": None}, ["a"]), "wrong_type: response.meta.puid: the id must be"),
        # a row that is not read would give the label to another one
        (message({"jsonData": "late", "meta": [{"tags": {"row": 3}}]}), "wrong_shape: truth.meta must be an object"),
        (message({"jsonData": "late", "meta": {"tags": [3]}}), "wrong_shape: truth.meta.tags must be an object"),
        (
            message({"jsonData": ["late"]}, "a", "b"),
            "wrong_shape: response.meta.puid and request.meta.puid are different",
        ),
        (message({"jsonData": ["late"] * 6}), "too_many_rows: 6 labels"),
        (message({"jsonData": ["late"] * 2, "meta": {"tags": {"row": 4}}}), "wrong_type: truth: the row"),
        (message({"jsonData": "late", "meta": {"tags": {"row": "x"}}}), "wrong_type: truth.meta.tags.row: the row"),
        (message({"jsonData": ["late", 0.5]}), "wrong_type: truth, row 1: the label"),
    ],
)
def test_a_message_without_a_label_for_each_row_is_refused(body: Any, text: str) -> None:
    given = rules("binary_classification", ("late", "early")) if "row 1" in text else rules()
    assert refused(given, body, truth=True).startswith(text)
