"""`naru live-test`: a version is tested beside the champion by rules that were stated beforehand, and judged once."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from components._core.checks import Check
from components._core.errors import ConfigError, UnavailableError
from components._core.project.keep_config import KeepRule
from components._core.project.project_file import load_project
from components._core.request_log.layout import hour_folder
from components._core.store.ledger import Deployment, append_deployment, current_champion, read_deployments
from components._core.types.signature import Feature, Signature
from components.deploy.live_test import settle
from components.deploy.live_test.settle import stop_live_test
from components.deploy.live_test.versions import find_mismatch
from components.deploy.promotion import Compared, promote
from pipelines.__main__ import app
from pipelines.clean.clean import carry_out, plan_clean
from pipelines.clean.plan import KindPlan
from pipelines.compile_target import Target
from pipelines.live_test import show_live_test
from pipelines.rollback import roll_back, tell_ledgers
from tests.pipelines.approving import InstantTarget, registered, requests_of, settings_of, write_project, write_version
from tests.pipelines.live_testing import (
    AB,
    SHADOW,
    begin,
    damage,
    live_tests_of,
    lose,
    mirror,
    post_labels,
    set_project,
    split,
)

LATER = timedelta(days=30)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("live-testing"), SHADOW)


@pytest.fixture
def shadow(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 1 is the champion, version 2 is registered, and serve.rollout is shadow."""
    for name in ("NARU_STORE", "MLFLOW_TRACKING_URI", "NARU_SERVING"):
        monkeypatch.delenv(name, raising=False)
    folder = shutil.copytree(template, tmp_path / "p")
    shutil.rmtree(folder / ".naru" / "store" / "tiny" / "deployments")  # its addresses are the template's
    model, digest, _ = write_version(folder / ".naru" / "store", "1")
    line = Deployment("1", model, "", "", {}, "f", "run-1", "2026-01-01T00:00:00+00:00", "me", "a test", digest)
    append_deployment(settings_of(folder).store, "tiny", line)
    return folder


@pytest.fixture
def ab(shadow: Path) -> Path:
    return set_project(shadow, AB)


def champion(project: Path) -> str:
    found = current_champion(settings_of(project).store, "tiny")
    return found.version if found else ""


def later() -> datetime:
    return datetime.now(UTC) + LATER


def test_deploy_begins_the_test_and_ends_and_says_what_it_will_be_judged_by(shadow: Path) -> None:
    target = InstantTarget()
    outcome = begin(shadow, target=target)
    assert outcome is not None and outcome.verdict == "skipped" and target.compared == ["2"]
    assert "version 2 is in a live test (shadow) beside version 1, until 20 compared requests or " in outcome.reason
    assert "a score apart by at most 0.5, failed copies at most 1.0%" in outcome.reason
    assert champion(shadow) == "1"
    lines = show_live_test(shadow)
    assert lines[-1].startswith("goes on: 0 of 20 compared requests")


def test_the_same_run_again_begins_no_second_test_and_another_version_waits_its_turn(shadow: Path) -> None:
    begin(shadow)
    again, other = begin(shadow), begin(shadow, "3")
    assert len(live_tests_of(shadow)) == 1
    assert again is not None and again.reason.startswith("version 2 is in a live test")
    assert other is not None and "another version is in a live test: version 2" in other.reason


def test_a_version_that_fails_on_test_rows_gets_no_request(shadow: Path) -> None:
    outcome = begin(shadow, target=InstantTarget([Check("parity", "fail", reason="differs")]))
    assert outcome is not None and outcome.verdict == "blocked" and live_tests_of(shadow) == []


