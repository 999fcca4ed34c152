"""Two applies at the same time leave one of everything, and each reports what it did."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from components._core.errors import UnavailableError
from components._core.store.object_store import upload
from components._kfp.connection import Connection
from components._kfp.kfp_client import ConflictError, KfpClient
from components._kfp.server_state import Server
from pipelines.kfp.apply_changes import apply
from pipelines.kfp.desired_state import DesiredPipeline
from tests.components.kfp.kfp_server import KfpServer
from tests.pipelines.kfp.made import nightly, scheduled


def at_a_barrier(monkeypatch: pytest.MonkeyPatch, name: str, count: int = 2) -> None:
    """Make all callers of this method of a server wait for each other, after they have looked."""
    barrier, real = threading.Barrier(count), getattr(Server, name)

    def meet(*args: Any) -> Any:
        barrier.wait(20)
        return real(*args)

    monkeypatch.setattr(Server, name, meet)


@pytest.fixture(autouse=True)
def one_upload_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object store shows an object once it is whole; the one in memory, which these tests have, shows it while it is written."""
    lock = threading.Lock()

    def locked(*archive: Any) -> None:
        with lock:
            upload(*archive)

    monkeypatch.setattr("pipelines.kfp.apply_changes.upload", locked)


def both(*desired: DesiredPipeline) -> list[BaseException | None]:
    """Apply each from a client of its own; what each raised."""

    def one(what: DesiredPipeline) -> None:
        list(apply(Server(KfpClient(Connection.from_environment())), [what], dry=False))

    with ThreadPoolExecutor(len(desired)) as pool:
        return [done.exception() for done in [pool.submit(one, what) for what in desired]]


def _same(desired: DesiredPipeline) -> DesiredPipeline:
    return desired


@pytest.mark.parametrize("pace", [1, 0], ids=["one is older", "of the same second"])
@pytest.mark.parametrize("change", [_same, lambda one: scheduled(one, nightly(enabled=False))], ids=["on", "off"])
def test_of_two_schedules_of_one_name_one_stays(
    held: KfpServer,
    desired: DesiredPipeline,
    monkeypatch: pytest.MonkeyPatch,
    pace: int,
    change: Callable[[DesiredPipeline], DesiredPipeline],
) -> None:
    held.pace = pace
    at_a_barrier(monkeypatch, "create_schedule")
    assert both(change(desired), change(desired)) == [None, None]
    assert len(held.schedules) == 1 and held.ended == []
    assert len(held.pipelines) == 1 and len(held.versions[held.pipelines[0]["pipeline_id"]]) == 1


def test_a_schedule_that_is_replaced_by_two_at_once_is_replaced_once(
    server: Server, held: KfpServer, desired: DesiredPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(apply(server, [desired], dry=False))
    at_a_barrier(monkeypatch, "create_schedule", 3)
    later = scheduled(desired, nightly(cron="0 0 4 * * *"))
    assert both(later, later, later) == [None, None, None]
    assert [one["status"] for one in held.schedules] == ["DISABLED", "ENABLED"]


def test_of_two_who_apply_different_things_the_younger_is_reported_to_run_again(
    held: KfpServer, desired: DesiredPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_barrier(monkeypatch, "create_schedule")
    failed = [error for error in both(desired, scheduled(desired, nightly(cron="0 0 4 * * *"))) if error]
    assert [type(error) for error in failed] == [UnavailableError]
    assert "another apply ran at the same time, and its schedule was kept; it differs in cron" in str(failed[0])
    assert str(failed[0]).endswith("-> run again")
    assert [one["status"] for one in held.schedules] == ["ENABLED"]


@pytest.mark.parametrize("name", ["create_pipeline", "upload_version"])
def test_what_somebody_made_since_we_looked_is_taken(
    held: KfpServer, desired: DesiredPipeline, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    at_a_barrier(monkeypatch, name)
    assert both(desired, desired) == [None, None]
    assert len(held.pipelines) == 1 and len(held.versions[held.pipelines[0]["pipeline_id"]]) == 1
    assert len(held.schedules) == 1


def test_a_server_that_took_two_of_a_name_keeps_the_older_ones(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    """No server of today does so; then nothing may point to the one that is removed."""
    list(apply(server, [desired], dry=False))
    [first] = held.pipelines
    held.pipelines.append({**first, "pipeline_id": "0", "created_at": "2027-01-01T00:00:00Z"})
    held.versions["0"] = []
    other = replace(desired, version="0ther0ther00")
    list(apply(server, [other], dry=False))
    assert {one["name"] for one in held.versions[first["pipeline_id"]]} == {desired.version, "0ther0ther00"}


def test_a_conflict_that_stays_is_said(server: Server, held: KfpServer, desired: DesiredPipeline) -> None:
    held.refuse("POST", "/pipelines", 409, 6, "The name flights-training already exist")
    with pytest.raises(ConflictError, match="another apply ran at the same time: run again"):
        list(apply(server, [desired], dry=False))


def test_an_experiment_that_somebody_made_since_we_looked_is_taken(
    server: Server, held: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.experiments.append({"experiment_id": "7", "display_name": "flights"})
    real, looks = Server._find_experiment, [0]

    def not_yet(self: Server, name: str) -> str:
        looks[0] += 1
        return "" if looks[0] == 1 else real(self, name)

    monkeypatch.setattr(Server, "_find_experiment", not_yet)
    held.refuse("POST", "/experiments", 409, 6, "Experiment flights already exists")
    assert server.experiment("flights") == "7"
