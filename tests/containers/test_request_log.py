"""The request log as a pod keeps it: the server, with the options of its own object, before a real S3."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from components.deploy.targets.local.server_process import free_port
from components.deploy.targets.placement import Placement
from components.deploy.targets.seldon.manifest import render_deployment
from tests.components.deploy.targets.seldon.made import STABLE, component, project
from tests.components.serve.conftest import Running, ready_url
from tests.components.serve.test_mlserver_runtime import infer
from tests.components.tiny_models import write_model
from tests.containers.s3_server import BUCKET, S3Server

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), "binary_classification")


@contextmanager
def served(model: Path, name: str, **log: Any) -> Iterator[tuple[Running, subprocess.Popen[str]]]:
    """The server of a pod, with the environment that its Secret gives."""
    wanted = render_deployment(project(name, request_log=log), STABLE, Placement(store=f"s3://{BUCKET}"))
    arguments = component(wanted)["spec"]["containers"][0]["args"]
    arguments[1] = str(model)
    command = [sys.executable, "-m", "components.serve", *arguments, "--port", str(free_port())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield Running(ready_url(process), "", "", Path(), process.pid), process
    finally:
        process.kill()
        process.communicate(timeout=120)


def ask(server: Running, *ids: str) -> None:
    for one in ids:
        assert infer(server, id=one)[0] == 200


def logged(s3: S3Server, name: str) -> list[dict[str, Any]]:
    """The answered requests in the order of the objects, each of which must be whole."""
    files = (s3.folder / BUCKET / name / "requests").rglob("*.jsonl")
    texts = [file.read_text() for file in sorted(files, key=lambda file: int(file.name.rsplit("-", 2)[1]))]
    assert all(text.endswith("\n") for text in texts)
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    return [line for line in lines if "id" in line]


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_a_server_that_is_stopped_leaves_nothing_unwritten(model: Path, s3: S3Server) -> None:
    ids = [f"r{number}" for number in range(7)]
    with served(model, "ended", mask=["carrier"]) as (server, process):
        ask(server, *ids)
        assert logged(s3, "ended") == []
        process.terminate()
        assert process.wait(60) == 0
    lines = logged(s3, "ended")
    assert [line["id"] for line in lines] == ids
    assert {(line["model"], line["version"]) for line in lines} == {("ended", "3")}
    assert lines[0]["masked"] == ["carrier"] and lines[0]["inputs"]["carrier"] is None


def test_one_that_is_killed_loses_less_than_is_written_together(model: Path, s3: S3Server) -> None:
    with served(model, "killed", flush_rows=5, flush_seconds=3600) as (server, process):
        ask(server, "a", "b", "c", "d", "e")
        wait_until(lambda: len(logged(s3, "killed")) == 5)
        ask(server, "f", "g")
        process.kill()
        process.wait(60)
    assert [line["id"] for line in logged(s3, "killed")] == ["a", "b", "c", "d", "e"]


def test_what_was_answered_is_written_after_the_time_that_was_said(model: Path, s3: S3Server) -> None:
    with served(model, "aged", flush_seconds=0.5) as (server, process):
        ask(server, "a")
        wait_until(lambda: len(logged(s3, "aged")) == 1)
        process.kill()