def test_a_version_that_needs_a_feature_which_requests_do_not_have_is_not_tested(
    shadow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = (Feature("x", "float32", False), Feature("weather", "string", False))
    signature = Signature("regression", new, {"prediction": "float32"}, ())
    real = Signature.from_json
    seen: list[int] = []

    def second(raw: dict[str, object]) -> Signature:
        seen.append(1)
        return signature if len(seen) == 2 else real(raw)

    monkeypatch.setattr(Signature, "from_json", second)
    outcome = begin(shadow)
    assert outcome is not None and outcome.verdict == "blocked"
    assert "needs 'weather', which requests to the champion do not have" in outcome.reason


def test_a_version_that_lacks_an_output_of_the_champion_is_not_tested() -> None:
    inputs = (Feature("x", "float32", False),)
    with_interval = Signature("regression", inputs, {"prediction": "float32", "lower": "float32"}, ())
    without = Signature("regression", inputs, {"prediction": "float32"}, ())
    assert "does not answer with 'lower'" in find_mismatch(with_interval, without)
    assert find_mismatch(without, with_interval) == ""


def test_answers_within_the_bounds_promote_the_version_once_all_have_come(shadow: Path) -> None:
    begin(shadow)
    mirror(shadow, [(1.0, 1.1)] * 19)
    assert show_live_test(shadow)[-1].startswith("goes on: 19 of 20")
    mirror(shadow, [(1.0, 0.9)], first=19)
    lines = show_live_test(shadow)
    assert lines[-1].startswith("promoted on ") and "20 requests were answered within the bounds" in lines[-1]
    assert any(line.startswith("pass") and "differ by 0.1 at most" in line for line in lines)
    assert champion(shadow) == "2"
    why = read_deployments(settings_of(shadow).store, "tiny")[-1].why
    assert why.startswith("training run run-2; shadow test 000001-")
    assert show_live_test(shadow) == lines[:2] + [
        line for line in lines[2:] if line.startswith(("pass", "skipped", "promoted", "no_base"))
    ]


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([(1.0, 1.1)] * 19 + [(1.0, 1.7)], "differ by 0.7 at most"),
        ([(1.0, 1.1)] * 20 + [(1.0, None)], "4.76% of 21 copies failed"),
    ],
)
def test_a_broken_bound_refuses_the_version(shadow: Path, pairs: list[tuple[float, float | None]], reason: str) -> None:
    begin(shadow)
    mirror(shadow, pairs)
    last = show_live_test(shadow)[-1]
    assert last.startswith("refused on ") and reason in last and champion(shadow) == "1"
    outcome = begin(shadow)
    assert outcome is not None and outcome.verdict == "blocked", (
        "a second test by the same rules would be a second look"
    )
    assert "second look" in outcome.reason and len(live_tests_of(shadow)) == 1


def test_too_few_requests_by_the_deadline_are_inconclusive_and_keep_the_champion(shadow: Path) -> None:
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 4)
    assert show_live_test(shadow)[-1].startswith("goes on")
    last = show_live_test(shadow, now=later())[-1]
    assert last.startswith("inconclusive on ") and "4 requests were compared, 5 are the fewest" in last
    assert champion(shadow) == "1"


def test_a_shadow_that_missed_most_requests_is_not_promoted(shadow: Path) -> None:
    """It was away for a night, and its copies were dropped whenever the champion was busy: 25 of 100 requests were compared."""
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 25)
    lose(shadow, unreachable=60, busy=15)
    lines = show_live_test(shadow)
    assert lines[-1].startswith("goes on: 25 of 20 compared requests"), "more of them may come until the deadline"
    missed = "25.00% of 100 requests that were to be copied were compared; at least 50.00% must be"
    assert any(line.endswith(missed) for line in lines)
    lines = show_live_test(shadow, now=later())
    assert lines[-1].startswith("inconclusive on ") and lines[-1].endswith(missed) and champion(shadow) == "1"
    ended = live_tests_of(shadow)[0].ended
    assert ended is not None and ended.figures["compared_share"] == 0.25
    assert {"name": "compared requests", "measured": 0.25, "threshold": 0.5, "n": 100}.items() <= ended.checks[
        0
    ].items()


