"""SIGTERM while clients still come and a request is half sent: nothing that was taken in is lost."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import urllib.error
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from components.deploy.servers import free_port
from tests.components.serve.conftest import Make, Running, ready_url, start
from tests.components.serve.test_limits import read, written
from tests.components.serve.test_mlserver_runtime import ask, infer
from tests.components.serve.test_request_log import logged

SLOW = "77"
NOT_READY = 400  # as MLServer says it


def test_on_sigterm_it_is_first_not_ready_then_answers_what_it_owes_and_ends_with_0(
    model: Make, tmp_path: Path
) -> None:
    logging = ["--log", str(tmp_path), "--log-flush-seconds", "3600", "--log-flush-rows", "100000"]
    process = start(model(), "--notice-seconds", "6", *logging, port=free_port())
    server = wait_for(process)
    url = urlsplit(server.url)
    request = written(url.path, int(SLOW))
    with socket.create_connection((url.hostname, url.port), 120) as slow:
        slow.sendall(request[:-10])
        clients = Clients(server)
        process.send_signal(signal.SIGTERM)
        assert first_that_is_not_200(f"{server.url}/ready") == NOT_READY
        assert infer(server)[0] == 200  # whoever has not noticed yet is still answered
        clients.join()
        slow.sendall(request[-10:])
        assert read(slow)[0] == 200
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in told
    assert set(clients.statuses) == {200}
    ids = [line["id"] for line in logged(tmp_path)]
    assert len(ids) == len(set(ids)) == len(clients.statuses) + 2 and ids[-1] == SLOW


@pytest.mark.slow
def test_a_client_that_stopped_in_the_middle_of_its_request_keeps_nothing_alive(model: Make) -> None:
    process = start(model(), port=free_port())
    url = urlsplit(wait_for(process).url)
    with socket.create_connection((url.hostname, url.port), 120) as silent:
        silent.sendall(written(url.path, 0)[:-10])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)  # uvicorn tells of the request that it gave up, with a traceback
    assert process.returncode == 0


def wait_for(process: subprocess.Popen[str]) -> Running:
    return Running(ready_url(process), "", "", Path(), process.pid)


def first_that_is_not_200(url: str) -> int:
    while (status := ask(url)[0]) == 200:
        pass
    return status


class Clients(threading.Thread):
    """Asks until nobody listens any more."""

    def __init__(self, server: Running) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.statuses: list[int] = []
        self.start()

    def run(self) -> None:
        try:
            while True:
                self.statuses.append(infer(self.server)[0])
        except (urllib.error.URLError, ConnectionError):
            return
