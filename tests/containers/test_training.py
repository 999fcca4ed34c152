"""The whole training pipeline in its images, through kfp's DockerRunner, against a real S3 and MLflow's own server."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components._core.files import files_below, hash_file, read_json
from components._core.project.project_file import load_project
from components._core.stage.user_code import pack_code
from components._core.store.filesystems import open_filesystem
from components._core.store.object_store import fetch, upload
from components._core.types.artifact_files import (
    DIGESTS,
    HYPERPARAMETERS,
    MANIFEST,
    OUTCOME,
    QUARANTINE,
    REGISTRATION,
    REQUEST,
    ROLLOUT,
    SCHEMA,
    STATISTICS,
)
from components._data.sources.registry import open_source
from pipelines.graphs.pipelines import TRAINING
from pipelines.local.run_state import task_root
from tests.components.serve.conformance.wires import request as ask
from tests.containers.conftest import container_user, started, wait_until_answers
from tests.containers.engine import ROOT
from tests.containers.s3_server import S3Server, free_port

pytestmark = pytest.mark.containers

STORE = "s3://naru/store"
FLIGHTS = ROOT / "examples" / "flights"
ROWS_PER_SPAN = 1_500
UNREADABLE = "a row of,two fields\n"
AUC_TOLERANCE = 0.005
PROJECT = """
name: small
task: binary_classification
label: late
data: {source: "s3://naru/flights/flights-{span}.csv", spans: 1-2, quarantine_limit: 0.01}
train: {epochs: 2, batch_size: 128, hyperparameters: {learning_rate: 0.005, embedding: 4}}
gates: {model: {thresholds: {auc: {min: 0.7}}, slices: [origin]}}
"""


@dataclass(frozen=True)
class Run:
    """A run's tasks, wherever it ran."""

    root: Path

    def artifact(self, stage: str, name: str) -> Path:
        return self.root / stage / name

    def record(self, stage: str) -> dict[str, Any]:
        """The metadata of the artifact by which a stage tells how it ended."""
        outputs = json.loads((self.root / stage / "executor_output.json").read_text())["artifacts"].values()
        each = [artifact["metadata"] for output in outputs for artifact in output["artifacts"]]
        (found,) = [metadata for metadata in each if "verdict" in metadata]
        return found

    def verdicts(self) -> dict[str, tuple[str, str]]:
        return {stage: (self.record(stage)["verdict"], self.record(stage)["reason"]) for stage in TRAINING.stage_names}

    def judged(self) -> dict[str, dict[str, Any]]:
        """The outcomes of the stages that judge."""
        return {path.parts[-3]: read_json(path) for path in sorted(self.root.glob(f"*/*/{OUTCOME}"))}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project of real flights; its rows lie in a folder beside it, for S3."""
    folder = tmp_path_factory.mktemp("project")
    if not (FLIGHTS / "data" / "flights-12.csv").exists():
        subprocess.run([sys.executable, FLIGHTS / "make_data.py"], check=True, capture_output=True)
    (folder / "project.yaml").write_text(PROJECT)
    for code in ("preprocessing.py", "model.py"):
        shutil.copy(FLIGHTS / code, folder)
    (folder / "rows").mkdir()
    for month in (1, 2):
        lines = (FLIGHTS / "data" / f"flights-{month:02d}.csv").read_text().splitlines(keepends=True)
        rows = lines[1 :: len(lines) // ROWS_PER_SPAN][:ROWS_PER_SPAN]
        (folder / "rows" / f"flights-{month}.csv").write_text(lines[0] + "".join(rows) + UNREADABLE)
    return folder


@pytest.fixture(scope="module")
def world(s3_server: S3Server, mlflow_server: str) -> dict[str, str]:
    """What a stage's environment says on a cluster."""
    return {
        **s3_server.environment,
        "NARU_STORE": STORE,
        "MLFLOW_TRACKING_URI": mlflow_server,
        "NARU_SERVING": "none",
    }


