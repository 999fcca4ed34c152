import json
import shutil
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from components._core.errors import ConfigError, ServiceError, UnavailableError
from components._core.project.placeholders import PER_RUN
from components._core.setting_names import STORE
from components._core.store.ledger import (
    Deployment,
    append_deployment,
    current_champion,
    open_log,
    open_rollouts,
    read_deployments,
    resolve_champion,
)
from components._core.store.line_digests import find_violations
from components._core.store.object_store import absolute_uri
from components._core.store.rollout_history import Change, append_change
from components._core.store.store_addresses import resolve, shorten


def deployment(version: str) -> Deployment:
    return Deployment(
        version, f"models/{version}", "s", "x", {"auc": 0.9}, "f", "r", "2013-01-01T00:00:00Z", "test", "because"
    )


def test_there_is_no_champion_before_the_first_deployment(tmp_path: Path) -> None:
    assert current_champion(str(tmp_path), "p") is None


def test_the_last_deployment_is_the_champion(tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        append_deployment(str(tmp_path), "p", deployment(version))
    champion = current_champion(str(tmp_path), "p")
    assert champion == deployment("3")
    assert [line.version for line in read_deployments(str(tmp_path), "p")] == ["1", "2", "3"]
    assert current_champion(str(tmp_path), "other") is None


def test_a_line_from_before_the_split_was_kept_is_read(tmp_path: Path) -> None:
    line = Path(append_deployment(str(tmp_path), "p", deployment("1")))
    old = {name: value for name, value in json.loads(line.read_text()).items() if name != "split"}
    line.write_text(json.dumps(old))
    assert current_champion(str(tmp_path), "p") == deployment("1")
    assert deployment("1").split == ""


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=append_deployment, args=(str(tmp_path), "p", deployment(str(number))))
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(line.version) for line in read_deployments(str(tmp_path), "p")) == list(range(16))
    assert not list((tmp_path / "p" / "deployments").glob(".*"))


def test_a_damaged_line_is_reported_with_its_file_and_no_older_champion_takes_its_place(tmp_path: Path) -> None:
    append_deployment(str(tmp_path), "p", deployment("1"))
    last = Path(append_deployment(str(tmp_path), "p", deployment("2")))
    for damaged in ('{"version"', "[]", '{"version": "2"}', "\x00"):
        last.write_text(damaged)
        with pytest.raises(ServiceError, match="damaged line of the deployment ledger") as error:
            current_champion(str(tmp_path), "p")
        assert error.value.where == str(last)
        assert "move it away" in error.value.remedy
    last.rename(last.with_suffix(".json.damaged"))
    assert current_champion(str(tmp_path), "p") == deployment("1")


def test_an_older_damaged_line_does_not_hide_the_champion(tmp_path: Path) -> None:
    first = Path(append_deployment(str(tmp_path), "p", deployment("1")))
    append_deployment(str(tmp_path), "p", deployment("2"))
    first.write_text("{")
    assert current_champion(str(tmp_path), "p") == deployment("2")
    assert Path(append_deployment(str(tmp_path), "p", deployment("3"))).name.startswith("000003-")


def test_a_store_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="Protocol not known"):
        current_champion("nowhere://store", "p")
    (tmp_path / "store").write_text("a file in place of a folder")
    with pytest.raises(ConfigError, match="move it away"):
        append_deployment(str(tmp_path / "store"), "p", deployment("1"))


def test_a_runs_parameter_names_the_champion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE, str(tmp_path))
    append_deployment(str(tmp_path), "p", deployment("1"))
    assert resolve_champion("none", "p") is None
    assert resolve_champion("auto", "p") == deployment("1")
    assert resolve_champion(json.dumps(asdict(deployment("7"))), "p") == deployment("7")
    with pytest.raises(ConfigError, match="`auto`, `none` or the JSON"):
        resolve_champion("the best", "p")


def test_auto_may_say_as_of_when_but_not_with_a_macro_that_no_server_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_STORE", str(tmp_path))
    append_deployment(str(tmp_path), "p", deployment("1"))
    assert resolve_champion("auto 7f3c", "p") == deployment("1")
    with pytest.raises(ConfigError, match="was not replaced"):
        resolve_champion(f"auto {PER_RUN}", "p")


def test_a_line_of_an_earlier_naru_has_no_digest_of_its_registration(tmp_path: Path) -> None:
    line = Path(append_deployment(str(tmp_path), "p", deployment("1")))
    raw = json.loads(line.read_text())
    del raw["registration_sha256"]
    line.write_text(json.dumps(raw))
    assert current_champion(str(tmp_path), "p") == deployment("1")
    append_deployment(str(tmp_path), "p", replace(deployment("2"), registration_sha256="ab" * 32))
    champion = current_champion(str(tmp_path), "p")
    assert champion is not None
    assert champion.registration_sha256 == "ab" * 32


