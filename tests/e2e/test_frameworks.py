"""One project of each framework from the rows to service, and boosted trees that take over from Keras while requests flow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components._core.checks import Check
from components._core.examples.samples import Sample
from components._core.project.gate_config import ServingGates
from components._core.types.signature import to_arrays
from components._frameworks.contract import Model
from components._frameworks.table import load_model
from components._kfp.server_state import Server
from components.deploy.parity import check_parity, compare
from components.deploy.targets.placement import name_of_image
from pipelines.kfp.failure_reasons import find_reason
from tests.e2e.conftest import EXTRAS, Deployed
from tests.e2e.flights import read_rows
from tests.e2e.frameworks import BOOSTED, FAMILIES, Family, copy_with_source, name_of, write_family, write_onnx_file
from tests.e2e.models import client_of, open_champion, send_requests, server_images
from tests.e2e.seldon.asking import lost, read_asked, share_of, wrong
from tests.e2e.world import World, run_here, until

pytestmark = pytest.mark.e2e

BOUND = ServingGates().parity
ROWS = 40
"""Flights that are sent; the canary is asked about each of them many times."""
CANARY = {
    # models of different frameworks differ more than two fits of one, and few flights are sent
    "canary": {"shares": [50], "bake_seconds": 25, "min_requests": 20, "drift": 0.6},
    "request_log": {"flush_seconds": 2},
}
CHALLENGE = {"serve": CANARY, "gates": {"model": {"min_gain": -0.05}}}
"""Which of the two is better on 300 rows is chance, and not what is looked at here."""


@dataclass(frozen=True)
class Trained:
    """A family's run on the cluster, and its project as it is fitted on this machine."""

    run: str
    here: Path

    def model_here(self) -> Model:
        (folder,) = self.here.glob(".naru/store/*/models/*/artifacts/model")
        return load_model(folder)


@pytest.fixture(scope="module")
def trained(
    world: World,
    serving: None,
    onnx_server_image: None,
    source: str,
    rows: Path,
    deployed: Deployed,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Trained]:
    """All of them at the same time on the cluster, and those that can be repeated on this machine meanwhile."""
    folder = tmp_path_factory.mktemp("families")
    found: dict[str, Trained] = {}
    for name, family in FAMILIES.items():
        here = _write(folder / "here" / name, str(rows), name, family)
        if family.framework == "onnx":
            _import_model(world, here, folder)
        there = copy_with_source(folder / "there" / name, here, f"{source}/flights-{{span}}.csv")
        found[name] = Trained(world.submit(there, "--cause", "one of each framework", NARU_EXTRAS=EXTRAS), here)
    for name, one in found.items():
        if FAMILIES[name].is_repeatable:
            run_here(one.here, deployed.variables)
    for name, one in found.items():
        world.wait(one.run, f"{name}, beside {len(found) - 1} others")
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_of_each_framework_is_fitted_in_the_stages_image_and_served_by_its_servers_image(
    world: World, trained: dict[str, Trained], name: str, tmp_path: Path
) -> None:
    _check_served(world, trained[name].run, name, FAMILIES[name], ["start", "prove", "promote"], tmp_path)


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_served_answers_as_its_model_does_on_this_machine(
    world: World, trained: dict[str, Trained], name: str, tmp_path: Path
) -> None:
    """As the registered files do here, asked one by one and all at once, and as a model that was fitted here."""
    _, model = open_champion(world, name_of(name), tmp_path)
    _check_answers(name_of(name), model)
    if FAMILIES[name].is_repeatable:
        assert not _failed(compare(_answers(trained[name].model_here()), _answers(model), BOUND))


def test_boosted_trees_take_over_from_keras_and_every_request_is_answered_as_by_the_version_that_it_names(
    world: World, trained: dict[str, Trained], source: str, traffic: str, tmp_path: Path
) -> None:
    project = name_of("keras")
    before, keras = open_champion(world, project, tmp_path)
    send_requests(project, read_rows(1, ROWS), keras.signature, pause=0.1)
    until(lambda: len(read_asked(world.cluster, traffic)) > ROWS, "requests are sent", 120)
    there = write_family(tmp_path / "boosted", f"{source}/flights-{{span}}.csv", project, BOOSTED, CHALLENGE)
    run = world.submit(there, "--cause", "boosted trees", NARU_EXTRAS=EXTRAS)
    world.wait(run, "boosted trees beside Keras")
    _check_served(world, run, "keras", BOOSTED, ["start", "prove", "share", "promote"], tmp_path)
    now, boosted = open_champion(world, project, tmp_path)
    assert now != before
    _check_answers(project, boosted)
    changes = world.read(run, "deploy", "rollout/rollout.json")["changes"]
    until(lambda: len(read_asked(world.cluster, traffic, since=changes[-1]["at"])) > ROWS, "it is asked alone", 120)
    asked = read_asked(world.cluster, traffic)
    shared = [one for one in asked if changes[2]["at"] <= one.at.isoformat(timespec="seconds") < changes[3]["at"]]
    assert 20 < share_of(now, shared) < 80, "both answer while the canary has half of the servers"
    assert share_of(now, asked[-ROWS // 2 :]) == 100
    expected = {before: _answers(keras)["probability"], now: _answers(boosted)["probability"]}
    assert abs(expected[before] - expected[now]).max() > 100 * BOUND, "an answer tells who gave it"
    assert not lost(asked), lost(asked)[:5]
    assert not wrong(asked, expected, BOUND), wrong(asked, expected, BOUND)[:5]


def _write(folder: Path, rows: str, name: str, family: Family) -> Path:
    more = {"serve": CANARY} if name == "keras" else None
    return write_family(folder, f"{rows}/flights-{{span}}.csv", name_of(name), family, more)


def _import_model(world: World, project: Path, folder: Path) -> None:
    inputs = write_onnx_file(folder / "theirs.onnx")
    settings = [f"model.inputs.{name}={json.dumps(columns)}" for name, columns in inputs.items()]
    given = [argument for setting in settings for argument in ("--set", setting)]
    world.naru("import", str(project), str(folder / "theirs.onnx"), *given).well()


def _check_served(world: World, run: str, name: str, family: Family, actions: list[str], folder: Path) -> None:
    ended = world.run(run)
    with world.here():
        assert ended["state"] == "SUCCEEDED", find_reason(Server(world.kfp), ended)
    record = world.read(run, "deploy", "rollout/run.json")
    rollout = world.read(run, "deploy", "rollout/rollout.json")
    assert [change["action"] for change in rollout["changes"]] == actions, (record["reason"], rollout)
    assert name_of_image(record["environment"]["image"]) == "naru-stages"
    _, model = open_champion(world, name_of(name), folder)
    assert model.signature.framework in family.opened_by
    until(lambda: server_images(world, name_of(name)) == {family.server}, f"{family.server} alone serves", 120)


def _check_answers(project: str, model: Model) -> None:
    sample = Sample(read_rows(1, ROWS), _answers(model))
    with client_of(project) as client:
        checks = check_parity(client, sample, model.signature.inputs, BOUND)
    assert checks and not _failed(checks)


def _answers(model: Model) -> dict[str, Any]:
    return dict(model.predict(to_arrays(read_rows(1, ROWS), model.signature.inputs)))


def _failed(checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if check.status != "pass"]
