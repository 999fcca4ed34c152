"""Records a version in MLflow: one MLflow run and one model version per pipeline run and model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components._core.settings import Settings
from components._core.store.object_store import absolute_uri
from components._core.types.hyperparameter_names import stored_name
from components._registry.mlflow_client import CHALLENGER, open_registry

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_KEY = "naru.key"
_LONGEST_PARAM = 500
_MOST_PARAMS = 100
"""Most parameters that MLflow accepts in one request."""


@dataclass(frozen=True)
class Record:
    """What MLflow records of a version.

    Attributes:
        project: Name of the experiment and of the registered model.
        run: Name of the pipeline run.
        params: Hyperparameters, spans, fingerprints.
        metrics: Metrics from evaluate.
        tags: Tags; `naru.key` identifies this model of this run.
    """

    project: str
    run: str
    params: dict[str, Any]
    metrics: dict[str, float]
    tags: dict[str, str]


@dataclass(frozen=True)
class Version:
    """A version in the registry.

    Attributes:
        number: MLflow's number of the version.
        mlflow_run: Id of its MLflow run.
        base: URI of the folder with the version's parts.
        hashes: SHA-256 by file below `base`.
    """

    number: str
    mlflow_run: str
    base: str
    hashes: dict[str, str]


def record_version(settings: Settings, record: Record, store: Callable[[str], dict[str, str]]) -> Version:
    """Record the run, store its parts, create the version, set the alias. Each step reuses what an earlier attempt left.

    Args:
        settings: Settings with the store and MLflow.
        record: The record.
        store: Copies the parts below a URI and returns their hashes; called before the version exists, and again in a retry.
    """
    client = open_registry(settings.tracking_uri)
    models = f"{absolute_uri(settings.store)}/{record.project}/models"
    mlflow_run = _find_or_start(client, _experiment(client, record.project, models), record)
    base = f"{models}/{mlflow_run}/artifacts"
    hashes = store(base)
    number = _find_or_create(client, record, f"{base}/model", mlflow_run)
    client.set_registered_model_alias(record.project, CHALLENGER, number)
    client.set_terminated(mlflow_run)
    return Version(number, mlflow_run, base, hashes)


def _experiment(client: MlflowClient, name: str, models: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name, artifact_location=models))


def _find_or_start(client: MlflowClient, experiment: str, record: Record) -> str:
    found = client.search_runs([experiment], f"tags.`{_KEY}` = '{record.tags[_KEY]}'", max_results=1)
    started = found[0] if found else client.create_run(experiment, tags=record.tags, run_name=record.run or None)
    run_id = str(started.info.run_id)
    if started.info.status != "FINISHED":
        _log(client, run_id, record)
    return run_id


def _log(client: MlflowClient, run_id: str, record: Record) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    metrics = [Metric(stored_name(name), value, now, 0) for name, value in record.metrics.items() if value is not None]
    params = [Param(stored_name(name), str(value)[:_LONGEST_PARAM]) for name, value in record.params.items()]
    client.log_batch(run_id, metrics=metrics)
    for first in range(0, len(params), _MOST_PARAMS):
        client.log_batch(run_id, params=params[first : first + _MOST_PARAMS])


def _find_or_create(client: MlflowClient, record: Record, source: str, mlflow_run: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.search_model_versions(f"name = '{record.project}' and run_id = '{mlflow_run}'")
    if found:
        return str(found[0].version)
    try:
        client.create_registered_model(record.project)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {name: value for name, value in record.tags.items() if value}
    return str(client.create_model_version(record.project, source, mlflow_run, tags=tags).version)
