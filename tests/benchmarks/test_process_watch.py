"""Watching a real process tree."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.measured_run import Stage, make_run
from benchmarks.process_watch import SAMPLES_PER_SECOND, Sample, Watched, watch


@pytest.fixture(scope="module")
def watched() -> Iterator[Callable[..., Watched]]:
    """Watch some code run, in a process of its own: who watches adopts orphans and waits for all of its children, and tests have some of their own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:

        def run(folder: Path, code: str, *, closely: bool = True) -> Watched:
            files = {"log": folder / "log", "output": folder / "out"}
            command, world = [sys.executable, "-c", code], dict(os.environ)
            return pool.apply(watch, [command], {"folder": folder, "environment": world, "closely": closely, **files})

        yield run


def test_memory_of_a_child_that_outlives_its_parent_counts(watched, tmp_path):
    child = "held = b'x' * (150 << 20); import time; time.sleep(1.5)"
    middle = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)"
    code = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {middle!r}]); time.sleep(1.5)"
    assert watched(tmp_path, code).peak().pss_kib > 150 * 1024


def test_pages_that_a_fork_shares_count_once(watched, tmp_path):
    code = "import os, time; held = b'x' * (150 << 20); child = os.fork(); time.sleep(1.5); child and os.wait()"
    found = watched(tmp_path, code)
    assert found.peak().pss_kib < 250 * 1024 < 300 * 1024 < found.peak_summed_kib()


def test_memory_is_looked_at_ten_times_a_second_or_more(watched, tmp_path):
    found = watched(tmp_path, "import time; time.sleep(1.5)")
    assert found.exit_code == 0 and found.seconds >= 1.5
    assert len(found.samples) / found.seconds > SAMPLES_PER_SECOND - 4


def test_processor_time_of_the_tree_is_separated_from_that_of_others(watched, tmp_path):
    code = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    found = watched(tmp_path, code, closely=False)
    assert 0.5 <= found.cpu_seconds < 1.5 and not found.samples


def test_what_a_stage_needed_is_what_was_there_while_it_ran():
    samples = [Sample(at, kib * 2, kib) for at, kib in ((10.2, 1024), (10.9, 4096), (11.5, 3072), (11.6, 2048))]
    stages = [Stage("first", 10.0, 11.0), Stage("transform", 11.0, 12.5)]
    run = make_run("naru", 1, Watched(9.5, 4.0, 2.0, 0.0, 0, samples), stages, None)
    assert [stage.peak_mib for stage in run.stages] == [4.0, 3.0]
    assert (run.peak_mib, run.peak_summed_mib, run.to_transform_seconds) == (4.0, 8.0, 2.5)
