"""What cannot work on a server is refused before anything is done there."""

from pathlib import Path

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import parse_project
from components._kfp.connection import Connection
from components._kfp.ownership import OwnershipLabel, read_label
from pipelines.kfp.desired_state import DesiredPipeline, check_schedule, find_projects, read_desired_pipelines
from pipelines.kfp.repository import find_owner
from pipelines.spec_text import version_of
from tests.pipelines.kfp.made import nightly

HERE = Connection("http://nowhere")
PROJECT = {"name": "x", "task": "regression", "label": "y", "data": {"source": "s3://b/x.csv"}}


def _refused(**schedule: object) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_project({**PROJECT, "triggers": {"schedules": [{"name": "n", **schedule}]}})
    return str(refused.value)


def test_five_fields_are_refused_with_the_six_that_were_meant() -> None:
    assert "write '0 */20 * * * *'" in _refused(cron="*/20 * * * *")


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("@daily", "with 1 fields; six are needed"),
        ("TZ=UTC 0 0 3 * * *", "with 7 fields"),
        ("0 60 3 * * *", "found '60' as minute; allowed: 0 to 59"),
        ("0 0 3 * * 7", "found '7' as day of the week; allowed: 0 to 6"),
        ("0 0 3 * foo *", "found 'foo' as month"),
        ("0 0 3 5-1 * *", "found '5-1' as day of the month"),
        ("*/0 0 3 * * *", "found '\\*/0' as second"),
        ("0 0 3 31 4,6 *", "no month has such a day"),
    ],
)
def test_a_cron_that_kfp_would_refuse_or_choke_on_is_reported(cron: str, message: str) -> None:
    assert message.replace("\\", "") in _refused(cron=cron)


@pytest.mark.parametrize("cron", ["0 30 3 * * *", "0 0/15 8-18 ? * mon-fri", "1,2,*/20 0 0 29 feb *", "0 0 3 31 4 mon"])
def test_a_cron_that_kfp_reads_as_it_is_meant_is_taken(cron: str) -> None:
    assert nightly(cron=cron).cron == cron


@pytest.mark.parametrize(
    "schedule",
    [{"timezone": "Europe/Berlim"}, {"max_concurrency": 11}, {"name": "Night"}, {"name": "n" * 41}, {"catchup": True}],
)
def test_a_schedule_that_cannot_be_is_reported_by_its_place(schedule: dict[str, object]) -> None:
    assert "triggers.schedules.0." in _refused(**{"cron": "0 0 3 * * *", **schedule})


def test_two_schedules_of_one_name_are_refused() -> None:
    schedules = [{"name": "n", "cron": "0 0 3 * * *"}] * 2
    with pytest.raises(ConfigError, match="duplicate schedule 'n'"):
        parse_project({**PROJECT, "triggers": {"schedules": schedules}})


def test_a_schedule_changes_nothing_in_what_the_stages_get() -> None:
    bare = parse_project(PROJECT)
    timed = parse_project({**PROJECT, "triggers": {"schedules": [{"name": "n", "cron": "0 0 3 * * *"}]}})
    assert timed.to_json() == bare.to_json()


def test_a_time_zone_that_the_server_does_not_go_by_is_refused(compiled: DesiredPipeline) -> None:
    berlin = nightly(timezone="Europe/Berlin")
    with pytest.raises(
        ConfigError, match=r"(?s)is in Europe/Berlin.*every cron expression in UTC.*CRON_SCHEDULE_TIMEZONE"
    ):
        check_schedule(compiled, berlin, HERE)
    check_schedule(compiled, berlin, Connection("http://nowhere", timezone="Europe/Berlin"))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochz": 3}, "did you mean 'epochs'"),
        ({"epochs": "three"}, "must be a whole number"),
        ({"epochs": True}, "must be a whole number"),
        ({"spans": 7}, "must be text: put it in quotes"),
        ({"code_uri": "s3://x"}, "comes from git"),
        ({"code_commit": "a1b2c3"}, "comes from git"),
        ({"source": "data/x.csv"}, "is a path on this machine"),
        ({"spans": "2024-01..2024-06"}, r"data.spans: found '2024-01..2024-06'"),
        ({"spans": "7", "source": "s3://b/{YYYY}-{MM}.csv"}, "data.spans: found '7'"),
        ({"source": "s3://b/{yyyy}.csv"}, "data.source: found {yyyy}"),
    ],
)
def test_parameters_that_the_pipeline_has_not_are_reported(
    compiled: DesiredPipeline, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_schedule(compiled, nightly(parameters=parameters), HERE)


def test_a_store_on_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NARU_STORE", str(tmp_path))
    with (
        pytest.raises(ConfigError, match=r"(?s)which a cluster cannot read.*NARU_STORE=s3://"),
        read_desired_pipelines([], HERE),
    ):
        pass


def test_without_arguments_all_projects_that_git_knows_are_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = Path(__file__).resolve().parents[3]
    monkeypatch.chdir(root / "tests")
    examples = [root / "examples" / name for name in ("digits", "flights", "reviews")]
    assert [folder.resolve() for folder in find_projects([])] == examples
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="name the projects"):
        find_projects([])


def test_the_version_is_the_same_from_both_families(compiled: DesiredPipeline) -> None:
    other = compiled.spec.replace("sdkVersion: kfp-2.", "sdkVersion: kfp-3.").replace("# PIPELINE", "# Pipeline")
    assert other != compiled.spec and version_of(other) == compiled.version
    assert version_of(compiled.spec.replace("epochs", "epoch")) != compiled.version


@pytest.mark.parametrize(
    "origin",
    [
        "git@github.com:team/models.git",
        "https://me:secret@github.com/team/models.git",
        "ssh://git@github.com/team/models",
    ],
)
def test_a_repository_has_one_name_however_it_was_cloned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, origin: str
) -> None:
    import subprocess

    monkeypatch.delenv("NARU_OWNER")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", origin], check=True)
    assert find_owner(tmp_path) == "github.com/team/models"


def test_a_mark_is_read_as_it_was_written() -> None:
    label = OwnershipLabel("github.com/team/models", "flights", "nightly")
    assert read_label({"description": label.describe("What it is.")}) == label
    assert read_label({"description": "naru is a word here"}) is None and read_label({}) is None
