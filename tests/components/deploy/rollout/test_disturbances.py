"""What other hands do to a rollout, and what it says of nothing: no verdict, no silence, and one line of history for an outage."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from components._core.checks import Check
from components._core.store.rollout_history import read_changes
from components.deploy.rollout.state_machine import Result, State
from components.deploy.targets.contract import Observation, TakenOverError
from tests.components.deploy.targets.seldon.made import CANARY, STABLE
from tests.components.deploy.targets.seldon.world import World
from tests.kubernetes.made import deployments
from tests.kubernetes.starts import InitFails, Named, Sight

SERVED = "/apis/machinelearning.seldon.io/v1/namespaces/models/seldondeployments/flights"
SERVICE = "/api/v1/namespaces/models/services/flights"
STEP = {"shares": [50], "bake_seconds": 20, "min_requests": 20}


def roll_out(world: World, **serve: Any) -> Result:
    """The canary, by one short step."""
    return world.roll_out(CANARY, **{"shares": (50,), "canary": STEP, **serve})


def once(world: World, when: Callable[[], bool], do: Callable[[], None]) -> None:
    """Do something the first time that it is so, before anything else happens at that moment."""

    def look() -> None:
        if when():
            world.server.clock.watchers.remove(look)
            do()

    world.server.clock.watchers.insert(0, look)


def baking(world: World, after: float = 5.0) -> Callable[[], bool]:
    """Whether requests have gone to both versions for so long."""
    began: list[float] = []

    def look() -> bool:
        if world.selector_now() == "":
            began.append(world.server.clock.now())
        return bool(began) and world.server.clock.now() - began[0] >= after

    return look


def delete(world: World, path: str) -> Callable[[], None]:
    def remove() -> None:
        world.server.objects.remove(path)

    return remove


def edit(world: World, path: str, change: Callable[[dict[str, Any]], None], manager: str = "kubectl-edit") -> None:
    """Change an object as `kubectl edit` does."""
    held = copy.deepcopy(world.server.objects[path])
    change(held)
    held["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update", "time": "2026-11-28T20:00:00Z"}]
    world.server.objects.write(path, held)


@pytest.mark.parametrize("times", [1, 2])
def test_a_version_without_a_ready_server_at_the_parity_test_is_awaited_and_tested(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    world.serve()
    world.flow()
    real, looks = Observation.ready, [0]

    def none_at_first(seen: Observation, key: str) -> Any:
        looks[0] += key == CANARY.key
        return () if key == CANARY.key and looks[0] <= times else real(seen, key)

    monkeypatch.setattr(Observation, "ready", none_at_first)
    result = roll_out(world)
    assert result.state is State.DONE, result.reason
    assert sum(check.name == "parity: probability" for check in result.checks) == 2
    reason = next(change.reason for change in result.changes if change.action == "prove")
    assert reason == "answers as offline (2 servers of version 4 tested)"


def test_a_version_that_never_has_a_ready_server_at_the_parity_test_is_rolled_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.serve()
    real = Observation.ready
    monkeypatch.setattr(Observation, "ready", lambda seen, key: () if key == CANARY.key else real(seen, key))
    result = roll_out(world)
    assert result.state is State.FAILED and "no server of version 4 stayed ready for the parity test" in result.reason
    assert world.actions == ["start", "roll back"] and set(deployments(world.cluster)) == {STABLE.key}


def test_a_server_that_disappears_right_before_its_parity_test_is_replaced_and_the_replacement_is_tested(
    world: World,
) -> None:
    world.serve()
    tested: list[str] = []
    prove = world.prove

    def prove_after_a_loss(client: Any) -> list[Check]:
        if not tested:
            world.server.kubelet.pods.pop(f"/api/v1/namespaces/models/pods/{client.pod}")
            world.server.objects.remove(f"/api/v1/namespaces/models/pods/{client.pod}")
        tested.append(client.pod)
        return prove(client)

    world.prove = prove_after_a_loss
    world.flow()
    result = roll_out(world)
    assert result.state is State.DONE, result.reason
    assert len(tested) == 3 and tested[0] not in tested[1:]
    assert [check.status for check in result.checks if check.name.startswith("parity")] == ["pass", "pass"]


def test_a_parity_test_without_requests_fails(world: World) -> None:
    world.serve()
    world.prove = lambda _: []
    result = roll_out(world)
    assert result.state is State.FAILED and "no request was sent to" in result.reason


def test_a_step_without_requests_is_watched_on_and_then_fails(world: World) -> None:
    world.serve()
    began = world.server.clock.now()
    result = roll_out(world, wait_seconds=30)
    assert result.state is State.FAILED and "got no request, so the step cannot be judged" in result.reason
    assert "serve.canary.when_idle: promote" in result.reason
    assert world.server.clock.now() - began >= 50, "it was waited for"
    assert set(deployments(world.cluster)) == {STABLE.key}


def test_requests_that_come_late_are_waited_for(world: World) -> None:
    world.serve()
    once(world, baking(world, 30), world.flow)
    result = roll_out(world)
    assert result.state is State.DONE, result.reason
    assert "no_baseline" not in {check.status for check in result.checks if check.name == "errors at 50 %"}


@pytest.mark.parametrize("path", [SERVED, SERVICE])
def test_what_is_deleted_during_a_bake_ends_the_rollout_and_is_an_outage_in_the_history(
    world: World, path: str
) -> None:
    world.serve()
    world.flow()
    once(world, baking(world), delete(world, path))
    result = roll_out(world)
    assert result.state is State.FAILED, result.reason
    assert world.actions == ["start", "prove", "share", "outage", "roll back"]
    outage = read_changes(world.store, "flights")[-2]
    assert outage.verdict == "failed" and "it is not recorded by whom" in outage.reason
    assert "requests failed from " in outage.reason and " s at most" in outage.reason
    assert ("SeldonDeployment was deleted" if path == SERVED else "Service of the model was deleted") in outage.reason
    assert set(deployments(world.cluster)) == {STABLE.key} and world.selector_now() == STABLE.key
    lost = world.server.traffic.lost
    world.server.clock.advance(30)
    assert world.server.traffic.lost == lost, "the version in service answers again"


def test_what_is_deleted_and_made_again_between_two_looks_is_noticed(world: World) -> None:
    world.serve()
    world.flow()

    def make_again() -> None:
        held = dict(world.server.objects[SERVED])
        world.server.objects.remove(SERVED)
        metadata = {name: held["metadata"][name] for name in ("name", "namespace", "labels", "annotations")}
        world.server.objects.write(SERVED, {**held, "metadata": metadata})

    once(world, baking(world), make_again)
    result = roll_out(world)
    assert result.state is State.FAILED and "deleted and created again" in result.reason
    assert "outage" in world.actions and set(deployments(world.cluster)) == {STABLE.key}


def test_what_is_deleted_while_the_canary_starts_is_noticed(world: World) -> None:
    world.serve()
    world.flow()
    once(world, lambda: len(world.server.objects[SERVED]["spec"]["predictors"]) == 2, delete(world, SERVED))
    result = roll_out(world)
    assert result.state is State.FAILED and world.actions == ["start", "outage", "roll back"]
    assert set(deployments(world.cluster)) == {STABLE.key}


def test_a_first_version_that_is_deleted_while_it_starts_is_not_made_again(world: World) -> None:
    once(world, lambda: SERVED in world.server.objects, delete(world, SERVED))
    result = world.roll_out(STABLE)
    assert result.state is State.FAILED and "was deleted" in result.reason
    assert SERVED not in world.server.objects and world.actions == ["start", "roll back"]


def test_what_is_deleted_once_the_new_version_is_promoted_comes_back_as_the_new_version(world: World) -> None:
    world.serve()
    world.flow()
    once(world, lambda: world.selector_now() == CANARY.key, delete(world, SERVED))
    result = roll_out(world, shares=())
    assert result.state is State.DONE and "serves again" in result.reason
    assert world.actions == ["start", "prove", "promote", "outage"]
    assert set(deployments(world.cluster)) == {CANARY.key} and world.selector_now() == CANARY.key
    assert [check.name for check in result.checks if check.status == "warn"] == ["outage"]


def test_a_namespace_that_is_gone_is_said_and_the_outage_lasts(world: World) -> None:
    world.serve()
    world.flow()

    def vanish() -> None:
        for path in [path for path in world.server.objects if "/namespaces/models" in path]:
            world.server.objects.remove(path)

    once(world, baking(world), vanish)
    result = roll_out(world)
    assert result.state is State.FAILED and 'namespaces "models" not found' in result.reason
    outage = next(change for change in result.changes if change.action == "outage")
    assert "and still lasts" in outage.reason
    assert result.changes[-1].shares == {}, "nothing serves"


def test_when_no_server_of_any_version_is_left_the_bake_ends(world: World) -> None:
    world.serve()
    world.flow()

    def scale_to_none() -> None:
        until[0] = world.server.clock.now() + 20
        world.server.operator.stopped = True  # else it would scale them up again
        for path, one in list(world.server.objects.all("deployments")):
            world.server.objects.write(path, {**one, "spec": {**one["spec"], "replicas": 0}})
        world.server.clock.watchers.append(start_operator)

    def start_operator() -> None:
        world.server.operator.stopped = world.server.operator.stopped and world.server.clock.now() < until[0]

    until = [0.0]
    once(world, baking(world), scale_to_none)
    result = roll_out(world)
    assert result.state is State.FAILED and "no server of any version is ready" in result.reason
    assert "outage" in world.actions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one["spec"]["predictors"][1].update(traffic=90), "version 4: traffic is 90, applied was"),
        (
            lambda one: one["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0].update(image="mine"),
            "version 3: image is 'mine', applied was",
        ),
        (
            lambda one: one["spec"]["predictors"][0]["componentSpecs"][0].update(replicas=0),
            "version 3: replicas is 0, applied was 2",
        ),
        (lambda one: one["spec"]["predictors"].pop(), "version 3 x 2 instead of version 3 x 2, version 4 x 2"),
    ],
)
def test_what_is_edited_by_hand_is_said_with_the_tool_and_left_alone(world: World, change: Any, message: str) -> None:
    world.serve()
    world.flow()
    once(world, baking(world), lambda: edit(world, SERVED, change))
    with pytest.raises(TakenOverError) as error:
        roll_out(world)
    assert message in str(error.value) and "by kubectl-edit at 2026-11-28T20:00:00Z" in str(error.value)
    assert world.actions[-1] == "stop" and message in world.reason()


def test_a_service_that_names_others_is_left_alone(world: World) -> None:
    world.serve()
    world.flow()
    mine = lambda one: one["spec"].update(selector={"app": "mine"})  # noqa: E731
    once(world, baking(world), lambda: edit(world, SERVICE, mine))
    with pytest.raises(TakenOverError, match=r"the Service selects \{'app': 'mine'\}"):
        roll_out(world)


def test_who_took_over_is_said_in_words_and_by_what(world: World) -> None:
    world.serve()
    world.flow()

    def roll_back() -> None:
        world.why = "rolled back to version 3 by kim"
        world.roll_out(STABLE, shares=())

    once(world, baking(world), roll_back)
    with pytest.raises(TakenOverError) as error:
        roll_out(world)
    assert "(another rollout): rolled back to version 3 by kim (" in str(error.value)
    assert "m-" not in error.value.message, "versions, not hashes"


RCLONE_DENIED = (
    "2026/11/28 20:00:00 ERROR : S3 bucket naru path flights: error reading source root directory: AccessDenied: Access Denied\n"
    "2026/11/28 20:00:00 ERROR : Attempt 3/3 failed with 1 errors and: AccessDenied: Access Denied\n"
    "2026/11/28 20:00:00 Failed to copy: AccessDenied: Access Denied.\n"
)


@dataclass(frozen=True)
class FetchDenied(InitFails):
    """Its previous log the kubelet has removed, and says so with 200."""

    printed: str = RCLONE_DENIED

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        gone = "unable to retrieve container logs for containerd://3f1c"
        return gone if previous else super().log(age, init=init, previous=previous)


@dataclass(frozen=True)
class FetchDeniedWithoutALog(FetchDenied):
    """It has none of any; what is left is what Kubernetes keeps of the container's end."""

    def look(self, age: float, named: Named) -> Sight:
        seen = super().look(age, named)
        ended = {"exitCode": 1, "reason": "Error", "message": "Failed to copy: AccessDenied: Access Denied."}
        return replace(seen, init={**seen.init, "lastState": {"terminated": ended}})

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        return "unable to retrieve container logs for containerd://3f1c"


@pytest.mark.parametrize("start", [FetchDenied(), FetchDeniedWithoutALog()])
def test_why_a_model_cannot_be_fetched_is_rclones_reason(world: World, start: Any) -> None:
    world.serve()
    world.server.pods.set("4", start)
    result = roll_out(world)
    first = result.reason.partition("\n")[0]
    assert "the model cannot be fetched: AccessDenied: Access Denied" in first, result.reason
    assert "unable to retrieve container logs" not in result.reason
