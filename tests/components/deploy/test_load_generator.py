"""Load on real servers: what is counted, what is timed, and that nothing is waited for in vain."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from components._core.errors import ServiceError
from components._core.types.oip_requests import to_request
from components._core.types.signature import Signature, to_arrays
from components._frameworks.table import load_model
from components.deploy.load_generator import Load, drive
from components.deploy.model_client import to_outputs
from components.deploy.targets.local.server_process import HOST, ModelServer, free_port
from components.evaluate.parity_samples import probe_rows

BODIES = [json.dumps(number).encode() for number in range(5)]
Answers = Callable[["Handler", int], None]
Serve = Callable[[Answers], int]


class Handler(BaseHTTPRequestHandler):
    """Answers a number by what the test says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the system waits 40 ms between two pieces of an answer
    answers: Answers

    def do_POST(self) -> None:
        number = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).answers(self, number)

    def say(self, status: int, content: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers or (("Content-Length", str(len(content))),):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        pass  # a client that gave up is what the test wants


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[ThreadingHTTPServer] = []

    def start(answers: Answers) -> int:
        handler = type("Answering", (Handler,), {"answers": staticmethod(answers)})
        running.append(Server((HOST, 0), handler))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1].server_address[1]

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def double(handler: Handler, number: int) -> None:
    handler.say(200, str(2 * number).encode())


def is_double(index: int, status: int, body: bytes) -> bool:
    return status == 200 and json.loads(body) == 2 * index


def load(port: int, **changed: object) -> Load:
    seconds = 60.0 if "most" in changed else 0.5  # a bound on the number is reached however busy the machine is
    given: dict = {"clients": 4, "seconds": seconds, **changed}
    return drive(HOST, port, "/", BODIES, **given)


def test_every_request_is_answered_and_checked_against_what_was_sent(serve: Serve) -> None:
    done = load(serve(double), check=is_double)
    assert done.by_status == {200: done.answered} and done.answered > 20
    assert (done.wrong, done.unsent, done.error_rate) == (0, 0, 0.0)
    assert len(done.milliseconds) == done.answered and done.throughput == done.answered / done.seconds
    assert 0 < done.percentiles()["p50"] <= done.percentiles()["p95"] <= done.percentiles()["p99"] < 500


def test_a_wrong_answer_is_counted(serve: Serve) -> None:
    port = serve(lambda handler, number: handler.say(200, b"6"))
    done = load(port, clients=1, most=10, check=is_double)
    assert (done.answered, done.wrong) == (10, 8)


def test_no_more_is_sent_than_was_asked_for(serve: Serve) -> None:
    done = load(serve(double), most=7, seconds=60.0)
    assert done.by_status == {200: 7} and done.seconds < 30


def test_refusals_are_counted_by_status_and_not_timed(serve: Serve) -> None:
    port = serve(lambda handler, number: handler.say(429 if number == 0 else 200, b"{}"))
    done = load(port, clients=1, most=10)
    assert done.by_status == {200: 8, 429: 2} and len(done.milliseconds) == 8
    assert done.error_rate == pytest.approx(0.2)


def test_an_answer_that_does_not_come_is_given_up_and_the_next_is_asked_for(serve: Serve) -> None:
    port = serve(lambda handler, number: time.sleep(3) if number == 0 else double(handler, number))
    began = time.perf_counter()
    done = load(port, clients=2, most=6, seconds=30.0, patience=0.5)
    assert done.by_status == {0: 2, 200: 4} and time.perf_counter() - began < 20


def test_a_server_that_hangs_up_in_the_middle_of_an_answer_is_counted(serve: Serve) -> None:
    def half(handler: Handler, number: int) -> None:
        handler.say(200, b"half", ("Content-Length", "100"))
        handler.close_connection = True

    assert load(serve(half), clients=1, most=3).by_status == {0: 3}


def test_a_connection_that_was_closed_for_its_idleness_is_no_failure(serve: Serve) -> None:
    def once(handler: Handler, number: int) -> None:
        double(handler, number)
        handler.close_connection = True  # without saying so

    assert load(serve(once), clients=2, most=20, check=is_double).by_status == {200: 20}


