"""The client of a version under test: values arrive as the champion took them, and every failure has a code."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from components._core.types.signature import Feature, Signature
from components.deploy.targets.local.server_process import free_port
from components.serve.live_test.challenger_client import ChallengerClient, ChallengerError

SIGNATURE = Signature(
    "binary_classification",
    (Feature("delay", "float32", True), Feature("month", "int64", False), Feature("carrier", "string", True)),
    {"probability": "float32"},
    ("0", "1"),
)
COLUMNS = {"delay": np.array([0.1, np.nan]), "month": np.array([7.0, 8.0]), "carrier": ["UA", b"AA"]}
OUTPUT = {"name": "probability", "datatype": "FP32", "shape": [2], "data": [0.25, 0.5]}
V2 = {"model_version": "4", "outputs": [OUTPUT]}
SELDON = {"jsonData": {"probability": [0.25, 0.5]}, "meta": {"tags": {"model_version": "4"}}}


class Stub:
    """What a server was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: tuple[int, Any] = (200, V2)
        self.inputs = ["delay", "month", "carrier"]
        self.connections = 0
        self.port = 0
        self.may = threading.Event()
        self.may.set()


@contextmanager
def running() -> Iterator[Stub]:
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            stub.connections += 1
            super().setup()

        def do_GET(self) -> None:
            self._send(200, {"inputs": [{"name": name} for name in stub.inputs]})

        def do_POST(self) -> None:
            stub.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            stub.may.wait(30)
            if stub.answer[0] == 0:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._send(*stub.answer)

        def _send(self, status: int, content: Any) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()


def client(port: int, protocol: str = "v2", seconds: float = 5.0) -> ChallengerClient:
    return ChallengerClient(f"http://127.0.0.1:{port}", "tiny", "4", protocol, SIGNATURE, seconds)


def test_values_are_sent_as_the_protocol_has_them_over_one_connection() -> None:
    with running() as stub:
        asking = client(stub.port)
        for _ in range(3):
            outputs = asking.ask("r1", COLUMNS)
        assert outputs["probability"].tolist() == [0.25, 0.5] and outputs["probability"].dtype == np.float32
        path, body = stub.asked[0]
        assert path == "/v2/models/tiny/infer" and body["id"] == "r1" and stub.connections == 1
        sent = {each["name"]: (each["datatype"], each["shape"], each["data"]) for each in body["inputs"]}
        assert sent == {
            "delay": ("FP64", [2], [0.1, None]),
            "month": ("INT64", [2], [7, 8]),
            "carrier": ("BYTES", [2], ["UA", "AA"]),
        }


def test_seldons_protocol_is_spoken_as_well() -> None:
    with running() as stub:
        stub.answer = (200, SELDON)
        outputs = client(stub.port, "seldon").ask("r1", COLUMNS)
        assert outputs["probability"].tolist() == [0.25, 0.5]
        path, body = stub.asked[0]
        assert path == "/api/v1.0/predictions" and body["meta"] == {"puid": "r1"}
        assert body["jsonData"] == {"delay": [0.1, None], "month": [7, 8], "carrier": ["UA", "AA"]}


def test_texts_in_an_answer_are_read() -> None:
    signature = Signature(
        "multiclass_classification", SIGNATURE.inputs, {"class": "string", **SIGNATURE.outputs}, ("a", "b")
    )
    names = {"name": "class", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}
    answers = {
        "v2": {**V2, "outputs": [OUTPUT, names]},
        "seldon": {**SELDON, "jsonData": {"probability": [0.25, 0.5], "class": ["a", "b"]}},
    }
    with running() as stub:
        for protocol, answer in answers.items():
            stub.answer = (200, answer)
            asking = ChallengerClient(f"http://127.0.0.1:{stub.port}", "tiny", "4", protocol, signature, 5.0)
            outputs = asking.ask("r1", COLUMNS)
            assert outputs["class"].tolist() == ["a", "b"] and outputs["probability"].tolist() == [0.25, 0.5]


def test_a_feature_that_the_version_does_not_take_is_not_sent() -> None:
    with running() as stub:
        stub.inputs = ["month"]
        client(stub.port).ask("r1", COLUMNS)
        assert [each["name"] for each in stub.asked[0][1]["inputs"]] == ["month"]


def test_another_thread_that_forgets_what_the_version_takes_disturbs_no_request() -> None:
    """It does so when the version refuses one of its requests: a client of the champion would have got an error."""
    with running() as stub:
        asking = client(stub.port)

        class Columns(dict[str, Any]):
            def items(self) -> Any:
                asking._taken = None  # as the other thread does, after this one has found it
                return super().items()

        assert asking.ask("r1", Columns(COLUMNS))["probability"].tolist() == [0.25, 0.5]


