"""What a test on a cluster asks: `naru` as a person would, KFP, Kubernetes and both stores for what came of it."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from minio import Minio

from components._cluster.kubernetes_client import Cluster
from components._core.store.filesystems import open_filesystem
from components._kfp.connection import Connection
from components._kfp.kfp_client import KfpClient
from components._kfp.server_state import FINAL
from pipelines.graphs.pipelines import TRAINING
from pipelines.kfp.failure_reasons import RUN_LABEL
from pipelines.spec_text import read_spec
from pipelines.stage_durations import StageTime, reports_from_pods, stage_times
from tests.containers.engine import ROOT
from tests.e2e.environment import Environment

LONGEST_RUN = 1_800.0
OWNER = "naru-e2e"


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    output: str
    errors: str

    def well(self) -> str:
        """What it printed; fails with its own words when it did not end well."""
        assert self.code == 0, f"exit code {self.code}\n{self.output[-3_000:]}\n{self.errors[-3_000:]}"
        return self.output


def naru(variables: dict[str, str], *arguments: str) -> Done:
    command = [sys.executable, "-m", "pipelines", *arguments]
    done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=3_600, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def run_here(project: Path, variables: dict[str, str], **more: str) -> dict[str, Any]:
    """The record of a run of a project on this machine, in the project's own store and with nothing in service."""
    own = ("AWS_ENDPOINT_URL", "NARU_STORE", "MLFLOW_TRACKING_URI")
    here = {name: value for name, value in variables.items() if name not in own}
    return dict(json.loads(naru({**here, "NARU_SERVING": "none", **more}, "run", str(project), "--json").well()))


