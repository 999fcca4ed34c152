"""A batch has the answers, and the refusals, that the served model gives the same rows over HTTP."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.store.file_digests import digest_of_model, write_digests
from components._core.types.oip_requests import to_request
from components.deploy.targets.local.server_process import free_port
from components.predict.versions import ModelVersion
from tests.components.predict.made import TASKS, read, rejected, run, table
from tests.components.serve.conftest import Make, ready_url, start
from tests.components.tiny_models import FEATURES
from tests.representatives import representatives

ROWS = 400
SHARED = "multiclass_classification"


def _ask(url: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    body = json.dumps(request).encode()
    question = urllib.request.Request(f"{url}/infer", body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(question, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def _broken(rows: pa.Table) -> pa.Table:
    """Some rows with a missing month or a number that is too large."""
    month = [None if n % 17 == 3 else value for n, value in enumerate(rows["month"].to_pylist())]
    noise = [None if n % 23 == 5 else value for n, value in enumerate(rows["noise"].to_pylist())]
    rows = rows.set_column(rows.column_names.index("month"), "month", pa.array(month, pa.int64()))
    return rows.set_column(rows.column_names.index("noise"), "noise", pa.array(noise, pa.float64()))


@contextmanager
def serving(task: str, folder: Path, model: Make, request: pytest.FixtureRequest) -> Iterator[tuple[ModelVersion, str]]:
    """A version and its server's address; of several classes the server that all tests here share."""
    shutil.copytree(model(task), folder)
    write_digests(folder)
    version = ModelVersion("3", folder, digest_of_model(folder))
    if task == SHARED:
        yield version, request.getfixturevalue("server").url
        return
    server = start(folder, port=free_port())
    try:
        yield version, ready_url(server)
    finally:
        server.terminate()
        server.communicate(timeout=120)


@pytest.mark.parametrize("task", representatives(TASKS, SHARED))
def test_a_batch_answers_as_the_server(task: str, tmp_path: Path, model: Make, request: pytest.FixtureRequest) -> None:
    rows = _broken(table(ROWS))
    pq.write_table(rows, tmp_path / "t.parquet")
    with serving(task, tmp_path / "model", model, request) as (version, url):
        run(tmp_path / "t.parquet", tmp_path / "out", version, tmp_path / "store", task=task)
        answers = [_ask(url, to_request(rows.slice(row, 1), FEATURES)) for row in range(ROWS)]
    refused = {row + 1: body["error"].partition(":")[0] for row, (status, body) in enumerate(answers) if status != 200}
    assert len(refused) > 20
    assert {row["row"]: row["code"] for row in rejected(tmp_path / "out")} == refused
    served = [body["outputs"] for status, body in answers if status == 200]
    found = read(tmp_path / "out")
    for place, outputs in enumerate(served):
        for output in outputs:
            value = found[output["name"]][place].as_py()
            wanted = output["data"] if isinstance(value, list) else output["data"][0]
            same = value == wanted if isinstance(value, str) else np.allclose(value, wanted, atol=1e-6)
            assert same, (place, output["name"])