def test_a_shadow_that_catches_up_before_the_deadline_is_promoted(shadow: Path) -> None:
    """While it loads its model the first requests miss it."""
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 20)
    lose(shadow, unreachable=30)
    assert show_live_test(shadow)[-1].startswith("goes on: 20 of 20")
    mirror(shadow, [(1.0, 1.0)] * 10, first=20)
    assert show_live_test(shadow)[-1].startswith("promoted on ")


def test_damaged_lines_are_shown_and_above_a_small_share_promote_nothing(shadow: Path) -> None:
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 19)
    damage(shadow, 3)
    assert any(line.startswith("damaged lines: 3 of 22 lines cannot be read (cut,") for line in show_live_test(shadow))
    mirror(shadow, [(1.0, 1.0)], first=19)
    last = show_live_test(shadow)[-1]
    assert last.startswith("inconclusive on ") and "3 of 23 lines cannot be read" in last and champion(shadow) == "1"
    ended = live_tests_of(shadow)[0].ended
    assert ended is not None and (ended.figures["damaged"], ended.figures["lines"]) == (3, 23)


def test_a_few_damaged_lines_warn_and_refuse_nothing(shadow: Path) -> None:
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 100)
    damage(shadow, 1)
    lines = show_live_test(shadow)
    assert lines[-1].startswith("promoted on ")
    assert any(line.startswith("warn") and "1 of 101 lines cannot be read" in line for line in lines)


def test_damaged_lines_of_an_ab_test_promote_nothing(ab: Path) -> None:
    begin(ab)
    split(ab, [1.0, 1.1] * 15, [0.1, 0.2] * 15)
    damage(ab, 2)
    post_labels(ab, {f"{arm}-{number}": 0.0 for number in range(30) for arm in ("champion", "challenger")})
    last = show_live_test(ab)[-1]
    assert last.startswith("inconclusive on ") and "2 of 62 lines cannot be read" in last and champion(ab) == "1"


def test_labels_of_the_same_rows_refuse_a_version_that_is_surely_worse(shadow: Path) -> None:
    begin(shadow)
    mirror(shadow, [(0.0, 0.4 if number % 4 else 0.3) for number in range(40)])
    post_labels(shadow, {str(number): 0.0 for number in range(40)})
    lines = show_live_test(shadow)
    assert lines[-1].startswith("refused on ") and "mae is worse by 0.375 on 40 labelled rows" in lines[-1]


def test_labels_of_a_few_requests_refuse_nothing(shadow: Path) -> None:
    """Three labels differ in one direction by chance once in four tests."""
    begin(shadow)
    mirror(shadow, [(0.0, 0.4 if number % 4 else 0.3) for number in range(20)])
    post_labels(shadow, {str(number): 0.0 for number in range(3)})
    lines = show_live_test(shadow)
    assert any(
        "3 labelled rows: too few to compare, which takes labels of at least 30 requests" in line for line in lines
    )
    assert lines[-1].startswith("promoted on ")


def test_a_version_that_passes_waits_for_the_approval_that_the_project_wants(shadow: Path) -> None:
    set_project(shadow, SHADOW + "  approve: {}\n")
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 20)
    assert show_live_test(shadow)[-1].startswith("waits on ") and champion(shadow) == "1"
    (request,) = requests_of(shadow)
    assert request.asked.version == "2" and request.asked.evidence["checks"]["largest difference"] == "pass"
    assert begin(shadow) is None, "it has passed: deploy goes on to the approval"


@pytest.mark.parametrize("own", ["", "  approve: {}\n"])
def test_an_approval_that_the_run_of_the_version_wanted_is_wanted_of_its_test(shadow: Path, own: str) -> None:
    """As of a run that a trigger with `approve` started: the project itself wants none, or one of anybody."""
    set_project(shadow, SHADOW + "  approve: {who: [ada]}\n")
    begin(shadow)
    set_project(shadow, SHADOW + own)
    mirror(shadow, [(1.0, 1.0)] * 20)
    assert show_live_test(shadow)[-1].startswith("waits on ") and champion(shadow) == "1"
    assert requests_of(shadow)[0].asked.who == ["ada"]


