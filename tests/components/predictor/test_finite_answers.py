"""An answer that is not finite is refused with its row, and with what is unusual in that row."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from components._predictor.finite_answers import check_finite, shown_id
from components._predictor.refusals import Refusal

NAN, INF = float("nan"), float("inf")
INPUTS = {
    "amount": np.array([1.0, 2.0, NAN, 4.0], np.float32),
    "duration": np.array([6, 0, 12, 12], np.int64),
    "sex": np.array(["f", "", "m", "m"], object),
}
RANGES = {"amount": (1.0, 100.0), "duration": (4.0, 72.0)}


def refusal(outputs: dict[str, list[object]], ranges: dict[str, tuple[float, float]]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        check_finite({name: np.array(values) for name, values in outputs.items()}, INPUTS, ranges, "mine")
    assert caught.value.status == 500
    return caught.value


CASES = {
    "missing and outside": ([0.5, INF, 0.5, 0.5], RANGES, "row 1; missing in row 1: 'sex'; outside the training range in row 1: 'duration'"),
    "missing only": ([0.5, 0.5, NAN, 0.5], RANGES, "row 2; missing in row 2: 'amount'"),
    "nothing unusual": ([0.5, 0.5, 0.5, -INF], RANGES, "row 3; no feature of row 3 is missing or outside its training range"),
    "no range is known": ([0.5, 0.5, 0.5, NAN], {}, "row 3; no feature of row 3 is missing"),
    "several rows": ([0.5, NAN, NAN, NAN], {}, "row 1 (and 2 more); missing in row 1: 'sex'"),
    "of several classes": ([[0.5, 0.5], [0.5, 0.5], [0.5, NAN], [0.5, 0.5]], {}, "row 2; missing in row 2: 'amount'"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_first_such_row_is_named(case: str) -> None:
    values, ranges, expected = CASES[case]
    error = refusal({"class": ["a", "b", "c", "d"], "probability": values}, ranges)
    assert str(error) == f"model_failed: the model's probability is not a finite number in {expected}"


def test_the_log_has_the_requests_id_and_no_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "naru.serve"):
        refusal({"probability": [0.5, NAN, 0.5, 0.5]}, RANGES)
    (line,) = caplog.messages
    assert line.startswith("request mine: the model's probability is not a finite number in row 1; ")


def test_a_finite_answer_passes() -> None:
    check_finite({"probability": np.array([0.5]), "class": np.array(["a"], object)}, INPUTS, RANGES)


@pytest.mark.parametrize("request_id", ["a\nERROR naru.serve: all is lost", "\x1b[2J", "\u2028", "\ud800"])
def test_a_client_writes_no_lines_of_its_own_to_the_log(request_id: str) -> None:
    assert shown_id(request_id).isprintable() and shown_id(request_id).isascii()
    assert shown_id("plain-é 1") == "plain-é 1" and shown_id("") == "without an id"
