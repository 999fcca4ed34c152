"""From nothing to a trained model on a cluster; the tests build on one another, in this order. `test_undeploy.py` is the way back."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components._core.settings import MODELS_NAMESPACE
from components._core.store.filesystems import open_filesystem
from components._core.types.artifact_files import OUTCOME
from components._kfp.connection import Connection
from components._kfp.kfp_client import KfpClient
from components._kfp.server_state import Server
from pipelines.graphs.pipelines import TRAINING
from pipelines.kfp.apply_changes import apply
from pipelines.kfp.desired_state import read_desired_pipelines
from pipelines.stage_durations import StageTime
from tests.e2e.browsing import make_python, start_run_in_page
from tests.e2e.conftest import Deployed, status
from tests.e2e.environment import Environment
from tests.e2e.flights import BROKEN, NAME, write_project
from tests.e2e.forwarding import forwarded
from tests.e2e.world import OWNER, World, expected_artifacts, naru, run_here, run_id, until

pytestmark = pytest.mark.e2e

CACHED = {"ingest", "validate", "transform", "tune", "train"}


@pytest.fixture(scope="session")
def laptop(rows: Path, tmp_path_factory: pytest.TempPathFactory, deployed: Deployed) -> dict[str, Any]:
    """The record of the same rows and project, run on this machine."""
    folder = write_project(tmp_path_factory.mktemp("laptop"), str(rows / "flights-{span}.csv"))
    return run_here(folder, deployed.variables)


@pytest.fixture(scope="session")
def trained(world: World, project: Path) -> str:
    """The id of the first run, which computed everything."""
    done = world.naru("submit", str(project), "--cause", "the tests on a cluster", "--wait")
    run = run_id(done.output)
    world.tables["the first run"] = world.times(run)
    done.well()
    return run


def test_deploying_a_second_time_changes_nothing(environment: Environment, deployed: Deployed) -> None:
    assert "create Namespace naru" in deployed.first
    again = naru(deployed.variables, "cluster", "deploy", "--overlay", environment.overlay).well()
    assert again.strip().splitlines()[0].endswith("unchanged") and ": 0 changed" in again
    assert (
        "nothing would change" in naru(deployed.variables, "cluster", "diff", "--overlay", environment.overlay).well()
    )


def test_all_that_was_deployed_serves(world: World, environment: Environment, deployed: Deployed) -> None:
    assert "ready    Deployment naru/naru-mlflow 1/1" in status(environment, deployed).well()


def test_applying_a_second_time_changes_nothing(world: World, project: Path) -> None:
    assert f"create  pipeline {NAME}-training" in world.naru("apply", str(project)).well()
    assert ": 0 changed" in world.naru("apply", str(project)).well()
    assert "nothing would change" in world.naru("plan", str(project)).well()


def test_the_pipeline_trains_a_model_and_every_artifact_is_in_s3(
    world: World, trained: str, project: Path, tmp_path: Path
) -> None:
    assert world.run(trained)["state"] == "SUCCEEDED"
    world.naru("compile", str(project), "--output", str(tmp_path)).well()
    keys = [key.split("/") for key in world.keys(trained)]
    made = {(key[0], part) for key in keys for part in key[1:]}
    assert not expected_artifacts(tmp_path / "training.yaml") - made
    assert world.exists(f"{world.variables['NARU_STORE']}/{NAME}/models")


def test_the_verdicts_are_those_of_the_laptop(world: World, trained: str, laptop: dict[str, Any]) -> None:
    here = {stage["stage"]: stage["verdict"] for stage in laptop["stages"]}
    assert {time.stage: time.verdict for time in world.times(trained)} == here
    judged = world.read(trained, "evaluate", f"evaluation/{OUTCOME}")
    assert judged["metrics"]["auc"] == pytest.approx(laptop["metrics"]["auc"], abs=0.005)


def test_the_run_leaves_the_record_that_a_laptop_leaves(world: World, trained: str, laptop: dict[str, Any]) -> None:
    record = world.read(trained, "deploy", "rollout/run.json")
    assert record["environment"]["where"] == "cluster" and record["environment"]["image"]
    assert record["data"]["fingerprint"] == laptop["data"]["fingerprint"] and record["data"]["rows"]
    assert record["code"]["fingerprint"] == laptop["code"]["fingerprint"]
    assert [stage["stage"] for stage in record["stages"]] == list(TRAINING.stage_names)
    assert record.keys() <= laptop.keys()


def test_nothing_is_served_where_there_is_no_target(world: World, trained: str) -> None:
    deploy = next(time for time in world.times(trained) if time.stage == "deploy")
    assert (deploy.verdict, "no serving target" in deploy.reason) == ("skipped", True)


@pytest.mark.usefixtures("trained")
def test_a_second_run_is_served_from_the_cache(world: World, project: Path) -> None:
    run = world.submit(project)
    assert world.wait(run, "a second run, from the cache")["state"] == "SUCCEEDED"
    assert _cached(world.times(run)) == CACHED


def test_an_artifact_that_kfps_store_has_lost_is_named_with_what_makes_it_again(
    world: World, trained: str, project: Path
) -> None:
    """Another number of epochs, so that train is not taken from the cache and reads what transform made."""
    with world.losing(trained, "transform", "train.parquet") as key:
        done = world.naru("submit", str(project), "--param", "epochs=3", "--wait")
    assert done.code == 7, done.output + done.errors
    assert "the artifact 'transformed' of the stage transform is no longer in the store" in done.errors
    assert key in done.errors and "naru submit PROJECT --no-cache" in done.errors


@pytest.mark.usefixtures("trained")
def test_a_store_made_anew_under_kfps_old_database_gets_everything_that_a_run_needs(
    world: World, project: Path
) -> None:
    """KFP has pipeline, version and cache; code, models and ledgers of the project are gone."""
    with world.store():
        files, path = open_filesystem(f"{world.variables['NARU_STORE']}/{NAME}")
        files.rm(path, recursive=True)
    assert not world.exists(f"{world.variables['NARU_STORE']}/{NAME}/code")
    run = world.submit(project, "--cause", "the store is new")
    assert world.wait(run, "a run on a new store")["state"] == "SUCCEEDED"
    assert world.exists(f"{world.variables['NARU_STORE']}/{NAME}/code")
    assert world.exists(f"{world.variables['NARU_STORE']}/{NAME}/models")


def test_two_who_apply_at_once_leave_one_schedule(world: World, source: str, tmp_path: Path) -> None:
    """Each has looked before either creates; three times, as who is first is the server's to say."""
    connection = Connection(endpoint=world.variables["KF_PIPELINES_ENDPOINT"])
    for number in range(3):
        folder = write_project(
            tmp_path / f"at-once-{number}", f"{source}/flights-{{span}}.csv", cron=f"0 {number} 3 1 * *"
        )
        with (
            world.here(),
            read_desired_pipelines([folder], connection) as wanted,
            pytest.MonkeyPatch.context() as patch,
        ):
            barrier, create = threading.Barrier(2), Server.create_schedule

            def meet(server: Server, body: dict[str, Any], barrier: Any = barrier, create: Any = create) -> None:
                barrier.wait(120)
                create(server, body)

            patch.setattr(Server, "create_schedule", meet)
            with ThreadPoolExecutor(2) as pool:
                both = [
                    pool.submit(lambda: list(apply(Server(KfpClient(connection)), wanted, dry=False))) for _ in range(2)
                ]
                assert [one.exception() for one in both] == [None, None]
        assert [one.raw["status"] for one in _schedules(world) if one.enabled] == ["ENABLED"]
    world.naru("prune", str(write_project(tmp_path / "none", f"{source}/flights-{{span}}.csv"))).well()
    assert not _schedules(world)