def test_the_project_may_change_meanwhile_and_the_bounds_do_not(shadow: Path) -> None:
    begin(shadow)
    set_project(shadow, SHADOW.replace("difference: 0.5", "difference: 100"))
    mirror(shadow, [(1.0, 1.7)] * 20)
    assert show_live_test(shadow)[-1].startswith("refused on ")


def test_another_champion_ends_the_test(shadow: Path) -> None:
    begin(shadow)
    settings = settings_of(shadow)
    before = current_champion(settings.store, "tiny")
    promote(
        settings, "tiny", registered(shadow, "3"), "by hand", Compared(before.identity if before else None, "now", "")
    )
    assert "version 3 is the champion by now" in show_live_test(shadow)[-1]
    assert live_tests_of(shadow)[0].ended is not None


def test_a_person_ends_it_for_a_reason_and_a_rollback_ends_it_too(shadow: Path) -> None:
    begin(shadow)
    result = CliRunner().invoke(app, ["live-test", str(shadow), "--stop", "the wrong bounds"])
    assert result.exit_code == 0 and "version 1 stays the champion" in result.output
    with pytest.raises(ConfigError, match="no live test goes on"):
        show_live_test(shadow, stop="again")
    begin(shadow)
    done = roll_back(shadow, "", Target())
    assert (done.before, done.now) == ("1", "1") and done.seen == ["the live test of version 2 was ended"]
    whole = [" ".join(line[2:]) for line in tell_ledgers(shadow)]
    assert any("begin shadow test of version 2 1: 100 % 20 needed" in line for line in whole)
    assert any("end shadow test of version 2 (stopped)" in line and "the wrong bounds" in line for line in whole)


def test_a_rollback_to_a_version_that_was_never_there_ends_no_test(shadow: Path) -> None:
    begin(shadow)
    with pytest.raises(ConfigError, match="'9' was never in service"):
        roll_back(shadow, "9", Target())
    assert live_tests_of(shadow)[0].ended is None


def test_a_rollback_goes_back_where_the_test_is_beside_an_earlier_champion(shadow: Path) -> None:
    begin(shadow)
    compared = Compared(live_tests_of(shadow)[0].champion, "now", "")
    promote(settings_of(shadow), "tiny", registered(shadow, "3"), "by hand", compared)
    done = roll_back(shadow, "", Target())
    assert (done.before, done.now) == ("3", "1") and champion(shadow) == "1"
    assert live_tests_of(shadow)[0].ended is not None, "or it would go on where it was left"


def test_a_stop_waits_for_a_judgement_in_progress_and_does_not_contradict_it(
    shadow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 20)
    real, stops = settle.promote, []
    with ThreadPoolExecutor(1) as pool:

        def promote_meanwhile(*given: Any) -> object:
            done = real(*given)
            stops.append(pool.submit(stop_live_test, load_project(shadow), settings_of(shadow), "too late"))
            time.sleep(0.1)
            return done

        monkeypatch.setattr(settle, "promote", promote_meanwhile)
        last = show_live_test(shadow)[-1]
        assert stops[0].result() is None
    assert last.startswith("promoted on ") and live_tests_of(shadow)[0].ended.verdict == "promoted"  # type: ignore[union-attr]


