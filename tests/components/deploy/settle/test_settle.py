"""A live test on a cluster: deploy begins it, looks judge it and serve what came of it, also where one is killed in between; no request is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components._core.errors import ConfigError, ServiceError, UnavailableError
from components._core.files import read_json
from components._core.store.ledger import current_champion, read_deployments
from components._core.store.rollout_history import read_changes
from components._core.types.artifact_files import SETTLEMENT
from components.deploy.into_service import bring_into_service
from components.deploy.live_test import settle
from components.deploy.live_test.settle import stop_live_test
from components.deploy.promotion import Compared, promote
from components.deploy.rollout.live_test_servers import LiveTestServers
from components.deploy.settle.component import settle as component
from components.deploy.targets.contract import ModelVersion, RolloutError, TakenOverError
from components.deploy.targets.seldon.observation import version_of
from pipelines.__main__ import app
from pipelines.compile_target import Target
from pipelines.rollback import roll_back
from tests.components.deploy.settle.conftest import NAMESPACE, PROJECT, SERVED, Served
from tests.kubernetes.servers import Answers
from tests.kubernetes.starts import CrashLoops, Named, Ready, Sight, Start
from tests.pipelines.approving import registered, requests_of
from tests.pipelines.live_testing import mirror, set_project
from tests.pipelines.test_monitoring_graph import Artifact

ALONE = (["1"], "1", "")
TESTED = (["1", "2"], "1", "2")
PASSES = [(1.0, 1.0)] * 20
AB = PROJECT.replace("  rollout: shadow\n", "  rollout: ab\n").replace(
    "  shadow: {requests: 20, min_requests: 5, deadline: 2d, difference: 0.5}\n",
    "  ab: {effect: 0.5, spread: 0.5, deadline: 2d}\n",
)


@dataclass(frozen=True)
class OnlyThese(Start):
    """Pods of these names are ready, all others crash."""

    names: frozenset[str]

    def look(self, age: float, named: Named) -> Sight:
        return self._start(named.pod).look(age, named)

    def changes(self) -> tuple[float, ...]:
        return Ready().changes()

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        return "naru: serve: cannot serve a live test\n"

    def _start(self, pod: str) -> Start:
        return Ready() if pod in self.names else CrashLoops()


@pytest.fixture(autouse=True)
def _no_request_is_lost(served: Served) -> object:
    yield
    served.server.clock.advance(30)
    assert served.server.traffic.lost == 0


def test_deploy_serves_the_version_beside_the_champion_and_ends(served: Served) -> None:
    outcome = served.begin()
    assert outcome is not None and outcome.verdict == "skipped"
    assert "the pipeline tiny-livetest judges it as often as monitor.schedule says" in outcome.reason
    assert {check.name for check in outcome.checks} >= {"parity: prediction", "malformed request"}
    assert served.objects == TESTED and served.champion == "1"
    (test,) = served.tests
    options = served.options()
    assert options[options.index("--live-test-name") + 1] == test.name
    assert options[options.index("--challenger") + 1] == "http://tiny-challenger:8080"
    assert "--log" not in served.options(1), "a shadow's answers are not returned"


def test_of_an_ab_test_the_version_logs_what_it_answers(served: Served) -> None:
    set_project(served.folder, AB)
    served.begin()
    assert served.objects == TESTED and "--log" in served.options(1)
    assert served.options()[served.options().index("--live-test") + 1] == "ab"


def test_of_an_ab_test_the_version_has_servers_for_its_share(served: Served) -> None:
    champions = "  replicas: 3\n"
    set_project(served.folder, PROJECT + champions)
    served.start()
    set_project(served.folder, AB + champions)
    served.begin()
    predictors = served.server.objects[SERVED]["spec"]["predictors"]
    assert [one["componentSpecs"][0]["replicas"] for one in predictors] == [3, 2]


def test_the_service_of_another_project_is_neither_taken_nor_removed(served: Served) -> None:
    """The project `tiny-challenger` has its own clients, who use the Service of that name."""
    path = f"/api/v1/namespaces/{NAMESPACE}/services/tiny-challenger"
    theirs = {"naru/project": "tiny-challenger", "naru/predictor": "m-1"}
    served.begin()
    stop_live_test(served.project, served.settings, "enough")
    served.follow()
    served.server.put(path, spec={"selector": theirs})
    served.server.objects[path]["metadata"]["labels"] = {"naru/project": "tiny-challenger"}
    with pytest.raises(ConfigError, match="the Service tiny-challenger is of another project"):
        served.begin()
    assert len(served.tests) == 1, "it is refused before it begins"
    served.look()
    assert roll_back(served.folder, "1", Target()).now == "1"
    assert served.server.objects[path]["spec"]["selector"] == theirs


def test_no_copy_reaches_servers_that_log_what_they_answer(served: Served) -> None:
    """A shadow's answers are never returned, so the request log must not have them: not while the version takes over either."""
    served.begin()
    mirror(served.folder, PASSES)
    found: list[str] = []

    def note() -> None:
        predictors = served.server.objects[SERVED]["spec"]["predictors"]
        arguments = {
            version_of(one).version: one["componentSpecs"][0]["spec"]["containers"][0]["args"] for one in predictors
        }
        reached = served.objects[2]
        if "--live-test" in arguments.get("1", []):
            found.append("--log" if "--log" in arguments.get(reached, []) else reached)

    served.server.clock.watchers.append(note)
    served.look()
    served.server.clock.watchers.remove(note)
    assert served.champion == "2" and found and "--log" not in found


