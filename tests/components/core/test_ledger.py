import json
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from components._core.errors import ConfigError, ServiceError, UnavailableError
from components._core.ledger import (
    Deployment,
    append_deployment,
    current_champion,
    read_deployments,
    resolve_champion,
)
from components._core.macros import PER_RUN
from components._core.settings import STORE


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


def test_a_damaged_line_is_told_with_its_file_and_no_older_champion_takes_its_place(tmp_path: Path) -> None:
    append_deployment(str(tmp_path), "p", deployment("1"))
    last = Path(append_deployment(str(tmp_path), "p", deployment("2")))
    for damaged in ('{"version"', "[]", '{"version": "2"}', "\x00"):
        last.write_text(damaged)
        with pytest.raises(ServiceError, match="deployment ledger is damaged") as error:
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
    assert append_deployment(str(tmp_path), "p", deployment("3")).endswith("000003.json")


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
