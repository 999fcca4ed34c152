"""`naru serve`: the champion answers the request that is printed, until it is interrupted."""

import json
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from components._core.errors import ConfigError, ServiceError
from components._core.store.ledger import Deployment, append_deployment
from components._core.store.object_store import absolute_uri
from components.deploy.targets.local.server_process import free_port
from pipelines.serve import serve_champion


@pytest.mark.slow
def test_the_printed_request_works_and_an_interrupt_ends_it_well(champion: Path) -> None:
    with (champion / "project.yaml").open("a") as file:
        file.write("serve: {request_log: {}}\n")
    # a shell that starts this suite in the background lets its children ignore SIGINT; a terminal does not
    listen = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    serve = "from pathlib import Path; from pipelines.serve import serve_champion"
    metrics_port = free_port()
    code = f"{listen}; {serve}; sys.exit(serve_champion(Path({str(champion)!r}), 0, {metrics_port}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if "Ctrl-C" in line:  # the last line that it prints
            break
    try:
        assert lines[0].startswith("Serving version 4 of tiny at http://127.0.0.1:"), process.stderr
        curl = shlex.split(next(line for line in lines if line.startswith("curl")))
        header, body = curl[curl.index("-H") + 1].split(": "), curl[curl.index("-d") + 1]
        request = urllib.request.Request(curl[2], body.encode(), dict([header]))
        with urllib.request.urlopen(request, timeout=120) as response:
            answer = json.load(response)
        assert answer["model_version"] == "4" and 0 < answer["outputs"][0]["data"][0] < 1
        assert "It answers the probability of '1'." in lines
        assert f"Metrics for Prometheus are at http://127.0.0.1:{metrics_port}/metrics" in lines
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=120) as response:
            page = response.read().decode()
        assert "naru_requests_total 1.0" in page and "naru_monitor_result_age_seconds +Inf" in page
    finally:
        process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=120)[1]
    assert process.returncode == 0 and "Traceback" not in err
    (log,) = (champion / ".naru" / "store" / "tiny" / "requests").rglob("*.jsonl")
    assert json.loads(log.read_text())["id"] == answer["id"], "the log has what was answered, for naru feedback"


def test_a_project_without_a_champion_is_reported_how_to_get_one(project: Path) -> None:
    with pytest.raises(ConfigError, match="no champion to serve yet") as caught:
        serve_champion(project, 0)
    assert "naru run" in caught.value.remedy


def test_a_port_that_is_taken_is_named(champion: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve_champion(champion, port) == ConfigError.exit_code
    output = capfd.readouterr().err
    assert str(port) in output and "--port" in output


def test_a_champion_whose_files_are_gone_is_reported(project: Path) -> None:
    store = project / ".naru" / "store"
    line = Deployment("4", f"{absolute_uri(str(store))}/gone/model", "", "", {}, "f", "run", "", "me", "a test")
    append_deployment(str(store), "tiny", line)
    with pytest.raises(ServiceError, match="no such folder"):
        serve_champion(project, 0)


def test_a_missing_key_of_the_logs_hashes_ends_it_before_the_model_is_fetched(
    champion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NARU_LOG_KEY", raising=False)
    with (champion / "project.yaml").open("a") as file:
        file.write("serve: {request_log: {mask: [x], hash: [x]}}\n")
    monkeypatch.setattr("pipelines.serve.fetched_champion", lambda *_, **__: pytest.fail("the model was fetched"))
    with pytest.raises(ConfigError, match="hashes x with this key"):
        serve_champion(champion, 0)