def test_a_kill_after_the_promotion_is_made_up_for_by_the_next_run_too(
    shadow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(shadow)
    compared = Compared(live_tests_of(shadow)[0].champion, "now", "")
    promote(settings_of(shadow), "tiny", registered(shadow, "2"), "as its test passed", compared)
    begin(shadow, "3")
    first = live_tests_of(shadow)[0].ended
    assert first is not None and first.verdict == "promoted"


def test_a_kill_after_the_promotion_is_made_up_for_by_the_next_look(
    shadow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 20)

    def die(*_: object, **__: object) -> None:
        raise UnavailableError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(settle, "end_live_test", die)
        with pytest.raises(UnavailableError):
            show_live_test(shadow)
    assert champion(shadow) == "2" and live_tests_of(shadow)[0].ended is None
    assert show_live_test(shadow)[-1].startswith("promoted on ")
    assert len(read_deployments(settings_of(shadow).store, "tiny")) == 2, "no second line in the ledger"


def test_two_looks_at_once_judge_once(shadow: Path) -> None:
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 20)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: show_live_test(shadow)[-1], range(2)))
    assert found[0] == found[1] and found[0].startswith("promoted on ")
    log = Path(settings_of(shadow).store) / "tiny" / "live-tests"
    assert len(list(log.glob("*.json"))) == 2 and len(read_deployments(settings_of(shadow).store, "tiny")) == 2


def test_the_first_version_is_tested_beside_nothing(shadow: Path) -> None:
    shutil.rmtree(shadow / ".naru" / "store" / "tiny" / "deployments")
    assert begin(shadow) is None


def test_the_number_of_labels_is_stated_before_it_begins(ab: Path) -> None:
    outcome = begin(ab)
    assert outcome is not None
    assert (
        "mae, two-sided: a difference of 0.5 is found with a power of 80% at a significance of 0.05, with 60 labelled rows"
        in outcome.reason
    )
    assert live_tests_of(ab)[0].began.needed == 60


def test_no_figure_is_shown_before_the_horizon_and_then_the_test_is_made_once(ab: Path) -> None:
    random = np.random.default_rng(2)
    begin(ab)
    split(ab, random.normal(1.0, 0.1, 30).tolist(), random.normal(0.1, 0.1, 30).tolist())
    labels = {f"{arm}-{number}": 0.0 for number in range(25) for arm in ("champion", "challenger")}
    post_labels(ab, labels)
    lines = show_live_test(ab)
    assert lines[-1].startswith("goes on: 50 of 60 labelled rows")
    assert not any("mae" in line for line in lines), "nobody peeks"
    post_labels(ab, {f"{arm}-{number}": 0.0 for number in range(25, 30) for arm in ("champion", "challenger")})
    last = show_live_test(ab)[-1]
    assert last.startswith("promoted on ") and "mae is better by 0.859 " in last and champion(ab) == "2"


def test_a_difference_that_may_be_chance_is_inconclusive_and_one_for_the_worse_refuses(ab: Path) -> None:
    random = np.random.default_rng(2)
    begin(ab)
    split(ab, random.normal(0, 1, 30).tolist(), random.normal(0, 1, 30).tolist())
    post_labels(ab, {f"{arm}-{number}": 0.0 for number in range(30) for arm in ("champion", "challenger")})
    last = show_live_test(ab)[-1]
    assert last.startswith("inconclusive on ") and "not significant at 0.05" in last and champion(ab) == "1"


def test_a_version_that_is_significantly_worse_is_refused(ab: Path) -> None:
    begin(ab)
    split(ab, [0.1, 0.2] * 15, [1.1, 1.2] * 15)
    post_labels(ab, {f"{arm}-{number}": 0.0 for number in range(30) for arm in ("champion", "challenger")})
    assert show_live_test(ab)[-1].startswith("refused on ") and champion(ab) == "1"


def test_at_the_deadline_it_is_judged_on_the_labels_that_are_there(ab: Path) -> None:
    set_project(ab, AB.replace("effect: 0.5", "effect: 0.05"))
    begin(ab)
    split(ab, [1.0, 1.1] * 15, [0.1, 0.2] * 15)
    post_labels(ab, {f"{arm}-{number}": 0.0 for number in range(30) for arm in ("champion", "challenger")})
    last = show_live_test(ab, now=later())[-1]
    assert "on 60 labelled rows, of 3,140 that the test needs" in last


