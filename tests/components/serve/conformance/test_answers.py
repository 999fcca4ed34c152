"""What every server answers and refuses, whichever protocol it speaks, of real servers."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.components.serve.conformance.conftest import Served, stopped
from tests.components.serve.conformance.wires import ROW, Refused, Rest, Rows, V2Grpc, Wire, request
from tests.components.serve.test_request_log import counts_of, logged, wait_until

AT_ONCE = 40
BURSTS = 8
PLACES = 8
ROWS = 20  # of each: all that are sent at once must fit into the 64 KB that HTTP/2 sends ahead
OF_AN_EXCEPTION = re.compile(r"Traceback|[a-z]Error\b|Exception|0x[0-9a-f]{6}|\.py\b|<html")


def changed(**features: list[Any]) -> Rows:
    return {**ROW, **features}


def times(count: int) -> Rows:
    return {name: values * count for name, values in ROW.items()}


def refused(wire: Wire, rows: Rows) -> Refused:
    with pytest.raises(Refused) as caught:
        wire.ask(rows)
    assert not OF_AN_EXCEPTION.search(caught.value.message)
    return caught.value


def test_a_row_is_answered_with_name_version_and_id(wire: Wire) -> None:
    answer = wire.ask(ROW, id="mine")
    assert (answer.name, answer.version, answer.id) == ("tiny", "3", "mine")
    assert answer.outputs["class"] == ["late"]
    assert sum(answer.outputs["probabilities"][0]) == pytest.approx(1, abs=1e-6)
    assert len(answer.outputs["probabilities"][0]) == 3


def test_a_request_without_an_id_gets_one_of_its_own(wire: Wire) -> None:
    first, second = wire.ask(ROW), wire.ask(ROW)
    assert first.id and first.id != second.id and first.outputs == second.outputs


def test_many_rows_are_answered_like_single_ones(wire: Wire) -> None:
    one, many = wire.ask(ROW).outputs, wire.ask(times(600)).outputs
    assert many["class"] == one["class"] * 600
    assert many["probabilities"][599] == pytest.approx(one["probabilities"][0], abs=1e-6)


def test_a_column_that_training_dropped_may_be_sent_whatever_it_holds_and_changes_nothing(
    wire: Wire, served: Served
) -> None:
    first = wire.ask(ROW).outputs
    answer = wire.ask(changed(tail=[1.5]))  # a column of texts
    assert answer.outputs == first
    assert served.line_of(answer.id)["inputs"].keys() == ROW.keys()


def test_a_nullable_feature_may_be_null_nan_or_left_out(wire: Wire) -> None:
    rest = {name: values for name, values in ROW.items() if name != "delay"}
    answers = [wire.ask(rows).outputs for rows in (changed(delay=[None]), changed(delay=[float("nan")]), rest)]
    assert answers[0] == answers[1] == answers[2] != wire.ask(ROW).outputs


REFUSED: dict[str, tuple[Rows, str]] = {
    "an unknown feature": (changed(dealy=[1.0]), "unknown_feature: unknown feature 'dealy'; did you mean 'delay'"),
    "a feature left out": ({"delay": [30.0]}, "missing_feature: 'month' is missing; it is required, as int64"),
    "a value left out": (changed(carrier=[None]), "missing_feature: 'carrier', row 0"),
    "a text for a number": (changed(month=["6"]), "wrong_type: 'month'"),
    "a fraction for a whole number": (changed(month=[6.5]), "wrong_type: 'month'"),
    "features of two lengths": (changed(month=[6, 7]), "wrong_shape: "),
    "no rows": ({name: [] for name in ROW}, "wrong_shape: 'delay' has no values"),
    "no feature": ({}, "missing_feature: "),
    "a number too large": (changed(noise=[1e300]), "not_finite: 'noise', row 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_request_is_refused_with_the_name_of_what_is_wrong(wire: Wire, case: str) -> None:
    rows, message = REFUSED[case]
    refusal = refused(wire, rows)
    assert refusal.status == 400 and refusal.message.startswith(message)


def test_an_infinity_is_refused(wire: Wire) -> None:
    refusal = refused(wire, changed(noise=[float("inf")]))
    is_no_json = refusal.status == 422  # MLServer keeps to JSON, which has none
    assert is_no_json or (refusal.status == 400 and refusal.message.startswith("not_finite: 'noise', row 0"))


def test_too_many_rows_are_refused(wire: Wire) -> None:
    refusal = refused(wire, times(1_001))
    assert refusal.status in (413, 400)  # gRPC has no code of its own for it
    assert refusal.message == "too_many_rows: 1001 rows in one request; at most 1000 are allowed"


def test_rest_and_grpc_answer_alike(wires: tuple[Wire, Wire]) -> None:
    over_rest, over_grpc = (wire.ask(ROW).outputs for wire in wires)
    assert over_rest["class"] == over_grpc["class"]
    assert over_rest["probabilities"][0] == pytest.approx(over_grpc["probabilities"][0], abs=1e-6)


@pytest.mark.parametrize("body", [b"{no json", b"", b"[1, 2]", b'{"rows": 1}', b'"text"', b"\xff\xfe"])
def test_an_invalid_body_is_the_clients_mistake(rest: Rest, body: bytes) -> None:
    reply = rest.send(body)
    assert reply.status in (400, 422) and not OF_AN_EXCEPTION.search(str(reply.content))
    assert isinstance(reply.content, dict)


def test_a_path_that_is_not_there_is_answered_in_json(rest: Rest) -> None:
    reply = request(f"{rest.address}/nowhere")
    assert reply.status == 404 and isinstance(reply.content, dict)


def test_readiness_is_reported(rest: Rest) -> None:
    assert rest.is_ready()


def test_the_counters_agree_with_what_was_sent(wire: Wire, served: Served) -> None:
    before = served.counters()
    for _ in range(3):
        wire.ask(times(5))
    refused(wire, changed(month=["6"]))
    grown = {name: value - before[name] for name, value in served.counters().items() if value != before[name]}
    assert grown["naru_requests_total"] == 4 and grown["naru_rows_total"] == 15
    assert grown["naru_request_seconds_count"] == 3 and grown["naru_request_seconds_sum"] > 0
    reasons = {name: value for name, value in grown.items() if name.startswith("naru_refusals_total")}
    assert reasons == {'naru_refusals_total{code="wrong_type"}': 1}


@pytest.mark.slow
def test_what_comes_above_the_limit_is_refused_at_once_and_the_rest_answered_right(wire: Wire, served: Served) -> None:
    # a busy machine may let a quick model answer each of a burst over gRPC before the next is taken in
    bursts = 1 if isinstance(wire, Rest) else BURSTS
    refused = next((count for count in (burst(wire, served) for _ in range(bursts)) if count), 0)
    assert refused or isinstance(wire, V2Grpc)  # seen: MLServer answers a small one of gRPC before it takes in the next


def burst(wire: Wire, served: Served) -> int:
    """Ask more at once than there are places; returns how many were refused, the rest answered right."""
    before, expected = served.counters(), wire.ask(times(ROWS)).outputs["class"]
    with ThreadPoolExecutor(AT_ONCE) as clients:
        with stopped(served.pid):
            waiting = [clients.submit(wire.ask, times(ROWS), str(number)) for number in range(AT_ONCE)]
        ended = [(str(number), future.exception() or future.result()) for number, future in enumerate(waiting)]
    answers = [(number, answer) for number, answer in ended if not isinstance(answer, Exception)]
    busy = [refusal for _, refusal in ended if isinstance(refusal, Refused)]
    assert answers and len(answers) + len(busy) == AT_ONCE
    assert all(answer.id == number and answer.outputs["class"] == expected for number, answer in answers)
    message = f"too_busy: {PLACES} requests are in progress; try again in a moment"
    assert {(refusal.status, refusal.message) for refusal in busy} <= {(429, message)}
    name = 'naru_refusals_total{code="too_busy"}'
    assert served.counters()[name] - before[name] == len(busy) and served.counters()["naru_in_flight"] == 0
    return len(busy)


def test_an_answer_is_found_in_the_log_by_its_id(wire: Wire, served: Served) -> None:
    answer = wire.ask(changed(delay=[None]))
    line = served.line_of(answer.id)
    assert line["inputs"] == {"delay": [None], "month": [6], "carrier": None, "noise": [0.5]}
    assert line["masked"] == ["carrier"] and (line["model"], line["version"]) == ("tiny", "3")
    assert line["share"] == 1.0 and len(line["schema"]) == 16 and line["log"] == 2
    assert line["outputs"]["class"] == answer.outputs["class"] and line["latency_ms"] > 0
    assert line["outputs"]["probabilities"][0] == pytest.approx(answer.outputs["probabilities"][0], abs=1e-6)


def test_a_refused_request_is_not_logged_but_counted_by_its_code(wire: Wire, served: Served) -> None:
    before = counts_of(served.log).refused["3", "wrong_type"]
    with pytest.raises(Refused):
        wire.ask(changed(month=["6"]), id="refused")
    after = wire.ask(ROW)
    wait_until(lambda: after.id in {line["id"] for line in logged(served.log)})
    assert "refused" not in {line["id"] for line in logged(served.log)}
    wait_until(lambda: counts_of(served.log).refused["3", "wrong_type"] == before + 1)
