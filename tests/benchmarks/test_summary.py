"""The sums behind the benchmark's verdicts, and the table that a person reads."""

import json
from dataclasses import replace

import pytest

from benchmarks.measured_run import Run, Stage
from benchmarks.summary import COUNTERPARTS, floors, per_further_copy, summarise, table
from pipelines.graphs.pipelines import TRAINING

THEIR_STAGES = [component for components in COUNTERPARTS.values() for component in components]


def a_run(side, copies, *, stage_seconds=1.0, to_transform=10.0, peak=0.0, auc=0.9, others=0.0):
    names = TRAINING.stage_names if side == "naru" else THEIR_STAGES
    stages = [Stage(name, 100.0, 100.0 + stage_seconds, stage_seconds / 2, peak) for name in names]
    seconds = len(names) * stage_seconds + 2.0
    looks = 12.0 if peak else 0.0
    return Run(side, copies, seconds, seconds, others, to_transform, peak, peak * 1.5, auc, stages, looks)


@pytest.fixture
def runs():
    ours = [a_run("naru", 1, stage_seconds=at) for at in (1.0, 1.2, 5.0)]
    theirs = [a_run("tfx", 1, stage_seconds=10.0, to_transform=40.0, auc=0.904)]
    grown = [a_run("naru", 10, to_transform=19.0), a_run("tfx", 10, to_transform=220.0, auc=None)]
    slow = {"stage_seconds": 50.0, "to_transform": 900.0}
    watched = [(("naru", 1), 1_000.0), (("tfx", 1), 2_000.0), (("naru", 10), 1_100.0)]
    return [*ours, *theirs, *grown, *(a_run(*which, peak=peak, **slow) for which, peak in watched)]


def test_a_slow_round_does_not_move_the_median(runs):
    assert summarise(runs)["seconds"] == pytest.approx(9 * 1.2 + 2.0)


def test_explain_has_no_counterpart_so_the_sum_without_it_is_reported_too(runs):
    found = summarise(runs)
    assert found["seconds"] - found["seconds_without_explain"] == pytest.approx(1.2)


def test_a_further_copy_costs_the_slope_and_not_what_is_paid_once():
    runs = [a_run("naru", copies, to_transform=30.0 + 2.0 * copies) for copies in (1, 5, 10)]
    assert per_further_copy(runs) == pytest.approx(2.0)


def test_every_floor_is_reported_with_what_was_measured(runs):
    found = summarise(runs)
    kept = {floor.name: (floor.measured, floor.holds) for floor in floors(found)}
    assert kept["a further copy, share of TFX's"] == (pytest.approx(1.0 / 20.0), True)
    assert kept["AUC lost against TFX"] == (pytest.approx(0.004), True)
    assert kept["peak memory with most copies, times that of one"] == (pytest.approx(1.1), True)


def test_a_model_that_lost_too_much_breaks_its_floor(runs):
    worse = [replace(run, auc=0.89) if run.side == "naru" else run for run in runs]
    assert [floor.name for floor in floors(summarise(worse)) if not floor.holds] == ["AUC lost against TFX"]


def test_a_run_that_is_looked_at_closely_tells_of_memory_and_not_of_time(runs):
    found = summarise(runs)
    assert found["to_transform_seconds"] == {"1": 10.0, "10": 19.0}
    assert (found["rss_one_copy"], found["rss_ten_copies"], found["peer_rss_one_copy"]) == (1_000.0, 1_100.0, 2_000.0)
    assert found["rss_summed_one_copy"] == 1_500.0


def test_the_results_keep_the_names_that_programs_read(runs):
    found = json.loads(json.dumps(summarise(runs)))
    assert {"seconds", "peer_seconds", "auc", "peer_auc", "rss_one_copy", "rss_ten_copies"} <= set(found)
    assert {"seconds_per_further_copy", "peer_seconds_per_further_copy"} <= set(found)
    assert set(found["stages"]) == {*TRAINING.stage_names, "outside"}
    assert set(found["peer_stages"]) == {*THEIR_STAGES, "outside"}


def test_the_table_sets_our_validate_against_three_of_their_components(runs):
    line = next(line for line in table(summarise(runs)).splitlines() if line.startswith("validate"))
    assert line.split()[1:3] == ["1.2", "30.0"]
    assert "StatisticsGen, SchemaGen, ExampleValidator" in line


def test_a_machine_that_was_not_quiet_is_reported(runs):
    busy = [*runs, a_run("naru", 10, to_transform=19.0, others=9.0)]
    assert "not quiet" in table(summarise(busy))
    assert "not quiet" not in table(summarise(runs))


def test_every_stage_has_its_line_in_the_comparison():
    assert list(COUNTERPARTS) == list(TRAINING.stage_names)