def test_a_server_whose_model_is_not_loaded_yet_is_not_sent_rows_without_features(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running() as stub:
        stub.inputs, asking = [], client(stub.port)
        with pytest.raises(ChallengerError, match="unreachable"):
            asking.ask("r1", COLUMNS)
        assert not stub.asked and asking.is_down
        stub.inputs = ["month"]
        monkeypatch.setattr(asking, "_down_until", 0.0)
        asking.ask("r1", COLUMNS)
        assert [each["name"] for each in stub.asked[0][1]["inputs"]] == ["month"]


def test_after_a_refusal_it_finds_what_the_server_takes_now() -> None:
    with running() as stub:
        stub.answer, asking = (400, {}), client(stub.port)
        with pytest.raises(ChallengerError, match="refused"):
            asking.ask("r1", COLUMNS)
        stub.answer, stub.inputs = (200, V2), ["month"]
        asking.ask("r2", COLUMNS)
        assert [each["name"] for each in stub.asked[1][1]["inputs"]] == ["month"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((429, {}), "too_busy"),
        ((400, {}), "refused"),
        ((500, {}), "failed"),
        ((200, b"<html>"), "unreadable"),
        ((200, {**V2, "model_version": "5"}), "other_version"),
        ((200, {**V2, "outputs": []}), "unreadable"),
        ((200, {**V2, "outputs": [{**OUTPUT, "shape": [1], "data": [0.25]}]}), "unreadable"),
        ((200, {**V2, "outputs": [{**OUTPUT, "data": [0.25, None]}]}), "unreadable"),
        ((200, {**V2, "outputs": [{**OUTPUT, "datatype": "BYTES", "data": ["a", "b"]}]}), "unreadable"),
        ((0, b""), "no_answer"),
    ],
)
def test_every_failure_has_a_code(answer: tuple[int, Any], code: str) -> None:
    with running() as stub:
        stub.answer = answer
        with pytest.raises(ChallengerError) as caught:
            client(stub.port).ask("r1", COLUMNS)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, json.dumps({**SELDON, "jsonData": {"probability": [0.25, 10**400]}}).encode()]
)
def test_an_answer_that_pythons_reader_gives_up_on_is_unreadable(body: bytes) -> None:
    """Any other error would end the thread that sends copies, and reach a client in an A/B test."""
    with running() as stub:
        stub.answer = (200, body)
        with pytest.raises(ChallengerError, match="unreadable"):
            client(stub.port, "seldon").ask("r1", COLUMNS)


def test_a_server_that_dies_of_a_request_is_not_sent_it_again_and_has_not_merely_been_away() -> None:
    with running() as stub:
        asking = client(stub.port)
        asking.ask("r1", COLUMNS)
        stub.answer = (0, b"")
        with pytest.raises(ChallengerError, match="no_answer"):
            asking.ask("r2", COLUMNS)
        assert [body["id"] for _, body in stub.asked] == ["r1", "r2"]


def test_a_kept_connection_that_the_server_has_closed_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as stub:
        asking = client(stub.port)
        asking.ask("r1", COLUMNS)
    with running() as stub:  # its server was started again
        asking._port = stub.port
        asking._local.connection.sock.shutdown(socket.SHUT_RDWR)
        assert asking.ask("r2", COLUMNS)["probability"].tolist() == [0.25, 0.5]


def test_a_server_that_hangs_holds_few_requests_and_is_tried_again_after_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each waiting request holds a slot of the champion's server."""
    with running() as stub:
        asking = client(stub.port, seconds=0.05)
        asking.ask("r0", COLUMNS)
        stub.may.clear()
        codes = []
        for number in range(20):
            with pytest.raises(ChallengerError) as caught:
                asking.ask(f"r{number}", COLUMNS)
            codes.append(caught.value.code)
        assert codes == ["no_answer"] * 3 + ["unreachable"] * 17
        monkeypatch.setattr(asking, "_down_until", 0.0)  # the pause is over
        codes = []
        for number in range(5):
            with pytest.raises(ChallengerError) as caught:
                asking.ask(f"s{number}", COLUMNS)
            codes.append(caught.value.code)
        assert codes == ["no_answer"] + ["unreachable"] * 4, "one request tries"
        stub.may.set()
        monkeypatch.setattr(asking, "_down_until", 0.0)
        monkeypatch.setattr(asking, "_seconds", 5.0)
        for name in ("t1", "t2"):
            assert asking.ask(name, COLUMNS)["probability"].tolist() == [0.25, 0.5]


def test_values_that_the_champion_will_refuse_are_not_sent() -> None:
    with running() as stub:
        stub.inputs.append("weather")
        asking = client(stub.port)
        asking.ask("r1", {**COLUMNS, "weather": ["rain", "sun"]})
        assert "weather" not in {each["name"] for each in stub.asked[0][1]["inputs"]}
        with pytest.raises(ChallengerError, match="refused"):
            asking.ask("r2", {**COLUMNS, "carrier": [b"\xff", b"AA"]})


def test_a_server_that_is_not_there_is_not_tried_for_each_request_and_is_found_when_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking = client(free_port())
    with pytest.raises(ChallengerError, match="unreachable"):
        asking.ask("r1", COLUMNS)
    assert asking.is_down
    with running() as stub:
        asking._port = stub.port
        monkeypatch.setattr(asking, "_down_until", 0.0)
        assert asking.ask("r1", COLUMNS)["probability"].tolist() == [0.25, 0.5]
