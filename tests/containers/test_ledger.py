"""Sixteen writers of one ledger in a real S3, in one whose conditions are lost on the way, and in Google Cloud Storage's interface."""

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from components._core.settings import Settings
from components._core.store.conditional_writes import check_conditional_writes
from components._core.store.ledger import Deployment, append_deployment, open_log, open_rollouts, read_deployments
from components._core.store.line_digests import find_violations
from components._core.store.rollout_history import Change, append_change, read_changes
from components.deploy import promotion
from components.deploy.promotion import ChampionChangedError, Compared, promote
from tests.containers.dropping_proxy import DroppingProxy, dropping
from tests.containers.s3_server import S3Server

pytestmark = pytest.mark.containers

WRITERS = 16
LINE = Deployment("0", "models/0", "s", "c", {"auc": 0.9}, "f", "r", "2026-01-01T00:00:00+00:00", "me", "a test")


@pytest.fixture(params=["as it is", "without conditions", "gcs"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    if request.param == "gcs":
        request.getfixturevalue("gcs")
        yield f"gs://naru/{tmp_path.name}"
        assert check_conditional_writes(f"gs://naru/{tmp_path.name}") is None
        return
    s3: S3Server = request.getfixturevalue("s3")
    if request.param == "as it is":
        yield f"s3://naru/{tmp_path.name}"
        assert check_conditional_writes(f"s3://naru/{tmp_path.name}") is None
        return
    with dropping(s3) as proxy:
        for name, value in proxy.environment.items():
            monkeypatch.setenv(name, value)
        yield f"s3://naru/{tmp_path.name}"
        _expect_a_report(proxy, f"s3://naru/{tmp_path.name}")


def _expect_a_report(proxy: DroppingProxy, store: str) -> None:
    check = check_conditional_writes(store)
    assert check is not None and check.status == "warn" and "If-None-Match" in check.reason
    assert proxy.dropped


def at_once(work: Callable[[int], None]) -> None:
    """Sixteen processes, begun at one moment."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(WRITERS)

    def run(number: int) -> None:
        start.wait()
        work(number)

    writers = [context.Process(target=run, args=(number,)) for number in range(1, WRITERS + 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(300)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS


def test_sixteen_writers_leave_sixteen_lines(store: str) -> None:
    at_once(lambda number: append_change(store, "p", Change("r", "share", str(number))) and None)
    at_once(lambda number: append_deployment(store, "p", replace(LINE, version=str(number))) and None)
    wanted = sorted(str(number) for number in range(1, WRITERS + 1))
    assert sorted(change.version for change in read_changes(store, "p")) == wanted
    assert sorted(line.version for line in read_deployments(store, "p")) == wanted


def test_of_sixteen_that_were_compared_with_one_champion_one_is_promoted(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "_set_alias", lambda *_: None)
    append_deployment(store, "p", LINE)

    def try_to(number: int) -> None:
        registered = {**LINE.__dict__, "version": str(number), "model": f"models/{number}"}
        try:
            promote(Settings(store, ""), "p", registered, "a test", Compared(LINE.identity, "evaluate", "run again"))
        except ChampionChangedError:
            append_change(store, "p", Change("refused", "refuse", str(number)))

    at_once(try_to)
    lines = read_deployments(store, "p")
    refused = [change.version for change in read_changes(store, "p")]
    assert len(lines) == 2 and len(refused) == WRITERS - 1
    assert {lines[-1].version, *refused} == {str(number) for number in range(1, WRITERS + 1)}
    logs = {"deployments": open_log(store, "p").read(), "rollouts": open_rollouts(store, "p").read()}
    assert [violation for violation in find_violations(logs) if violation.log == "deployments"] == []
