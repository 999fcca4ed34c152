"""`naru clean` removes what is old, never what a champion, a rollback or a record needs, and a killed one is completed by the next."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from components._core.errors import ConfigError, ServiceError
from components._core.files import write_json, write_text
from components._core.project.keep_config import KeepRule, parse_keep
from components._core.store.ledger import Deployment, append_deployment
from components._core.store.object_store import list_names, remove
from components._feedback import span_store
from components._feedback.span_store import LONGEST, SpanStore
from components.watch.records import Cause, Record, append_record, format_time, open_records
from pipelines.__main__ import app
from pipelines.clean.clean import carry_out, parse_rule, plan_clean
from pipelines.clean.plan import KindPlan
from tests.components.core.store.s3_stub import serving
from tests.components.feedback.made import Place, request

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PROJECT = "name: p\ntask: regression\nlabel: y\ndata: {source: t.csv}\nserve: {request_log: {}}\n"
FEEDBACK = "feedback: {labels: {source: labels/}, wait: 1d, keep: 2d}\n"


def days(number: float) -> timedelta:
    return timedelta(days=number)


def age(path: Path, old: timedelta) -> Path:
    """Let a file, or all files of a folder, be as old as this."""
    for each in [path] if path.is_file() else path.rglob("*"):
        os.utime(each, ((NOW - old).timestamp(),) * 2)
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NARU_STORE", "MLFLOW_TRACKING_URI", "NARU_SERVING"):
        monkeypatch.delenv(name, raising=False)
    write_text(tmp_path / "project.yaml", PROJECT)
    return tmp_path


def store_of(project: Path) -> Path:
    return project / ".naru" / "store" / "p"


def add_run(project: Path, number: int, status: str = "succeeded", old: float = 10) -> str:
    name = f"20260{number // 1000 + 1}01-{number:06d}-aaaa"
    folder = project / ".naru" / "runs" / name
    write_text(folder / "training-1" / "train" / "model", "m" * 100)
    write_json(folder / "parameters.json", {"code_uri": f"/x/{name}.zip"})
    if status:
        write_json(folder / "run.json", {"run": name, "status": status, "artifacts": {}})
    write_text(project / ".naru" / "code" / f"{name}.zip", "code")
    entry = {"run": name, "task": str(folder / "training-1" / "train"), "outputs": {}}
    write_json(project / ".naru" / "cache" / "train" / f"{name}.json", entry)
    for path in (
        folder,
        project / ".naru" / "code" / f"{name}.zip",
        project / ".naru" / "cache" / "train" / f"{name}.json",
    ):
        age(path, days(old))
    return name


def deploy(project: Path, run: str, version: str = "1") -> None:
    line = Deployment(version, f"models/{version}", "", "", {}, "f", run, "2026-01-01T00:00:00+00:00", "me", "a test")
    append_deployment(str(project / ".naru" / "store"), "p", line)


def clean(project: Path, keep: str = "") -> list[KindPlan]:
    plans = plan_clean(project, parse_rule(keep), NOW)
    list(carry_out(plans))
    return plans


def removed(plans: list[KindPlan], kind: str) -> list[str]:
    return [item.name for plan in plans if plan.kind == kind for item in plan.removed]


def runs_of(project: Path) -> set[str]:
    return {path.name for path in (project / ".naru" / "runs").iterdir()}


def test_a_plan_removes_nothing_and_says_how_much_it_would(project: Path) -> None:
    names = [add_run(project, number) for number in range(5)]
    (runs, *_) = plan_clean(project, parse_rule("2"), NOW)
    assert [item.name for item in runs.removed] == names[:3] and runs.kept == 2
    assert runs.files == 9 and runs.size == sum(
        path.stat().st_size
        for name in names[:3]
        for path in (project / ".naru" / "runs" / name).rglob("*")
        if path.is_file()
    )
    assert runs_of(project) == set(names)


@pytest.mark.parametrize("seed", range(20))
def test_what_stays_of_the_runs_is_what_a_list_of_them_says(project: Path, seed: int) -> None:
    """Random runs, ledgers and rules, against an oracle that looks at one run at a time."""
    chance = random.Random(seed)
    ages = sorted((chance.uniform(0, 60) for _ in range(12)), reverse=True)
    states = [chance.choice(["succeeded", "failed", ""]) for _ in ages]
    names = [add_run(project, number, state, old) for number, (state, old) in enumerate(zip(states, ages, strict=True))]
    in_service = set(chance.sample(names, chance.randint(0, 3)))
    for number, name in enumerate(sorted(in_service)):
        deploy(project, name, str(number))
    rule = chance.choice(["3", "7", "20d", "1h", "all"])

    def stays(number: int) -> bool:
        succeeded = [each for each, state in enumerate(states) if state == "succeeded"]
        if names[number] in in_service or number == max(succeeded, default=-1):
            return True
        if not states[number] and ages[number] < 2:
            return True
        if rule.isdigit():
            return number >= len(names) - int(rule)
        return rule == "all" or ages[number] <= {"20d": 20, "1h": 1 / 24}[rule]

    expected = {name for number, name in enumerate(names) if stays(number)}
    clean(project, rule)
    assert runs_of(project) == expected
    codes = {path.stem for path in (project / ".naru" / "code").iterdir()}
    assert expected <= codes and all(ages[names.index(name)] <= 1 for name in codes - expected)
    entries = {path.stem for path in (project / ".naru" / "cache" / "train").iterdir()}
    assert expected <= entries and all(ages[names.index(name)] <= 1 for name in entries - expected)


def test_what_a_kept_run_reused_of_one_that_goes_is_still_found(project: Path) -> None:
    first, second = add_run(project, 1, old=30), add_run(project, 2)
    cache = project / ".naru" / "cache" / "train"
    task = project / ".naru" / "runs" / second / "training-1" / "train"
    write_json(
        cache / f"{first}.json", {"run": first, "task": str(task), "outputs": {}}
    )  # as stage_cache.reuse writes it
    age(cache / f"{first}.json", days(10))
    clean(project, "1")
    assert runs_of(project) == {second} and (cache / f"{first}.json").is_file()


def test_a_killed_clean_up_is_completed_by_the_next(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [add_run(project, number) for number in range(6)]
    kept = {names[5]}
    rmtree, calls = shutil.rmtree, [0]

    class KilledError(BaseException):
        pass

    def killed(path: Path, **_: Any) -> None:
        calls[0] += 1
        next(each for each in sorted(path.rglob("*")) if each.is_file()).unlink()
        raise KilledError

    for _ in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "rmtree", killed)
            with pytest.raises(KilledError):
                clean(project, "1")
        assert all((project / ".naru" / "runs" / name / "run.json").is_file() for name in runs_of(project))
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    clean(project, "1")
    assert runs_of(project) == kept and not [*(project / ".naru" / "removed").iterdir()]
    assert not any(plan.removed for plan in clean(project, "1"))


def test_the_run_of_a_trigger_in_flight_stays(project: Path) -> None:
    names = [add_run(project, number, "failed") for number in range(4)]
    cause = Cause("0123456789abcdef", "new_data", "data", "new")
    tagged = (project / ".naru" / "runs" / names[0]).rename(project / ".naru" / "runs" / "20260101-000000-t0123456789")
    log = open_records(str(project / ".naru" / "store"), "p")
    line = append_record(log, Record("claimed", format_time(NOW), (cause,), run="p-t0123456789"))
    clean(project, "1")
    assert runs_of(project) == {tagged.name, names[3]}
    append_record(log, Record("ended", format_time(NOW), decision=line, run=tagged.name, verdict="failed"))
    clean(project, "1")
    assert runs_of(project) == {names[3]}


def write_hours(project: Path, folder: str, content: Callable[[str], str], olds: list[float]) -> list[str]:
    hours = []
    for old in olds:
        hour = f"{NOW - days(old):dt=%Y-%m-%d/hour=%H}"
        write_text(store_of(project) / folder / hour / "a.json", content(hour))
        hours.append(hour)
    return hours


def count_file(hour: str) -> str:
    return json.dumps({"format": 2, "objects": [f"{hour}/a.jsonl"], "versions": {}, "damaged": 0, "references": {}})


def write_log(project: Path, olds: list[float]) -> list[str]:
    hours = []
    for old in olds:
        hour = f"{NOW - days(old):dt=%Y-%m-%d/hour=%H}"
        write_text(store_of(project) / "requests" / hour / "a.jsonl", "{}\n")
        hours.append(hour)
    return hours


def test_the_log_is_kept_unless_it_is_asked_for_and_then_only_what_was_counted_goes(project: Path) -> None:
    hours = write_log(project, [300, 200, 100, 50, 8, 3])
    assert not removed(clean(project, ""), "hours of the request log"), "keep.requests is all"
    write_hours(project, "monitoring/counts", count_file, [300, 100, 50, 8, 3])
    assert removed(clean(project, "1d"), "hours of the request log") == [hours[0], hours[2], hours[3], hours[4]]
    left = sorted(path.parent.name for path in (store_of(project) / "requests").rglob("*.jsonl"))
    assert len(left) == 2, "what was not counted, and what is younger than a week"


def test_a_clean_up_that_is_killed_between_two_removals_ends_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every single removal: what is left and what is removed by the next one is as if nothing had happened."""

    class KilledError(BaseException):
        pass

    def make() -> None:
        shutil.rmtree(store_of(project), ignore_errors=True)
        write_log(project, [500, 100, 50])
        write_hours(project, "monitoring/counts", count_file, [500, 450, 100, 50])
        write_text(store_of(project) / "predictions" / "o" / "b" / "begun.json", "{}")
        age(store_of(project) / "predictions", days(90))

    def left() -> set[str]:
        return {path.relative_to(project).as_posix() for path in store_of(project).rglob("*") if path.is_file()}

    make()
    steps = sum(len(plan.removed) for plan in clean(project, "30d"))
    expected = left()
    assert steps == 7
    for killed_at in range(steps):
        make()
        calls = [0]

        def killed(uri: str, calls: list[int] = calls, killed_at: int = killed_at) -> None:
            calls[0] += 1
            if calls[0] > killed_at:
                raise KilledError
            remove(uri)

        with monkeypatch.context() as patched:
            patched.setattr("pipelines.clean.store_objects.remove", killed)
            with pytest.raises(KilledError):
                clean(project, "30d")
        clean(project, "30d")
        assert left() == expected