def test_a_run_is_started_from_the_web_page(
    world: World, project: Path, environment: Environment, tmp_path: Path
) -> None:
    if not environment.ui:
        pytest.skip("no web page is named: KF_PIPELINES_UI_ENDPOINT")
    if not environment.browser:
        pytest.skip("no browser is here: NARU_E2E_BROWSER, or chromium on the path")
    world.naru("apply", str(project)).well()
    python = make_python(tmp_path / "browser")
    run = start_run_in_page(python, environment, f"{NAME}-training", {"spans": "1", "epochs": "1"})
    ended = world.wait(run, "a run from the web page")
    assert ended["state"] == "SUCCEEDED"
    asked = ended["runtime_config"]["parameters"]
    assert (asked["spans"], asked["epochs"]) == ("1", 1)
    assert not _cached(world.times(run)), "what the page leaves as it is must be computed again"


def test_data_that_validation_blocks_ends_the_run_with_the_reason(world: World, project: Path, source: str) -> None:
    blocked = ("--param", f"source={source}/blocked-{{span}}.csv", "--param", "spans=1")
    done = world.naru("submit", str(project), *blocked, "--wait")
    assert done.code == 5, done.output + done.errors
    assert "naru: transform: " in done.errors and "late" in done.errors
    assert "failed" in done.output