@pytest.fixture(scope="module")
def in_containers(project: Path, world: dict[str, str], runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("containers")
    root = folder / "root"
    root.mkdir()
    root.chmod(0o777)  # the stages are not root and write their artifacts here
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.items():
            patch.setenv(name, value)
        upload(project / "rows", "s3://naru/flights")
        request = {"root": str(root), "arguments": _arguments(project, folder), "container": _container(world)}
    (folder / "request.json").write_text(json.dumps(request))
    command = [runner, ROOT / "tests" / "containers" / "run_graph.py", folder / "request.json"]
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    done = subprocess.run(command, env=clean, cwd=folder, capture_output=True, text=True, timeout=3_000, check=False)
    found = task_root(root)
    assert found is not None, done.stdout[-3_000:] + done.stderr[-3_000:]
    lacking = [stage for stage in TRAINING.stage_names if not (found / stage / "executor_output.json").exists()]
    assert not lacking, f"{lacking} left nothing:\n{done.stdout[-6_000:]}\n{done.stderr[-2_000:]}"
    return Run(found)


def _arguments(project: Path, folder: Path) -> dict[str, Any]:
    """The pipeline's parameters; the project's code goes to the store, as it does for a cluster."""
    loaded = load_project(project, {})
    (folder / "code").mkdir()
    fingerprint = pack_code(project, loaded, folder / "code" / "code.zip")
    upload(folder / "code", f"{STORE}/small/code")
    return {
        "project": loaded.to_json(),
        "code_uri": f"{STORE}/small/code/code.zip",
        "code_fingerprint": fingerprint,
        "source": loaded.data.source,
        "spans": loaded.data.spans,
        "source_fingerprint": open_source(loaded.data.source).fingerprint(loaded.data.spans),
        "run": "in-containers",
    }


def _container(world: dict[str, str]) -> dict[str, Any]:
    user = container_user()
    return {
        "environment": world,
        "network_mode": "host",
        "read_only": True,
        "tmpfs": {"/tmp": ""},
        "cap_drop": ["ALL"],
        **({"user": user} if user else {}),
    }


@pytest.fixture(scope="module")
def as_processes(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same rows and project as processes on this machine, with a folder as the store."""
    folder = tmp_path_factory.mktemp("processes")
    shutil.copytree(project, folder, dirs_exist_ok=True)
    (folder / "project.yaml").write_text(PROJECT.replace("s3://naru/flights/", "rows/"))
    command = [sys.executable, "-m", "pipelines", "run", str(folder), "--json"]
    world = {**os.environ, "PYTHONPATH": str(ROOT), "NARU_SERVING": "none"}
    done = subprocess.run(command, env=world, cwd=ROOT, capture_output=True, text=True, timeout=1_800, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    (run,) = (folder / ".naru" / "runs").iterdir()
    found = task_root(run)
    assert found is not None
    return Run(found)


def test_every_stage_ends_as_it_does_on_a_laptop(in_containers: Run, as_processes: Run) -> None:
    here, there = (
        {stage: _wording(*record) for stage, record in run.verdicts().items()} for run in (in_containers, as_processes)
    )
    assert here == there
    assert {here[stage][0] for stage in ("transform", "train", "register")} == {"ok"}


def test_every_check_ends_as_it_does_on_a_laptop(in_containers: Run, as_processes: Run) -> None:
    here, there = (
        {
            stage: [(check["name"], check["status"]) for check in record["checks"]]
            for stage, record in run.judged().items()
        }
        for run in (in_containers, as_processes)
    )
    assert here == there
    assert {"validate", "evaluate", "deploy"} <= here.keys()
    assert len(here["evaluate"]) > 2


def _wording(verdict: str, reason: str) -> tuple[str, str]:
    """Without its numbers, of which some are times and others a model's last digits."""
    return verdict, re.sub(r"\d[\d.,]*", "#", reason)


def test_nothing_is_served_where_there_is_no_target(in_containers: Run) -> None:
    assert in_containers.verdicts()["deploy"] == ("skipped", "no serving target (NARU_SERVING is none)")
    assert read_json(in_containers.artifact("deploy", "rollout") / ROLLOUT)["version"] == "1"
    assert "</html>" in in_containers.artifact("deploy", "report").read_text()


def test_the_rows_are_the_same(in_containers: Run, as_processes: Run) -> None:
    here, there = in_containers.artifact("ingest", "examples"), as_processes.artifact("ingest", "examples")
    assert read_json(here / MANIFEST) == read_json(there / MANIFEST)
    _assert_equal_tables(here, there, tolerance=0)


def test_the_rows_that_could_not_be_read_are_the_same(in_containers: Run, as_processes: Run) -> None:
    kept = [(run.artifact("ingest", "quarantine") / QUARANTINE).read_text() for run in (in_containers, as_processes)]
    assert kept[0].replace("s3://naru/flights/", "") == re.sub(r'[^"]*/rows/|rows/', "", kept[1])
    assert kept[0].count(UNREADABLE.strip()) == 2


def test_the_schema_is_the_same(in_containers: Run, as_processes: Run) -> None:
    _assert_equal_schemas(*(run.artifact("validate", "schema") / SCHEMA for run in (in_containers, as_processes)))


def test_the_transformed_schema_is_the_same(in_containers: Run, as_processes: Run) -> None:
    graphs = [run.artifact("transform", "transform_graph") for run in (in_containers, as_processes)]
    _assert_equal_schemas(*(graph / "transformed_metadata" / SCHEMA for graph in graphs))


def _assert_equal_schemas(here: Path, there: Path) -> None:
    schemas = [text_format.Parse(path.read_text(), schema_pb2.Schema()) for path in (here, there)]
    assert schemas[0].feature
    assert schemas[0] == schemas[1]


def test_the_statistics_are_the_same(in_containers: Run, as_processes: Run) -> None:
    here, there = (
        _statistics(run.artifact("validate", "statistics") / STATISTICS) for run in (in_containers, as_processes)
    )
    assert len(here) > 10
    assert here == there


def _statistics(file: Path) -> dict[str, Any]:
    """Counts, moments and frequent values of each column of each dataset; quantiles are sketches, which differ between releases."""
    read = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes())
    return {
        f"{dataset.name}: {''.join(feature.path.step) or feature.name}": _counts(feature)
        for dataset in read.datasets
        for feature in dataset.features
    }


def _counts(feature: statistics_pb2.FeatureNameStatistics) -> tuple[Any, ...]:
    numbers, words = feature.num_stats, feature.string_stats
    counted = (numbers if feature.HasField("num_stats") else words).common_stats
    moments = [round(value, 5) for value in (numbers.mean, numbers.min, numbers.max)]
    return (
        counted.num_non_missing,
        counted.num_missing,
        moments,
        [(top.value, top.frequency) for top in words.top_values],
    )


def test_the_checks_of_the_data_are_the_same(in_containers: Run, as_processes: Run) -> None:
    judged = [read_json(run.artifact("validate", "validation") / OUTCOME) for run in (in_containers, as_processes)]
    assert judged[0] == judged[1]


def test_the_transformed_rows_are_the_same(in_containers: Run, as_processes: Run) -> None:
    """But for the last bits of the z-scores, which another build of TensorFlow may round otherwise."""
    here, there = in_containers.artifact("transform", "transformed"), as_processes.artifact("transform", "transformed")
    _assert_equal_tables(here, there, tolerance=1e-5)


def test_the_hyperparameters_are_the_same(in_containers: Run, as_processes: Run) -> None:
    found = [
        read_json(run.artifact("tune", "hyperparameters") / HYPERPARAMETERS) for run in (in_containers, as_processes)
    ]
    assert found[0] == found[1] == {"learning_rate": 0.005, "embedding": 4}


def test_the_model_is_as_good(in_containers: Run, as_processes: Run) -> None:
    here, there = (run.record("evaluate")["metric_auc"] for run in (in_containers, as_processes))
    assert here == pytest.approx(there, abs=AUC_TOLERANCE)


@pytest.mark.usefixtures("s3")
def test_the_model_is_in_s3_whole(in_containers: Run, tmp_path: Path) -> None:
    registered = read_json(in_containers.artifact("register", "registration") / REGISTRATION)
    assert registered["model"].startswith(f"{STORE}/small/models/")
    stored, made = fetch(registered["model"], tmp_path), in_containers.artifact("train", "model")
    listed = {name.removeprefix("model/"): of for name, of in registered["sha256"].items() if name.startswith("model/")}
    assert {path.relative_to(stored).as_posix(): hash_file(path) for path in files_below(stored)} == listed
    trained = {path.relative_to(made).as_posix(): hash_file(path) for path in files_below(made)}
    del trained[DIGESTS]  # register adds a file to the model, and lists it
    assert trained.items() <= listed.items()
    files, path = open_filesystem(f"{STORE}/small/deployments")
    assert not files.exists(path)  # nothing was served, so there is no champion


def test_the_version_is_in_mlflow(in_containers: Run, mlflow_server: str) -> None:
    url = f"{mlflow_server}/api/2.0/mlflow/registered-models/alias?name=small&alias=challenger"
    with urllib.request.urlopen(url, timeout=30) as answer:
        version = json.load(answer)["model_version"]
    registered = read_json(in_containers.artifact("register", "registration") / REGISTRATION)
    assert (version["version"], version["source"]) == (registered["version"], registered["model"])


def test_the_server_image_answers_a_request_for_the_model(in_containers: Run) -> None:
    port = free_port()
    request = in_containers.artifact("evaluate", "evaluation") / REQUEST
    mounted = ("--volume", f"{in_containers.artifact('train', 'model')}:/model:ro")
    with started("server", "--name", "small", "--port", str(port), "--grpc-port", "0", options=mounted):
        address = f"http://127.0.0.1:{port}/v2/models/small"
        wait_until_answers(f"{address}/ready")
        body = urllib.request.Request(f"{address}/infer", request.read_bytes(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(body, timeout=30) as answer:
            (probability,) = [output["data"][0] for output in json.load(answer)["outputs"]][:1]
    assert 0 <= float(probability) <= 1


def test_the_seldon_image_answers_for_the_model_that_a_newer_tensorflow_saved(in_containers: Run) -> None:
    port = free_port()
    request = read_json(in_containers.artifact("evaluate", "evaluation") / REQUEST)
    rows = {item["name"]: item["data"] for item in request["inputs"]}
    mounted = ("--volume", f"{in_containers.artifact('train', 'model')}:/model:ro")
    with started("server-seldon", "--name", "small", "--port", str(port), "--grpc-port", "0", options=mounted):
        wait_until_answers(f"http://127.0.0.1:{port}/health/status")
        reply = ask(f"http://127.0.0.1:{port}/api/v1.0/predictions", {"jsonData": rows})
    assert reply.status == 200
    assert 0 <= reply.content["jsonData"]["probability"][0] <= 1


def _assert_equal_tables(here: Path, there: Path, tolerance: float) -> None:
    names = sorted(path.relative_to(here) for path in here.rglob("*.parquet"))
    assert names
    assert names == sorted(path.relative_to(there) for path in there.rglob("*.parquet"))
    for name in names:
        left, right = pq.read_table(here / name).to_pydict(), pq.read_table(there / name).to_pydict()
        assert left.keys() == right.keys()
        for column in left:
            _assert_equal_columns(left[column], right[column], tolerance, f"{name}: {column}")


def _assert_equal_columns(left: list[Any], right: list[Any], tolerance: float, place: str) -> None:
    if tolerance and left and isinstance(left[0], float):
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance, err_msg=place)
    else:
        assert left == right, place