def test_the_log_is_kept_until_the_feedback_has_read_it(project: Path) -> None:
    write_text(project / "project.yaml", PROJECT + FEEDBACK)
    hours = write_log(project, [300, 200, 30, 8])
    assert not removed(clean(project, "1d"), "hours of the request log")
    manifest = {"format": 1, "number": 1, "log": {"until": (NOW - days(25)).isoformat()}, "state": {}, "rows": {}}
    write_json(store_of(project) / "feedback" / "spans" / "000001" / "manifest.json", manifest)
    assert removed(clean(project, "1d"), "hours of the request log") == hours[:2]


def test_a_log_in_a_folder_of_its_own_is_not_touched(project: Path) -> None:
    text = PROJECT.replace("request_log: {}", "request_log: {uri: 's3://bucket/log'}")
    write_text(project / "project.yaml", text)
    write_log(project, [300])
    assert not removed(clean(project, "1d"), "hours of the request log")


def test_count_files_that_a_window_is_compared_with_stay(project: Path) -> None:
    hours = write_hours(project, "monitoring/counts", count_file, [500, 300, 80, 10])
    assert removed(clean(project), "hours of count files") == hours[:1], "400 days by default"
    assert removed(clean(project, "1d"), "hours of count files") == hours[1:2], "sixty days and four windows stay"