def until(true: Callable[[], Any], what: str, seconds: float = 300.0) -> Any:
    """What `true` answers once it is something."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not after {seconds:.0f} s: {what}"
        time.sleep(2)
    return found


@dataclass
class World:
    """A cluster with everything of Naru deployed.

    Attributes:
        environment: What the tests know of the cluster.
        variables: The environment of every `naru` command.
        kfp_store: Address of the S3 that KFP writes to.
        tables: What is printed at the end: the stages' times by the run's name.
    """

    environment: Environment
    variables: dict[str, str]
    kfp_store: str
    cluster: Cluster = field(default_factory=Cluster)
    tables: dict[str, list[StageTime]] = field(default_factory=dict)

    @property
    def kfp(self) -> KfpClient:
        return KfpClient(Connection(endpoint=self.variables["KF_PIPELINES_ENDPOINT"]))

    def naru(self, *arguments: str, **more: str) -> Done:
        return naru({**self.variables, **more}, *arguments)

    @contextmanager
    def store(self) -> Iterator[None]:
        """The store of the overlay, named by this process's environment."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patch.setenv(name, self.variables[name])
            yield

    @contextmanager
    def here(self) -> Iterator[None]:
        """The environment of every `naru` command, in this process."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.variables.items():
                patch.setenv(name, value)
            yield

    @contextmanager
    def losing(self, run: str, stage: str, file: str) -> Iterator[str]:
        """KFP's store without a file of a run's artifact; it is put back at the end. Yields its key in the store."""
        root = urlsplit(self._pipeline_root())
        (key,) = [key for key in self.keys(run) if key.startswith(f"{stage}/") and key.endswith(f"/{file}")]
        listed = self._client().list_objects(root.netloc, f"{root.path.strip('/')}/", recursive=True)
        (name,) = [str(entry.object_name) for entry in listed if str(entry.object_name).endswith(f"/{run}/{key}")]
        answer = self._client().get_object(root.netloc, name)
        held = answer.read()
        answer.close()
        self._client().remove_object(root.netloc, name)
        try:
            yield name
        finally:
            self._client().put_object(root.netloc, name, io.BytesIO(held), len(held))

    def exists(self, uri: str) -> bool:
        with self.store():
            files, path = open_filesystem(uri)
            return bool(files.exists(path))

    def submit(self, project: Path, *arguments: str, **more: str) -> str:
        """Start a run; returns its id."""
        return run_id(self.naru("submit", str(project), *arguments, **more).well())

    def run(self, run: str) -> dict[str, Any]:
        return self.kfp.get(f"/runs/{run}")

    def wait(self, run: str, named: str = "") -> dict[str, Any]:
        """A run once it has ended; its times are kept for the table when it gets a name there."""
        ended: dict[str, Any] = until(lambda: self._ended(run), f"run {run} ended", LONGEST_RUN)
        if named:
            self.tables[named] = self.times(run)
        return ended

    def pods(self, run: str) -> list[dict[str, Any]]:
        return self.cluster.list_all("v1", "Pod", f"{RUN_LABEL}={run}")

    def times(self, run: str) -> list[StageTime]:
        """Of a run that has ended: KFP tells of its last stage some seconds after it tells of the run."""
        return list(until(lambda: self._settled(run), f"the stages of run {run} are known", 60))

    def keys(self, run: str) -> list[str]:
        """What KFP's store holds of a run: `stage/.../artifact/...`."""
        root = urlsplit(self._pipeline_root())
        prefix = root.path.strip("/")
        listed = self._client().list_objects(root.netloc, f"{prefix}/" if prefix else "", recursive=True)
        named = (str(entry.object_name) for entry in listed)
        return [name.partition(f"/{run}/")[2] for name in named if f"/{run}/" in name]

    def read(self, run: str, stage: str, file: str) -> Any:
        """A JSON file of an artifact: `evaluation/outcome.json`."""
        root = urlsplit(self._pipeline_root())
        (key,) = [key for key in self.keys(run) if key.startswith(f"{stage}/") and key.endswith(f"/{file}")]
        listed = self._client().list_objects(root.netloc, f"{root.path.strip('/')}/", recursive=True)
        (name,) = [str(entry.object_name) for entry in listed if str(entry.object_name).endswith(f"/{run}/{key}")]
        answer = self._client().get_object(root.netloc, name)
        try:
            return json.loads(answer.read())
        finally:
            answer.close()

    def _settled(self, run: str) -> list[StageTime]:
        found = self.run(run)
        tasks = (found.get("run_details") or {}).get("task_details") or []
        times = stage_times(tasks, reports_from_pods(self.pods(run)), str(found.get("state") or ""))
        return [] if any(time.state == "running" for time in times) else times

    def _ended(self, run: str) -> dict[str, Any] | None:
        found = self.run(run)
        return found if found.get("state") in FINAL else None

    def _pipeline_root(self) -> str:
        metadata = {"name": "kfp-launcher", "namespace": self.environment.kfp_namespace}
        found = self.cluster.get({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}) or {}
        return str(found.get("data", {}).get("defaultPipelineRoot") or "minio://mlpipeline/v2/artifacts")

    def _client(self) -> Minio:
        address = urlsplit(self.kfp_store)
        keys = secret(self.cluster, self.environment.kfp_namespace, "mlpipeline-minio-artifact")
        region = "minio" if self._pipeline_root().startswith("minio:") else self.variables["AWS_REGION"]
        signing = {"access_key": keys["accesskey"], "secret_key": keys["secretkey"], "region": region}
        return Minio(address.netloc, secure=address.scheme == "https", **signing)


def run_id(output: str) -> str:
    """The id in what `naru submit` printed."""
    found = re.search(r"^run \S+ \(([0-9a-f-]{36})\)$", output, re.MULTILINE)
    assert found, output
    return found[1]


def secret(cluster: Cluster, namespace: str, name: str) -> dict[str, str]:
    found = cluster.get({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}})
    assert found, f"there is no Secret {namespace}/{name}"
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def settings(cluster: Cluster, namespace: str) -> dict[str, str]:
    """What the stages are given: the ConfigMap of the overlay."""
    metadata = {"name": "naru-settings", "namespace": namespace}
    found = cluster.get({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    assert found, f"there is no ConfigMap {namespace}/naru-settings"
    return dict(found["data"])


def expected_artifacts(file: Path) -> set[tuple[str, str]]:
    """Stage and name of everything that a compiled pipeline puts into the store; metrics are in KFP's own database alone."""
    components = read_spec(file)[0]["components"]
    return {
        (stage, name)
        for stage in TRAINING.stage_names
        for name, output in components[f"comp-{stage}"]["outputDefinitions"].get("artifacts", {}).items()
        if not output["artifactType"]["schemaTitle"].endswith("Metrics")
    }
