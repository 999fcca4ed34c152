"""The benchmark of the servers: its sums, its rules, and a tiny run of all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.malformed import _fault
from benchmarks.server_rounds import Turn, medians, ratios
from benchmarks.serving_summary import Bound, bounds, table
from benchmarks.workload import Workload
from components.deploy.load_generator import Load
from tests.components.tiny_models import write_examples

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    {"inputs": [{"name": "a", "datatype": "FP32", "shape": [1], "data": [float(at)]}], "id": str(at)} for at in range(3)
]
OUTPUTS = {"probabilities": [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], "class": ["x", "y", "z"]}
WORKLOAD = Workload(Path(), ROWS, OUTPUTS, in_process=lambda seconds: {"plain": 1e6, "own": 2e6})


def turn(server: str, clients: int, rate: float, wrong: int = 0) -> Turn:
    return Turn(server, clients, rate, 1.0, 2.0, 3.0, 0, wrong)


TURNS = [
    turn(server, clients, rate * factor)
    for factor in (1.0, 2.0, 1.5)
    for clients in (1, 8)
    for server, rate in (("naru", 120.0 * clients), ("bare", 100.0))
]


def test_a_ratio_is_taken_within_a_round_so_a_slow_moment_slows_both() -> None:
    assert ratios(TURNS, "naru", "bare") == {"1": pytest.approx(1.2), "8": pytest.approx(9.6)}


def test_medians_are_reported_by_server_and_clients_and_wrong_answers_summed() -> None:
    found = medians([*TURNS, turn("naru", 1, 1.0, wrong=2)])
    assert found["bare"]["8"]["requests_per_second"] == 150.0
    assert found["naru"]["1"]["wrong"] == 2


def test_what_got_no_answer_or_another_status_failed() -> None:
    loaded = Turn.of("naru", Load(1, 1.0, 3, {0: 1, 200: 2, 429: 1}, [1.0, 2.0], wrong=1, unsent=4))
    assert (loaded.failed, loaded.wrong, loaded.requests_per_second) == (6, 1, 2.0)


def test_answers_of_both_protocols_are_held_against_the_models_own() -> None:
    v2 = [{"name": "probabilities", "shape": [2, 2], "data": [0.2, 0.8, 0.3, 0.7]}]
    v2.append({"name": "class", "shape": [2], "data": ["y", "z"]})
    assert WORKLOAD.check("v2", rows=2)(1, 200, json.dumps({"outputs": v2}).encode())
    seldon = {"jsonData": {"probabilities": [[0.3, 0.7]], "class": ["z"]}}
    assert WORKLOAD.check("seldon")(2, 200, json.dumps(seldon).encode())
    assert not WORKLOAD.check("seldon")(1, 200, json.dumps(seldon).encode())
    assert not WORKLOAD.check("v2")(1, 200, b"") and not WORKLOAD.check("v2")(1, 429, b"<html>")
    assert WORKLOAD.check("v2")(1, 429, b'{"error": "too_busy"}')


def test_a_runtime_of_a_library_gets_one_matrix_and_its_numbers_are_held_against_ours() -> None:
    rows = [
        {"inputs": [{"name": name, "datatype": "FP32", "shape": [1], "data": [at]} for name in "ab"]}
        for at in (5.0, 7.0)
    ]
    workload = Workload(Path(), rows, {"prediction": [200.0, 300.0]}, in_process=lambda seconds: {})
    (sent, _) = (json.loads(body)["inputs"] for body in workload.bodies("matrix", rows=3))
    assert sent == [
        {"name": "predict", "datatype": "FP32", "shape": [3, 2], "data": [[5.0, 5.0], [7.0, 7.0], [5.0, 5.0]]}
    ]
    answered = [json.dumps({"outputs": [{"data": [value]}]}).encode() for value in (200.01, 200.03)]
    assert [workload.check("matrix")(0, 200, body) for body in answered] == [True, False]


def test_a_batch_holds_rows_in_a_circle() -> None:
    (_, second, _) = (json.loads(body) for body in WORKLOAD.bodies("v2", rows=4))
    assert second["inputs"][0]["data"] == [1.0, 2.0, 0.0, 1.0] and second["inputs"][0]["shape"] == [4]
    assert json.loads(WORKLOAD.bodies("seldon")[2]) == {"jsonData": {"a": [2.0]}}


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (0, b"", "no answer"),
        (500, b"", "a fault of the server"),
        (502, b"", "a fault of the server"),
        (400, b'{"error": "File \\"x\\", line 1"}', "tells"),
        (400, b'{"error": "ValueError: no"}', "tells"),
        (422, b'{"url": "https://errors.pydantic.dev"}', "tells"),
        (404, b"/usr/lib/python3", "tells"),
        (503, b"", ""),
        (429, b'{"error": "too_busy: 8 requests are in progress"}', ""),
        (422, b'{"detail": [{"type": "missing", "loc": ["body"], "msg": "Field required"}]}', ""),
        (200, b"ValueError", ""),
    ],
)
def test_a_bad_answer_is_one_that_fails_or_tells_of_the_inside(status: int, body: bytes, message: str) -> None:
    assert _fault(status, body).startswith(message) and bool(_fault(status, body)) == bool(message)


def test_a_bound_may_be_the_least_or_the_most_and_what_was_not_measured_breaks_none() -> None:
    assert Bound("x", 0.9, 0.9).holds and not Bound("x", 0.89, 0.9).holds
    assert Bound("x", 3.0, 3.0, least=False).holds and not Bound("x", 3.1, 3.0, least=False).holds
    assert Bound("x", None, 1.0).holds and "not measured" in str(Bound("x", None, 1.0))


@pytest.mark.slow
def test_all_of_it_runs_from_the_servers_to_the_results(champion: Path, tmp_path: Path) -> None:
    write_examples(
        champion / ".naru" / "runs" / "run" / "training-1" / "ingest" / "examples", "binary_classification", 40
    )
    output = tmp_path / "serving.json"
    command = [sys.executable, "-m", "benchmarks.serving", "--quick", "--project", str(champion)]
    command += ["--seldon", str(tmp_path / "none"), "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(output.read_text())
    assert {"ratio_to_bare_mlserver", "ratio_to_plain_seldon", "batch_rows_ratio", "overload_p99_ratio"} <= found.keys()
    assert found["malformed_tried"] == 200 and found["malformed_wrong"] == 0, found["malformed_examples"]
    assert found["wrong_answers"] == 0 and found["ratio_to_plain_seldon"] is None
    assert set(found["servers"]) == {"naru", "bare mlserver"} and set(found["servers"]["naru"]) == {"1", "8"}
    assert len(bounds(found)) == len(found["bounds"]) and "share of a bare MLServer's" in table(found)
    assert "left out" in done.stdout
