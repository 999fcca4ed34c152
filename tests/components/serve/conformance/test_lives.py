"""How every server starts, refuses to start, and ends."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import urllib.error
from http.client import HTTPResponse
from pathlib import Path

import pytest

from components._core.errors import ConfigError, ModelError
from components.deploy.targets.local.server_process import free_port
from tests.components.serve.conformance.conftest import Kind, ready_line
from tests.components.serve.conformance.wires import ROW, Refused, Rest
from tests.components.serve.conftest import Make
from tests.components.serve.test_request_log import logged


@pytest.mark.slow
def test_it_is_not_ready_before_the_model_is_loaded_and_answers_from_then_on(kind: Kind, model: Make) -> None:
    port = free_port()
    rest = kind.rest(f"http://127.0.0.1:{port}")
    process = kind.start(model(), port=port)
    assert not rest.is_ready()
    while not rest.is_ready():
        assert process.poll() is None
    assert rest.ask(ROW).outputs["class"] == ["late"]
    process.terminate()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in errors


def test_a_folder_without_a_model_ends_it_with_a_sentence(kind: Kind, tmp_path: Path) -> None:
    code, errors = ended(kind.start(tmp_path, port=free_port()))
    assert code == ModelError.exit_code and errors.startswith("naru: serve: ") and "holds no model" in errors


@pytest.mark.slow
def test_a_damaged_model_ends_it_with_the_reason(kind: Kind, model: Make, tmp_path: Path) -> None:
    damaged = shutil.copytree(model(), tmp_path / "model")
    (damaged / "saved_model" / "saved_model.pb").write_bytes(b"no model at all")
    code, errors = ended(kind.start(damaged, port=free_port()))
    assert code == ModelError.exit_code and "does not load" in errors


def test_a_port_that_is_taken_ends_it_with_its_name(kind: Kind, model: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        code, errors = ended(kind.start(model(), "--grpc-port", number, port=free_port()))
    assert code == ConfigError.exit_code and f"127.0.0.1:{number}" in errors and "--grpc-port" in errors


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Code and words of a server that never served."""
    out, errors = process.communicate(timeout=300)
    assert "Traceback" not in errors and not out
    return process.returncode, errors


@pytest.mark.slow
def test_a_model_that_answers_nan_never_says_ready(kind: Kind, model: Make) -> None:
    code, errors = ended(kind.start(model("multiclass_classification", True), port=free_port()))
    assert code == ModelError.exit_code and "does not answer one row: model_failed" in errors


@pytest.mark.slow
def test_it_ends_with_its_starter(kind: Kind, model: Make) -> None:
    process = kind.start(model(), "--while-stdin", port=free_port())
    assert ready_line(process).startswith("ready: http://127.0.0.1:")
    assert process.stdin is not None and process.stderr is not None
    process.stdin.close()
    assert process.wait(120) == 0
    assert "Traceback" not in process.stderr.read()


@pytest.mark.slow
def test_on_sigterm_it_is_first_not_ready_then_answers_what_it_owes_and_ends_with_0(
    kind: Kind, model: Make, tmp_path: Path
) -> None:
    logging = ["--log", str(tmp_path), "--log-flush-seconds", "3600", "--log-flush-rows", "100000"]
    port = free_port()
    rest = kind.rest(f"http://127.0.0.1:{port}")
    process = kind.start(model(), "--notice-seconds", "6", *logging, port=port)
    ready_line(process)
    request = rest.written(ROW, "slow")
    with socket.create_connection(("127.0.0.1", port), 120) as slow:
        slow.sendall(request[:-10])
        clients = Clients(rest)
        process.send_signal(signal.SIGTERM)
        while rest.is_ready():
            pass
        assert rest.ask(ROW).outputs  # a client that has not noticed yet is still answered
        clients.join()
        slow.sendall(request[-10:])
        assert status_of(slow) == 200
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in errors
    assert clients.refusals == [] and clients.answers > 0
    ids = [line["id"] for line in logged(tmp_path)]
    assert len(ids) == len(set(ids)) == clients.answers + 2 and ids[-1] == "slow"


@pytest.mark.slow
def test_a_client_that_stopped_in_the_middle_of_its_request_keeps_nothing_alive(kind: Kind, model: Make) -> None:
    port = free_port()
    process = kind.start(model(), port=port)
    ready_line(process)
    with socket.create_connection(("127.0.0.1", port), 120) as silent:
        silent.sendall(kind.rest("").written(ROW)[:-10])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)  # uvicorn tells of the request that it gave up, with a traceback
    assert process.returncode == 0


def status_of(connection: socket.socket) -> int:
    response = HTTPResponse(connection)
    response.begin()
    return response.status


class Clients(threading.Thread):
    """Asks until nobody listens any more."""

    def __init__(self, rest: Rest) -> None:
        super().__init__(daemon=True)
        self.rest = rest
        self.answers = 0
        self.refusals: list[Refused] = []
        self.start()

    def run(self) -> None:
        try:
            while True:
                self.rest.ask(ROW)
                self.answers += 1
        except Refused as refusal:
            self.refusals.append(refusal)
        except (urllib.error.URLError, ConnectionError):
            return
