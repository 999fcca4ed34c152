"""Labels that are posted to every server, whichever protocol it speaks: taken, refused, and refused where it takes none."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from components.deploy.targets.local.server_process import free_port
from tests.components.serve.conformance.conftest import Kind, Served, ready_line
from tests.components.serve.conformance.seldon_messages import Feedback
from tests.components.serve.conformance.test_answers import OF_AN_EXCEPTION, times
from tests.components.serve.conformance.wires import Refused, Rest, SeldonGrpc
from tests.components.serve.conftest import Make
from tests.components.serve.test_request_log import logged, wait_until


def refused(rest: Rest, content: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        rest.post_labels(content)
    assert not OF_AN_EXCEPTION.search(caught.value.message)
    return caught.value


def post(url: str, body: bytes, **headers: str) -> int:
    message = urllib.request.Request(url, body, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(message, timeout=120) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_labels_of_an_answer_are_written_with_its_id_and_rows_and_count_as_no_request(
    served: Served, rest: Rest
) -> None:
    rest.ask(times(3), id="labelled")
    before = served.counters()
    assert rest.post_labels(rest.labels_of("labelled", ["late", None, "diverted"])) == 3
    wait_until(lambda: [line for line in logged(served.labels) if line["id"] == "labelled"])
    lines = [line for line in logged(served.labels) if line["id"] == "labelled"]
    assert [(line["row"], line["label"]) for line in lines] == [(0, "late"), (1, None), (2, "diverted")]
    assert all(line["time"].endswith("+00:00") for line in lines)
    wait_until(lambda: served.counters()["naru_feedback_waiting"] == 0)
    after = served.counters()
    assert after["naru_feedback_labels_total"] - before["naru_feedback_labels_total"] == 3
    assert after["naru_feedback_written_total"] >= 3
    assert after["naru_requests_total"] == before["naru_requests_total"], "a label is no prediction"


REFUSED: dict[str, tuple[str, list[Any], int, str]] = {
    "a label of another type": ("a", ["late", 0.5, [1, 2]], 400, "wrong_"),
    "no label": ("a", [], 400, "wrong_shape"),
    "no id": ("", ["late"], 400, "wrong_type"),
    "an id that is too long": ("x" * 129, ["late"], 400, "over_limit"),
    "a label that is too long": ("a", ["x" * 257], 400, "over_limit"),
    "more labels than rows are allowed": ("a", ["late"] * 1_001, 413, "too_many_rows"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_label_is_refused_with_its_code_and_nothing_of_it_is_kept(
    served: Served, rest: Rest, what: str
) -> None:
    answer, labels, status, code = REFUSED[what]
    before = served.counters()
    found = refused(rest, rest.labels_of(answer, labels))
    assert found.status == status and found.message.startswith(code)
    after = served.counters()
    assert after["naru_feedback_labels_total"] == before["naru_feedback_labels_total"]
    refusals = [name for name in after if name.startswith("naru_feedback_refusals") and after[name] > before[name]]
    assert [code in name for name in refusals] == [True]
    assert sum(after[name] - before[name] for name in after if name.startswith("naru_refusals")) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 1_500, b"7", b'{"labels": 7}', b"null"])
def test_a_body_that_is_none_is_a_plain_error(rest: Rest, body: bytes) -> None:
    found = refused(rest, body)
    assert found.status == 400 and found.message.startswith("wrong_shape: ")


def test_a_body_is_bounded_and_may_be_packed(rest: Rest) -> None:
    url, body = rest.address + rest.feedback, json.dumps(rest.labels_of("packed", ["late"])).encode()
    json_type = {"Content_Type": "application/json"}
    assert post(url, gzip.compress(body), Content_Encoding="gzip", **json_type) == 200
    assert post(url, gzip.compress(b" " * 5_000_000 + body), Content_Encoding="gzip", **json_type) == 413
    assert post(url, b" " * 5_000_000 + body, **json_type) == 413
    assert post(url, body, Content_Type="text/csv") == 415
    assert post(url, body, Content_Encoding="br", **json_type) == 415


@pytest.mark.slow
def test_a_server_that_was_not_opened_takes_no_label_and_says_what_opens_it(kind: Kind, model: Make) -> None:
    port = free_port()
    process = kind.start(model(), port=port)
    ready_line(process)
    rest = kind.rest(f"http://127.0.0.1:{port}")
    found = refused(rest, rest.labels_of("a", ["late"]))
    assert found.status == 404 and "endpoint: true" in found.message
    process.terminate()
    process.communicate(timeout=120)


@pytest.mark.slow
def test_sigterm_writes_labels_that_wait(kind: Kind, model: Make, tmp_path: Any) -> None:
    port = free_port()
    process = kind.start(model(), "--feedback", str(tmp_path), "--log-flush-seconds", "600", port=port)
    ready_line(process)
    rest = kind.rest(f"http://127.0.0.1:{port}")
    assert rest.post_labels(rest.labels_of("last", ["late"])) == 1
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 0 and [line["id"] for line in logged(tmp_path)] == ["last"]


@pytest.mark.slow
@pytest.mark.parametrize("service", ["Seldon", "Model"])
def test_labels_over_grpc_are_taken_as_those_over_http_are(served_seldon: Served, service: str) -> None:
    wire, answer = served_seldon.grpc, f"over-grpc-{service}"
    assert isinstance(wire, SeldonGrpc)
    message = Feedback(reward=1.0)
    message.response.meta.puid = answer
    message.truth.data.ndarray.extend(["late", None, "diverted"])
    before = served_seldon.counters()
    assert wire.post_labels(message, service) == 3
    wait_until(lambda: [line for line in logged(served_seldon.labels) if line["id"] == answer])
    lines = [line for line in logged(served_seldon.labels) if line["id"] == answer]
    assert [(line["row"], line["label"]) for line in lines] == [(0, "late"), (1, None), (2, "diverted")]
    message.truth.data.ndarray.extend(["x" * 257])
    with pytest.raises(Refused, match="over_limit") as caught:
        wire.post_labels(message, service)
    assert caught.value.status == 400
    after = served_seldon.counters()
    assert after["naru_feedback_labels_total"] - before["naru_feedback_labels_total"] == 3
    name = next(each for each in after if each.startswith("naru_feedback_refusals_total") and "over_limit" in each)
    assert after[name] == before[name] + 1 and after["naru_requests_total"] == before["naru_requests_total"]
