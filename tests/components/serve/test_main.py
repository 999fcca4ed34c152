"""The server as a process: how it starts, refuses to start, and ends."""

import shutil
import socket
from pathlib import Path

import pytest

from components._core.errors import ConfigError, ModelError
from components.deploy.servers import free_port
from components.serve.__main__ import main
from tests.components.serve.conftest import Make, start


def test_a_port_that_is_taken_is_named(model: Make, capfd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = main(["--model", str(model()), "--name", "tiny", "--port", str(port)])
    assert code == ConfigError.exit_code
    assert f"127.0.0.1:{port}" in (told := capfd.readouterr().err) and "--port" in told


def test_no_place_for_any_request_is_refused(model: Make, capfd) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--model", str(model()), "--name", "tiny", "--port", "0", "--max-concurrency", "0"])
    assert ended.value.code == ConfigError.exit_code and "at least 1 is needed" in capfd.readouterr().err


def test_a_folder_without_a_model_is_refused_before_anything_is_imported(tmp_path: Path, capfd) -> None:
    assert main(["--model", str(tmp_path), "--name", "tiny", "--port", "0"]) == ModelError.exit_code
    assert "holds no model" in capfd.readouterr().err


def test_a_damaged_model_ends_the_server_with_the_reason(model: Make, tmp_path: Path) -> None:
    damaged = shutil.copytree(model(), tmp_path / "model")
    (damaged / "saved_model" / "saved_model.pb").write_bytes(b"no model at all")
    out, err = (process := start(damaged, port=free_port())).communicate(timeout=300)
    assert process.returncode == ModelError.exit_code
    assert "does not load" in err and "Traceback" not in err and not out


def test_it_ends_with_its_starter(model: Make) -> None:
    process = start(model(), "--while-stdin", port=free_port())
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline().startswith("ready: http://127.0.0.1:")
    process.stdin.close()
    assert process.wait(120) == 0
    assert process.stderr is not None and "Traceback" not in process.stderr.read()