def test_a_few_labels_at_the_deadline_conclude_nothing(ab: Path) -> None:
    """Two rows each that do not vary would have no error at all."""
    begin(ab)
    split(ab, [1.0, 1.0], [0.1, 0.1])
    post_labels(ab, {"champion-0": 0.0, "champion-1": 0.0, "challenger-0": 0.0, "challenger-1": 0.0})
    last = show_live_test(ab, now=later())[-1]
    assert last.startswith("inconclusive on ") and "each needs labels of at least 30 requests" in last
    assert champion(ab) == "1"


def test_without_a_label_nothing_is_concluded(ab: Path) -> None:
    begin(ab)
    split(ab, [1.0] * 5, [0.1] * 5)
    assert show_live_test(ab, now=later())[-1].startswith("inconclusive on ")


def test_a_version_that_the_champion_had_to_stand_in_for_is_refused(ab: Path) -> None:
    begin(ab)
    split(ab, [1.0] * 30, [0.1] * 30, failed=3)
    post_labels(ab, {f"{arm}-{number}": 0.0 for number in range(30) for arm in ("champion", "challenger")})
    last = show_live_test(ab)[-1]
    assert last.startswith("refused on ") and "9.09% of the new version's 33 requests" in last


def test_metrics_that_do_not_say_how_rows_spread_are_an_error_before_it_begins(ab: Path) -> None:
    set_project(ab, AB.replace(", spread: 0.5", ""))
    with pytest.raises(ConfigError, match="do not say how much mae varies over rows") as caught:
        begin(ab)
    assert "serve.ab.spread" in caught.value.remedy and live_tests_of(ab) == []


def test_traffic_that_cannot_reach_the_horizon_is_a_warning_with_the_numbers(ab: Path) -> None:
    hour = datetime.now(UTC) - timedelta(hours=12)
    path = Path(settings_of(ab).store) / "tiny" / "requests" / hour_folder(hour.timestamp()) / "pod-1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"outputs": {"prediction": [1.0]}, "share": 0.5}\n' * 2)
    set_project(ab, AB.replace("effect: 0.5", "effect: 0.05"))
    outcome = begin(ab)
    assert outcome is not None
    (check,) = (check for check in outcome.checks if check.name == "horizon")
    assert check.status == "warn" and "about 8 rows a day are answered" in check.reason.replace("about 7", "about 8")
    assert "the test needs 3,140 labelled rows" in check.reason and check.reason in outcome.reason


KEYED = AB.replace("deadline: 2d", "deadline: 2d, key: x")


def log_keys(project: Path, values: Sequence[float | None]) -> None:
    """Let servers answer a request for each value of the key, an hour ago."""
    hour = datetime.now(UTC) - timedelta(hours=1)
    path = Path(settings_of(project).store) / "tiny" / "requests" / hour_folder(hour.timestamp()) / "pod-1.jsonl"
    path.parent.mkdir(parents=True)
    lines = [json.dumps({"inputs": {"x": [value]}, "outputs": {"prediction": [1.0]}}) for value in values]
    path.write_text("\n".join(["{cut", json.dumps({"dropped": 3}), *lines]))


def test_a_key_with_few_values_is_a_warning_when_the_test_begins(ab: Path) -> None:
    set_project(ab, KEYED)
    log_keys(ab, [float(number % 12) for number in range(400)])
    outcome = begin(ab)
    assert outcome is not None
    assert (
        "'x' (serve.ab.key) has 12 values in 400 requests of the log, and the test needs about 60, 30 of each"
        in outcome.reason
    )
    (check,) = (check for check in outcome.checks if check.name == "values of the key")
    assert (check.status, check.threshold) == ("warn", 60.0)


