"""The model server's port: another program may take it between the moment that it was free and the server's start."""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components._core.errors import ServiceError
from components.deploy.targets.local import server_process
from components.deploy.targets.local.server_process import HOST, ModelServer, free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind((HOST, 0))  # it listens to nobody, so nobody waits for its answers
        yield int(other.getsockname()[1])


@pytest.fixture
def serve(model: Path, tmp_path: Path) -> Callable[[], ModelServer]:
    return lambda: ModelServer(sys.executable, model, "tiny", "1", tmp_path / "server.log")


@pytest.mark.slow
def test_a_server_whose_port_was_taken_starts_on_another(
    serve: Callable[[], ModelServer], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([taken, *(free_port() for _ in range(3))])
    monkeypatch.setattr(server_process, "free_port", lambda: next(ports))
    with serve() as server:
        server.wait_until_ready()
        assert server.port != taken
        server.stop()
    assert server.exit_code == 0


@pytest.mark.slow
def test_the_memory_is_the_servers_also_behind_a_client_that_started_it(model: Path, tmp_path: Path) -> None:
    client = tmp_path / "client"
    client.write_text(f'#!/bin/sh\n"{sys.executable}" "$@" <&0\n')
    client.chmod(0o755)
    with ModelServer(str(client), model, "tiny", "1", tmp_path / "server.log") as server:
        server.wait_until_ready()
        held = server.resident_mb()
    assert held is not None and held > 200, "TensorFlow alone takes more"
    assert server.resident_mb() is None, "it has ended"


@pytest.mark.skipif(not shutil.which("ps"), reason="only called where Prometheus' client does not tell, which has it")
def test_the_memory_of_a_process_is_in_millions_of_bytes() -> None:
    found = server_process._resident_mb(os.getpid())
    assert found is not None and 20 < found < 100_000
    assert server_process._resident_mb(2**22 + 1) is None, "there is no such process"


def test_a_server_that_finds_every_port_taken_gives_up_with_the_reason(
    serve: Callable[[], ModelServer], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_process, "free_port", lambda: taken)
    with serve() as server, pytest.raises(ServiceError, match="cannot bind the port") as error:
        server.wait_until_ready()
    assert f"{HOST}:{taken}" in error.value.message