def test_results_of_the_monitor_stay_while_a_trigger_reads_them_or_a_record_names_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.clean.store_objects.MOST_RESULTS", 2)
    names = [f"202605{day:02d}T000000Z-aa" for day in range(1, 7)]
    for number, name in enumerate(names):
        age(store_of(project) / "monitoring" / "runs" / name, days(0))
        write_text(store_of(project) / "monitoring" / "runs" / name / "monitoring.json", "{}")
        age(store_of(project) / "monitoring" / "runs" / name, days(20 - number))
    uri = f"{store_of(project)}/monitoring/runs/{names[1]}/monitoring.json"
    cause = Cause("k", "performance", "worse", "auc fell", {"uri": uri})
    append_record(open_records(str(project / ".naru" / "store"), "p"), Record("held", format_time(NOW), (cause,)))
    assert removed(clean(project, "1"), "results of the monitor") == [names[0], names[2], names[3]]


def test_abandoned_work_goes_and_what_a_manifest_names_or_is_new_stays(project: Path) -> None:
    home = store_of(project)
    for name, old in (("o1/b1", 8), ("o1/b2", 1)):
        write_text(home / "predictions" / name / "begun.json", "{}")
        age(home / "predictions" / name, days(old))
    for name in ("rows-a.parquet", "open-b.parquet", "rows-new.parquet"):
        write_text(home / "feedback" / "objects" / name, "x")
        age(home / "feedback" / "objects" / name, days(1 if "new" in name else 5))
    manifest = {"format": 1, "number": 1, "state": {"open": "open-b.parquet"}, "rows": {}}
    write_json(home / "feedback" / "spans" / "000001" / "manifest.json", manifest)
    write_text(home / "feedback" / "spans" / "000001" / "rows.parquet", "rows")
    age(home / "feedback" / "spans", days(500))
    for name, old in (("old-ended", 100), ("new-ended", 30), ("begin", 100)):
        write_text(home / "notices" / f"{name}.json", "{}")
        age(home / "notices" / f"{name}.json", days(old))
    plans = clean(project, "2d")
    assert removed(plans, "unfinished batches of naru predict") == ["o1/b1"]
    assert removed(plans, "work files of labels") == ["rows-a.parquet"]
    assert removed(plans, "marks of notices") == ["old-ended.json"]
    assert (home / "feedback" / "spans" / "000001" / "rows.parquet").is_file()


