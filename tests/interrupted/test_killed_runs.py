"""A run that is killed or interrupted leaves nothing running; the next run's artifacts are an undisturbed run's."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.graphs.pipelines import TRAINING
from tests.interrupted.conftest import Naru, only_run, wait_for
from tests.local.conftest import run_naru
from tests.local.made import artifacts_of
from tests.representatives import representatives

_FREE = ("ingest/", "validate/statistics", "validate/schema", "transform/", "tune/", "train/")
"""What no champion has a say in."""
_REGISTERED = "register/registration/outcome.json"


@pytest.fixture
def project(undisturbed: Path, tmp_path: Path) -> Path:
    """The undisturbed project before its first run."""
    return shutil.copytree(undisturbed, tmp_path / "project", ignore=shutil.ignore_patterns(".naru", "arguments"))


def launched(project: Path, stage: str) -> dict[str, Any]:
    """What the stage's launcher has output so far."""
    found = list((project / ".naru" / "runs").glob(f"*/training-*/{stage}/launch.json"))
    value: dict[str, Any] = json.loads(found[0].read_text()) if found else {}
    return value


def expect_undisturbed_next(project: Path, undisturbed: Path, *, versions: tuple[str, ...] = ("1",)) -> None:
    ran = run_naru(str(project))
    assert ran.code == 0, ran.errors
    assert ran.record["deployed"] and ran.record["model_version"] in versions
    made, expected = artifacts_of(only_run(project)), artifacts_of(only_run(undisturbed))
    if ran.record["model_version"] != "1":  # it names the version, and is all that does
        assert made.pop(_REGISTERED) != expected.pop(_REGISTERED)
    assert made == expected


@pytest.mark.parametrize("stage", representatives(["ingest", "train"], "train"))
def test_a_stage_that_is_killed_is_reported_and_the_next_run_goes_on(
    project: Path, undisturbed: Path, stage: str
) -> None:
    naru = Naru(str(project))
    wait_for(lambda: launched(project, stage).get("pid"), f"{stage} did not begin")
    os.kill(launched(project, stage)["pid"], signal.SIGKILL)
    code, output = naru.end()
    assert code == 1
    assert "killed from outside (SIGKILL)" in output and "run again" in output
    assert "Traceback" not in output
    naru.wait_until_gone()
    expect_undisturbed_next(project, undisturbed)


@pytest.mark.parametrize("stage", representatives(["ingest", "validate", "train", "deploy"], "train"))
def test_a_run_that_is_killed_leaves_no_process_behind(project: Path, undisturbed: Path, stage: str) -> None:
    """While the imports go on, while they are waited for, while a model is fitted, while one is served."""
    naru = Naru(str(project))
    wait_for(lambda: launched(project, stage), f"{stage} was not launched")
    naru.process.kill()
    naru.wait_until_gone()
    naru.end()
    registered = ("1", "2") if stage == "deploy" else ("1",)  # what was killed may have come so far as to register
    expect_undisturbed_next(project, undisturbed, versions=registered)


