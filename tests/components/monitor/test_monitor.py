"""A champion answered requests for four weeks; the monitor says what moved, and a trigger can read it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.errors import ConfigError, ModelError, UnavailableError
from components._core.monitoring.counts import Counts
from components._core.monitoring.reference import MonitoringReference
from components._core.project.project_file import Project, parse_project
from components._core.request_log.layout import hour_folder
from components._core.store.file_digests import digest_of
from components._core.store.ledger import Deployment, append_deployment
from components._core.store.rollout_history import Change, append_change
from components._core.types.artifact_files import MONITORING_REFERENCE
from components.monitor import count_files
from components.monitor.monitor import MonitorResult, monitor_requests
from components.monitor.time_windows import TimeWindow, VersionHours, of_all
from components.monitor.versions import find_champion
from components.register.version_files import store_parts
from tests.components.monitor.request_lines import START, deploy, make_reference, rows_of, write_object

NOW = START + timedelta(days=28, hours=1, minutes=5)
"""The last closed hour is the one that ends 28 days after the start."""
BROKEN_DAY = 24
ROWS = 200
"""Rows of an object that `serve` writes."""


def project(**monitor: Any) -> Project:
    raw = {"name": "small", "task": "binary_classification", "label": "late", "data": {"source": "x.csv"}}
    return parse_project({**raw, "serve": {"request_log": {}}, "monitor": monitor})


def serve(store: Path, change: Any = None, days: int = 28, **others: Any) -> None:
    """Write two objects a day; `change` alters the rows of a day."""
    for day in range(days):
        for hour in (0, 12):
            at = START + timedelta(days=day, hours=hour)
            rows = rows_of(at, ROWS)
            if change:
                change(day, rows)
            write_object(store / "small" / "requests", at, rows, **others)


def run(tmp_path: Path, given: Project | None = None, **options: Any) -> MonitorResult:
    folder = tmp_path / "monitoring"
    folder.mkdir(exist_ok=True)
    return monitor_requests(given or project(), monitoring=folder, page=folder / "page.html", now=NOW, **options)


def read(result: MonitorResult) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(result.uri).read_text())
    return found


def checks_of(result: MonitorResult) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in read(result)["checks"]}


def with_new_carrier(day: int, rows: dict[str, list[Any]]) -> None:
    if day >= BROKEN_DAY:
        rows["carrier"] = ["ZZ" if place % 10 == 0 else value for place, value in enumerate(rows["carrier"])]


def test_ordinary_weeks_alarm_on_nothing(store: Path, tmp_path: Path):
    serve(store)
    result = run(tmp_path)
    assert (result.outcome.verdict, result.outcome.reason) == ("ok", "2,800 rows, nothing moved")
    assert {check["status"] for check in read(result)["checks"]} <= {"pass", "skipped"}
    assert read(result)["window"] == {
        "since": (START + timedelta(days=21)).isoformat(),
        "until": (START + timedelta(days=28)).isoformat(),
        "hours": 168,
        "rows": 2_800,
        "requests": 2_800,
    }


def test_values_never_seen_break_an_invariant_with_cell_requests_and_since(store: Path, tmp_path: Path):
    serve(store, with_new_carrier)
    result = run(tmp_path)
    check = checks_of(result)["unseen: carrier"]
    assert (check["status"], check["kind"], check["feature"]) == ("fail", "invariant", "carrier")
    assert check["cell"]["name"] == "values never seen in training" and check["cell"]["expected"] == 0
    assert check["measured"] == pytest.approx(4 / 7 * 0.1, abs=0.001)
    assert len(check["requests"]) == 50 and all(int(name.rsplit("-", 1)[1]) % 10 == 0 for name in check["requests"])
    # the first window of seven days with a day of it ended after day 24
    assert check["since"] == (START + timedelta(days=BROKEN_DAY - 6)).isoformat()
    assert result.outcome.verdict == "blocked" and "never seen" in result.outcome.reason
    assert "never seen in training" in (tmp_path / "monitoring" / "page.html").read_text()


def test_a_shift_of_a_feature_moves_the_predictions_too(store: Path, tmp_path: Path):
    def later(day: int, rows: dict[str, list[Any]]) -> None:
        if day >= 21:
            shifted = [value + 20 for value in rows["delay"]]
            rows["delay"] = shifted
            rows["probability"] = [float(1 / (1 + np.exp(-(value - 10) / 15))) for value in shifted]

    serve(store, later)
    found = checks_of(run(tmp_path))
    assert found["skew: delay"]["status"] == found["prediction: probability"]["status"] == "fail"
    assert found["drift: delay"]["status"] == "fail" and found["skew: carrier"]["status"] == "pass"
    assert found["skew: delay"]["importance"] == 0.8 and found["skew: delay"]["calibrated"] is True


def test_the_baseline_moves_with_a_promotion(store: Path, tmp_path: Path):
    """What alarms against the rows of version 1 is usual for version 2, which was trained on it; and the other way round."""

    def serve_shifted(version: str) -> None:
        for day in range(28):
            for hour in (0, 6, 12, 18):
                at = START + timedelta(days=day, hours=hour)
                rows = rows_of(at, 100, shift=20.0 if day >= 14 else 0.0)
                write_object(store / "small" / "requests", at, rows, name=f"pod-{version}", version=version)

    serve_shifted("1")
    before = read(run(tmp_path))
    skew = next(check for check in before["checks"] if check["name"] == "skew: delay")
    assert (before["version"], skew["status"]) == ("1", "fail")

    deploy(store, make_reference(shift=20.0), "2")
    serve_shifted("2")
    after = read(run(tmp_path))
    assert after["version"] == "2" and [other["version"] for other in after["other_versions"]] == ["1"]
    moved = {check["name"]: check["status"] for check in after["checks"] if check["kind"] in ("skew", "prediction")}
    assert moved == {"skew: delay": "pass", "skew: carrier": "pass", "prediction: probability": "pass"}
    old = {check["name"]: check["status"] for check in after["other_versions"][0]["checks"]}
    assert old["skew: delay"] == "fail", "the version before keeps its own baseline"


def test_a_reference_that_is_not_the_registered_one_is_refused(
    store: Path, tmp_path: Path, reference: MonitoringReference
):
    base, listed = store / "small" / "models" / "9" / "artifacts", tmp_path / "sha256.json"
    reference.save(tmp_path / "reference.json")
    hashes = store_parts({MONITORING_REFERENCE: tmp_path / "reference.json"}, str(base), listed)
    line = Deployment(
        "9", str(base / "model"), "", "", {}, "", "run", START.isoformat(), "me", "next", digest_of(hashes)
    )
    append_deployment(str(store), "small", line)
    serve(store, version="9")
    assert read(run(tmp_path))["version"] == "9"
    replace(reference, importances={}).save(base / MONITORING_REFERENCE)
    with pytest.raises(ModelError, match=MONITORING_REFERENCE):
        run(tmp_path)


def test_severity_and_ignored_features_are_the_projects(store: Path, tmp_path: Path):
    serve(store, with_new_carrier)
    assert checks_of(run(tmp_path, project(severity={"invariant": "warn"})))["unseen: carrier"]["status"] == "warn"
    assert not any("carrier" in name for name in checks_of(run(tmp_path, project(ignore=["carrier"]))))
    assert checks_of(run(tmp_path))["unseen: carrier"]["status"] == "fail"  # it was counted all the same
    kinds = {check["kind"] for check in checks_of(run(tmp_path, project(severity={"invariant": "ignore"}))).values()}
    assert "invariant" not in kinds and "skew" in kinds


def test_a_canary_is_judged_beside_the_champion(store: Path, tmp_path: Path, reference: MonitoringReference):
    serve(store)
    serve(store, lambda day, rows: rows.update(delay=[None] * ROWS), name="canary", version="2")
    deploy(store, reference, "2")
    deploy_again = Deployment(
        "1", str(store / "small/models/1/artifacts/model"), "", "", {}, "", "run", START.isoformat(), "me", "back"
    )
    append_deployment(str(store), "small", deploy_again)
    found = read(run(tmp_path))
    assert found["version"] == "1" and [other["version"] for other in found["other_versions"]] == ["2"]
    canary = {check["name"]: check["status"] for check in found["other_versions"][0]["checks"]}
    assert canary["missing: delay"] == "fail"


def test_a_version_without_a_reference_says_so(store: Path, tmp_path: Path):
    (store / "small" / "models" / "1" / "artifacts" / MONITORING_REFERENCE).unlink()
    serve(store)
    result = run(tmp_path)
    coverage = checks_of(result)["coverage"]
    assert coverage["status"] == "warn" and "no monitoring reference" in coverage["reason"]


def test_without_requests_the_run_is_skipped(store: Path, tmp_path: Path):
    result = run(tmp_path)
    assert result.outcome.verdict == "skipped" and result.outcome.reason.startswith("no requests from 20")
    assert result.outcome.reason.endswith("an hour counts 10 minutes after its end")
    assert not any(check["status"] in ("warn", "fail") for check in read(result)["checks"])
    assert read(result)["version"] == "1" and read(result)["window"]["rows"] == 0


def refuse(store: Path, days: range, version: str = "1") -> None:
    line = {"refused": {"missing_feature": 100}, "model": "small", "version": version, "log": 2}
    for day in days:
        path = store / "small" / "requests" / hour_folder((START + timedelta(days=day)).timestamp()) / "pod.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(line) + "\n")


def test_a_window_without_an_answer_blocks_and_is_not_skipped(store: Path, tmp_path: Path):
    serve(store, days=21)
    outcome = run(tmp_path).outcome
    assert (outcome.verdict, outcome.reason) == ("blocked", "0 requests, 2,800 in the same hours of the weeks before")


def test_a_window_of_refusals_alone_blocks(store: Path, tmp_path: Path):
    refuse(store, range(27, 28))
    outcome = run(tmp_path).outcome
    assert outcome.verdict == "blocked" and outcome.reason.startswith("100.0% of the requests were refused")


def test_an_outage_without_a_champion_is_found_too(store: Path, tmp_path: Path):
    shutil.rmtree(store / "small" / "models")
    for path in (store / "small").rglob("*deploy*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    serve(store, days=21)
    result = run(tmp_path)
    assert read(result)["version"] == "1" and result.outcome.verdict == "blocked"


@pytest.mark.parametrize(("first", "verdict"), [(0, "blocked"), (14, "blocked"), (25, "warn"), (28, "skipped")])
def test_an_outage_of_a_young_service_is_an_alarm(store: Path, tmp_path: Path, first: int, verdict: str):
    for day in range(first, 27):
        at = START + timedelta(days=day)
        write_object(store / "small" / "requests", at, rows_of(at, 100))
    assert run(tmp_path, window="24h").outcome.verdict == verdict


def test_the_volume_is_that_of_all_versions(store: Path, tmp_path: Path, reference: MonitoringReference):
    serve(store, days=26)
    deploy(store, reference, "2")
    result = run(tmp_path, window="24h")
    assert read(result)["version"] == "2" and checks_of(result)["volume"]["status"] == "fail"
    at = START + timedelta(days=27, hours=6)
    write_object(store / "small" / "requests", at, rows_of(at, 400), version="2")
    check = checks_of(run(tmp_path, window="24h"))["volume"]
    assert (check["status"], check["measured"], check["baseline"]) == ("pass", 400, 400)


def test_the_volume_counts_versions_together_whose_references_have_other_cells():
    one = Counts(
        rows=3, requests=3, cells={"delay": np.ones(6, np.int64)}, outputs={"probability": np.ones(4, np.int64)}
    )
    other = Counts(
        rows=2, requests=1, cells={"delay": np.ones(5, np.int64)}, outputs={"probability": np.ones(3, np.int64)}
    )
    together = of_all([VersionHours({START: one}), VersionHours({START: other})]).hours[START]
    assert (together.rows, together.requests, one.cells["delay"].sum()) == (5, 4, 6)


def test_a_champion_that_answers_nothing_beside_a_canary_is_an_alarm(store: Path, tmp_path: Path):
    serve(store, days=21)
    for day in range(21, 28):
        at = START + timedelta(days=day)
        write_object(store / "small" / "requests", at, rows_of(at, 400), version="2")
    outcome = run(tmp_path).outcome
    assert outcome.verdict == "warn"
    assert outcome.reason.startswith("version 1 answered no request, other versions 2,800")


def test_a_few_rows_are_no_silent_pass(store: Path, tmp_path: Path):
    write_object(store / "small" / "requests", START + timedelta(days=27), rows_of(START, 20))
    outcome = run(tmp_path).outcome
    assert outcome.verdict == "warn"
    assert outcome.reason.startswith("20 rows, nothing moved; not judged for want of a baseline: ")


def test_the_first_week_has_no_baseline_for_drift_and_volume_and_is_judged_against_training(
    store: Path, tmp_path: Path
):
    for day in range(22, 28):
        write_object(
            store / "small" / "requests", START + timedelta(days=day), rows_of(START + timedelta(days=day), 100)
        )
    outcome = run(tmp_path).outcome
    expected = "600 rows, nothing moved; not judged for want of a baseline: volume, latency, drift"
    assert (outcome.verdict, outcome.reason) == ("ok", expected)


def test_traffic_that_stops_fails(store: Path, tmp_path: Path):
    serve(store, days=24)
    assert checks_of(run(tmp_path, window="24h"))["volume"]["status"] == "fail"


def test_killed_at_any_write_the_next_run_ends_the_same(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    serve(store, with_new_carrier, days=26)
    write = count_files.put
    writes = 0

    def dies(content: bytes, uri: str) -> None:
        nonlocal writes
        writes += 1
        if writes % 7 == 0:
            raise UnavailableError("killed")
        write(content, uri)
        if writes % 11 == 0:
            raise UnavailableError("killed")

    monkeypatch.setattr(count_files, "put", dies)
    for _ in range(200):
        try:
            result = run(tmp_path)
            break
        except UnavailableError:
            continue
    files = sorted((store / "small" / "monitoring" / "counts").rglob("*.json"))
    assert len(files) == 2 * 26 and writes > len(files)
    monkeypatch.undo()
    monkeypatch.setenv("NARU_STORE", str(store))
    again = run(tmp_path)
    assert read(again)["checks"] == read(result)["checks"]
    whole = sum(json.loads(file.read_text())["versions"]["1"]["rows"] for file in files)
    assert whole == ROWS * len(files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": "week"}, "allowed: a number with a unit"),
        ({"window": "90m"}, "allowed: whole hours"),
        ({"window": "0h"}, "allowed: whole hours"),
        ({"since": "yesterday"}, "allowed: a time as in"),
        ({"since": "2027-01-01"}, "after the last closed hour"),
        ({"since": "0206-01-31"}, "ten years back at most"),
        ({"since": "0001-01-01T00:00+02:00"}, "allowed: a time as in"),
        ({"window": "20000d"}, "ten years at most"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(
    store: Path, tmp_path: Path, options: dict[str, str], message: str
):
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, **options)


def test_since_sets_the_begin_of_the_window(store: Path, tmp_path: Path):
    serve(store)
    result = run(tmp_path, since="2026-03-20")
    assert read(result)["window"]["since"] == "2026-03-20T00:00:00+00:00"
    assert read(result)["window"]["rows"] == 400 * 10


def test_a_late_object_changes_the_next_run(store: Path, tmp_path: Path):
    serve(store)
    run(tmp_path)
    write_object(store / "small" / "requests", START + timedelta(days=27), rows_of(START, 60), name="late")
    assert read(run(tmp_path))["window"]["rows"] == 2_860


def test_a_result_is_never_written_twice_under_one_name(store: Path, tmp_path: Path):
    serve(store, days=28)
    one, two = run(tmp_path), run(tmp_path)
    assert one.uri != two.uri
    first, second = read(one), read(two)
    assert {**first, "run": ""} == {**second, "run": ""}


def test_importances_decide_the_severity(store: Path, tmp_path: Path, reference: MonitoringReference):
    weighed = replace(reference, importances={"delay": 1.0, "carrier": 0.0})
    weighed.save(store / "small" / "models" / "1" / "artifacts" / MONITORING_REFERENCE)
    serve(store, with_new_carrier)
    result = run(tmp_path)
    assert checks_of(result)["unseen: carrier"]["status"] == "warn" and result.outcome.verdict == "warn"


def test_the_champion_has_its_reference_however_many_versions_were_tried_since(
    store: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("components.monitor.versions._registered_model", lambda project, version: "")
    for number in range(2, 14):
        for action, shares in (("start", {"1": 90.0, str(number): 10.0}), ("roll back", {"1": 100.0})):
            at = (START + timedelta(days=number)).isoformat()
            change = Change(f"r{number}", action, str(number), shares, at)  # type: ignore[arg-type]
            append_change(str(store), "small", change)
    champion, references = find_champion(str(store), "small")
    assert champion is not None and champion.version == "1" and set(references) == {"1"}


def test_hours_that_the_log_has_no_more_are_counted_still(store: Path, tmp_path: Path):
    serve(store)
    before = checks_of(run(tmp_path))
    for day in (store / "small" / "requests").iterdir():
        if day.name < f"dt={START + timedelta(days=21):%Y-%m-%d}":
            shutil.rmtree(day)
    after = checks_of(run(tmp_path))
    assert after == before and after["volume"]["baseline"] == 2_800


@pytest.mark.parametrize(("hour", "length", "blocks"), [(0, 24, 1), (9, 24, 1), (9, 168, 7), (9, 30, 2), (13, 3, 1)])
def test_blocks_are_24_hours_back_from_the_windows_end(hour: int, length: int, blocks: int):
    until = START + timedelta(hours=hour)
    hours = {until - timedelta(hours=number): Counts(rows=1) for number in range(1, 400)}
    found = VersionHours(hours).by_day(TimeWindow(until - timedelta(hours=length), until))
    assert len({block.day for block in found}) == len(found) == blocks
    assert [block.counts.rows for block in found] == [length - 24 * (blocks - 1), *[24] * (blocks - 1)]
    assert found[-1].day == (until - timedelta(hours=12)).toordinal()


def test_a_masked_feature_is_skipped_and_no_warning(store: Path, tmp_path: Path):
    serve(store, lambda day, rows: rows.update(carrier=[None] * ROWS), masked=["carrier"])
    result = run(tmp_path)
    found = {name: check for name, check in checks_of(result).items() if check["feature"] == "carrier"}
    assert {(check["status"], check["reason"]) for check in found.values()} == {("skipped", "carrier is masked")}
    assert {"skew: carrier", "drift: carrier", "unseen: carrier"} <= set(found) and result.outcome.verdict == "ok"


def test_rows_of_another_project_in_the_log_are_left_out_and_counted(store: Path, tmp_path: Path):
    serve(store)
    before = checks_of(run(tmp_path))
    shutil.rmtree(store / "small" / "monitoring")
    serve(store, lambda day, rows: rows.update(delay=[None] * ROWS), name="other", model="another")
    at = START + timedelta(days=27)
    path = store / "small" / "requests" / hour_folder(at.timestamp()) / "counts.jsonl"
    lines = [{"dropped": 900}, {"refused": {"missing_feature": 900}}]
    path.write_text(
        "".join(json.dumps({**line, "model": "another", "version": "1", "log": 2}) + "\n" for line in lines)
    )
    after = checks_of(run(tmp_path))
    assert after["coverage"].pop("reason") == "2,800 rows of other projects in the log are left out"
    assert before["coverage"].pop("reason") == "" and after == before


def test_only_the_champion_has_an_age(store: Path, tmp_path: Path):
    serve(store)
    serve(store, name="canary", version="2")
    found = read(run(tmp_path))
    (other,) = found["other_versions"]
    age = next(check for check in other["checks"] if check["kind"] == "staleness")
    assert (age["status"], age["reason"]) == ("skipped", "the version is not the champion")
