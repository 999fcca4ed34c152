"""Complete evaluations of tiny models: checks, artifacts, errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.checks import Check, Outcome
from components._core.errors import ConfigError, DataError, ModelError
from components._core.examples.artifact import split_file
from components._core.files import read_json
from components._core.report.page import Page
from components._core.store.file_digests import write_digests
from components._core.store.ledger import Deployment, append_deployment
from components._core.types.artifact_files import (
    CHAMPION_IMPORTANCES,
    COMPARED,
    LATENCY,
    MANIFEST,
    MONITORING_REFERENCE,
    OUTCOME,
    PAGE,
    REFERENCE,
    REQUEST,
    SAMPLE,
)
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from components._frameworks.permutation import permutation_importance
from components._frameworks.sampled_rows import draw_sample
from components._frameworks.table import load_model
from components.evaluate.champion import fetch_champion
from components.evaluate.evaluate import Judged
from tests.components.tiny_models import tiny_project, write_examples

Judge = Callable[..., Judged]
Make = Callable[..., Path]


def _deployment(model: Path, version: str = "3") -> Deployment:
    return Deployment(version, str(model), "", "", {}, "", "run", "2026-01-01T00:00:00+00:00", "test", "test")


def _json(model: Path) -> str:
    return json.dumps(asdict(_deployment(model)))


def _check(judged: Judged, name: str) -> Check:
    return next(check for check in judged.outcome.checks if check.name == name)


def test_a_good_model_without_a_champion_passes_and_says_that_nothing_was_compared(
    judged: Judge, tmp_path: Path
) -> None:
    found = judged(tiny_project(thresholds={"auc": {"min": 0.8}, "log_loss": {"max": 0.6}}, slices=["carrier"]))
    assert found.outcome.verdict == "warn"
    assert _check(found, "champion").status == "no_baseline"
    assert {check.status for check in found.outcome.checks if check.name != "champion"} == {"pass"}
    assert found.outcome.metrics["auc"] > 0.85
    assert sum(map(sum, found.confusion or [])) == 1_200
    assert found.roc is not None and np.isfinite(found.roc).all() and len(found.roc[0]) <= 200
    assert Outcome.load(tmp_path / "evaluation" / OUTCOME).metrics == found.outcome.metrics
    html = (tmp_path / "evaluation.html").read_text()
    assert "Latency in process" in html and "Slices by carrier" in html


def test_the_metric_that_decides_stands_first_on_the_page_and_among_the_numbers(judged: Judge, tmp_path: Path) -> None:
    found = judged(tiny_project(metric="log_loss"))
    assert next(iter(found.outcome.metrics)) == "log_loss"
    page = Page.load(tmp_path / "evaluation")
    (facts,) = [block.content for block in page.blocks if block.kind == "facts"]
    assert next(iter(facts)) == "Log loss" and "accuracy" in facts
    (table,) = [block for block in page.blocks if block.title == "Metrics"]
    assert [row[0] for row in table.content["rows"]][:2] == ["Log loss", "AUC"]


SAME = (OUTCOME, PAGE, SAMPLE, COMPARED, MANIFEST, REQUEST, REFERENCE, MONITORING_REFERENCE)


@pytest.mark.usefixtures("every_figure")
def test_what_is_kept_is_the_same_every_time_but_for_the_latency(judged: Judge, tmp_path: Path) -> None:
    project = tiny_project(slices=["carrier", "delay"])
    judged(project, to="once"), judged(project, to="again")
    kept = {name.name for name in (tmp_path / "once").iterdir()}
    assert kept == {*SAME, LATENCY}
    for name in SAME:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert "Latency" not in (tmp_path / "once" / PAGE).read_text()
    assert json.loads((tmp_path / "once" / LATENCY).read_text())["measured"][0]["p95_ms"] > 0


@pytest.mark.parametrize(("first", "verdict"), [("block", "blocked"), ("deploy", "warn")])
@pytest.mark.parametrize("task", ["binary_classification"])
def test_a_first_model_hardly_better_than_none_is_blocked_unless_the_project_lets_it_pass(
    judged: Judge, model: Make, tmp_path: Path, task: str, first: str, verdict: str
) -> None:
    few = write_examples(tmp_path / "few", task, rows=12)
    found = judged(tiny_project(task, first=first), of=model(task, delay_weight=0.02), rows=few)
    baseline = _check(found, "baseline")
    assert "hardly better than no model at all" in baseline.reason
    assert baseline.status == ("fail" if first == "block" else "warn")
    assert (found.outcome.verdict == "blocked") == (verdict == "blocked")


def test_the_champion_again_changes_nothing_and_is_not_deployed_again(judged: Judge, model: Make) -> None:
    same = model()
    found = judged(tiny_project(), champion=_json(same), of=same)
    assert found.outcome.verdict == "skipped"
    assert found.outcome.reason.startswith("nothing changed since version 3")
    assert _check(found, "champion").status == "skipped"


def test_the_champion_as_it_was_registered_is_the_same_model(judged: Judge, model: Make, tmp_path: Path) -> None:
    """Register adds what the server needs, and lists it."""
    registered = Path(shutil.copytree(model(), tmp_path / "registered"))
    (registered / "reference.json").write_text("{}")
    write_digests(registered)
    found = judged(tiny_project(), champion=_json(registered), of=model())
    assert found.outcome.reason.startswith("nothing changed since version 3")


def test_a_missed_bound_blocks_with_the_number_and_the_bound(judged: Judge) -> None:
    found = judged(tiny_project(thresholds={"auc": {"min": 0.999}}))
    assert found.outcome.verdict == "blocked"
    assert "must be at least 0.9990" in found.outcome.reason


def test_a_model_no_better_than_none_is_blocked(judged: Judge, model: Make) -> None:
    found = judged(of=model(delay_weight=-0.1))
    assert _check(found, "baseline").status == "fail"
    assert "not better than no model at all" in found.outcome.reason


def test_a_model_that_does_not_beat_the_champion_is_blocked(judged: Judge, model: Make) -> None:
    found = judged(champion=_json(model()), of=model(delay_weight=0.02))
    check = _check(found, "champion")
    assert check.status == "fail" and found.outcome.verdict == "blocked"
    assert check.measured is not None and check.baseline is not None and check.measured < check.baseline
    assert "not better than champion v3: auc" in found.outcome.reason


def test_the_champion_does_not_beat_itself(judged: Judge, model: Make) -> None:
    assert _check(judged(champion=_json(model())), "champion").status == "fail"


def test_a_clearly_better_model_passes(judged: Judge, model: Make) -> None:
    found = judged(champion=_json(model(delay_weight=0.02)))
    assert _check(found, "champion").status == "pass"
    assert found.outcome.verdict == "ok"


def test_the_champions_importances_are_measured_as_explain_measures_those_of_the_model(
    judged: Judge, model: Make, examples: Make, tmp_path: Path
) -> None:
    other = (Feature("gate", "float32", True),)
    judged(champion=_json(model(delay_weight=0.02)))
    found = read_json(tmp_path / "evaluation" / CHAMPION_IMPORTANCES)
    project, champion = tiny_project(), load_model(model(delay_weight=0.02))
    sample = draw_sample(champion.signature, examples(), "y", project.train.seed, 5)
    task = TASKS[project.task]
    expected = permutation_importance(task, task.metric(), champion, sample, project.train.seed, 5)
    assert found["champion"] == "champion v3" and found["rows"] == sample.rows
    for name, item in found["features"].items():
        assert item["importance"] == pytest.approx(expected[name].drop, rel=1e-5)
    judged(champion=_json(model(more=other)), to="needing a dropped column")
    reason = read_json(tmp_path / "needing a dropped column" / CHAMPION_IMPORTANCES)["reason"]
    assert reason == "it needs columns that the data no longer has: gate"
    judged(champion=_json(model(broken=True)), to="nan")
    assert "not numbers" in read_json(tmp_path / "nan" / CHAMPION_IMPORTANCES)["reason"]
    judged(to="first")
    assert not (tmp_path / "first" / CHAMPION_IMPORTANCES).exists()


def test_a_gain_that_may_be_chance_is_a_warning(judged: Judge, model: Make) -> None:
    check = _check(judged(champion=_json(model(delay_weight=0.09)), of=model()), "champion")
    swapped = _check(judged(champion=_json(model()), of=model(delay_weight=0.09), to="swapped"), "champion")
    assert sorted([check.status, swapped.status]) == ["fail", "warn"]


def test_a_gain_below_the_wanted_one_blocks(judged: Judge, model: Make) -> None:
    found = judged(tiny_project(min_gain=0.5), champion=_json(model(delay_weight=0.02)))
    assert "a gain of more than 0.5 is required" in found.outcome.reason


def test_the_champion_is_looked_up_in_the_ledger(
    judged: Judge, model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_STORE", str(tmp_path / "store"))
    assert _check(judged(champion="auto", to="first"), "champion").status == "no_baseline"
    append_deployment(str(tmp_path / "store"), "tiny", _deployment(model(delay_weight=0.02), "8"))
    assert "champion v8" in _check(judged(champion="auto"), "champion").reason
    compared = [read_json(tmp_path / folder / COMPARED)["champion"] for folder in ("first", "evaluation")]
    assert compared[0] is None and compared[1][0] == "8", "deploy promotes over this one and no other"


def test_a_champion_that_is_gone_is_a_warning_and_no_crash(judged: Judge, tmp_path: Path) -> None:
    check = _check(judged(champion=_json(tmp_path / "gone")), "champion")
    assert check.status == "warn" and "cannot be found" in check.reason


def test_a_champion_that_is_damaged_is_a_warning_and_no_crash(judged: Judge, model: Make, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    (damaged / "saved_model").mkdir(parents=True)
    (damaged / "saved_model" / "saved_model.pb").write_bytes(b"no graph")
    (damaged / "signature.json").write_bytes((model() / "signature.json").read_bytes())
    check = _check(judged(champion=_json(damaged)), "champion")
    assert check.status == "warn" and "cannot be loaded" in check.reason


def test_a_champion_is_fetched_from_an_object_store(judged: Judge, model: Make) -> None:
    store = fsspec.filesystem("memory")
    store.put(str(model(delay_weight=0.02)), "/models/3", recursive=True)
    deployment = {**asdict(_deployment(model())), "model": "memory://models/3"}
    check = _check(judged(champion=json.dumps(deployment)), "champion")
    assert check.status == "pass" and "better than champion v3" in check.reason


def test_a_champion_out_of_reach_blocks_until_it_can_be_compared(judged: Judge, model: Make) -> None:
    # nothing listens on port 9 of this machine
    deployment = {**asdict(_deployment(model())), "model": "ftp://127.0.0.1:9/models/3"}
    found = judged(champion=json.dumps(deployment))
    assert found.outcome.verdict == "blocked" and "cannot be fetched" in found.outcome.reason


def test_a_champion_that_needs_a_dropped_column_is_a_warning(judged: Judge, model: Make) -> None:
    old = model(more=(Feature("dropped", "float32", True),))
    check = _check(judged(champion=_json(old)), "champion")
    assert check.status == "warn" and "no longer has: dropped" in check.reason


def test_a_champion_that_requires_what_is_missing_now_is_a_warning(model: Make, tmp_path: Path) -> None:
    rows = write_examples(tmp_path / "rows", "binary_classification", rows=50)
    file = split_file(rows, "test", 1)
    table = pq.read_table(file)
    months = pa.array([None, *table["month"].to_pylist()[1:]], pa.int64())
    pq.write_table(table.set_column(table.column_names.index("month"), "month", months), file)
    champion = fetch_champion(_deployment(model()), Signature.load(model()), rows, tmp_path / "to", "y")
    assert (champion.status, champion.model) == ("warn", None)
    assert champion.reason.endswith("missing in some rows now: month")


def test_a_champion_that_answers_nan_is_a_warning(judged: Judge, model: Make) -> None:
    check = _check(judged(champion=_json(model(broken=True))), "champion")
    assert check.status == "warn" and "not numbers" in check.reason


def test_predictions_that_are_not_numbers_block_with_their_count(judged: Judge, model: Make, tmp_path: Path) -> None:
    found = judged(of=model(broken=True))
    assert found.outcome.verdict == "blocked" and "1,200 of 1,200" in found.outcome.reason
    assert found.roc is None and found.confusion is None and not found.outcome.metrics
    assert "cannot be judged" in (tmp_path / "evaluation.html").read_text()


def test_predictions_that_are_not_numbers_name_the_columns_that_miss_values(
    judged: Judge, model: Make, tmp_path: Path
) -> None:
    rows = write_examples(tmp_path / "rows", "binary_classification", rows=50)
    path = split_file(rows, "test", 1)
    table = pq.read_table(path)
    place = table.column_names.index("delay")
    pq.write_table(table.set_column(place, "delay", pa.nulls(50, table.schema.field("delay").type)), path)
    reason = judged(of=model(broken=True), rows=rows).outcome.reason
    assert "50 of 50 test rows" in reason and "missing values ('delay')" in reason and "model.missing" in reason


def test_test_rows_of_one_class_block(judged: Judge, tmp_path: Path) -> None:
    rows = write_examples(tmp_path / "rows", "binary_classification", rows=50, only_class="1")
    assert "one class" in judged(rows=rows).outcome.reason


def test_test_rows_without_any_known_label_are_a_data_error(judged: Judge, tmp_path: Path) -> None:
    rows = write_examples(tmp_path / "rows", "binary_classification", rows=50, only_class="9")
    with pytest.raises(DataError, match="no row with a label"):
        judged(rows=rows)


def test_a_missing_model_is_a_model_error(judged: Judge, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="missing"):
        judged(of=tmp_path / "nothing")


def test_many_classes_are_judged_by_accuracy(judged: Judge, tmp_path: Path) -> None:
    found = judged(tiny_project("multiclass_classification", thresholds={"f1_macro": {"min": 0.3}}, slices=["carrier"]))
    assert found.outcome.verdict == "warn" and _check(found, "baseline").status == "pass"
    assert found.classes == ["early", "late", "on time"] and len(found.confusion or []) == 3
    assert {"Classes", "Confusion"} <= {block.title for block in Page.load(tmp_path / "evaluation").blocks}


def test_a_regression_is_judged_by_rmse_and_lower_is_better(judged: Judge, model: Make) -> None:
    worse = model("regression", 0.05)
    found = judged(tiny_project("regression", thresholds={"r2": {"min": 0.5}}), champion=_json(worse))
    assert found.outcome.verdict == "ok" and found.confusion is None
    check = _check(found, "champion")
    assert check.measured is not None and check.baseline is not None and check.measured < check.baseline


def test_an_unknown_slice_column_is_refused_with_those_that_there_are(judged: Judge) -> None:
    with pytest.raises(ConfigError, match="no column 'airline'; there are 'carrier'"):
        judged(tiny_project(slices=["airline"]))


def test_a_champion_that_is_not_a_ledger_line_is_refused(judged: Judge) -> None:
    with pytest.raises(ConfigError, match="not a line of the deployment ledger"):
        judged(champion='{"version": "1"}')
