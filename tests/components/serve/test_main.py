"""What the entry point refuses before it imports a server; how servers start and end is in `conformance`."""

from argparse import Namespace
from pathlib import Path

import pytest

from components._core.errors import ConfigError, ModelError
from components.serve import mlserver_process
from components.serve.__main__ import main
from components.serve.admission import AdmissionControl
from tests.components.serve.conftest import Make


def test_no_place_for_any_request_is_refused(model: Make, capfd) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--model", str(model()), "--name", "tiny", "--port", "0", "--max-concurrency", "0"])
    assert ended.value.code == ConfigError.exit_code and "must be at least 1" in capfd.readouterr().err


def test_a_folder_without_a_model_is_refused_before_anything_is_imported(tmp_path: Path, capfd) -> None:
    assert main(["--model", str(tmp_path), "--name", "tiny", "--port", "0"]) == ModelError.exit_code
    assert "holds no model" in capfd.readouterr().err


@pytest.mark.parametrize("option", ["--name", "--version"])
@pytest.mark.parametrize("text", ["a/b", "a\nb", "\x1b[2J", "\udcff"])
def test_a_name_that_no_url_or_metric_can_hold_is_refused(tmp_path: Path, capfd, option: str, text: str) -> None:
    names = {"--name": "tiny", "--version": "3", option: text}
    with pytest.raises(SystemExit) as ended:
        main(["--model", str(tmp_path), "--port", "0", *(part for pair in names.items() for part in pair)])
    assert ended.value.code == ConfigError.exit_code
    assert f"found {text!a}; allowed: printable characters without a slash" in capfd.readouterr().err


def test_a_port_that_is_taken_while_the_server_starts_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def end_as_uvicorn_does(*_: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(mlserver_process, "_serve", end_as_uvicorn_does)
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:8080: cannot bind the port: address already in use"):
        mlserver_process.serve(Namespace(host="127.0.0.1", port=8080), AdmissionControl())
