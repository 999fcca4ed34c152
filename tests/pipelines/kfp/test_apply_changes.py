"""apply brings a server to what git says, a second time changes nothing, and no run is ended; prune removes what is left over."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components._core.errors import ConfigError, ServiceError
from components._core.project.placeholders import PER_RUN
from components._core.project.retrain_config import Retrain
from components._core.project.trigger_config import Triggers
from components._kfp.ownership import OwnershipLabel
from components._kfp.server_state import Server
from pipelines.kfp.apply_changes import apply
from pipelines.kfp.desired_state import DesiredPipeline
from pipelines.kfp.prune_objects import prune
from tests.components.kfp.kfp_server import KfpServer
from tests.pipelines.kfp.made import nightly, scheduled


def applied(server: Server, *desired: DesiredPipeline, dry: bool = False) -> list[str]:
    return [str(change) for change in apply(server, desired, dry=dry) if change.action != "keep"]


def pruned(
    server: Server, desired: Sequence[DesiredPipeline], *, everything: bool = False, dry: bool = False
) -> list[str]:
    found = prune(server, desired, everything=everything, dry=dry, settle=0)
    return [str(change).partition(" (")[0] for change in found]


def changed(desired: DesiredPipeline) -> DesiredPipeline:
    """The project with other code."""
    return replace(desired, version="0ther0ther00", spec=desired.spec + "# other\n")


def test_everything_is_made_and_a_second_time_nothing_changes(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    expected = [
        "create  pipeline flights-training",
        f"upload  version flights-training {desired.version}",
        "create  schedule flights nightly",
    ]
    assert applied(server, desired, dry=True) == expected
    assert held.writes() == []
    assert applied(server, desired) == expected
    held.requests.clear()
    assert applied(server, desired) == []
    assert held.writes() == []


def test_the_version_that_is_uploaded_is_the_spec_and_the_code_lies_where_it_says(
    server: Server, held: KfpServer, desired: DesiredPipeline, store: Any
) -> None:
    applied(server, desired)
    [version] = held.versions[held.pipelines[0]["pipeline_id"]]
    assert version["spec"] == desired.spec
    assert version["name"] == desired.version and len(desired.version) == 12
    assert store.isfile(desired.archive[1]) and desired.archive[1] in desired.spec


def test_code_that_the_store_lost_is_sent_again_though_the_version_is_there(
    server: Server, desired: DesiredPipeline, store: Any
) -> None:
    applied(server, desired)
    store.rm(desired.archive[1])
    assert applied(server, desired, dry=True) == [] and not store.exists(desired.archive[1])
    assert applied(server, desired) == []
    assert store.isfile(desired.archive[1])


def test_a_schedule_says_everything_that_kfp_would_assume_otherwise(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, scheduled(desired, nightly(max_concurrency=2, parameters={"trials": 3})))
    [made] = held.schedules
    assert made["no_catchup"] is True
    assert made["max_concurrency"] == "2"
    assert made["service_account"] == "naru-runner"
    assert made["trigger"]["cron_schedule"]["cron"] == "0 30 3 * * *"
    assert made["pipeline_version_reference"]["pipeline_version_id"]
    given = made["runtime_config"]["parameters"]
    assert given["trials"] == 3 and given["source_fingerprint"] == PER_RUN and given["champion"] == f"auto {PER_RUN}"


def test_the_runs_of_a_schedule_train_on_the_spans_of_the_section_unless_it_names_its_own(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    own = nightly(name="own", parameters={"spans": "all"})
    triggers = Triggers(schedules=[nightly(), own], retrain=Retrain(spans="last 12"))
    applied(server, replace(desired, project=desired.project.model_copy(update={"triggers": triggers})))
    spans = {made["display_name"]: made["runtime_config"]["parameters"]["spans"] for made in held.schedules}
    assert spans == {"flights-nightly": "last 12", "flights-own": "all"}


def test_a_schedule_that_changed_is_replaced_and_its_run_in_flight_goes_on(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, desired)
    run = held.start_run(held.schedules[0])
    later = scheduled(desired, nightly(cron="0 0 4 * * *"))
    assert applied(server, later) == ["replace schedule flights nightly: cron"]
    assert [one["status"] for one in held.schedules] == ["DISABLED", "ENABLED"]
    [waits] = pruned(server, [later])
    assert waits.startswith("wait    schedule flights nightly")
    assert len(held.schedules) == 2
    run["state"] = "SUCCEEDED"
    assert pruned(server, [later]) == ["remove  schedule flights nightly"]
    assert [one["trigger"]["cron_schedule"]["cron"] for one in held.schedules] == ["0 0 4 * * *"]
    assert held.ended == []
    assert applied(server, later) == []


def test_a_commit_that_changes_nothing_else_replaces_no_schedule(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, replace(desired, commit="a1b2c3"))
    assert applied(server, replace(desired, commit="d4e5f6")) == []
    assert held.schedules[0]["runtime_config"]["parameters"]["code_commit"] == "a1b2c3"


def test_another_version_replaces_the_schedules_that_name_the_old_one(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, desired)
    assert applied(server, changed(desired)) == [
        "upload  version flights-training 0ther0ther00",
        "replace schedule flights nightly: version",
    ]


def test_only_the_schedule_that_changed_is_replaced(server: Server, held: KfpServer, desired: DesiredPipeline) -> None:
    weekly = nightly(name="weekly", cron="0 0 5 * * mon")
    applied(server, scheduled(desired, nightly(), weekly))
    assert applied(server, scheduled(desired, nightly(max_concurrency=3), weekly)) == [
        "replace schedule flights nightly: max_concurrency"
    ]


def test_a_schedule_that_git_switches_off_is_switched_off_and_one_that_it_switches_on_is_made_anew(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, desired)
    off = scheduled(desired, nightly(enabled=False))
    assert applied(server, off) == ["disable schedule flights nightly"]
    assert applied(server, off) == [] and pruned(server, [off]) == []
    # switched on again, KFP would make up for the last time that it missed
    assert applied(server, desired) == ["replace schedule flights nightly: switched on"]
    assert pruned(server, [desired]) == ["remove  schedule flights nightly"]
    assert [one["status"] for one in held.schedules] == ["ENABLED"]


def test_when_the_new_schedule_is_refused_the_old_one_fires_again_and_it_is_reported(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, desired)
    held.refuse("POST", "/recurringruns", 400, 3, "Schedule cron is not a supported format")
    with pytest.raises(ServiceError, match=r"not a supported format; 1 changes were made before it"):
        applied(server, changed(desired))
    assert [one["status"] for one in held.schedules] == ["ENABLED"]


def test_what_git_no_longer_says_is_pruned_and_what_others_made_is_not(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, desired)
    theirs = {**held.schedules[0], "recurring_run_id": "theirs", "description": "by hand"}
    held.schedules.append(theirs)
    held.versions[held.pipelines[0]["pipeline_id"]].append({"pipeline_version_id": "v", "name": "by-hand"})
    without = scheduled(changed(desired))
    applied(server, without)
    assert pruned(server, [without]) == ["remove  schedule flights nightly"]  # theirs still goes by the old version
    held.schedules.clear()
    assert pruned(server, [without]) == [f"remove  version flights-training {desired.version}"]
    assert [one["name"] for one in held.versions[held.pipelines[0]["pipeline_id"]]] == ["by-hand", "0ther0ther00"]


def test_pruning_before_applying_leaves_what_is_in_use(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, desired)
    assert pruned(server, [changed(desired)]) == []
    assert pruned(server, [scheduled(desired, nightly(cron="0 0 4 * * *"))]) == []


def test_the_pipeline_of_a_project_that_is_gone_goes_only_when_all_projects_are_meant(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    gone = replace(
        desired,
        project=desired.project.model_copy(update={"name": "gone"}),
        label=OwnershipLabel(desired.label.owner, "gone"),
    )
    applied(server, desired, gone)
    held.requests.clear()
    expected = ["remove  schedule gone nightly", "remove  pipeline gone-training"]
    assert pruned(server, [desired], everything=True, dry=True) == expected
    assert held.writes() == []
    assert pruned(server, [desired]) == []
    assert pruned(server, [desired], everything=True) == expected
    assert [one["name"] for one in held.pipelines] == ["flights-training"]


def test_another_repositorys_pipelines_are_never_pruned(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, desired)
    ours = replace(
        desired,
        project=desired.project.model_copy(update={"name": "ours"}),
        label=OwnershipLabel("github.com/other/repo", "ours"),
    )
    assert pruned(server, [ours], everything=True) == []


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("made by hand", "was not made by Naru"),
        ("x\n\nnaru: owner=github.com/other/repo project=flights", "github.com/other/repo"),
    ],
)
def test_a_name_that_is_taken_is_reported_before_anything_is_changed(
    server: Server, held: KfpServer, desired: DesiredPipeline, description: str, message: str
) -> None:
    held.pipelines.append({"pipeline_id": "1", "name": "flights-training", "description": description})
    first = replace(desired, project=desired.project.model_copy(update={"name": "first"}))
    with pytest.raises(ConfigError, match=message):
        applied(server, first, desired)
    assert held.writes() == []


def test_a_name_that_somebody_takes_meanwhile_is_reported_with_what_was_done_before(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    held.refuse("POST", "/pipelines/upload_version", 409, 6, "The name already exist. Specify a new name")
    with pytest.raises(
        ServiceError,
        match=r"(?s)refused \(409\).*1 changes were made before it.*another apply ran at the same time: run again",
    ):
        applied(server, desired)


def test_more_than_a_page_is_read_to_its_end(server: Server, held: KfpServer, desired: DesiredPipeline) -> None:
    held.pipelines += [{"pipeline_id": str(number), "name": f"other-{number}"} for number in range(450)]
    held.schedules += [{"recurring_run_id": str(number)} for number in range(450)]
    applied(server, desired)
    assert applied(server, desired) == []
    assert len(server.schedules()) == 451
    assert len([path for verb, path in held.requests if path.endswith("/pipelines") and verb == "GET"]) == 9


def test_a_run_that_is_cancelling_for_ever_holds_no_schedule_back_and_that_is_said(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    applied(server, desired)
    run = held.start_run(held.schedules[0], state="CANCELING")
    without = scheduled(desired)
    moment = datetime.now(UTC)
    run["state_history"] = [{"state": "CANCELING", "update_time": moment.isoformat()}]
    assert pruned(server, [without])[0].startswith("wait ")
    run["state_history"] = [{"state": "CANCELING", "update_time": (moment - timedelta(hours=1)).isoformat()}]
    [line] = [str(change) for change in prune(server, [without], everything=False, dry=False, settle=0)]
    assert line.startswith("remove ") and "counts as ended: KFP reports CANCELING" in line
    assert held.schedules == []
