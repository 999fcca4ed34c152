"""SIGTERM while clients still come and a request is half sent: nothing that was taken in is lost."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import urllib.error
from urllib.parse import urlsplit

from components.deploy.servers import free_port
from tests.components.serve.conftest import Make, Running, start
from tests.components.serve.test_limits import read, written
from tests.components.serve.test_mlserver_runtime import ask, infer

NOT_READY = 400  # as MLServer says it


def test_on_sigterm_it_is_first_not_ready_then_answers_what_it_owes_and_ends_with_0(model: Make) -> None:
    process = start(model(), "--notice-seconds", "3", port=free_port())
    server = wait_for(process)
    url = urlsplit(server.url)
    request = written(url.path, 0)
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


def wait_for(process: subprocess.Popen[str]) -> Running:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("ready:")
    return Running(line.removeprefix("ready:").strip(), "", "", process.pid)


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
