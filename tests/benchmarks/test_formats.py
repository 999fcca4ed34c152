"""The benchmark of formats: the tables that it reads, its ratios and bounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.flight_tables import write_tables
from benchmarks.formats import KINDS, Reading, broken_bounds, of_bare
from tests.components.data.formats.reading import read_table


def test_the_tables_of_all_formats_have_the_same_rows(tmp_path: Path) -> None:
    files = write_tables(tmp_path, 50, KINDS)
    columns = ["flight", "tailnum", "air_time", "arr_delay"]
    tables = {kind: read_table(file, "distance")[0].select(columns).to_pydict() for kind, file in files.items()}
    assert len(tables["parquet"]["flight"]) == 50
    assert all(table == tables["parquet"] for table in tables.values())


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    sides = {
        "naru": [Reading(10, 0.0, seconds, 1.0) for seconds in (2.0, 4.0, 1.0)],
        "bare": [Reading(10, 0.0, seconds, 1.0) for seconds in (1.0, 3.0, 1.0)],
    }
    assert of_bare(sides) == 0.75


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        ({"parquet_of_bare": 0.6, "csv_of_bare": 0.4, "avro_of_bare": 0.4, "rss_30m_over_1m": 1.2}, []),
        ({"parquet_of_bare": 0.59}, ["parquet_of_bare is 0.59, at least 0.6"]),
        ({"rss_30m_over_1m": 1.21}, ["rss_30m_over_1m is 1.21, at most 1.2"]),
    ],
)
def test_a_broken_bound_is_named(found: dict[str, float], broken: list[str]) -> None:
    assert broken_bounds(found) == broken


def test_the_peak_is_of_the_process_and_not_of_the_one_that_started_it() -> None:
    held = bytearray(b"x") * (400 << 20)
    script = "from benchmarks.format_reader import peak_mib; print(peak_mib())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 20 < float(done.stdout.splitlines()[-1]) < len(held) >> 20