def test_when_the_process_with_the_imports_is_killed_its_stage_ends_too(project: Path, undisturbed: Path) -> None:
    naru = Naru(str(project))
    wait_for(lambda: launched(project, "train").get("pid"), "train did not begin")
    stage = launched(project, "train")["pid"]
    server = int(Path(f"/proc/{stage}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(server, signal.SIGKILL)
    code, output = naru.end()
    assert code == 1
    assert "killed from outside" in output and "Traceback" not in output
    naru.wait_until_gone()
    expect_undisturbed_next(project, undisturbed)


@pytest.mark.parametrize("stage", representatives(["", "ingest", "train"], "train"))
def test_control_c_ends_everything_and_keeps_what_was_finished(project: Path, undisturbed: Path, stage: str) -> None:
    naru = Naru(str(project))
    begun = (project / ".naru" / "runs").glob
    wait_for(lambda: launched(project, stage) if stage else list(begun("*/run.log")), "did not begin")
    os.killpg(naru.process.pid, signal.SIGINT)
    code, output = naru.end()
    assert code == 130, output
    naru.wait_until_gone()
    assert (
        "Interrupted: what was finished is kept" in output
        and "Traceback" not in output
        and "KeyboardInterrupt" not in output
    )
    record = json.loads((only_run(project) / "run.json").read_text())
    assert (record["status"], record["exit_code"]) == ("interrupted", 130)
    states = {state["stage"]: state["state"] for state in record["stages"]}
    if stage:
        assert states[stage] == "interrupted"
        assert {states[each] for each in TRAINING.stage_names[: TRAINING.stage_names.index(stage)]} <= {"done"}
        assert {states[each] for each in TRAINING.stage_names[TRAINING.stage_names.index(stage) + 1 :]} == {"waiting"}
        assert all(each in output for each in TRAINING.stage_names)
    expect_undisturbed_next(project, undisturbed)
    if stage == "train":
        again = json.loads((only_run(project) / "run.json").read_text())
        assert [state["stage"] for state in again["stages"] if state["reused"]] == list(
            TRAINING.stage_names[: TRAINING.stage_names.index("train")]
        )


def test_without_forks_a_killed_run_leaves_no_process_either(project: Path) -> None:
    naru = Naru(str(project), NARU_FORK="0")
    wait_for(lambda: launched(project, "validate"), "validate was not launched")
    naru.process.kill()
    naru.wait_until_gone()
    naru.end()


def test_two_runs_at_once_in_one_store_do_not_harm_each_other(project: Path, undisturbed: Path) -> None:
    import mlflow

    runs = [Naru(str(project)) for _ in range(2)]
    ended = [naru.end() for naru in runs]
    assert [code for code, _ in ended] == [0, 0], ended
    assert not any("Traceback" in output for _, output in ended)
    expected = artifacts_of(only_run(undisturbed))
    for folder in (project / ".naru" / "runs").iterdir():
        made = artifacts_of(folder)
        assert {name: made[name] for name in expected if name.startswith(("ingest", "transform", "train"))} == {
            name: expected[name] for name in expected if name.startswith(("ingest", "transform", "train"))
        }
    ledger = [json.loads(path.read_text()) for path in sorted(project.glob(".naru/store/small/deployments/*.json"))]
    client = mlflow.MlflowClient(f"sqlite:///{project / '.naru' / 'mlflow.db'}")
    versions = {version.version: version for version in client.search_model_versions("name = 'small'")}
    assert len(ledger) == 1 and str(ledger[0]["version"]) in {str(number) for number in versions}
    assert sum("champion changed since evaluate" in output for _, output in ended) == 1, "they were not compared"
    champion = client.get_model_version_by_alias("small", "champion")
    assert str(champion.version) == ledger[-1]["version"]
    assert run_naru(str(project)).code == 0


def test_a_database_that_is_locked_is_waited_for(project: Path, tmp_path: Path) -> None:
    import sqlite3
    import threading

    from components._registry.mlflow_client import LockedError, open_registry
    from components._registry.sqlite_lock import when_unlocked

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = open_registry(uri)
    held = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None, check_same_thread=False)
    held.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LockedError, match="wait until it has ended"):
        when_unlocked(uri, lambda: client.create_experiment("one"), patience_seconds=0)
    threading.Timer(7.0, lambda: held.execute("COMMIT")).start()
    assert when_unlocked(uri, lambda: client.create_experiment("one"))


def test_a_file_system_that_fills_stops_a_run_with_a_word_and_the_next_goes_on(
    project: Path, undisturbed: Path, small_disk: Callable[[int], Path]
) -> None:
    """Room is given in steps, so that one stage after another finds none."""
    disk = small_disk(40)
    small = shutil.copytree(project, disk / "project")
    ballast = disk / "ballast"
    ballast.write_bytes(b"0" * (shutil.disk_usage(disk).free - (64 << 10)))
    stopped: list[str] = []
    for _ in range(40):
        naru = Naru(str(small))
        code, output = naru.end()
        if code == 0:
            break
        assert code in (1, 7, 8), output
        assert "Traceback" not in output
        assert "space" in output or "disk" in output, output
        stopped.append(output)
        expect_whole(small, undisturbed)
        os.truncate(ballast, max(ballast.stat().st_size - (1 << 20), 0))
    assert code == 0, output
    assert len(stopped) > 2
    made = without_champion(artifacts_of(only_run(small)))
    assert made == without_champion(artifacts_of(only_run(undisturbed)))


def without_champion(artifacts: dict[str, str]) -> dict[str, str]:
    """Those that no champion has a say in: a run may have found no room only after it had made one."""
    kept = {name: sha for name, sha in artifacts.items() if name.startswith(_FREE)}
    assert {name.split("/")[0] for name in kept} == {"ingest", "validate", "transform", "tune", "train"}
    return kept


def expect_whole(project: Path, undisturbed: Path) -> None:
    """Every artifact with its final name is the undisturbed run's; once there is a champion, each that it has no say in."""
    expected = artifacts_of(only_run(undisturbed))
    champion = any((project / ".naru" / "store").glob("*/deployments/*"))
    for run in (project / ".naru" / "runs").iterdir():
        if not list(run.glob("training-*")):
            continue
        made = {name: sha for name, sha in artifacts_of(run).items() if ".partial/" not in name}
        kept = {name: sha for name, sha in made.items() if name.count("/") > 1}
        assert set(kept) <= set(expected)
        kept = {name: sha for name, sha in kept.items() if not champion or name.startswith(_FREE)}
        assert kept == {name: expected[name] for name in kept}


@pytest.mark.parametrize("kibibytes", representatives([0, 4, 40], 4))
def test_a_limit_on_files_stops_a_run_with_a_word(project: Path, undisturbed: Path, kibibytes: int) -> None:
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kibibytes << 10, limit[1]))
    try:
        naru = Naru(str(project))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    code, output = naru.end()
    assert code in (1, 7, 8), output
    assert "ulimit -f" in output and "Traceback" not in output
    expect_whole(project, undisturbed)
    naru.wait_until_gone()
    if kibibytes:
        expect_undisturbed_next(project, undisturbed)
