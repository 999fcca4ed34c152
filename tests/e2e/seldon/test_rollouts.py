"""Versions come and go on a real cluster, through the real operator, while requests flow. In this order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.store.ledger import current_champion
from components._core.store.rollout_history import Change, read_changes
from components.deploy.targets.contract import ModelVersion
from components.deploy.targets.seldon.manifest import PREDICTOR_LABEL
from components.deploy.targets.seldon.pods import PodClient
from pipelines.compile_target import Target
from pipelines.rollback import roll_back
from tests.e2e.seldon.asking import Asked, lost, read_asked, render_asker, share_of, wrong
from tests.e2e.seldon.site import NAME, NAMESPACE, ROWS, STORE, TABLE, Site
from tests.e2e.world import until

pytestmark = pytest.mark.e2e
GOOD = 0.1
ROUNDS = 10


def predictor(registered: dict[str, Any]) -> str:
    return ModelVersion(registered["version"], registered["model"]).key


def champion() -> str:
    found = current_champion(STORE, NAME)
    return found.version if found else ""


def last_rollout() -> list[Change]:
    changes = read_changes(STORE, NAME)
    return [change for change in changes if change.rollout == changes[-1].rollout]


@pytest.fixture(autouse=True)
def record(site: Site, request: pytest.FixtureRequest) -> Iterator[None]:
    """A row of the table that is printed at the end."""
    started, before = time.monotonic(), _asked_so_far(site)
    yield
    asked = _asked_so_far(site)[len(before) :]
    name = request.node.name.removeprefix("test_").replace("_", " ")
    outcome = "; ".join(f"{change.action} {change.version}" for change in last_rollout()) if site.expected else ""
    TABLE.append(
        (name, time.monotonic() - started, len(asked), len(wrong(asked, site.expected)), len(lost(asked)), outcome)
    )


def _asked_so_far(site: Site) -> list[Asked]:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asker", "namespace": NAMESPACE}}
    return read_asked(site.cluster, NAMESPACE) if site.cluster.get(pod) else []


def test_the_first_version_is_proved_and_serves(site: Site, registry: None) -> None:
    first = site.register("1", GOOD)
    outcome, _ = site.deploy(first)
    assert outcome.verdict in ("ok", "warn"), outcome.reason
    assert site.served() == [predictor(first)]
    assert site.selected()[PREDICTOR_LABEL] == predictor(first)
    assert {check.name: check.status for check in outcome.checks}["parity: probability"] == "pass"
    assert champion() == "1"


def test_a_good_canary_is_promoted_by_shares_of_one_in_three_and_one_in_two(
    site: Site, registry: None, asker: None
) -> None:
    second = site.register("2", GOOD + 0.002)
    outcome, record = site.deploy(second)
    assert outcome.verdict in ("ok", "warn"), outcome.reason
    assert site.served() == [predictor(second)] and champion() == "2"
    changes = last_rollout()
    assert [change.action for change in changes] == ["start", "prove", "share", "share", "promote"]
    assert [change.shares.get("2") for change in changes[2:]] == [33.3, 50.0, 100.0]
    assert record["changes"] == [vars(change) for change in changes]
    asked = read_asked(site.cluster, NAMESPACE, since=changes[0].at)
    before, third, half = (
        [one for one in asked if changes[at].at <= one.at.isoformat(timespec="seconds") < changes[at + 1].at]
        for at in (1, 2, 3)
    )
    assert share_of("2", before) == 0, "it is asked by nobody before it has a share"
    assert share_of("2", third) == pytest.approx(33.3, abs=12)
    assert share_of("2", half) == pytest.approx(50, abs=12)
    assert not wrong(asked, site.expected) and not lost(asked)


def test_a_canary_that_crashes_is_taken_back_with_its_last_words(site: Site, registry: None, asker: None) -> None:
    third = site.register("3", GOOD)
    site.damage("3")
    outcome, record = site.deploy(third)
    assert outcome.verdict == "blocked" and champion() == "2"
    assert "CrashLoopBackOff" in outcome.reason
    seen = record["changes"][-1]["reason"]
    assert "last log lines:" in seen and "naru: serve:" in seen, seen
    assert [change.action for change in last_rollout()] == ["start", "roll back"]
    assert len(site.served()) == 1


def test_a_canary_that_answers_wrongly_is_taken_back_before_anybody_asks_it(
    site: Site, registry: None, asker: None
) -> None:
    fourth = site.register("4", -0.4, answers_of=GOOD)
    outcome, _ = site.deploy(fourth)
    assert outcome.verdict == "blocked" and champion() == "2"
    assert "served differs from offline" in outcome.reason
    changes = last_rollout()
    assert [change.action for change in changes] == ["start", "roll back"]
    assert share_of("4", read_asked(site.cluster, NAMESPACE, since=changes[0].at)) == 0


def test_a_canary_whose_predictions_moved_is_taken_back(site: Site, registry: None, asker: None) -> None:
    """The version in service is restarted with a request log first; then the canary is held against it."""
    steps = {"shares": [10, 50], "bake_seconds": seconds_for(site, 120), "min_requests": 20}
    logged = site.project(request_log={"flush_seconds": 2}, canary=steps)
    outcome, _ = site.deploy(site.register("5", GOOD + 0.004), logged)
    assert outcome.verdict in ("ok", "warn") and champion() == "5"
    outcome, _ = site.deploy(site.register("6", -2.0), logged)  # so far that few predictions show it
    assert outcome.verdict == "blocked" and champion() == "5"
    assert "predictions at 33.3 %" in outcome.reason and "from the stable version's" in outcome.reason
    assert [change.action for change in last_rollout()] == ["start", "prove", "share", "roll back"]


def test_an_earlier_version_is_put_back_by_name(site: Site, registry: None, asker: None) -> None:
    done = roll_back(write_project(site), "2", Target())
    assert (done.before, done.now) == ("5", "2") and champion() == "2"
    assert [change.action for change in last_rollout()] == ["start", "prove", "promote"]
    assert len(site.served()) == 1


def test_the_operator_may_be_started_again_in_the_middle(site: Site, registry: None, asker: None) -> None:
    seventh = site.register("7", GOOD + 0.006)
    killer = threading.Thread(target=_restart_operator, args=(site, 8.0))
    killer.start()
    outcome, _ = site.deploy(seventh)
    killer.join()
    assert outcome.verdict in ("ok", "warn"), outcome.reason
    assert site.served() == [predictor(seventh)] and champion() == "7"


def test_a_store_that_pods_do_not_reach_is_reported_with_the_words_of_who_fetches(
    site: Site, registry: None, asker: None
) -> None:
    outcome, record = site.deploy(site.register("8", GOOD), site.project(secret="naru-nowhere", wait_seconds=120))
    assert outcome.verdict == "blocked" and champion() == "7"
    seen = record["changes"][-1]["reason"]
    assert "model-initializer" in seen and "the model cannot be fetched: " in seen.partition("\n")[0], seen
    assert "unable to retrieve container logs" not in seen
    assert len(site.served()) == 1


def test_a_secret_that_is_not_there_is_refused_and_nothing_is_touched(site: Site, registry: None, asker: None) -> None:
    before = site.served()
    with pytest.raises(ConfigError, match="there is no such Secret"):
        site.deploy(site.register("9", GOOD), site.project(secret="not-there"))
    assert site.served() == before and champion() == "7"


def test_a_quota_that_leaves_no_room_is_reported_and_the_version_in_service_stays(
    site: Site, registry: None, asker: None
) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "no-room", "namespace": NAMESPACE},
        "spec": {"hard": {"pods": "4"}},  # two servers, the store and the asker
    }
    site.cluster.apply(quota)
    try:
        outcome, _ = site.deploy(site.register("10", GOOD))
    finally:
        site.cluster.delete(quota)
    assert outcome.verdict == "blocked" and champion() == "7"
    assert "exceeded quota" in outcome.reason, outcome.reason
    assert len(site.served()) == 1


def test_ten_rounds_lose_no_request_and_answer_none_wrongly(site: Site, registry: None, asker: None) -> None:
    started = read_changes(STORE, NAME)[-1].at
    folder = write_project(site)
    for number in range(ROUNDS):
        done = roll_back(folder, "2" if number % 2 == 0 else "7", Target())
        assert champion() == done.now
    asked = read_asked(site.cluster, NAMESPACE, since=started)
    assert len(asked) > 500
    assert not wrong(asked, site.expected)
    assert not lost(asked), lost(asked)[:5]
    answered_by = {one.version for one in asked}
    assert answered_by == {"2", "7"}


def test_a_canary_whose_only_server_goes_right_before_it_is_asked_is_proved_all_the_same(
    site: Site, registry: None, asker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C16: its pod is deleted once, between the look that finds it ready and the first question."""
    real, gone = PodClient.infer, list[str]()

    def lose_it_first(client: PodClient, request: dict[str, Any]) -> Any:
        if not gone and client.pod.startswith(f"{NAME}-"):
            gone.append(client.pod)
            pod = {"name": client.pod, "namespace": NAMESPACE}
            site.cluster.delete({"apiVersion": "v1", "kind": "Pod", "metadata": pod})
            until(lambda: not _is_ready(site, client.pod), "the server is gone", 60)
        return real(client, request)

    monkeypatch.setattr(PodClient, "infer", lose_it_first)
    twelfth = site.register("12", GOOD + 0.001)
    outcome, _ = site.deploy(twelfth, site.project(canary={"shares": []}))
    assert outcome.verdict in ("ok", "warn"), outcome.reason
    assert gone and champion() == "12"
    proved = [check for check in outcome.checks if check.name == "parity: probability"]
    assert proved and {(check.status, check.n) for check in proved} == {("pass", ROWS)}


