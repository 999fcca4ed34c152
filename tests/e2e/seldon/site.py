"""A namespace with a store, its Secret, and versions of a tiny model: everything that a rollout on a real cluster needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components._cluster.kubernetes_client import Cluster
from components._core.checks import Outcome
from components._core.examples.artifact import Manifest
from components._core.examples.samples import Sample
from components._core.files import read_json, write_json
from components._core.project.project_file import Project
from components._core.report.page import Page
from components._core.store.file_digests import digest_of, write_digests
from components._core.store.ledger import current_champion
from components._core.store.object_store import upload
from components._core.types.artifact_files import COMPARED, DIGESTS, SAMPLE
from components._core.types.oip_requests import to_request
from components._core.types.signature import to_arrays
from components.deploy.deploy import deploy_version
from components.deploy.targets.placement import IMAGES, Placement
from components.deploy.targets.seldon.objects import KIND, VERSION
from components.deploy.targets.seldon.observation import look
from components.register.version_files import store_parts
from pipelines.cluster.store_keys import server_keys
from tests.components.tiny_models import CARRIERS, FEATURES, write_examples, write_model
from tests.e2e.world import until

NAMESPACE = "naru-e2e-models"
NAME = "tiny"
STORE = "s3://models/store"
ROWS = 40
KEYS = {"AWS_ACCESS_KEY_ID": "naru-e2e", "AWS_SECRET_ACCESS_KEY": "only-in-this-test", "AWS_REGION": "us-east-1"}
TABLE: list[tuple[str, float, int, int, int, str]] = []
"""What is printed at the end: the test, its seconds, requests sent meanwhile, answered wrongly, not answered, what was done."""
PLACEMENTS = {protocol: {"": Placement(image=image)} for protocol, image in IMAGES.items()}


def rows_to_ask() -> pa.Table:
    random = np.random.default_rng(11)
    return pa.table(
        {
            "delay": pa.array(random.normal(0, 15, ROWS), pa.float32()),
            "month": pa.array(random.integers(1, 13, ROWS), pa.int64()),
            "carrier": random.choice(CARRIERS, ROWS).tolist(),
            "noise": pa.array(random.random(ROWS), pa.float32()),
        }
    )


def requests() -> list[dict[str, Any]]:
    rows = rows_to_ask()
    return [to_request(rows.slice(row, 1), FEATURES) for row in range(ROWS)]


@dataclass
class Site:
    """What the tests act on.

    Attributes:
        folder: Of this machine, for everything that is written on the way.
        cluster: The cluster.
        endpoint: The store, as it is reached from here.
        expected: What each version answers to each of the rows, as it did offline.
    """

    folder: Path
    cluster: Cluster
    endpoint: str
    expected: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def project(self, **serve: Any) -> Project:
        """Small servers; two of the stable version, so that shares of 1 in 3 and 1 in 2 can be held."""
        amounts = {"requests": {"cpu": "20m", "memory": "300Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}}
        canary = {"shares": [10, 50], "bake_seconds": 12, "min_requests": 20}
        wanted = {"replicas": 2, "resources": amounts, "canary": canary, "wait_seconds": 240, **serve}
        raw = {
            "name": NAME,
            "task": "binary_classification",
            "label": "y",
            "data": {"source": "t.csv"},
            "serve": wanted,
        }
        return Project.model_validate(raw)

    def register(self, version: str, weight: float, *, answers_of: float | None = None) -> dict[str, Any]:
        """Put a version into the store with its offline answers, or with those of another one.

        Returns:
            What register writes into `registration.json`.
        """
        from components._frameworks.table import load_model

        model = write_model(self.folder / f"model-{version}", "binary_classification", weight)
        truth = (
            model
            if answers_of is None
            else write_model(self.folder / f"other-{version}", "binary_classification", answers_of)
        )
        rows = rows_to_ask()
        answers = load_model(truth).predict(to_arrays(rows, FEATURES))
        self.expected[version] = answers["probability"]
        sample = self.folder / f"sample-{version}" / SAMPLE
        sample.parent.mkdir()
        Sample(rows, answers).save(sample)
        base = f"{STORE}/{NAME}/models/{version}/artifacts"
        write_digests(model)
        hashes = store_parts({"model": model, SAMPLE: sample}, base, self.folder / f"digests-{version}" / DIGESTS)
        return {
            **{name: f"{base}/{name}" for name in ("model", "statistics", "schema")},
            "version": version,
            "fingerprint": "f" * 32,
            "metrics": {"auc": 0.9},
            "run": f"run-{version}",
            "sha256": hashes,
            "registration_sha256": digest_of(hashes),
        }

    def damage(self, version: str) -> None:
        """Leave the model's files there, and nothing in them that can be loaded."""
        broken = self.folder / "broken"
        broken.write_bytes(b"no model")
        upload(broken, f"{STORE}/{NAME}/models/{version}/artifacts/model/saved_model/saved_model.pb")

    def deploy(
        self, registered: dict[str, Any], project: Project | None = None, cause: str = ""
    ) -> tuple[Outcome, dict[str, Any]]:
        """Run the stage; returns its outcome and `rollout.json`."""
        work = self.folder / f"deploy-{len(list(self.folder.glob('deploy-*')))}"
        (work / "rollout").mkdir(parents=True)
        write_json(work / "registration" / "registration.json", registered)
        champion = current_champion(STORE, NAME)
        Manifest.load(self._examples()).save(work / "evaluation")
        write_json(work / "evaluation" / COMPARED, {"champion": champion.identity if champion else None})
        Page("register", "Registration", Outcome("ok", "")).save(work / "registration")
        outcome = deploy_version(
            project or self.project(),
            run=registered["run"],
            cause=cause,
            evaluation=work / "evaluation",
            history=work / "history",  # none: the record of the run then has no environment
            registration=work / "registration",
            pages=[],
            stages=[],
            rollout=work / "rollout",
            report=work / "report.html",
        )
        return outcome, read_json(work / "rollout" / "rollout.json")

    def served(self) -> list[str]:
        """Names of the predictors that have servers now, and nothing of others is left."""
        seen = look(self.cluster, NAMESPACE, NAME)
        assert set(seen.deployments) == {predictor["name"] for predictor in seen.predictors}
        return sorted(seen.deployments)

    def selected(self) -> dict[str, str]:
        """Whom the Service names."""
        metadata = {"name": NAME, "namespace": NAMESPACE}
        found = self.cluster.get({"apiVersion": "v1", "kind": "Service", "metadata": metadata}) or {}
        return dict(found["spec"]["selector"])

    def remove(self) -> None:
        """Take away what is served, and wait until it is gone."""
        served = {"apiVersion": VERSION, "kind": KIND, "metadata": {"name": NAME, "namespace": NAMESPACE}}
        self.cluster.delete(served)
        until(lambda: not look(self.cluster, NAMESPACE, NAME).deployments, "nothing is served")

    def _examples(self) -> Path:
        folder = self.folder / "examples"
        return folder if folder.exists() else write_examples(folder, "binary_classification", rows=50)