def test_a_stage_that_fails_says_why(world: World, source: str, tmp_path: Path) -> None:
    broken = write_project(tmp_path / "broken", f"{source}/flights-{{span}}.csv")
    (broken / "preprocessing.py").write_text(BROKEN)
    done = world.naru("submit", str(broken), "--wait")
    assert done.code == 3, done.output + done.errors
    assert "the tests on a cluster want this" in done.errors and "preprocessing.py, line 2" in done.errors


def test_a_schedule_fires_and_is_replaced_and_pruned_while_its_run_goes_on(
    world: World, source: str, tmp_path: Path
) -> None:
    def scheduled(cron: str) -> str:
        return str(write_project(tmp_path / "scheduled", f"{source}/flights-{{span}}.csv", cron=cron))

    assert "create  schedule" in world.naru("apply", scheduled("0 * * * * *")).well()
    run = until(lambda: _fired(world), "the schedule fires", 180)
    replaced = world.naru("apply", scheduled("0 0 3 1 * *")).well()
    assert f"replace schedule {NAME} often: cron" in replaced
    waits = world.naru("prune", scheduled("0 0 3 1 * *")).well()
    assert "wait    schedule" in waits and "until its run" in waits
    assert world.run(run)["state"] in ("PENDING", "RUNNING")
    assert world.wait(run, "a run of a schedule")["state"] == "SUCCEEDED"
    assert "remove  schedule" in world.naru("prune", scheduled("0 0 3 1 * *")).well()
    assert "remove  schedule" in world.naru("prune", scheduled("")).well()
    assert not _schedules(world)
    assert world.run(run)["state"] == "SUCCEEDED"


def test_a_stage_that_asks_for_a_gpu_waits_with_the_reason_and_goes_on_once_a_node_has_one(
    world: World, project: Path, environment: Environment, deployed: Deployed
) -> None:
    if not environment.gpu:
        pytest.skip("nobody said how a node gets a GPU: NARU_E2E_GPU")
    # another number of epochs: KFP's cache does not go by the pool, and would have the model already
    run = world.submit(project, "--param", "epochs=1", NARU_PROFILE="gpu")

    def pending() -> str:
        lines = status(environment, deployed).well().splitlines()
        return next((line for line in lines if line.startswith("pending  stage train")), "")

    assert "0/1 nodes are available" in until(pending, "train waits for its pool", 900)
    assert world.run(run)["state"] == "RUNNING"
    subprocess.run(environment.gpu, shell=True, check=True, timeout=600)
    assert world.wait(run, "a run whose training waited for its pool")["state"] == "SUCCEEDED"


def test_a_run_brings_its_model_into_service_through_seldon(world: World, project: Path, serving: None) -> None:
    """With the permissions of the runs, in a pod of the runs."""
    run = world.submit(project, "--cause", "to be served")
    assert world.wait(run, "a run that ends in service")["state"] == "SUCCEEDED"
    served = next(time for time in world.times(run) if time.stage == "deploy")
    assert served.verdict in ("ok", "warn") and served.reason.endswith("serves"), served
    changes = world.read(run, "deploy", "rollout/rollout.json")["changes"]
    assert [change["action"] for change in changes] == ["start", "prove", "promote"]
    with (
        forwarded(MODELS_NAMESPACE, NAME, 8080) as address,
        urllib.request.urlopen(f"{address}/v2/models/{NAME}") as output,
    ):
        assert json.load(output)["name"] == NAME
    refused = world.naru("cluster", "undeploy", "--delete-data")
    assert refused.code == 2 and "these serve requests and would be removed" in refused.errors


def _cached(times: list[StageTime]) -> set[str]:
    assert [time.stage for time in times] == list(TRAINING.stage_names)
    return {time.stage for time in times if time.state == "cached"} - {
        stage.name for stage in TRAINING.stages if stage.side_effects
    }


def _schedules(world: World) -> list[Any]:
    return Server(world.kfp).our_schedules(OWNER)


def _fired(world: World) -> str:
    """The run that our schedule has started, once it is under way."""
    ids = {schedule.id for schedule in _schedules(world)}
    runs = [run for run in Server(world.kfp).runs_in_flight() if run.get("recurring_run_id") in ids]
    return str(runs[0]["run_id"]) if runs else ""
