"""The champion is compared when it can be; a failure of the champion is reported and does not stop the deployment."""

from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from components._core.store.ledger import Deployment
from components._core.types.signature import Feature
from components.deploy.performance import Served
from components.deploy.targets.local import champion_server
from components.deploy.targets.local.champion_server import Baseline, fetch_baseline
from components.deploy.targets.local.server_process import ModelServer

REGISTERED = {"version": "2", "model": "/store/2/model"}
ROWS = pa.table({"x": pa.array([1.0, None], pa.float32()), "carrier": pa.array(["AA", "BB"])})


def deployment(version: str, model: str) -> Deployment:
    return Deployment(version, model, "", "", {}, "", "run", "2026-01-01T00:00:00+00:00", "test", "test")


def baseline_of(*features: Feature) -> Baseline:
    served = Served(cast(ModelServer, object()), "tiny", Path("model"))
    vars(served)["features"] = features
    return Baseline("champion v1", served=served)


def accept(*_: Any) -> str:
    return ""


def test_without_a_champion_or_with_the_version_itself_there_is_no_baseline(tmp_path: Path) -> None:
    assert fetch_baseline(None, REGISTERED, tmp_path).not_compared == "there is no champion to compare with"
    itself = fetch_baseline(deployment("2", "/store/2/model"), REGISTERED, tmp_path)
    assert (itself.model, itself.not_compared) == (None, "it is the champion itself")


@pytest.mark.parametrize("where", ["/nowhere/model", "nowhere://model"])
def test_a_missing_champion_is_reported(where: str, tmp_path: Path) -> None:
    baseline = fetch_baseline(deployment("1", where), REGISTERED, tmp_path)
    assert baseline.model is None and baseline.not_compared.startswith(
        "not compared with champion v1: its model cannot be"
    )


def test_the_champion_is_read_where_it_lies(tmp_path: Path) -> None:
    baseline = fetch_baseline(deployment("1", str(tmp_path)), REGISTERED, tmp_path / "copy")
    assert (baseline.name, baseline.model, baseline.not_compared) == ("champion v1", tmp_path, "")


def test_rows_that_the_champion_cannot_take_are_sent_to_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(champion_server, "_find_refusal", accept)
    baseline = baseline_of(Feature("x", "float32", False))
    assert baseline.rows_for_both(ROWS).to_pydict() == {"x": [1.0], "carrier": ["AA"]}
    assert baseline.served is not None


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (Feature("weather", "string", True), "it needs columns that this version does not have: weather"),
        (Feature("carrier", "float32", True), "it takes columns that have another type now: carrier"),
    ],
)
def test_a_champion_that_needs_other_columns_is_given_up_and_every_row_is_sent(feature: Feature, message: str) -> None:
    baseline = baseline_of(feature)
    assert baseline.rows_for_both(ROWS) is ROWS
    assert baseline.served is None and baseline.not_compared == f"not compared with champion v1: {message}"


def test_a_champion_that_refuses_the_rows_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(champion_server, "_find_refusal", lambda *_: "it refuses today's rows with 400: wrong_type")
    baseline = baseline_of(Feature("x", "float32", True))
    assert baseline.rows_for_both(ROWS) is ROWS
    assert baseline.not_compared == "not compared with champion v1: it refuses today's rows with 400: wrong_type"