@pytest.mark.parametrize(
    "answers",
    [
        lambda handler, number: handler.say(
            200, b"1\r\n%d\r\n0\r\n\r\n" % (2 * number), ("Transfer-Encoding", "chunked")
        ),
        lambda handler, number: handler.say(
            200, str(2 * number).encode(), ("Connection", "close"), ("Content-Length", "1")
        ),
        lambda handler, number: handler.say(200, str(2 * number).encode(), ("Connection", "close")),
    ],
    ids=["chunked", "closing", "until it closes"],
)
def test_every_way_to_end_an_answer_is_understood(serve: Serve, answers: Answers) -> None:
    assert load(serve(answers), clients=2, most=10, check=is_double).by_status == {200: 10}


def test_an_open_loop_keeps_its_rate_though_answers_take_their_time(serve: Serve) -> None:
    def slow(handler: Handler, number: int) -> None:
        time.sleep(0.1)
        double(handler, number)

    done = load(serve(slow), clients=64, seconds=2.0, rate=50.0, check=is_double)
    assert 60 < sum(done.by_status.values()) + done.unsent < 140
    assert done.wrong == 0 and done.percentiles()["p50"] >= 100


def test_what_finds_no_free_connection_in_an_open_loop_is_an_error(serve: Serve) -> None:
    def slow(handler: Handler, number: int) -> None:
        time.sleep(0.2)
        double(handler, number)

    done = load(serve(slow), clients=2, seconds=1.0, rate=100.0)
    assert done.unsent > 40 and done.error_rate > 0.5


def test_large_requests_and_answers_arrive_whole(serve: Serve) -> None:
    port = serve(lambda handler, text: handler.say(200, json.dumps(text).encode()))
    bodies = [json.dumps(letter * 3_000_000).encode() for letter in "ab"]
    done = drive(HOST, port, "/", bodies, clients=2, seconds=60.0, most=6, check=lambda at, _, body: body == bodies[at])
    assert done.by_status == {200: 6} and done.wrong == 0


def test_a_server_that_goes_away_is_counted_and_never_raised() -> None:
    def closing(handler: Handler, number: int) -> None:
        double(handler, number)
        handler.close_connection = True  # or its thread would answer on when its server is gone

    server = Server((HOST, 0), type("Answering", (Handler,), {"answers": staticmethod(closing)}))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def leave() -> None:
        server.shutdown()
        server.server_close()

    threading.Timer(0.3, leave).start()
    done = load(server.server_address[1], seconds=1.5)
    assert done.by_status[200] > 0 and 0 < done.by_status[0] < 200


def test_no_server_at_all_is_reported_with_its_address() -> None:
    port = free_port()
    with pytest.raises(ServiceError, match=f"127.0.0.1:{port}: cannot connect to the server"):
        load(port)


def test_without_an_answer_no_bound_on_latency_is_kept() -> None:
    nothing = Load(clients=1, seconds=1.0, answered=0, by_status={0: 3}, milliseconds=[])
    assert nothing.percentiles()["p99"] == float("inf") and nothing.error_rate == 1.0 and nothing.throughput == 0.0


@pytest.mark.slow
def test_a_served_model_answers_under_load_what_it_answers_offline(model: Path, examples: Path, tmp_path: Path) -> None:
    inputs = Signature.load(model).inputs
    rows = probe_rows(examples, inputs)
    bodies = [json.dumps(to_request(rows.slice(row, 1), inputs)).encode() for row in range(rows.num_rows)]
    expected = load_model(model).predict(to_arrays(rows, inputs))["probability"]

    def is_right(index: int, status: int, body: bytes) -> bool:
        return status == 200 and np.allclose(to_outputs(json.loads(body))["probability"], expected[index], atol=1e-5)

    with ModelServer(sys.executable, model, "tiny", "1", tmp_path / "server.log") as server:
        server.wait_until_ready()
        path = "/v2/models/tiny/infer"
        done = drive(HOST, server.port, path, bodies, clients=8, seconds=60.0, most=400, check=is_right)
        server.stop()
    assert done.by_status == {200: 400} and done.wrong == 0
