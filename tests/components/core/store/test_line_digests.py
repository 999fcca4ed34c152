"""A changed log is detected from its own lines."""

import json
from pathlib import Path

import pytest

from components._core.store.append_log import AppendLog
from components._core.store.line_digests import Lines, find_violations


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two lines of an earlier Naru, then six of this one."""
    place = tmp_path / "p" / "deployments"
    place.mkdir(parents=True)
    for number in (1, 2):
        (place / f"{number:06d}.json").write_text(json.dumps({"n": number}))
    for number in range(3, 9):
        AppendLog(str(place), "the ledger", str(tmp_path)).append({"n": number})
    return place


def logs(folder: Path) -> Lines:
    return {folder.name: [(path.name, path.read_bytes()) for path in folder.iterdir()]}


def found(folder: Path) -> set[tuple[str, str]]:
    return {(violation.line[:6], violation.kind) for violation in find_violations(logs(folder))}


def line(folder: Path, number: int) -> Path:
    (path,) = folder.glob(f"{number:06d}*.json")
    return path


def test_an_untouched_log_shows_nothing(folder: Path) -> None:
    assert found(folder) == set()
    assert find_violations({"deployments": []}) == find_violations({}) == []


def test_a_log_of_an_earlier_naru_alone_shows_nothing(folder: Path) -> None:
    for number in range(3, 9):
        line(folder, number).unlink()
    assert found(folder) == set()


@pytest.mark.parametrize("number", [1, 2, 3, 5, 7])
def test_a_changed_line_is_found(folder: Path, number: int) -> None:
    path = line(folder, number)
    path.write_text(path.read_text().replace(f'"n": {number}', '"n": 0'))
    assert found(folder) == {(f"{number:06d}", "changed")}


@pytest.mark.parametrize("number", [1, 2, 3, 5, 7])
def test_a_removed_line_is_found(folder: Path, number: int) -> None:
    line(folder, number).unlink()
    assert found(folder) == {(f"{number:06d}", "missing")}


def test_a_line_that_was_put_in_afterwards_is_found(folder: Path) -> None:
    (folder / "000004-0000000000000000.json").write_text(json.dumps({"n": 4, "heads": {}}))
    assert found(folder) == {("000004", "unnamed"), ("000004", "same number")}


def test_a_line_that_does_not_say_what_its_writer_saw_is_found(folder: Path) -> None:
    path = line(folder, 8)
    path.write_text(json.dumps({"n": 8}))
    assert found(folder) == {("000008", "without heads"), ("000007", "unnamed")}
    path.write_text("{")
    assert found(folder) == {("000008", "damaged"), ("000007", "unnamed")}


def test_two_promotions_at_once_are_found_where_one_has_to_wait_and_elsewhere_not(folder: Path) -> None:
    (folder / "000008-ffffffffffffffff.json").write_text(line(folder, 8).read_text())
    assert found(folder) == {("000008", "same number")}
    assert find_violations(logs(folder), serialised=()) == []


def test_a_line_that_arrived_late_is_named_by_the_next(folder: Path) -> None:
    (folder / "000007-ffffffffffffffff.json").write_text(line(folder, 7).read_text())
    AppendLog(str(folder), "the ledger", str(folder)).append({"n": 9})
    assert find_violations(logs(folder), serialised=()) == []


def test_a_log_bears_witness_to_another(folder: Path) -> None:
    log = AppendLog(str(folder), "the ledger", "")
    other = AppendLog(str(folder.with_name("rollouts")), "the rollout history", "")
    other.append({"n": 1}, beside=[log])
    line(folder, 8).unlink()
    rollouts = [(path.name, path.read_bytes()) for path in folder.with_name("rollouts").iterdir()]
    (violation,) = find_violations({**logs(folder), "rollouts": rollouts})
    assert (violation.log, violation.line[:6], violation.kind) == ("deployments", "000008", "missing")
    assert violation.reason.startswith("rollouts/000001-")
