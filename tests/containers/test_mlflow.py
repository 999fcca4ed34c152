"""MLflow's server as the image has it: without the half of MLflow that only a client or a page of plots would import."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components._core.files import write_text
from components._core.store.object_store import upload
from tests.containers.conftest import started, wait_until_answers
from tests.containers.s3_server import S3Server, free_port

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("images")]


@pytest.fixture(scope="module")
def server(s3_server: S3Server) -> Iterator[str]:
    """Its address; its artifacts are in S3, as on a cluster."""
    port = free_port()
    options = [f"--env={name}={value}" for name, value in s3_server.environment.items()]
    options.append("--env=MLFLOW_DEFAULT_ARTIFACT_ROOT=s3://naru/mlflow")
    with started("mlflow", "--port", str(port), "--workers", "1", options=tuple(options)):
        wait_until_answers(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"


def _get(request: str | urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def _post(address: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.loads(_get(request))


@pytest.fixture(scope="module")
def run(server: str) -> dict[str, Any]:
    """A run with a metric."""
    api = f"{server}/api/2.0/mlflow"
    made: dict[str, Any] = _post(f"{api}/runs/create", {"experiment_id": "0", "run_name": "tried"})["run"]["info"]
    _post(f"{api}/runs/log-metric", {"run_id": made["run_id"], "key": "auc", "value": 0.9, "timestamp": 0, "step": 0})
    return made


def test_the_page_and_its_scripts_are_there(server: str) -> None:
    page = _get(f"{server}/").decode()
    script = page.split('src="')[1].split('"')[0]
    assert len(_get(f"{server}/{script.removeprefix('./')}")) > 100_000


@pytest.mark.usefixtures("s3")
def test_the_files_of_a_run_in_s3_can_be_seen(server: str, run: dict[str, Any], tmp_path: Path) -> None:
    write_text(tmp_path / "made" / "report.txt", "well done")
    upload(tmp_path / "made", run["artifact_uri"])
    listed = json.loads(_get(f"{server}/ajax-api/2.0/mlflow/artifacts/list?run_id={run['run_id']}"))
    assert [file["path"] for file in listed["files"]] == ["report.txt"]
    assert _get(f"{server}/get-artifact?path=report.txt&run_uuid={run['run_id']}") == b"well done"


def test_what_the_page_asks_for_is_answered(server: str, run: dict[str, Any]) -> None:
    query = "query Q($data: MlflowGetRunInput!) {mlflowGetRun(input: $data) {run {info {runName} data {metrics {key value}}}}}"
    request = {"query": query, "variables": {"data": {"runId": run["run_id"]}}, "operationName": "Q"}
    (metric,) = _post(f"{server}/graphql", request)["data"]["mlflowGetRun"]["run"]["data"]["metrics"]
    assert metric == {"key": "auc", "value": 0.9}
    history = _get(f"{server}/ajax-api/2.0/mlflow/metrics/get-history?run_id={run['run_id']}&metric_key=auc")
    assert [point["value"] for point in json.loads(history)["metrics"]] == [0.9]
    found = _post(f"{server}/ajax-api/2.0/mlflow/runs/search", {"experiment_ids": ["0"], "filter": "metrics.auc > 0.5"})
    assert [each["info"]["run_id"] for each in found["runs"]] == [run["run_id"]]


def test_versions_and_their_aliases_are_kept(server: str) -> None:
    api = f"{server}/api/2.0/mlflow"
    _post(f"{api}/registered-models/create", {"name": "tried"})
    made = _post(f"{api}/model-versions/create", {"name": "tried", "source": "s3://naru/store/tried"})["model_version"]
    _post(f"{api}/registered-models/alias", {"name": "tried", "alias": "challenger", "version": made["version"]})
    found = json.loads(_get(f"{api}/registered-models/alias?name=tried&alias=challenger"))["model_version"]
    assert found["source"] == "s3://naru/store/tried"
