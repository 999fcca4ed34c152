"""A version's way into service and back, against the operator's part played over HTTP; the ledger tells every step."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError, UnavailableError
from components._core.store.rollout_history import read_changes
from components.deploy.rollout.state_machine import Rollout, State, Wanted
from components.deploy.targets.contract import ModelVersion, TakenOverError
from tests.components.deploy.targets.seldon.made import CANARY, STABLE, project
from tests.components.deploy.targets.seldon.world import CANARY_STEPS, World, prove
from tests.kubernetes.made import deployments, live, pods
from tests.kubernetes.servers import Answers
from tests.kubernetes.starts import CrashLoops, InitFails, NeverReady, NoImage, NoQuota, NoSecret, Restarts


def test_the_first_version_gets_requests_only_after_its_parity_test(world: World) -> None:
    result = world.roll_out(STABLE)
    assert (result.state, result.reason) == (State.DONE, "version 3 serves")
    assert world.actions == ["start", "prove", "promote"]
    assert world.selector_now() == STABLE.key
    patched = [write.path.rpartition("/")[2] for write in world.server.writes if not write.dry_run]
    assert patched == ["flights", "flights"] and "seldondeployments" in world.server.writes[0].path


def test_a_first_version_that_fails_leaves_nothing(world: World) -> None:
    world.server.pods.set("3", CrashLoops())
    result = world.roll_out(STABLE)
    assert result.state is State.FAILED
    assert world.actions == ["start", "roll back"]
    assert world.cluster.get(_served()) is None and world.selector_now() == "no Service"


def test_a_canary_gets_its_shares_one_after_the_other_and_then_takes_over(world: World) -> None:
    world.serve()
    world.flow()
    before = [pod["metadata"]["name"] for pod in pods(world.cluster)]
    shares: list[tuple[int, int, str]] = []
    world.server.clock.watchers.append(lambda: shares.append(_standing(world)))
    stable = set[str]()
    world.server.clock.watchers.append(lambda: stable.update(_names(world, STABLE)))
    result = world.roll_out(CANARY)
    assert result.state is State.DONE, result.reason
    assert world.actions == ["start", "prove", "share", "share", "promote"]
    lines = [change.shares for change in result.changes]
    assert lines == [{"3": 100.0}, {"3": 100.0}, {"4": 33.3, "3": 66.7}, {"4": 50.0, "3": 50.0}, {"4": 100.0}]
    assert set(deployments(world.cluster)) == {CANARY.key} and world.selector_now() == CANARY.key
    assert (2, 1, STABLE.key) in shares, "during the parity test only the stable version gets requests"
    assert (2, 1, "") in shares and (2, 2, "") in shares
    assert stable == set(before), "no server of the stable version was restarted"
    assert world.server.traffic.lost == 0


def test_all_at_once_is_one_change_of_whom_the_service_names(world: World) -> None:
    world.serve()
    result = world.roll_out(CANARY, shares=())
    assert result.state is State.DONE and world.actions == ["start", "prove", "promote"]
    assert set(deployments(world.cluster)) == {CANARY.key}


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (CrashLoops("naru: serve: the model does not load\n"), "CrashLoopBackOff"),
        (InitFails(), "flights-model-initializer: CrashLoopBackOff"),
        (NoSecret(), 'CreateContainerConfigError: secret "naru-models" not found'),
        (NoImage(), "ImagePullBackOff"),
        (NoQuota(), "exceeded quota"),
        (NeverReady(), "flights: running but not ready"),
    ],
)
def test_a_canary_that_does_not_come_up_is_taken_back_with_the_reason(world: World, start: Any, message: str) -> None:
    world.serve()
    world.flow()
    world.server.pods.set("4", start)
    result = world.roll_out(CANARY, wait_seconds=300)
    assert result.state is State.FAILED and message in result.reason, result.reason
    assert world.actions == ["start", "roll back"] and message in world.reason()
    assert [check.status for check in result.checks] == ["fail"]
    assert set(deployments(world.cluster)) == {STABLE.key} and world.selector_now() == STABLE.key
    assert world.server.traffic.lost == 0


def test_the_last_log_lines_of_a_crashed_server_are_reported(world: World) -> None:
    world.serve()
    world.server.pods.set("4", CrashLoops("naru: serve: m: does not load\n  -> train the model again\n"))
    reason = world.roll_out(CANARY).reason
    assert "last log lines:\n    naru: serve: m: does not load\n      -> train the model again" in reason
    assert "BackOff: Back-off restarting failed container" in reason


def test_a_canary_that_differs_from_offline_never_gets_requests(world: World) -> None:
    world.serve()
    world.flow()
    world.server.pods.set("4", answers=Answers(offset=0.5))
    result = world.roll_out(CANARY)
    assert result.state is State.FAILED and "served 0.75, offline 0.25" in result.reason
    assert world.actions == ["start", "roll back"]
    assert all("naru/predictor" in write.body["spec"]["selector"] for write in _writes(world, "services"))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (Answers(failing=0.2), "errors at 33.3 %"),
        (Answers(seconds=0.3), "p95 latency (ms) at 33.3 %"),
    ],
)
def test_a_canary_that_fares_badly_with_real_requests_is_taken_back(
    world: World, answers: Answers, message: str
) -> None:
    world.serve()
    world.flow()

    def turn_bad() -> None:
        if world.selector_now() == "":
            world.server.pods.set("4", answers=answers)

    world.server.clock.watchers.append(turn_bad)
    result = world.roll_out(CANARY)
    assert result.state is State.FAILED and message in result.reason, result.reason
    assert world.actions == ["start", "prove", "share", "roll back"]
    assert set(deployments(world.cluster)) == {STABLE.key} and world.selector_now() == STABLE.key


def test_a_canary_that_is_killed_during_its_bake_is_taken_back(world: World) -> None:
    world.serve()
    world.flow()
    world.server.pods.set("4", Restarts(after=1, at=30))
    result = world.roll_out(CANARY)
    assert result.state is State.FAILED and "restarts at 33.3 %" in result.reason, result.reason


def test_without_requests_a_canary_is_promoted_only_where_the_project_says_so(world: World) -> None:
    world.serve()
    result = world.roll_out(CANARY, canary={**CANARY_STEPS, "when_idle": "promote"})
    assert result.state is State.DONE
    assert {check.status for check in result.checks if check.name.startswith("errors")} == {"no_baseline"}


def test_an_available_of_before_is_not_believed(world: World) -> None:
    world.serve()
    world.server.operator.stale = 20
    world.server.pods.set("4", CrashLoops())
    assert world.roll_out(CANARY).state is State.FAILED


def test_the_operator_may_be_away_for_a_while(world: World) -> None:
    world.serve()
    world.flow()
    world.server.operator.stopped = True
    back = world.server.clock.now() + 60

    def come_back() -> None:
        if world.server.clock.now() > back:
            world.server.operator.stopped = False

    world.server.clock.watchers.append(come_back)
    assert world.roll_out(CANARY).state is State.DONE


def test_an_absent_operator_is_reported_and_the_service_selects_the_stable_version(world: World) -> None:
    world.serve()
    world.server.operator.stopped = True
    result = world.roll_out(CANARY, wait_seconds=100)
    assert result.state is State.FAILED and "the operator has not created its Deployment yet" in result.reason
    assert world.selector_now() == STABLE.key


def test_variables_that_the_operator_drops_are_found_by_comparing_what_runs(world: World) -> None:
    world.serve()
    original = world.server.operator._deployments

    def without_arguments(made: Any, status: Any, now: float) -> Any:
        for _, found, _ in made:
            found["spec"]["template"]["spec"]["containers"][0]["args"] = ["--model", "/mnt/models"]
        return original(made, status, now)

    world.server.operator._deployments = without_arguments  # type: ignore[method-assign]
    result = world.roll_out(CANARY, wait_seconds=60)
    assert result.state is State.FAILED and "args is" in result.reason


def test_a_canary_that_a_broken_off_rollout_left_is_removed_first(world: World) -> None:
    world.serve()
    world.flow()

    class Killed(BaseException):
        pass

    def kill() -> None:
        if world.selector_now() == "":
            raise Killed

    world.server.clock.watchers.append(kill)
    with pytest.raises(Killed):
        world.roll_out(CANARY)
    world.server.clock.watchers.remove(kill)
    assert len(live(world.cluster)["spec"]["predictors"]) == 2
    third = ModelVersion("5", "s3://naru/flights/models/5/artifacts/model")
    result = world.roll_out(third)
    assert result.state is State.DONE
    assert world.actions[:2] == ["roll back", "start"]
    assert set(deployments(world.cluster)) == {third.key}


def test_deploying_what_serves_already_changes_nothing_but_what_the_project_says_of_it(world: World) -> None:
    world.serve()
    before = [pod["metadata"]["name"] for pod in pods(world.cluster)]
    assert world.roll_out(STABLE).state is State.DONE
    assert [pod["metadata"]["name"] for pod in pods(world.cluster)] == before
    assert world.roll_out(STABLE, replicas=3).state is State.DONE
    assert len(pods(world.cluster)) == 3


def test_a_rollout_that_was_taken_over_changes_nothing_more(world: World) -> None:
    world.serve()
    other = ModelVersion("9", "s3://naru/flights/models/9/artifacts/model")

    def interfere() -> None:
        if world.selector_now() == "":
            world.server.clock.watchers.remove(interfere)
            wanted = replace(_wanted(world, other), shares=())
            Rollout(world.target(wanted.project), wanted).run()

    world.server.clock.watchers.append(interfere)
    with pytest.raises(TakenOverError, match="somebody else changed what is served"):
        world.roll_out(CANARY)
    assert set(deployments(world.cluster)) == {other.key}
    assert read_changes(world.store, "flights")[-1].action == "stop"


def test_what_preflight_refuses_touches_nothing_and_is_in_the_ledger(world: World) -> None:
    world.serve()
    writes = len(world.server.writes)
    wanted = replace(
        _wanted(world, CANARY), missing_files=("s3://naru/flights/models/4/artifacts/model/signature.json",)
    )
    with pytest.raises(ConfigError, match=r"no file s3://.*signature\.json"):
        Rollout(world.target(wanted.project), wanted).run()
    assert len(world.server.writes) == writes
    assert world.actions == ["refuse"]


def test_another_protocol_is_refused(world: World) -> None:
    world.serve()
    with pytest.raises(ConfigError, match="it is served with protocol 'v2', and an object has one protocol"):
        world.roll_out(CANARY, protocol="seldon")


def test_a_ledger_that_cannot_be_written_stops_it_before_anything_is_touched(world: World, tmp_path: Path) -> None:
    world.store = str(tmp_path / "file")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises((ConfigError, UnavailableError)):
        world.roll_out(STABLE)
    assert not world.server.writes


def test_a_request_to_a_briefly_unavailable_api_server_is_retried(world: World) -> None:
    world.serve()
    world.flow()
    world.server.refuse_once("GET", "*/seldondeployments/flights", 503, "etcd leader changed", times=3)
    assert world.roll_out(CANARY).state is State.DONE


def test_ten_rounds_lose_no_request(world: World) -> None:
    world.serve()
    world.flow()
    for model in (CANARY, STABLE) * 5:
        assert world.roll_out(model, shares=()).state is State.DONE
        world.champion = model
    assert world.server.traffic.lost == 0
    assert set(deployments(world.cluster)) == {STABLE.key}


def test_a_project_that_scales_itself_keeps_its_servers_through_a_canary(world: World) -> None:
    world.serve(autoscaling={"min": 2, "max": 4})
    world.flow()
    assert world.roll_out(CANARY, autoscaling={"min": 2, "max": 4}).state is State.DONE
    predictor = live(world.cluster)["spec"]["predictors"][0]
    assert predictor["componentSpecs"][0]["hpaSpec"]["maxReplicas"] == 4


def test_servers_of_the_version_before_that_stay_take_nothing_back(world: World) -> None:
    world.serve()
    world.flow()

    def stop_at_the_end() -> None:
        if world.selector_now() == CANARY.key:
            world.server.operator.stopped = True

    world.server.clock.watchers.insert(0, stop_at_the_end)  # before the operator acts
    result = world.roll_out(CANARY, wait_seconds=60)
    assert result.state is State.DONE and "the servers of the previous version were not removed" in result.reason
    assert world.selector_now() == CANARY.key


def _wanted(world: World, model: ModelVersion) -> Wanted:
    made = project(replicas=2, canary=CANARY_STEPS)
    return Wanted(made, model, world.store, "a test", prove, champion=world.champion)


def _served() -> dict[str, Any]:
    metadata = {"name": "flights", "namespace": "models"}
    return {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "metadata": metadata}


def _writes(world: World, plural: str) -> list[Any]:
    return [write for write in world.server.writes if f"/{plural}/" in write.path and write.verb == "PATCH"]


def _names(world: World, model: ModelVersion) -> set[str]:
    return {
        pod.path.rpartition("/")[2]
        for pod in world.server.kubelet.pods.values()
        if pod.template["metadata"]["labels"]["naru/predictor"] == model.key
    }


def _standing(world: World) -> tuple[int, int, str]:
    """Ready servers of both versions, and the version that the Service names."""
    counts = [0, 0]
    for pod in world.server.kubelet.pods.values():
        label = pod.template["metadata"]["labels"]["naru/predictor"]
        counts[label == CANARY.key] += pod.serves
    return counts[0], counts[1], world.selector_now()
