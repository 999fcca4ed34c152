"""Which Secrets a stage's pod reads: those of the places that it reads and writes, by name, and none that another needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import kubernetes

from components._core.errors import ConfigError
from components._core.project.project_file import Project
from components.stages import MONITOR, PREDICT
from pipelines.compile_target import IDENTITY, Target
from pipelines.compiler import compile_training
from pipelines.graphs.pipelines import TRAINING
from pipelines.spec_text import read_spec
from pipelines.stage_secrets import CREDENTIALS, GOOGLE_SECRET, LOG_SECRET, SECRET, SOURCES_SECRET, Places, set_secrets

BASE = {"name": "flights", "task": "regression", "label": "delay"}
STORED = {"ingest", "validate", "transform", "tune", "train", "evaluate", "register", "deploy"}
TABLE = {"table": "flights"}


class Task:
    """A task that writes down what it is given."""

    def __init__(self) -> None:
        self.variables: dict[str, set[str]] = {}
        self.mounts: set[str] = set()
        self.literal: dict[str, str] = {}

    def set_env_variable(self, name: str, value: str) -> None:
        self.literal[name] = value


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Task]]:
    """What each stage is given for a store and sources."""

    def as_env(task: Task, secret: str, keys: dict[str, str]) -> None:
        assert all(key == name for key, name in keys.items())
        task.variables.setdefault(secret, set()).update(keys)

    monkeypatch.setattr(kubernetes, "use_secret_as_env", as_env)
    monkeypatch.setattr(kubernetes, "use_secret_as_volume", lambda task, secret, folder: task.mounts.add(secret))

    def give(store: str, *sources: str, credentials: str = "secret") -> dict[str, Task]:
        tasks = {stage.name: Task() for stage in TRAINING.stages}
        for stage in TRAINING.stages:
            set_secrets(tasks[stage.name], stage, credentials, Places(store, sources))
        return tasks

    return give


def _variables(tasks: dict[str, Task], secret: str) -> dict[str, set[str]]:
    return {stage: task.variables[secret] for stage, task in tasks.items() if secret in task.variables}


def _mounts(tasks: dict[str, Task], secret: str) -> set[str]:
    return {stage for stage, task in tasks.items() if secret in task.mounts}


@pytest.mark.parametrize(
    ("sources", "variables"),
    [
        (["postgresql://${FLIGHTS_DB}"], {"FLIGHTS_DB"}),
        (["postgresql://db.example.com:5432/flights"], {"PGUSER", "PGPASSWORD"}),
        (["postgresql://${FLIGHTS_DB}", "postgresql://${NIGHTLY}"], {"FLIGHTS_DB", "NIGHTLY"}),
    ],
)
@pytest.mark.parametrize("credentials", ["secret", "identity"])
def test_a_connection_is_given_to_ingest_alone(
    given: Callable[..., dict[str, Task]], sources: list[str], variables: set[str], credentials: str
) -> None:
    tasks = given("s3://naru", *sources, credentials=credentials)
    assert _variables(tasks, SOURCES_SECRET) == {"ingest": variables}
    assert _variables(tasks, SECRET) == (
        {} if credentials == "identity" else {stage: set(CREDENTIALS) for stage in STORED}
    )


@pytest.mark.parametrize(
    ("store", "source", "google", "s3"),
    [
        ("s3://naru", "s3://b/t.csv", set(), STORED),
        ("s3://naru", "gs://b/t.csv", {"ingest"}, STORED),
        ("s3://naru", "bigquery://p", {"ingest"}, STORED),
        ("s3://naru", "delta://gs://b/t", {"ingest"}, STORED),
        ("gs://naru", "gs://naru/t.csv", STORED, set()),
        ("gs://naru", "s3://b/t.csv", STORED, {"ingest"}),
        ("gs://naru", "delta://s3://b/t", STORED, {"ingest"}),
        ("gs://naru", "https://h/t.csv", STORED, set()),
        ("gs://naru", "postgresql://${DB}", STORED, set()),
    ],
)
def test_keys_are_those_of_the_store_and_a_source_elsewhere_gives_its_own_to_ingest_alone(
    given: Callable[..., dict[str, Task]], store: str, source: str, google: set[str], s3: set[str]
) -> None:
    tasks = given(store, source)
    assert _mounts(tasks, GOOGLE_SECRET) == google == {stage for stage, task in tasks.items() if task.literal}
    assert _variables(tasks, SECRET) == {stage: set(CREDENTIALS) for stage in s3}
    without = given(store, source, credentials="identity")
    assert not _mounts(without, GOOGLE_SECRET) and not _variables(without, SECRET)
    assert not any(task.literal for task in without.values())


def _compile(folder: Path, target: Target, **data: Any) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """The file, the containers and what Kubernetes is given, by stage."""
    schedule = {"name": "n", "cron": "0 0 3 * * *", "timezone": "UTC", "parameters": {"source": "postgresql://${NIGHTLY}"}}  # fmt: skip
    project = Project.model_validate({**BASE, "data": data, "triggers": {"schedules": [schedule]}})
    file = compile_training(project, "0" * 32, folder / "training.yaml", target)
    spec, platform = read_spec(file)
    executors = spec["deploymentSpec"]["executors"]
    return (
        file,
        {stage: executors[f"exec-{stage}"]["container"] for stage in TRAINING.stage_names},
        {stage: platform[f"exec-{stage}"] for stage in TRAINING.stage_names},
    )


def test_nothing_secret_is_in_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_STORE", "gs://naru")
    monkeypatch.setenv("FLIGHTS_DB", "postgresql://reader:quite-secret@db.example.com/flights")
    file, containers, platform = _compile(tmp_path, Target(), source="postgresql://${FLIGHTS_DB}", sql=TABLE)
    assert "quite-secret" not in file.read_text() and "db.example.com" not in file.read_text()
    given = {
        (held["secretName"], pair["envVar"]) for held in platform["ingest"]["secretAsEnv"] for pair in held["keyToEnv"]
    }
    assert given == {(SOURCES_SECRET, "FLIGHTS_DB"), (SOURCES_SECRET, "NIGHTLY")}
    (named,) = [one for one in containers["train"]["env"] if one["name"] == "GOOGLE_APPLICATION_CREDENTIALS"]
    (mounted,) = platform["train"]["secretAsVolume"]
    assert (mounted["secretName"], named["value"]) == (GOOGLE_SECRET, f"{mounted['mountPath']}/key.json")


def test_a_joined_table_needs_its_own_credentials_and_lies_where_the_cluster_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_STORE", "s3://naru")
    of_database = {"source": "postgresql://${WEATHER_DB}", "sql": {"table": "weather"}, "on": "station"}
    joins = [of_database, {"source": "gs://b/holidays.csv", "on": "day"}, {"source": "data/planes.csv", "on": "plane"}]
    file, _, platform = _compile(tmp_path, Target(), source="t.csv", join=joins)
    given = {pair["envVar"] for held in platform["ingest"]["secretAsEnv"] for pair in held["keyToEnv"]}
    assert given >= {"WEATHER_DB", *CREDENTIALS}
    assert [held["secretName"] for held in platform["ingest"]["secretAsVolume"]] == [GOOGLE_SECRET]
    assert "secretAsVolume" not in platform["train"]
    assert "s3://naru/flights/data/planes.csv" in file.read_text()


def test_with_a_cloud_identity_the_servers_have_an_account_and_no_pod_reads_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_STORE", "s3://naru")
    monkeypatch.setenv("NARU_CREDENTIALS", "identity")
    target = Target.from_environment()
    assert target.credentials == IDENTITY
    _, containers, platform = _compile(tmp_path, target, source="t.csv")
    secrets = {held["secretName"] for given in platform.values() for held in given.get("secretAsEnv", [])}
    assert secrets == {SOURCES_SECRET}
    (placed,) = [one for one in containers["deploy"]["env"] if one["name"] == "NARU_SERVING_PLACEMENTS"]
    accounts = {one["account"] for pools in yaml.safe_load(placed["value"]).values() for one in pools.values()}
    assert accounts == {"naru-models"}


def test_another_word_for_the_credentials_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_CREDENTIALS", "irsa")
    with pytest.raises(ConfigError, match="found 'irsa'; allowed: secret, identity"):
        Target.from_environment()


@pytest.mark.parametrize("hashes", [True, False])
def test_the_key_of_the_logs_hashes_is_given_to_the_stages_that_read_or_write_them(
    given: Callable[..., dict[str, Task]], hashes: bool
) -> None:
    for stage in (*TRAINING.stages, MONITOR, PREDICT):
        task = Task()
        set_secrets(task, stage, "identity", Places("s3://naru", (), hashes))
        wanted = {"NARU_LOG_KEY"} if hashes and stage in (MONITOR, PREDICT) else None
        assert task.variables.get(LOG_SECRET) == wanted