@pytest.mark.parametrize("kind", ["SeldonDeployment", "Service"])
def test_what_is_deleted_during_a_bake_ends_the_rollout_and_is_an_outage_in_the_history(
    site: Site, registry: None, asker: None, kind: str
) -> None:
    """C17: the version in service comes back, the new one is not promoted, and who looks at the history sees why."""
    before = champion()
    version = {"SeldonDeployment": "13", "Service": "14"}[kind]
    registered = site.register(version, GOOD + 0.001)
    steps = {"shares": [50], "bake_seconds": 40, "min_requests": 20}
    killer = threading.Thread(target=_delete_in_bake, args=(site, kind, version))
    killer.start()
    outcome, record = site.deploy(registered, site.project(canary=steps))
    killer.join()
    assert outcome.verdict == "blocked" and champion() == before, outcome.reason
    assert [change.action for change in last_rollout()] == ["start", "prove", "share", "outage", "roll back"]
    outage = next(change for change in record["changes"] if change["action"] == "outage")
    assert "requests failed from " in outage["reason"] and " s at most" in outage["reason"], outage["reason"]
    assert len(site.served()) == 1
    moment = datetime.now(UTC).isoformat()
    until(lambda: len(read_asked(site.cluster, NAMESPACE, since=moment)) > 20, "requests are sent again", 60)
    assert not lost(read_asked(site.cluster, NAMESPACE, since=moment))