@pytest.mark.parametrize(
    "values",
    [
        [float(number % 90) for number in range(400)],
        [float(number) for number in range(120)],  # few, and hardly one twice: there are many more
        [1.0] * 300 + [None] * 100,  # each of those without the key is assigned by its id
        [1.0] * 20,  # which tell nothing
    ],
)
def test_a_key_with_values_enough_or_unknown_ones_is_no_warning(ab: Path, values: list[float | None]) -> None:
    set_project(ab, KEYED)
    log_keys(ab, values)
    outcome = begin(ab)
    assert outcome is not None and "serve.ab.key" not in outcome.reason


def test_without_a_log_the_rows_of_the_version_tell_how_many_values_the_key_has(ab: Path) -> None:
    set_project(ab, KEYED)
    outcome = begin(ab, rows=[float(number % 7) for number in range(300)])
    assert outcome is not None and "'x' (serve.ab.key) has 7 values in 300 test rows" in outcome.reason


def test_while_it_goes_on_the_values_of_the_key_are_shown(ab: Path) -> None:
    set_project(ab, KEYED.replace("effect: 0.5", "effect: 0.05"))
    begin(ab)
    split(ab, [1.0] * 60, [0.1] * 60, units=4)
    (line,) = (line for line in show_live_test(ab) if line.startswith("values of 'x'"))
    assert "4 of the champion, 4 of the challenger; labels of 30 of each are needed" in line
    assert "has 8 values in 120 requests, and the test needs about 60" in line and "inconclusive" in line


def test_a_project_without_a_test_is_told_how_to_get_one(shadow: Path) -> None:
    assert show_live_test(shadow)[0].startswith("no version was in a live test yet")
    assert stop_live_test(load_project(shadow), settings_of(shadow), "none") is None


def test_a_clean_up_keeps_the_run_of_the_version_under_test(shadow: Path) -> None:
    begin(shadow)
    runs = shadow / ".naru" / "runs"
    for name in ("run-2", "run-8", "run-9"):
        (runs / name).mkdir(parents=True)
    (plan,) = (each for each in plan_clean(shadow, KeepRule(1), later()) if each.kind == "runs")
    assert "run-2" not in {item.name for item in plan.removed} and "run-8" in {item.name for item in plan.removed}
    show_live_test(shadow, stop="no longer of use")
    (plan,) = (each for each in plan_clean(shadow, KeepRule(1), later()) if each.kind == "runs")
    assert "run-2" in {item.name for item in plan.removed}


def test_a_clean_up_removes_the_lines_of_a_test_once_it_has_ended(shadow: Path) -> None:
    begin(shadow)
    mirror(shadow, [(1.0, 1.0)] * 3)
    folder = Path(settings_of(shadow).store) / "tiny" / "requests" / "live-tests"
    (lines,) = folder.rglob("*.jsonl")
    unknown = folder / "000009-of-a-lost-log" / lines.relative_to(lines.parents[2])
    unknown.parent.mkdir(parents=True)
    shutil.copyfile(lines, unknown)

    def plan(rule: KeepRule | None, now: datetime) -> KindPlan:
        (found,) = (each for each in plan_clean(shadow, rule, now) if each.kind == "hours of live tests")
        return found

    week = KeepRule(age=timedelta(days=7))
    goes_on = plan(week, later())
    assert (goes_on.removed, goes_on.kept) == ((), 2) and "2 older stay: of a test that goes on" in goes_on.why
    show_live_test(shadow, stop="no longer of use")
    assert plan(None, later()).removed == (), "keep.requests is all"
    assert plan(week, datetime.now(UTC)).removed == (), "it is as young as the log that is kept"
    ended = plan(week, later())
    assert [item.name.partition("/")[0] for item in ended.removed] == [live_tests_of(shadow)[0].name]
    list(carry_out([ended]))
    assert list(folder.rglob("*.jsonl")) == [unknown]