def test_a_clean_up_beside_a_join_that_writes_what_a_killed_one_left_removes_nothing_of_its_span(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join was killed days ago; an equal one has uploaded, and has not committed yet, while the clean-up lists and removes."""
    place = Place(project)
    place.home = store_of(project) / "feedback"
    place.write_log([request(number) for number in range(8)])
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in range(4)])
    commit, found = SpanStore.commit, []
    with monkeypatch.context() as patch:
        patch.setattr(SpanStore, "commit", lambda *_: False)
        assert place.run().is_overtaken, "stands for a join that is killed before its commit"
    left = set(list_names(str(place.home / "objects")))
    for name in left:
        age(place.home / "objects" / name, days(5))

    def clean_then_commit(store: SpanStore, manifest: dict[str, Any]) -> bool:
        found.extend(removed(clean(project, "2d"), "work files of labels"))
        return commit(store, manifest)

    monkeypatch.setattr(SpanStore, "commit", clean_then_commit)
    assert place.run().span == 1
    assert set(found) == left
    manifest = place.manifest(1)
    named = {*manifest["state"].values(), *(each["object"] for each in manifest["quarantine"].values())}
    assert named | {manifest["scored"]["object"]} <= set(list_names(str(place.home / "objects")))
    assert len(place.rows(1)) == 4 and place.run().span is None


def test_a_join_that_slept_so_long_that_its_files_may_be_gone_commits_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(project)
    place.home = store_of(project) / "feedback"
    place.write_log([request(number) for number in range(8)])
    place.write_labels([{"request": f"r{number}", "outcome": 1} for number in range(4)])
    clock = iter([0.0, *[LONGEST.total_seconds() + 1] * 100])
    with monkeypatch.context() as patch:
        patch.setattr(span_store, "time", SimpleNamespace(time=lambda: next(clock)))
        with pytest.raises(ServiceError, match="more than 24 hours passed"):
            place.run()
    assert not place.spans and place.run().span == 1


def test_the_temporary_folder_of_a_killed_join_goes_when_nobody_writes_there(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for name, old in (("naru-feedback-old", 3), ("naru-feedback-new", 1), ("naru-champion-old", 30)):
        write_text(tmp_path / "tmp" / name / "bucket", "x")
        age(tmp_path / "tmp" / name, days(old))
    clean(project)
    assert {path.name for path in (tmp_path / "tmp").iterdir()} == {"naru-feedback-new", "naru-champion-old"}


def test_a_store_at_s3_is_cleaned_as_a_folder_is_and_its_claims_too(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = "/bucket/p"
    with serving("atomic") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("NARU_STORE", "s3://bucket")

        def add(name: str, old: float, content: str = "{}") -> None:
            server.objects[f"{home}/{name}"] = (content.encode(), (NOW - days(old)).timestamp())

        deploy_to = Deployment("1", "models/1", "", "", {}, "f", "r", "2026-01-01T00:00:00+00:00", "me", "a test")
        append_deployment("s3://bucket", "p", deploy_to)
        old, new = (f"{NOW - days(number):dt=%Y-%m-%d/hour=%H}" for number in (500, 10))
        for hour in (old, new):
            add(f"monitoring/counts/{hour}/a.json", 1, count_file(hour))
            add(f"requests/{hour}/a.jsonl", 1)
        add("predictions/o/b/begun.json", 31)
        add("predictions/o/c/begun.json", 1)
        add("claims/000001/n.json", 3)
        add("triggers-claims/k/n.json", 0.5)
        add("feedback/objects/rows-a.parquet", 3)
        add("models/1/artifacts/model/x", 900)
        before = set(server.objects)
        list(carry_out(plan_clean(project, parse_rule("30d"), NOW)))
        gone = {name.removeprefix(f"{home}/") for name in before - set(server.objects)}
        assert gone == {
            f"monitoring/counts/{old}/a.json",
            f"requests/{old}/a.jsonl",
            "predictions/o/b/begun.json",
            "claims/000001/n.json",
            "feedback/objects/rows-a.parquet",
        }
        assert not any(plan.removed for plan in plan_clean(project, parse_rule("30d"), NOW))


def test_a_damaged_ledger_stops_the_clean_up_before_anything_is_removed(project: Path) -> None:
    names = {add_run(project, number) for number in range(3)}
    deploy(project, "x")
    (line,) = (store_of(project) / "deployments").iterdir()
    line.write_text("{")
    with pytest.raises(ServiceError, match="damaged line of the deployment ledger"):
        clean(project, "1")
    assert runs_of(project) == names


@pytest.mark.parametrize("content", ["", "{", '{"format": 2}'])
def test_a_damaged_manifest_stops_the_clean_up_before_what_it_names_is_removed(project: Path, content: str) -> None:
    home = store_of(project) / "feedback"
    write_text(home / "objects" / "open-b.parquet", "x")
    age(home / "objects", days(5))
    write_json(home / "spans" / "000002" / "manifest.json", {"format": 1, "number": 2, "state": {}, "rows": {}})
    write_text(home / "spans" / "000001" / "manifest.json", content)
    with pytest.raises(ServiceError, match=r"is damaged|this version of Naru reads 1"):
        clean(project, "2d")
    assert (home / "objects" / "open-b.parquet").is_file()


@pytest.mark.parametrize("text", ["0", "-1", "soon", "5 years", "1000001", "0d"])
def test_a_rule_that_is_none_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--keep: found .*allowed"):
        parse_rule(text)


def test_rules_are_numbers_ages_or_all() -> None:
    assert parse_keep("12") == parse_keep(12) == KeepRule(newest=12)
    assert parse_keep("30d") == KeepRule(age=days(30)) and parse_keep("all") == KeepRule()


def test_the_command_shows_the_plan_first_and_removes_with_yes(project: Path) -> None:
    for number in range(4):
        add_run(project, number)

    def run(*arguments: str) -> str:
        return CliRunner().invoke(app, ["clean", str(project), *arguments], env={"COLUMNS": "160"}).output

    assert "nothing was removed: run it again with --yes" in run("--keep", "1") and len(runs_of(project)) == 4
    assert "runs: 3 removed" in run("--keep", "1", "--yes") and len(runs_of(project)) == 1
    assert run("--keep", "1", "--yes").rstrip().endswith("nothing to remove")