def test_seldons_own_protocol_is_proved_and_served_too(site: Site, registry: None, seldon_image: None) -> None:
    """In the place of what serves, as one object has one protocol, which is refused first."""
    project, registered = site.project(protocol="seldon", replicas=1), site.register("11", GOOD)
    with pytest.raises(ConfigError, match="it is served with protocol 'v2', and an object has one protocol"):
        site.deploy(registered, project)
    site.cluster.delete(render_asker(NAMESPACE, NAME, []))  # it speaks the other protocol
    site.remove()
    outcome, _ = site.deploy(registered, project)
    assert outcome.verdict in ("ok", "warn"), outcome.reason
    assert {check.name: check.status for check in outcome.checks}["parity: probability"] == "pass"
    assert site.served() == [predictor(registered)] and champion() == "11"


def write_project(site: Site) -> Path:
    folder = site.folder / "project"
    folder.mkdir(exist_ok=True)
    (folder / "project.yaml").write_text(site.project().to_json())  # JSON is YAML
    return folder


def _is_ready(site: Site, name: str) -> bool:
    """Whether a pod answers; one that ends, or is not there, does not."""
    pod = site.cluster.get({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE}})
    return pod is not None and "deletionTimestamp" not in pod["metadata"]


def _delete_in_bake(site: Site, kind: str, version: str) -> None:
    """As a person would by hand, once requests go to both versions."""

    def shares() -> bool:
        changes = read_changes(STORE, NAME)
        return bool(changes) and (changes[-1].action, changes[-1].version) == ("share", version)

    until(shares, "the canary has its share", 240)
    time.sleep(5)
    group = {"SeldonDeployment": "machinelearning.seldon.io/v1", "Service": "v1"}[kind]
    site.cluster.delete({"apiVersion": group, "kind": kind, "metadata": {"name": NAME, "namespace": NAMESPACE}})


def seconds_for(site: Site, requests: int) -> float:
    """How long it takes until so many requests have been sent and answered here and now, twice over; a busy machine takes longer."""
    moment, began = datetime.now(UTC).isoformat(), time.monotonic()
    until(lambda: len(read_asked(site.cluster, NAMESPACE, since=moment)) >= requests, "requests are sent", 600)
    return max(12.0, 2 * (time.monotonic() - began))


def _restart_operator(site: Site, after: float) -> None:
    time.sleep(after)
    for pod in site.cluster.list_all("v1", "Pod", "control-plane=seldon-controller-manager"):
        site.cluster.delete(pod)