def test_a_line_of_a_later_naru_is_read_without_what_is_not_known_here(tmp_path: Path) -> None:
    line = Path(append_deployment(str(tmp_path), "p", deployment("1")))
    line.write_text(json.dumps({**json.loads(line.read_text()), "signature": {"key": "x"}, "note": "later"}))
    assert current_champion(str(tmp_path), "p") == deployment("1")


@pytest.mark.parametrize(("name", "value"), [("model", None), ("model", 7), ("version", 2), ("schema", ["s"])])
def test_a_line_with_a_value_of_another_type_is_damaged(tmp_path: Path, name: str, value: object) -> None:
    line = Path(append_deployment(str(tmp_path), "p", deployment("1")))
    line.write_text(json.dumps({**json.loads(line.read_text()), name: value}))
    with pytest.raises(ServiceError, match=f"{name} must be text"):
        current_champion(str(tmp_path), "p")


def in_store(store: Path, version: str) -> Deployment:
    base = f"{store.as_uri()}/p/models/{version}/artifacts"
    (store / "p" / "models" / version / "artifacts" / "model").mkdir(parents=True)
    (store / "p" / "models" / version / "artifacts" / "schema").mkdir()
    return replace(deployment(version), model=f"{base}/model", schema=f"{base}/schema")


def test_what_lies_in_the_store_is_found_where_the_store_is_now(tmp_path: Path) -> None:
    made = in_store(tmp_path / "old", "1")
    line = Path(append_deployment(str(tmp_path / "old"), "p", made))
    assert json.loads(line.read_text())["model"] == "store:p/models/1/artifacts/model"
    assert current_champion(str(tmp_path / "old"), "p") == made
    (tmp_path / "old").rename(tmp_path / "new place")
    moved = current_champion(str(tmp_path / "new place"), "p")
    assert moved is not None and moved.identity == made.identity
    assert moved.model == f"{(tmp_path / 'new place').as_uri()}/p/models/1/artifacts/model"
    assert moved.statistics == "s", "what lies elsewhere is where it is"


@pytest.mark.parametrize("still_there", [True, False])
def test_a_line_of_an_earlier_naru_is_resolved_against_the_store_that_it_was_copied_with(
    tmp_path: Path, still_there: bool
) -> None:
    made = in_store(tmp_path / "old", "1")
    (tmp_path / "old" / "p" / "deployments").mkdir()
    (tmp_path / "old" / "p" / "deployments" / "000001.json").write_text(json.dumps(asdict(made)))
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    if not still_there:
        shutil.rmtree(tmp_path / "old")
    champion = current_champion(str(tmp_path / "new"), "p")
    assert champion is not None and champion.model == f"{(tmp_path / 'new').as_uri()}/p/models/1/artifacts/model"
    assert champion.identity == made.identity


def test_a_model_that_this_store_does_not_hold_keeps_its_address(tmp_path: Path) -> None:
    made = in_store(tmp_path / "old", "1")
    (tmp_path / "new" / "p" / "deployments").mkdir(parents=True)
    (tmp_path / "new" / "p" / "deployments" / "000001.json").write_text(json.dumps(asdict(made)))
    assert current_champion(str(tmp_path / "new"), "p") == made


@pytest.mark.parametrize("store", ["s3://bucket", "s3://bucket/below/", "/a/store", "/a/store/", "file:///a/store"])
def test_an_address_in_a_store_is_kept_without_the_store_and_comes_back_whole(store: str) -> None:
    whole = f"{absolute_uri(store).rstrip('/')}/p/models/1/artifacts/model"
    assert shorten(whole, store) == "store:p/models/1/artifacts/model"
    assert resolve(shorten(whole, store), store, "p") == whole


@pytest.mark.parametrize("uri", ["s3://bucket-2/p/models/1", "/a/stores/p/models/1", "s3://other/x", "gs://b/p", ""])
def test_an_address_elsewhere_stays(uri: str) -> None:
    for store in ("s3://bucket", "/a/store"):
        assert shorten(uri, store) == uri


def test_each_line_of_both_ledgers_names_what_its_writer_saw_of_both(tmp_path: Path) -> None:
    store = str(tmp_path)
    append_deployment(store, "p", deployment("1"))
    append_change(store, "p", Change("r", "start", "2"))
    append_deployment(store, "p", deployment("2"))
    logs = {name: log(store, "p").read() for name, log in (("deployments", open_log), ("rollouts", open_rollouts))}
    assert find_violations(logs) == []
    last = json.loads(logs["deployments"][-1][1])["heads"]
    assert {log: len(seen) for log, seen in last.items()} == {"deployments": 1, "rollouts": 1}
