"""`naru serve` with a version in a live test: real servers, real requests, and a test that ends while they are answered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core.examples.samples import Sample
from components._core.files import read_json
from components._core.project.project_file import load_project
from components._core.settings import Settings
from components._core.store.ledger import current_champion
from components._core.store.live_tests import LiveTest, read_live_tests
from components._core.store.object_store import absolute_uri, upload
from components._registry.mlflow_client import open_registry
from components.deploy.into_service import Change
from components.deploy.live_test.begin import begin_live_test
from components.deploy.promotion import Compared
from components.deploy.targets.local.server_process import free_port
from pipelines.live_test import show_live_test
from tests.components.tiny_models import write_model
from tests.pipelines.approving import InstantTarget

pytestmark = pytest.mark.slow

SERVE = "serve:\n  request_log: {flush_seconds: 0.2}\n"
SHADOW = "  rollout: shadow\n  shadow: {requests: 30, min_requests: 5, changed: 1.0, slower_percent: 100000, error_rate: 0.9, min_compared: 0}\n"
AB = "  rollout: ab\n  ab: {effect: 0.2, spread: 0.5, key: carrier}\nfeedback: {endpoint: true}\n"


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("other"), "binary_classification", delay_weight=0.15)


def begin(project: Path, other: Path, serve: str) -> LiveTest:
    """Put version 5 into a live test beside the champion, version 4."""
    with (project / "project.yaml").open("a") as file:
        file.write(SERVE + serve)
    home = project / ".naru"
    settings = Settings(str(home / "store"), f"sqlite:///{home / 'mlflow.db'}")
    client = open_registry(settings.tracking_uri)
    client.create_registered_model("tiny")
    model = f"{absolute_uri(settings.store)}/tiny/models/5/artifacts/model"
    upload(other, model)
    for _ in range(5):
        client.create_model_version("tiny", model)
    registered = {
        "version": "5",
        "model": model,
        "statistics": "",
        "schema": "",
        "metrics": {},
        "fingerprint": "f",
        "run": "r",
    }
    champion = current_champion(settings.store, "tiny")
    compared = Compared(champion.identity if champion else None, "evaluate", "run again")
    change = Change(load_project(project), settings, registered, "training run r", compared)
    found = begin_live_test(change, InstantTarget(), lambda: Sample(pa.table({"x": [1.0, 2.0]}), {}))
    assert found is not None and found[0].verdict == "skipped", found
    (test,) = read_live_tests(settings.store, "tiny")
    return test


class Served:
    """A running `naru serve`."""

    def __init__(self, project: Path) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        code = f"import sys; from pathlib import Path; from pipelines.serve import serve_champion; sys.exit(serve_champion(Path({str(project)!r}), {self.port}, {self.metrics_port}, 0.5))"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self.read_until("Ctrl-C")

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if text in line:
                return
        pytest.fail(f"{self.lines} {self.process.stderr.read() if self.process.stderr else ''}")

    def ask(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps({**body, "id": name}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v2/models/tiny/infer", content, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=120) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def challenger(self) -> int:
        """Process id of the server of the version under test."""
        found = subprocess.run(
            ["ps", "-ww", "--ppid", str(self.process.pid), "-o", "pid=,args="],
            capture_output=True,
            text=True,
            check=True,
        )
        (line,) = [line for line in found.stdout.splitlines() if "--version 5" in line]
        return int(line.split()[0])


@contextmanager
def serving(project: Path) -> Iterator[Served]:
    served = Served(project)
    try:
        yield served
    finally:
        served.process.send_signal(signal.SIGTERM)
        err = served.process.communicate(timeout=120)[1]
        assert served.process.returncode == 0 and "Traceback" not in err, err


def request_of(project: Path, carrier: str = "AA") -> dict[str, Any]:
    body: dict[str, Any] = read_json(
        project / ".naru" / "store" / "tiny" / "models" / "1" / "artifacts" / "request.json"
    )
    for given in body["inputs"]:
        if given["name"] == "carrier":
            given["data"] = [carrier]
    return body


def log_of(project: Path) -> Path:
    return project / ".naru" / "store" / "tiny" / "requests"


def logged(project: Path) -> dict[str, str]:
    """Versions that answered, by the id of the request, as the request log has them."""
    paths = log_of(project).glob("dt=*/**/*.jsonl")
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return {line["id"]: line["version"] for line in lines if "id" in line}


def test_a_shadow_answers_copies_and_is_promoted_while_the_champion_serves_on(
    champion: Path, other_model: Path
) -> None:
    test = begin(champion, other_model, SHADOW)
    body = request_of(champion)
    with serving(champion) as served:
        assert any("Version 5 is its shadow" in line for line in served.lines)
        alone = served.ask("warm-up", body)
        until = time.monotonic() + 300
        while not served.metric("naru_shadow_compared_total"):
            assert time.monotonic() < until
            served.ask(f"try-{time.monotonic()}", body)
            time.sleep(0.2)
        answers = [served.ask(f"r{number}", body) for number in range(40)]
        assert {answer["model_version"] for answer in answers} == {"4"}
        assert all(answer["outputs"] == alone["outputs"] for answer in answers), "no answer of the shadow is returned"
        served.read_until("from its next start")
        ended = "\n".join(served.lines)
        assert "promoted on " in ended and "largest difference" in ended
        assert served.ask("after", body)["model_version"] == "4", "the champion's server goes on"
    assert set(logged(champion).values()) == {"4"}, "the log has what was returned"
    assert list((log_of(champion) / "live-tests" / test.name).rglob("*.jsonl"))
    settled = current_champion(str(champion / ".naru" / "store"), "tiny")
    assert settled is not None and settled.version == "5"


def test_a_test_goes_on_where_a_killed_server_left_it(champion: Path, other_model: Path) -> None:
    begin(champion, other_model, SHADOW)
    body = request_of(champion)
    served = Served(champion)
    served.ask("before", body)
    until = time.monotonic() + 300
    while not served.metric("naru_shadow_compared_total"):
        assert time.monotonic() < until
        served.ask(f"try-{time.monotonic()}", body)
        time.sleep(0.2)
    time.sleep(1.0)  # longer than the flush of the lines
    served.process.kill()
    served.process.communicate(timeout=120)
    before = int(show_live_test(champion)[-1].split()[2])
    assert before >= 1
    with serving(champion) as served:
        served.ask("again", body)
        until, number = time.monotonic() + 300, 0
        while read_live_tests(str(champion / ".naru" / "store"), "tiny")[0].ended is None:
            assert time.monotonic() < until
            served.ask(f"second-{number}", body)
            number += 1
            time.sleep(0.05)
        served.read_until("from its next start")
        assert served.metric("naru_shadow_compared_total") < 30 + number, "those before the kill count"


def test_an_ab_test_splits_by_the_key_and_the_champion_stands_in(champion: Path, other_model: Path) -> None:
    test = begin(champion, other_model, AB)
    with serving(champion) as served:
        assert any("Version 5 answers 50 % of the requests (A/B" in line for line in served.lines)
        carriers = [f"C{number}" for number in range(30)]
        until = time.monotonic() + 300
        while "5" not in (
            versions := {
                served.ask(f"try-{name}-{time.monotonic()}", request_of(champion, name))["model_version"]
                for name in carriers
            }
        ):
            assert time.monotonic() < until, versions
        by_carrier = {
            name: {served.ask(f"{name}-{number}", request_of(champion, name))["model_version"] for number in range(3)}
            for name in carriers
        }
        assert all(len(versions) == 1 for versions in by_carrier.values()), "the same key, the same version"
        assert {next(iter(versions)) for versions in by_carrier.values()} == {"4", "5"}
        theirs = next(name for name, versions in by_carrier.items() if versions == {"5"})
        while f"{theirs}-0" not in logged(champion):  # a killed server loses what the flush of its log let wait
            assert time.monotonic() < until, "the line is written in a second"
            time.sleep(0.05)
        os.kill(served.challenger(), signal.SIGKILL)
        assert served.ask("stands-in", request_of(champion, theirs))["model_version"] == "4"
        assert served.metric("naru_ab_fallbacks_total") >= 1
        until = time.monotonic() + 300
        while served.ask(f"back-{time.monotonic()}", request_of(champion, theirs))["model_version"] != "5":
            assert time.monotonic() < until, "its server is started again"
            time.sleep(0.2)
    assert logged(champion)[f"{theirs}-0"] == "5", "what was returned is logged, by the version that answered"
    assert list((log_of(champion) / "live-tests" / test.name).rglob("*.jsonl"))
