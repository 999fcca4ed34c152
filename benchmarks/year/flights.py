"""The year: one flight in ten of 2013, day by day, as the model's clients send it. In June a sensor breaks, in September a delay gets another meaning."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from benchmarks.data import FLIGHTS, MONTHS

FEATURES = ("sched_dep_time", "sched_arr_time", "dep_delay", "carrier", "origin", "dest", "distance", "hour")
"""Columns that a request has. Month and day are not among them: a model that was trained until March has seen no other month."""
LABEL = "late"
ONE_IN = 10
"""Of so many flights, in the order of their departure, one is in the year."""
FIRST_SERVED = date(2013, 4, 1)
DRIFTED_CARRIERS = ("AA", "DL", "UA", "US")
TAXI_MINUTES = 25
"""By how much a flight takes off after it has left the gate."""
_YEAR = 2013
_LOST = 3
_USUALLY_LOST = 97
"""One in so many delays is always missing: a model whose training rows lack none refuses a request without it."""


@dataclass(frozen=True)
class Changes:
    """What happens to the flights' columns.

    Attributes:
        broken: Days, the last one exclusive, in which LaGuardia's feed loses the departure delay of one flight in three.
        drifted: First day on which some airlines report the delay of the take-off, not that of leaving the gate.
    """

    broken: tuple[date, date] = (date(2013, 6, 10), date(2013, 7, 1))
    drifted: date = date(2013, 9, 2)


@dataclass(frozen=True)
class Day:
    """The flights of a day.

    Attributes:
        date: The day.
        rows: `FEATURES`, the label and `date`, in the order of departure.
    """

    date: date
    rows: pa.Table


def read_days(first: date, end: date, changes: Changes) -> Iterator[Day]:
    """Yield the days from `first` to before `end`, as they are sent."""
    year = _read_year()
    days = year["_day"].to_numpy()
    for offset in range((end - first).days):
        at = first + timedelta(days=offset)
        begin, stop = np.searchsorted(days, [at.toordinal(), at.toordinal() + 1])
        rows = year.slice(begin, stop - begin).drop(["_day"])
        dates = pa.array([at] * rows.num_rows, pa.date32())
        yield Day(at, _as_sent(rows, at, changes).append_column("date", dates))


@cache
def _read_year() -> pa.Table:
    if not (FLIGHTS / "data" / f"flights-{MONTHS}.csv").exists():
        subprocess.run([sys.executable, str(FLIGHTS / "make_data.py")], check=True, stdout=subprocess.DEVNULL)
    files = [FLIGHTS / "data" / f"flights-{month:02d}.csv" for month in range(1, MONTHS + 1)]
    flights = pa.concat_tables([pyarrow.csv.read_csv(file) for file in files])
    months, days = flights["month"].to_pylist(), flights["day"].to_pylist()
    ordinals = pa.array([date(_YEAR, *pair).toordinal() for pair in zip(months, days, strict=True)])
    delays = flights["dep_delay"].cast(pa.float64())  # a real number may be missing: the sensor breaks in June
    flights = flights.set_column(flights.schema.get_field_index("dep_delay"), "dep_delay", delays)
    dated = flights.select([*FEATURES, LABEL]).append_column("_day", ordinals)
    ordered = dated.sort_by([("_day", "ascending"), ("sched_dep_time", "ascending"), ("dest", "ascending")])
    return ordered.take(pa.array(np.arange(0, ordered.num_rows, ONE_IN)))


def _as_sent(rows: pa.Table, at: date, changes: Changes) -> pa.Table:
    delays = rows["dep_delay"].combine_chunks()
    if at >= changes.drifted:
        is_moved = pc.is_in(rows["carrier"].combine_chunks(), pa.array(DRIFTED_CARRIERS))
        delays = pc.add(delays, pc.multiply(is_moved.cast(pa.float64()), float(TAXI_MINUTES)))
    places = np.arange(rows.num_rows)
    is_lost = pa.array((places + at.toordinal()) % _USUALLY_LOST == 0)
    if changes.broken[0] <= at < changes.broken[1]:
        is_broken = pc.and_(pc.equal(rows["origin"].combine_chunks(), "LGA"), pa.array(places % _LOST == 0))
        is_lost = pc.or_(is_lost, is_broken)
    delays = pc.if_else(is_lost, None, delays)
    return rows.set_column(rows.schema.get_field_index("dep_delay"), "dep_delay", delays)
