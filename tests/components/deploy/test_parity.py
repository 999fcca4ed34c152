"""Which served answers are compared with which offline ones, for every kind of client."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import ServiceError
from components._core.examples.samples import Sample
from components._core.types.oip_requests import to_request
from components._core.types.signature import Feature
from components._predictor.feature_values import cast_columns
from components._predictor.refusals import Refusal
from components.deploy.model_client import Answer
from components.deploy.parity import check_parity, check_refusal, compare

FEATURES = (Feature("x", "float32", True),)
SAMPLE = Sample(
    pa.table({"x": pa.array([float(at) for at in range(60)], pa.float32())}),
    {"prediction": 2 * np.arange(60, dtype=np.float32)},
)


class Doubling:
    """Answers with twice the value, and refuses what is not a number; or refuses all."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.rows: list[int] = []

    def infer(self, request: dict[str, Any]) -> Answer:
        values = request["inputs"][0]["data"]
        self.rows.append(len(values))
        if self.refuses or isinstance(values[0], str):
            return Answer(422, {"error": "x takes numbers"}, 0.0)
        answered = [2 * value for value in values]
        return Answer(
            200,
            {"outputs": [{"name": "prediction", "datatype": "FP32", "shape": [len(values)], "data": answered}]},
            0.0,
        )


def test_rows_are_sent_singly_and_together() -> None:
    client = Doubling()
    (check,) = check_parity(client, SAMPLE, FEATURES, 1e-4)
    assert (check.name, check.status, check.n) == ("parity: prediction", "pass", 60)
    assert client.rows == [1] * 50 + [10]


def test_a_server_that_refuses_proper_rows_is_an_error_with_its_words() -> None:
    with pytest.raises(ServiceError, match="refused real test rows with 422: x takes numbers"):
        check_parity(Doubling(refuses=True), SAMPLE, FEATURES, 1e-4)


def test_a_wrong_value_must_be_refused_by_name() -> None:
    assert check_refusal(Doubling(), SAMPLE, FEATURES).status == "pass"
    assert check_refusal(Doubling(), SAMPLE, (Feature("x", "string", True),)).status == "fail"


NAMES = ['it\'s "quoted"', "back\\slash", "line\nbreak", "\u200bhidden", "\x00", "나이", "plain", "tab\t", "'", '"']


@pytest.mark.parametrize("name", NAMES)
def test_a_feature_name_is_recognized_however_it_is_quoted(name: str) -> None:
    feature = Feature(name, "float32", True)

    class Server:
        def infer(self, request: dict[str, Any]) -> Answer:
            try:
                cast_columns({item["name"]: item["data"] for item in request["inputs"]}, (feature,), 10)
            except Refusal as refusal:
                return Answer(400, {"error": str(refusal)}, 0.0)
            raise AssertionError("the value is taken")

    sample = Sample(pa.table({name: pa.array([1.0], pa.float32())}), {"prediction": np.zeros(1, np.float32)})
    assert check_refusal(Server(), sample, (feature,)).status == "pass"


def test_a_missing_value_is_sent_as_null_and_the_rest_as_its_type() -> None:
    rows = pa.table({"a": pa.array([1, None], pa.int64()), "b": pa.array([float("nan"), 0.5], pa.float32())})
    request = to_request(rows, (Feature("a", "float32", True), Feature("b", "float32", True)))
    assert [item["data"] for item in request["inputs"]] == [[1.0, None], [None, 0.5]]
    assert [item["datatype"] for item in request["inputs"]] == ["FP32", "FP32"]


def test_equal_answers_pass() -> None:
    (check,) = compare({"probability": np.array([0.1, 0.9])}, {"probability": np.array([0.1, 0.90001])}, 1e-4)
    assert (check.status, check.n) == ("pass", 2)


def test_answers_that_differ_fail_and_name_the_row() -> None:
    (check,) = compare({"probability": np.array([0.1, 0.9])}, {"probability": np.array([0.1, 0.8])}, 1e-4)
    assert check.status == "fail" and check.measured == pytest.approx(0.1) and "row 1" in check.reason


def test_large_numbers_are_held_to_a_relative_difference() -> None:
    near, far = (np.array([2_000_000.0 + apart], dtype=np.float32) for apart in (1.0, 1_000.0))
    expected = {"prediction": np.array([2_000_000.0], dtype=np.float32)}
    assert compare(expected, {"prediction": near}, 1e-4)[0].status == "pass"
    assert compare(expected, {"prediction": far}, 1e-4)[0].status == "fail"


def test_texts_must_be_equal() -> None:
    expected = {"class": np.array(["a", "b"], dtype=object)}
    assert compare(expected, expected, 1e-4)[0].status == "pass"
    assert compare(expected, {"class": np.array(["a", "c"], dtype=object)}, 1e-4)[0].status == "fail"


def test_an_output_that_is_missing_or_of_another_shape_fails() -> None:
    expected = {"probability": np.zeros(3)}
    assert "served nothing" in compare(expected, {}, 1e-4)[0].reason
    assert "served shape [2]" in compare(expected, {"probability": np.zeros(2)}, 1e-4)[0].reason


@pytest.mark.parametrize(
    "sample",
    [
        Sample(SAMPLE.rows.slice(0, 0), {"prediction": np.zeros(0, np.float32)}),
        Sample(SAMPLE.rows, {}),
    ],
    ids=["no rows", "no answers"],
)
def test_nothing_to_compare_is_never_a_pass(sample: Sample) -> None:
    [check] = check_parity(Doubling(), sample, FEATURES, 1e-5)
    assert check.status == "fail" and check.n == 0 and "nothing can be compared" in check.reason


def test_an_output_without_rows_fails() -> None:
    [check] = compare({"y": np.zeros((0, 3), np.float32)}, {"y": np.zeros((0, 3), np.float32)}, 1.0)
    assert check.status == "fail" and check.n == 0