def test_a_cluster_that_does_not_answer_ends_no_test(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.begin()
    with monkeypatch.context() as patched:
        patched.setattr(LiveTestServers, "follow", _raise(UnavailableError("the API server does not answer")))
        with pytest.raises(UnavailableError):
            served.begin()
    assert served.tests[0].ended is None


def test_each_look_says_that_the_champion_does_not_start_with_the_options(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(LiveTestServers, "_start", _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            served.begin()
    known = frozenset(path.rpartition("/")[2] for path in served.server.kubelet.pods)
    served.server.pods.set("1", OnlyThese(known))
    for _ in range(2):
        with pytest.raises(RolloutError, match="cannot serve a live test"):
            served.look()
        assert "goes on: 0 of 20 compared requests" in capsys.readouterr().out, "what was found is said all the same"
    assert "--live-test" not in served.options()


def test_the_same_run_again_and_looks_change_nothing(served: Served) -> None:
    served.begin()
    before = len(served.server.applied())
    assert served.look().verdict == "ok"
    again = served.begin()
    assert again is not None and again.reason.startswith("version 2 is in a live test")
    assert len(served.server.applied()) == before and len(served.tests) == 1


def test_labels_that_pods_cannot_read_are_named_and_do_not_keep_the_servers_from_following(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """naru live-test on a machine judges the test; a look in a pod brings in what came of it, and says each time what it cannot do."""
    monkeypatch.setenv("LABELS_DB", "postgresql://nobody@127.0.0.1:1/nothing")
    labels = '{source: "postgresql://${LABELS_DB}", sql: {table: labels}, id: id, label: y, time: t}'
    set_project(served.folder, PROJECT.replace("{endpoint: true}", f"{{labels: {labels}}}"))
    outcome = served.begin()
    assert outcome is not None and "naru live-test judges it, from a machine that reads the labels" in outcome.reason
    stop_live_test(served.project, served.settings, "enough")
    assert served.objects == TESTED
    monkeypatch.setattr("components.deploy.settle.settle.look", _no_driver)
    with pytest.raises(ConfigError, match="no driver"):
        served.look()
    assert served.objects == ALONE


def _no_driver(*_: object) -> object:
    raise ConfigError("no driver", where="feedback.labels", remedy="install one")


def test_another_version_waits_its_turn_and_touches_nothing(served: Served) -> None:
    served.begin()
    before = len(served.server.applied())
    other = served.begin("3")
    assert other is not None and "another version is in a live test: version 2" in other.reason
    assert len(served.server.applied()) == before


def test_a_version_that_passes_takes_over_and_its_service_is_removed(served: Served) -> None:
    served.begin()
    mirror(served.folder, PASSES)
    outcome = served.look()
    assert served.objects == (["2"], "2", "") and served.champion == "2"
    assert "--live-test" not in served.options() and "--log" in served.options()
    assert outcome.verdict == "ok" and "takes over from version 1" in outcome.reason
    assert [change.action for change in read_changes(served.settings.store, "tiny")][-3:] == ["start", "prove", "promote"]  # fmt: skip
    before = len(served.server.applied())
    assert served.look().verdict == "ok" and len(served.server.applied()) == before, "nothing is left to do"


def test_the_component_writes_what_it_found_and_a_page(served: Served, tmp_path: Path) -> None:
    served.begin()
    mirror(served.folder, [(1.0, 2.0)] * 20)
    settlement, page = Artifact(str(tmp_path / "settlement")), Artifact(str(tmp_path / "page.html"))
    component.python_func(project=served.project.to_json(), settlement=settlement, page=page)
    found = read_json(Path(settlement.path) / SETTLEMENT)
    assert found["test"]["ended"]["verdict"] == "refused"
    assert "the live test of version 2 has ended" in found["done"]
    assert "refused" in Path(page.path).read_text() and settlement.metadata["stage"] == "settle"
    assert served.objects == ALONE and "--live-test" not in served.options()


def test_too_few_requests_by_the_deadline_leave_the_champion_alone(served: Served) -> None:
    served.begin()
    later = datetime.now(UTC) + timedelta(days=3)
    found = settle.look_at_live_test(served.project, served.settings, lambda _: None, later)
    assert found.test is not None and found.test.ended is not None and found.test.ended.verdict == "inconclusive"
    assert served.follow()[0] == "the live test of version 2 has ended" and served.objects == ALONE


def test_a_project_without_a_test_is_not_looked_at_on_the_cluster(served: Served) -> None:
    before = len(served.server.requests)
    assert served.look().verdict == "skipped" and len(served.server.requests) == before


def test_a_version_that_does_not_start_is_taken_back_and_the_test_is_over(served: Served) -> None:
    served.server.pods.set("2", CrashLoops("naru: serve: no model\n"))
    outcome = served.begin()
    assert outcome is not None and outcome.verdict == "blocked"
    assert outcome.reason.startswith("version 2 could not be served beside the champion: ") and "\n" not in outcome.reason  # fmt: skip
    assert "naru: serve: no model" in outcome.checks[-1].reason
    assert served.objects == ALONE and "--live-test" not in served.options()
    (test,) = served.tests
    assert test.ended is not None and test.ended.verdict == "stopped"
    served.server.pods.set("2", *[served.server.pods.start])
    assert served.begin() is not None and served.objects == TESTED, "it was not judged, so it may be tested again"


def test_a_version_that_answers_otherwise_than_offline_gets_no_request(served: Served) -> None:
    served.server.pods.set("2", answers=Answers(lambda _, rows: {"prediction": [9.0] * rows}, seconds=0.0))
    outcome = served.begin()
    assert outcome is not None and outcome.verdict == "blocked" and "parity" in outcome.reason
    assert served.objects == ALONE


def test_a_champion_whose_servers_do_not_start_with_the_options_is_served_as_before(served: Served) -> None:
    known = frozenset(path.rpartition("/")[2] for path in served.server.kubelet.pods)
    served.server.pods.set("1", OnlyThese(known))
    outcome = served.begin()
    assert outcome is not None and outcome.verdict == "blocked", outcome
    assert "naru: serve: cannot serve a live test" in outcome.checks[-1].reason
    assert served.objects == ALONE and "--live-test" not in served.options()


def test_a_mesh_and_a_champion_that_is_not_in_service_are_refused_before_a_test_begins(served: Served) -> None:
    set_project(served.folder, PROJECT + "  mesh: istio\n")
    with pytest.raises(ConfigError, match=r"serve\.mesh: istio holds the weights"):
        served.begin()
    set_project(served.folder, PROJECT)
    served.server.traffic.services = []
    served.server.objects.remove("/apis/machinelearning.seldon.io/v1/namespaces/naru-models/seldondeployments/tiny")
    with pytest.raises(ServiceError, match="version 1 is the champion by the ledger, and is not in service"):
        served.begin()
    assert served.tests == []


def test_a_version_waits_for_its_approval_beside_nothing(served: Served) -> None:
    set_project(served.folder, PROJECT + "  approve: {}\n")
    served.begin()
    mirror(served.folder, PASSES)
    served.look()
    (request,) = requests_of(served.folder)
    assert request.asked.version == "2" and served.objects == ALONE and served.champion == "1"
    done = CliRunner().invoke(app, ["approve", "2", str(served.folder), "--reason", "it passed its test"])
    assert done.exit_code == 0, done.output
    assert served.objects == (["2"], "2", "") and served.champion == "2"


def test_a_person_ends_it_and_the_cluster_follows(served: Served) -> None:
    served.begin()
    done = CliRunner().invoke(app, ["live-test", str(served.folder), "--stop", "the wrong bounds"])
    assert done.exit_code == 0, done.output
    assert "version 1 stays the champion" in done.output and "the live test of version 2 has ended" in done.output
    assert served.objects == ALONE


def test_a_rollback_ends_the_test_and_goes_back_where_there_is_none(served: Served) -> None:
    served.begin()
    done = roll_back(served.folder, "", Target())
    assert (done.before, done.now) == ("1", "1") and done.seen[0] == "the live test of version 2 was ended"
    assert served.objects == ALONE
    served.begin()
    mirror(served.folder, PASSES)
    served.look()
    assert served.objects == (["2"], "2", "")
    assert roll_back(served.folder, "", Target()).now == "1" and served.objects == ALONE


def test_a_rollback_to_a_version_ends_the_test(served: Served) -> None:
    served.begin()
    mirror(served.folder, PASSES)
    served.look()
    served.begin("3")
    assert served.objects == (["2", "3"], "2", "3")
    assert roll_back(served.folder, "1", Target()).now == "1"
    assert served.objects == ALONE and served.tests[-1].ended is not None


def test_a_promoted_version_that_cannot_be_served_leaves_the_other_in_service_and_can_be_rolled_back(
    served: Served,
) -> None:
    served.begin()
    mirror(served.folder, PASSES)
    served.server.pods.set("2", CrashLoops("no memory\n"))
    with pytest.raises(ServiceError, match="version 2, the champion, was not brought into service"):
        served.look()
    assert served.champion == "2" and served.objects[1] == "1", "users are answered by the version before"
    assert roll_back(served.folder, "", Target()).now == "1"
    assert served.objects == ALONE and "--live-test" not in served.options()


def test_a_canary_that_comes_meanwhile_ends_the_test(served: Served) -> None:
    served.begin()
    set_project(served.folder, PROJECT.replace("rollout: shadow", "rollout: canary"))
    outcome, _, _ = bring_into_service(served.change("3"), served.target, lambda: pytest.fail("none is needed"))
    assert outcome.verdict == "ok", outcome
    assert served.objects == (["3"], "3", "") and served.champion == "3"
    (test,) = served.tests
    assert test.ended is not None and test.ended.reason.startswith("version 3 is brought into service: training run")


def test_the_champion_deployed_again_leaves_the_test_alone(served: Served) -> None:
    served.begin()
    outcome, _, _ = bring_into_service(served.change("1"), served.target, lambda: pytest.fail("none is needed"))
    assert outcome.verdict == "ok" and "version 2 is in a live test beside it" in outcome.reason
    assert served.objects == TESTED


def test_another_champion_ends_the_test_and_is_brought_into_service(served: Served) -> None:
    served.begin()
    before = current_champion(served.settings.store, "tiny")
    compared = Compared(before.identity if before else None, "now", "")
    promote(served.settings, "tiny", registered(served.folder, "3"), "by hand", compared)
    served.look()
    assert served.objects == (["3"], "3", "")
    assert served.tests[0].ended is not None and served.tests[0].ended.verdict == "stopped"


def test_what_somebody_removed_is_brought_back_by_the_next_look(served: Served) -> None:
    served.begin()
    served.server.objects.remove("/api/v1/namespaces/naru-models/services/tiny-challenger")
    assert served.objects == (["1", "2"], "1", "")
    served.look()
    assert served.objects == TESTED


def test_a_rollout_that_is_on_its_way_is_left_alone(served: Served) -> None:
    """Beside a test that has ended: nothing of one is served, so the second version is somebody's canary."""
    served.begin()
    stop_live_test(served.project, served.settings, "enough")
    served.follow()
    target = served.target
    target.begin()
    (stable,) = target.adopt(target.see())
    target.apply([stable, target.describe(_version(served, "3"), 1)], 1)
    assert served.look().verdict == "ok" and served.objects == (["1", "3"], "1", "")


def test_two_who_look_at_once_disturb_each_other_at_most(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.begin()
    mirror(served.folder, PASSES)
    other: list[object] = []

    def look_too() -> None:
        if not other and len(served.server.applied("*seldondeployments*")) > before:
            other.append(None)
            try:
                other.append(LiveTestServers(served.project, served.settings, served.target).follow())
            except TakenOverError as error:
                other.append(error)

    before = len(served.server.applied("*seldondeployments*"))
    served.server.clock.watchers.append(look_too)
    served.look()
    served.server.clock.watchers.remove(look_too)
    assert len(other) == 2
    served.look()
    assert served.objects == (["2"], "2", "")


def test_a_beginning_that_is_killed_after_any_step_is_made_up_for_by_the_next_look(served: Served) -> None:
    steps = 0
    while served.killed_after(steps + 1, served.begin):
        steps += 1
        assert served.look().verdict == "ok" and served.objects == TESTED, steps
        assert "--live-test" in served.options()
        stop_live_test(served.project, served.settings, "again")
        served.look()
        assert served.objects == ALONE, steps
    assert steps >= 4 and served.objects == TESTED


@pytest.mark.parametrize("ends", ["stopped", "promoted"])
@pytest.mark.slow
def test_an_end_that_is_killed_after_any_step_is_made_up_for_by_the_next_look(served: Served, ends: str) -> None:
    steps, number = 0, 2
    while True:
        version, before = str(number), served.champion
        served.begin(version)
        assert served.objects == ([before, version], before, version)
        if ends == "promoted":
            mirror(served.folder, PASSES)
        else:
            stop_live_test(served.project, served.settings, "again")
        killed = served.killed_after(steps + 1, served.look)
        after = version if ends == "promoted" else before
        if not killed:
            break
        steps += 1
        assert served.champion == after
        served.look()
        assert served.objects == ([after], after, ""), steps
        assert "--live-test" not in served.options()
        number += 1
    assert steps >= (5 if ends == "promoted" else 2) and served.objects == ([after], after, "")


def _promote_without_a_line(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promote the version that passes, and be killed before the end of its test is written."""
    served.begin()
    mirror(served.folder, PASSES)
    with monkeypatch.context() as patched:
        patched.setattr(settle, "end_live_test", _raise(ServiceError("killed")))
        with pytest.raises(ServiceError):
            served.look()


def test_a_kill_after_the_promotion_is_made_up_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    _promote_without_a_line(served, monkeypatch)
    assert served.champion == "2" and served.tests[0].ended is None
    served.look()
    assert served.objects == (["2"], "2", "") and len(read_deployments(served.settings.store, "tiny")) == 2
    assert served.tests[0].ended is not None and asdict(served.tests[0].ended)["verdict"] == "promoted"


def test_what_was_promoted_before_a_kill_is_not_said_to_be_stopped(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    _promote_without_a_line(served, monkeypatch)
    done = CliRunner().invoke(app, ["live-test", str(served.folder), "--stop", "the wrong bounds"])
    assert "no live test goes on" in str(done.exception) and "stays the champion" not in done.output
    (test,) = served.tests
    assert test.ended is not None and test.ended.verdict == "promoted"


def test_a_test_that_was_begun_and_whose_servers_were_not_is_served_by_the_next_look(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(LiveTestServers, "_start", _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            served.begin()
    assert served.tests[0].ended is None and served.objects == ALONE
    served.look()
    assert served.objects == TESTED


def _version(served: Served, version: str) -> ModelVersion:
    return ModelVersion(version, registered(served.folder, version)["model"])


def _raise(error: BaseException) -> Callable[..., None]:
    def call(*_: object, **__: object) -> None:
        raise error

    return call
