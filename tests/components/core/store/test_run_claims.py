"""Of all runs that were started for one decision one trains; the others end without doing anything."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components._core.errors import ConfigError, RepeatedRunError, ServiceError
from components._core.project.placeholders import PER_RUN
from components._core.store.run_claims import check_claim, format_claim, read_holder, take_decision

DECISION = "000042-0199c3a1b2c4d5e6f7a8b9c0"
ONE, OTHER = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_STORE", str(tmp_path))


def test_the_first_run_has_the_decision_and_finds_it_again_when_its_stage_is_tried_again(tmp_path: Path) -> None:
    for _ in range(2):
        check_claim("p", format_claim(DECISION, ONE))
    with pytest.raises(RepeatedRunError, match=f"the cause of this run is taken by {ONE}") as refused:
        check_claim("p", format_claim(DECISION, OTHER))
    assert refused.value.where == "trigger 000042"
    assert read_holder(str(tmp_path), "p", DECISION) == ONE
    check_claim("p", format_claim(DECISION.replace("42", "43"), OTHER))


def test_of_many_at_once_one_has_it(tmp_path: Path) -> None:
    runs = [f"{number:08d}-aaaa" for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        holders = set(pool.map(lambda run: take_decision(str(tmp_path), "p", DECISION, run), runs))
    assert len(holders) == 1 and holders <= set(runs)


def test_a_run_that_no_watcher_started_takes_nothing(tmp_path: Path) -> None:
    check_claim("p", "")
    assert list(tmp_path.iterdir()) == [] and read_holder(str(tmp_path), "p", DECISION) == ""


@pytest.mark.parametrize("claim", [DECISION, f"{DECISION}/{PER_RUN}", f"../x/{ONE}", f"{DECISION}/../{ONE}"])
def test_what_is_no_claim_is_refused(tmp_path: Path, claim: str) -> None:
    with pytest.raises(ConfigError, match="allowed: DECISION/RUN"):
        check_claim("p", claim)


def test_a_damaged_claim_lets_nobody_in(tmp_path: Path) -> None:
    take_decision(str(tmp_path), "p", DECISION, ONE)
    next(tmp_path.rglob("*.json")).write_text("{")
    with pytest.raises(ServiceError, match="names no run"):
        check_claim("p", format_claim(DECISION, ONE))
