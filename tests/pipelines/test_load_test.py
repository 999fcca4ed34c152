"""`naru load`: the champion under load, or a sentence that says why there is nothing to load."""

from __future__ import annotations

import socket
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from components._core.errors import ConfigError, ServiceError
from components._core.examples.samples import Sample
from components._core.types.artifact_files import SAMPLE
from components.deploy.load_generator import Load
from components.deploy.targets.local.server_process import ModelServer, free_port
from components.evaluate.parity_samples import probe_rows
from pipelines.load_test import Target, load_server, make_table, parse_clients, request_bodies
from tests.components.tiny_models import FEATURES, write_examples
from tests.pipelines.conftest import PROJECT

NOBODY = Target()


def load(project: Path, target: Target = NOBODY, rows: int = 1) -> list[str]:
    (project / "project.yaml").write_text(f"{PROJECT}serve: {{port: 0}}\n")
    console = Console(record=True, width=200, file=StringIO())
    assert load_server(console, project, target, [1, 2], seconds=0.3, rows=rows) == 0
    return console.export_text().splitlines()


@pytest.mark.slow
def test_the_champion_is_started_loaded_and_ended_when_nobody_serves_it(champion: Path) -> None:
    output = load(champion, rows=5)
    assert output[0] == "No server of tiny is running: version 4 is started for the test, and stopped after it"
    assert output[1].endswith("5 rows each, the row that is kept with the model")
    lines = [line.split() for line in output[3:]]
    assert [line[0] for line in lines] == ["1", "2"] and all(line[-1] == "none" for line in lines)
    requests, rows = (float(lines[0][at].replace(",", "")) for at in (1, 2))
    assert rows == pytest.approx(5 * requests, rel=0.3) and float(lines[0][3]) > 0


@pytest.mark.slow
def test_a_server_that_runs_is_loaded_by_port_and_by_address(champion: Path, tmp_path: Path) -> None:
    (model,) = champion.glob(".naru/store/tiny/models/*/artifacts/model")
    with ModelServer(sys.executable, model, "tiny", "4", tmp_path / "log") as server:
        server.wait_until_ready()
        for target in (Target.of(server.port, ""), Target.of(None, f"http://127.0.0.1:{server.port}/v2/models/tiny")):
            assert load(champion, target)[0].startswith(
                f"Sending requests to http://127.0.0.1:{server.port}/v2/models/tiny: 1 row"
            )


def test_the_test_rows_that_are_kept_with_the_model_are_sent(champion: Path) -> None:
    (parts,) = champion.glob(".naru/store/tiny/models/*/artifacts")
    rows = probe_rows(write_examples(champion / "examples", "binary_classification", rows=40), FEATURES)
    Sample(rows, {"probability": np.zeros(rows.num_rows, np.float32)}).save(parts / SAMPLE)
    bodies, output = request_bodies(parts, rows=1)
    assert len(set(bodies)) > 30 and output == "1 row each, from 40 test rows that are kept with the model"
    assert len(request_bodies(parts, rows=10_000)[0]) == 2


def test_without_a_champion_there_is_nothing_to_load(project: Path) -> None:
    with pytest.raises(ConfigError, match="has no champion"):
        load(project)


def test_a_server_that_was_named_must_be_there(champion: Path) -> None:
    with pytest.raises(ServiceError, match="no model server answers") as caught:
        load(champion, Target.of(free_port(), ""))
    assert "naru serve" in caught.value.remedy


@pytest.mark.slow
def test_whoever_answers_there_must_serve_the_project(champion: Path, tmp_path: Path) -> None:
    (model,) = champion.glob(".naru/store/tiny/models/*/artifacts/model")
    with ModelServer(sys.executable, model, "other", "4", tmp_path / "log") as server:
        server.wait_until_ready()
        with pytest.raises(ConfigError, match="the server has no model 'tiny'"):
            load(champion, Target.of(server.port, ""))


def test_someone_who_says_nothing_is_not_waited_for_for_ever(champion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.load_test._SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ServiceError, match="timed out"):
        load(champion, Target.of(silent.getsockname()[1], ""))


@pytest.mark.parametrize("text", ["", "0", "1,", "many", "513", "-1"])
def test_a_number_of_clients_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="allowed: numbers from 1 to 512"):
        parse_clients(text)
    assert parse_clients("1, 8") == [1, 8]


@pytest.mark.parametrize("url", ["localhost:8080", "https://host", "http://", "http://host:port"])
def test_an_address_that_is_none_of_plain_http_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="allowed: http://HOST:PORT"):
        Target.of(None, url)


def test_a_port_and_an_address_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="one of them"):
        Target.of(8080, "http://host")


def test_the_address_of_a_gateway_may_have_a_path_of_its_own() -> None:
    assert Target.of(None, "http://host/seldon/models/flights/").model_path("f") == "/seldon/models/flights/v2/models/f"
    assert Target.of(None, "http://host:81/x/v2/models/y/infer") == Target("host", 81, "/x/v2/models/y")


def test_errors_are_reported_by_status() -> None:
    console = Console(record=True, width=200, file=StringIO())
    console.print(make_table([Load(1, 1.0, 2, {0: 1, 200: 1, 429: 1_200}, [1.5])], rows=1))
    assert "1 x no answer, 1,200 x 429" in console.export_text()