def manifests() -> list[dict[str, Any]]:
    """The namespace, the store in it, and the Secrets: one that opens it, one that leads nowhere."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _secret("naru-models", f"http://store.{NAMESPACE}:7070"),
        _secret("naru-nowhere", f"http://nowhere.{NAMESPACE}:7070"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "store", "namespace": NAMESPACE},
            "spec": {"selector": {"app": "store"}, "ports": [{"port": 7070}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "store", "namespace": NAMESPACE, "labels": {"app": "store"}},
            "spec": {
                "containers": [_store_container()],
                "volumes": [{"name": "data", "emptyDir": {}}],
                "terminationGracePeriodSeconds": 1,
            },
        },
    ]


def _store_container() -> dict[str, Any]:
    keys = {"ROOT_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"], "ROOT_SECRET_KEY": KEYS["AWS_SECRET_ACCESS_KEY"]}
    command = "mkdir -p /data/models && exec versitygw --port :7070 --health /health posix /data"
    return {
        "name": "store",
        "image": "versity/versitygw:v1.8.0",
        "command": ["sh", "-c", command],
        "env": [{"name": name, "value": value} for name, value in {**keys, "VGW_REGION": KEYS["AWS_REGION"]}.items()],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 7070}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }


def _secret(name: str, endpoint: str) -> dict[str, Any]:
    data = server_keys(endpoint, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_REGION"])
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": data,
    }
