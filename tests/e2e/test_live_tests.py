"""Live tests on a cluster while requests flow: a shadow that is judged and promoted, then an A/B test by the labels of both versions.

The tests build on one another, in this order.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.request_log.live_test_lines import LiveLines, LiveRequest, live_test_uri, read_live_lines
from components._core.settings import MODELS_NAMESPACE
from components._core.store.live_tests import LiveTest, read_live_tests
from components._core.store.object_store import put
from components._core.types.signature import to_arrays
from components._frameworks.contract import Model
from components._kfp.server_state import Server
from components.deploy.targets.seldon.manifest import challenger_service
from components.deploy.targets.seldon.objects import KIND, VERSION
from pipelines.graphs.pipelines import SETTLING
from pipelines.kfp.failure_reasons import find_reason
from tests.e2e.conftest import EXTRAS
from tests.e2e.flights import LIVE, read_rows
from tests.e2e.frameworks import BOOSTED, LINEAR, Family, write_family
from tests.e2e.models import champion_of, open_champion, send_requests
from tests.e2e.seldon.asking import Asked, lost, read_asked, share_of, wrong
from tests.e2e.world import OWNER, World, until

pytestmark = pytest.mark.e2e

ROWS = 40
BOUND = 1e-4
SHADOW = {
    "rollout": "shadow",
    "shadow": {"requests": 150, "min_requests": 20, "deadline": "1d", "changed": 1.0, "slower_percent": 1e6},
}
AB = {"rollout": "ab", "ab": {"effect": 0.3, "share": 0.5, "deadline": "1d", "error_rate": 0.2}}
"""By 0.3 of accuracy: some ninety labels, which the test makes up."""


class Live:
    """The project through its versions.

    Attributes:
        world: The cluster.
        source: Its rows.
        folder: For its files and models.
        models: What was in service or in a test, by version.
    """

    def __init__(self, world: World, source: str, folder: Path) -> None:
        self.world, self.source, self.folder = world, source, folder
        self.models: dict[str, Model] = {}
        self.project = folder

    def train(self, family: Family, rollout: dict[str, Any], name: str) -> dict[str, Any]:
        """Train a version on the cluster; returns what deploy wrote."""
        labels = f"{self.world.variables['NARU_STORE']}/e2e-live-labels/"
        more = {
            "serve": {"request_log": {"flush_seconds": 2}, **rollout},
            "gates": {"model": {"first": "deploy", "min_gain": -0.5}},
            "feedback": {"labels": {"source": labels, "id": "id", "row": "row", "label": "late", "time": "known_at"}},
        }
        source = f"{self.source}/flights-{{span}}.csv"
        self.project = write_family(self.folder / name.replace(" ", "-"), source, LIVE, family, more)
        run = self.world.submit(self.project, "--cause", name, NARU_EXTRAS=EXTRAS)
        ended = self.world.wait(run, name)
        with self.world.here():
            assert ended["state"] == "SUCCEEDED", find_reason(Server(self.world.kfp), ended)
        return dict(self.world.read(run, "deploy", "rollout/rollout.json"))

    def open(self) -> str:
        """Open the champion here; returns its version."""
        version, model = open_champion(self.world, LIVE, self.folder)
        self.models[version] = model
        return version

    def look(self) -> LiveTest:
        """Let a run of the pipeline look at the newest test."""
        run = self.world.submit(self.project, "--pipeline", SETTLING.name, NARU_EXTRAS=EXTRAS)
        ended = self.world.wait(run)
        with self.world.here():
            assert ended["state"] == "SUCCEEDED", find_reason(Server(self.world.kfp), ended)
        return self.tests[-1]

    @property
    def tests(self) -> list[LiveTest]:
        with self.world.here():
            return read_live_tests(self.world.variables["NARU_STORE"], LIVE)

    @property
    def lines(self) -> LiveLines:
        """What servers wrote about the newest test."""
        log = f"{self.world.variables['NARU_STORE']}/{LIVE}/requests"
        with self.world.here():
            return read_live_lines(live_test_uri(log, self.tests[-1].name), datetime.now(UTC))

    @property
    def served(self) -> list[str]:
        """The predictors of the SeldonDeployment, and those that the Services select."""
        found = self.get(KIND, VERSION, LIVE) or {}
        services = [self.get("Service", "v1", name) for name in (LIVE, challenger_service(LIVE))]
        selected = [one["spec"]["selector"]["naru/predictor"] if one else "" for one in services]
        return [*(one["name"] for one in found["spec"]["predictors"]), *selected]

    def get(self, kind: str, version: str, name: str) -> dict[str, Any] | None:
        metadata = {"name": name, "namespace": MODELS_NAMESPACE}
        return self.world.cluster.get({"apiVersion": version, "kind": kind, "metadata": metadata})

    def answers(self) -> dict[str, Any]:
        """What each version answers offline."""
        rows = read_rows(1, ROWS)
        return {
            version: model.predict(to_arrays(rows, model.signature.inputs))["probability"]
            for version, model in self.models.items()
        }

    def asked(self, since: str = "") -> list[Asked]:
        return read_asked(self.world.cluster, "naru-e2e-traffic", since=since)

    def check_answers(self) -> None:
        """No request was lost, and every answer is that of the version that it names."""
        asked = self.asked()
        assert not lost(asked), lost(asked)[:5]
        assert not wrong(asked, self.answers(), BOUND), wrong(asked, self.answers(), BOUND)[:5]


@pytest.fixture(scope="module")
def live(
    world: World,
    serving: None,
    onnx_server_image: None,
    source: str,
    traffic: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Live:
    """Version 1 in service: a linear model, deployed as ever, as there is no champion to test it beside; requests flow."""
    found = Live(world, source, tmp_path_factory.mktemp("live"))
    rollout = found.train(LINEAR, SHADOW, "first model")
    assert [change["action"] for change in rollout["changes"]] == ["start", "prove", "promote"], rollout
    version = found.open()
    send_requests(LIVE, read_rows(1, ROWS), found.models[version].signature, pause=0.1)
    until(lambda: len(found.asked()) > ROWS, "requests are sent", 120)
    return found


def test_deploy_begins_a_shadow_beside_the_champion_and_ends(live: Live) -> None:
    champion = champion_of(live.world, LIVE).version
    rollout = live.train(BOOSTED, SHADOW, "boosted trees in its shadow")
    assert rollout["verdict"] == "skipped" and rollout["live_test"]["mode"] == "shadow", rollout
    served = live.served
    assert len(served) == 4 and served[:2] == served[2:], (
        "the project's Service has the first, the other Service the second"
    )
    assert champion_of(live.world, LIVE).version == champion
    until(lambda: len(live.lines.requests) >= 150, "the champion's servers copy requests", 600)
    assert share_of(champion, live.asked()) == 100, "no answer of the shadow is returned"
    live.check_answers()


def test_the_pipelines_recurring_run_is_brought_there(live: Live) -> None:
    assert f"create  pipeline {LIVE}-livetest" in live.world.naru("apply", str(live.project), NARU_EXTRAS=EXTRAS).well()
    schedules = [one for one in Server(live.world.kfp).our_schedules(OWNER) if one.label.project == LIVE]
    assert f"{LIVE}-livetest" in {one.raw["display_name"] for one in schedules}
    for schedule in schedules:  # nothing of it fires during the tests
        Server(live.world.kfp).delete_schedule(schedule)


def test_a_look_judges_the_shadow_and_it_takes_over_while_requests_flow(live: Live) -> None:
    before = champion_of(live.world, LIVE).version
    test = live.look()
    assert test.ended is not None and test.ended.verdict == "promoted", test
    now = live.open()
    assert now != before and now == test.began.version
    at = datetime.now(UTC).isoformat()
    until(lambda: len(live.asked(at)) > ROWS, "it is asked alone", 120)
    assert share_of(now, live.asked(at)) == 100
    served = live.served
    assert len(served) == 3 and served[0] == served[1] and served[2] == "", served
    live.check_answers()


def test_both_versions_answer_in_an_ab_test_and_labels_decide_it(live: Live) -> None:
    champion = champion_of(live.world, LIVE).version
    rollout = live.train(LINEAR, AB, "a linear model in an A/B test")
    assert rollout["verdict"] == "skipped" and rollout["live_test"]["mode"] == "ab", rollout
    challenger = live.tests[-1].began.version
    needed = live.tests[-1].began.needed
    at = datetime.now(UTC).isoformat()
    until(lambda: len(live.lines.requests) > 2 * needed, "both answer", 900)
    assert 25 < share_of(challenger, live.asked(at)) < 75
    labels = ["id,row,late,known_at"]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for number, request in enumerate(live.lines.requests):
        labels.append(f"{request.id},0,{_label(request, is_wrong=number % 2 == 0)},{now}")
    with live.world.here():
        put(("\n".join(labels) + "\n").encode(), f"{live.world.variables['NARU_STORE']}/e2e-live-labels/first.csv")
    test = live.look()
    assert test.ended is not None and test.ended.verdict == "promoted", test
    assert live.open() == challenger != champion
    at = datetime.now(UTC).isoformat()
    until(lambda: len(live.asked(at)) > ROWS, "it is asked alone", 120)
    assert share_of(challenger, live.asked(at)) == 100
    live.check_answers()


def _label(request: LiveRequest, *, is_wrong: bool) -> int:
    """What turned out: as the version under test says, and every other time not as the champion does."""
    answer = request.challenger or request.champion
    assert answer is not None
    says = int(np.asarray(answer.outputs["probability"])[0] >= 0.5)
    return 1 - says if request.challenger is None and is_wrong else says
