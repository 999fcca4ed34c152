"""The request log of a real server: what it holds, and what becomes of predictions when its store is away."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from components._core.errors import ConfigError
from components._core.request_log.value_hashes import ValueHasher
from components.deploy.targets.local.server_process import free_port
from components.serve.__main__ import main
from tests.components.serve.conftest import Make, Running, metrics, start, wait_for
from tests.components.serve.test_mlserver_runtime import ROW, infer, tensor
from tests.components.serve.test_request_log import logged, wait_until

KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.slow
def test_predictions_go_on_when_the_store_is_away_and_what_is_lost_is_counted(
    model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    options = ["--log", "s3://bucket/log", "--log-flush-seconds", "0.1", "--metrics-port", str(free_port())]
    process = start(model(), *options, "--max-rows", "60000", port=free_port())
    server = Running(wait_for(process).url, "", f"http://127.0.0.1:{options[-1]}/metrics", Path(), process.pid)
    many = [tensor(item["name"], item["datatype"], *item["data"] * 60_000) for item in ROW]
    assert [infer(server, *many)[0] for _ in range(3)] == [200] * 3  # the second finds no room in the queue
    assert infer(server)[0] == 200
    wait_until(lambda: metrics(server)["naru_request_log_failures_total"])
    counters = metrics(server)
    assert counters["naru_request_log_dropped_total"] >= 2 and counters["naru_request_log_written_total"] == 0
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0 and "does not answer" in said and "Traceback" not in said
    assert "4 answered requests were not logged" in said


@pytest.mark.slow
def test_sigkill_loses_what_was_not_flushed_and_nothing_else(model: Make, tmp_path: Path) -> None:
    process = start(model(), "--log", str(tmp_path), "--log-flush-rows", "5", port=free_port())
    server = wait_for(process)
    assert Counter(infer(server, id=str(number))[0] for number in range(7)) == {200: 7}
    wait_until(lambda: len(logged(tmp_path)) >= 5)
    process.kill()
    process.communicate(timeout=120)
    assert [line["id"] for line in logged(tmp_path)][:5] == ["0", "1", "2", "3", "4"]


def test_a_place_and_a_mask_that_make_no_sense_end_the_server_before_it_serves(model: Make, capfd) -> None:
    arguments = ["--model", str(model()), "--name", "tiny", "--port", str(free_port())]
    assert main([*arguments, "--log", "ftp://somewhere"]) == ConfigError.exit_code
    assert "allowed: a folder" in capfd.readouterr().err
    assert main([*arguments, "--log", "log", "--log-mask", "carier"]) == ConfigError.exit_code
    assert "unknown features carier" in capfd.readouterr().err


@pytest.mark.slow
def test_a_server_logs_hashes_by_the_key_of_its_environment_and_shows_it_nowhere(
    model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_LOG_KEY", KEY)
    options = ["--log", str(tmp_path), "--log-mask", "carrier,month", "--log-hash", "carrier,month"]
    process = start(model(), *options, port=free_port())
    server = wait_for(process)
    assert [infer(server, id=each)[0] for each in ("a", "b")] == [200, 200]
    process.send_signal(signal.SIGTERM)
    said = "".join(process.communicate(timeout=120))
    lines, hasher = logged(tmp_path), ValueHasher(KEY.encode())
    assert [line["id"] for line in lines] == ["a", "b"]
    sent = {item["name"]: item["data"] for item in ROW}
    for line in lines:
        assert line["hashes"] == {name: hasher.hash(sent[name]) for name in ("carrier", "month")}
        assert line["inputs"]["carrier"] is None and line["inputs"]["month"] is None
    assert KEY not in said + str(lines)


def test_a_missing_key_of_the_hashes_ends_the_server_before_it_serves(
    model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.delenv("NARU_LOG_KEY", raising=False)
    arguments = ["--model", str(model()), "--name", "tiny", "--port", str(free_port()), "--log", str(tmp_path)]
    assert main([*arguments, "--log-mask", "carrier", "--log-hash", "carrier"]) == ConfigError.exit_code
    assert "NARU_LOG_KEY" in capfd.readouterr().err and not list(tmp_path.iterdir())
