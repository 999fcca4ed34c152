"""False alarms and power of monitors over windows of real days; runs where the peers are installed (`benchmarks/monitor.py` starts it).

null    rows drawn one by one: nothing drifted. Counted: samples in which any column alarms.
days    whole days of the half of the year that the reference does not have: nothing drifted but the weather.
power   seven such days with one shift: the shifted column alarms; beside it, windows in which another column does.

All monitors judge the same windows.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.monitor_peers import MONITORS, Monitor
from benchmarks.monitor_tables import (
    DAY,
    DETAIL_SHIFTS,
    DEVELOPMENT_DETAIL_SHIFTS,
    DEVELOPMENT_SHIFTS,
    HELD_OUT_SHIFTS,
    Change,
    Rows,
    Table,
    flight_details,
    flights,
    split_days,
    weather,
)

DEVELOPMENT = ((20_261_128, (1, 10)),)
HELD_OUT = ((301, (1, 10)), (302, (10, 13)), (303, (4, 13)), (304, (1, 13)))
"""Seed of the halves and of the draws; months (first, one past the last)."""
_ROWS_OF_A_DAY = 900
Tally = dict[str, dict[str, Any]]


def main() -> None:
    """Run one experiment and print it as JSON."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=[*EXPERIMENTS])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--draws", type=int, required=True, help="Windows over all seeds, or for each shift")
    parser.add_argument("--only", nargs="+", choices=[*MONITORS], default=[*MONITORS])
    parser.add_argument(
        "--development", action="store_true", help="The seeds, months and shifts that rules may be chosen on"
    )
    given = parser.parse_args()
    for name in {*MONITORS} - {*given.only}:
        del MONITORS[name]
    print(json.dumps(EXPERIMENTS[given.experiment](given.cache, given.draws, given.development)))


def null(cache: Path, draws: int, is_development: bool) -> Tally:
    """Count samples of single rows that alarm."""
    table = flights(cache, every_column=True)
    rows = table.months(1, 10)
    seed = DEVELOPMENT[0][0] if is_development else HELD_OUT[0][0]
    order = np.random.default_rng(seed).permutation(len(rows))
    reference, pool = rows.iloc[order[:50_000]].reset_index(drop=True), rows.iloc[order[50_000:]]
    found: Tally = {}
    for size in (100, 1_000, 10_000):
        monitors = _fit(reference, table, size, has_days=False)
        random = np.random.default_rng(seed + size)
        windows = (pool.iloc[random.choice(len(pool), size, replace=False)].assign(**{DAY: 1}) for _ in range(draws))
        found[str(size)] = {name: sum(alarms) for name, alarms in _judge_each(monitors, windows).items()}
    return found


def days(cache: Path, draws: int, is_development: bool) -> Tally:
    """Count windows of one and of seven days that alarm, of the flights."""
    return _days(flights(cache), draws, DEVELOPMENT if is_development else HELD_OUT, weekly=_ROWS_OF_A_DAY * 7)


def details(cache: Path, draws: int, is_development: bool) -> Tally:
    """As `days`, of the flights' other columns."""
    return _days(flight_details(cache), draws, DEVELOPMENT if is_development else HELD_OUT, weekly=_ROWS_OF_A_DAY * 7)


def weather_days(cache: Path, draws: int, is_development: bool) -> Tally:
    """As `days`, of the weather."""
    return _days(weather(cache), draws, DEVELOPMENT if is_development else HELD_OUT, weekly=72 * 7)


def _days(table: Table, draws: int, settings: Sequence[tuple[int, tuple[int, int]]], weekly: int) -> Tally:
    found: Tally = {"1": {}, "7": {}}
    for seed, months in settings:
        rows = table.months(*months)
        reference, others = split_days(rows, seed)
        by_day = {day: rows[rows[DAY] == day] for day in others}
        for length in (1, 7):
            monitors = _fit(reference, table, weekly * length // 7, has_days=True)
            random = np.random.default_rng(seed + length)
            windows = (_window(by_day, others, length, random) for _ in range(draws // len(settings)))
            for name, alarms in _judge_each(monitors, windows).items():
                found[str(length)][name] = found[str(length)].get(name, 0) + sum(alarms)
    return found


def power(cache: Path, draws: int, is_development: bool) -> Tally:
    """Count windows of seven days in which the shifted column alarms, of the flights."""
    settings = DEVELOPMENT if is_development else HELD_OUT[:2]
    return _power(flights(cache), draws, settings, DEVELOPMENT_SHIFTS if is_development else HELD_OUT_SHIFTS)


def details_power(cache: Path, draws: int, is_development: bool) -> Tally:
    """As `power`, of the flights' other columns."""
    settings = DEVELOPMENT if is_development else HELD_OUT[:2]
    return _power(
        flight_details(cache), draws, settings, DEVELOPMENT_DETAIL_SHIFTS if is_development else DETAIL_SHIFTS
    )


def _power(
    table: Table,
    draws: int,
    settings: Sequence[tuple[int, tuple[int, int]]],
    shifts: Mapping[str, tuple[str, Change]],
) -> Tally:
    found: Tally = {name: {"others": 0, "seen": dict.fromkeys(shifts, 0)} for name in MONITORS}
    for seed, months in settings:
        rows = table.months(*months)
        reference, others = split_days(rows, seed)
        by_day = {day: rows[rows[DAY] == day] for day in others}
        monitors = _fit(reference, table, _ROWS_OF_A_DAY * 7, has_days=True)
        for place, (shift, (column, change)) in enumerate(shifts.items()):
            random = np.random.default_rng([seed, place])
            for _ in range(draws // len(settings)):
                window = change(_window(by_day, others, 7, random).reset_index(drop=True), random)
                for name, monitor in monitors.items():
                    alarms = monitor.judge(window)
                    found[name]["seen"][shift] += column in alarms
                    found[name]["others"] += bool(alarms - {column})
    return found


def _window(by_day: Mapping[int, Rows], days: Sequence[int], length: int, random: np.random.Generator) -> Rows:
    import pandas as pd

    chosen = random.choice(len(days), length, replace=False)
    return pd.concat([by_day[days[place]] for place in sorted(chosen)])


def _fit(reference: Rows, table: Table, rows: int, has_days: bool) -> dict[str, Monitor]:
    monitors = {name: make() for name, make in MONITORS.items()}
    for monitor in monitors.values():
        monitor.fit(reference, table, rows, has_days)
    return monitors


def _judge_each(monitors: Mapping[str, Monitor], windows: Any) -> dict[str, list[bool]]:
    alarms: dict[str, list[bool]] = {name: [] for name in monitors}
    for window in windows:
        for name, monitor in monitors.items():
            alarms[name].append(bool(monitor.judge(window)))
    return alarms


EXPERIMENTS = {
    "null": null,
    "days": days,
    "details": details,
    "weather": weather_days,
    "power": power,
    "details-power": details_power,
}

if __name__ == "__main__":
    os.environ.update(NML_DISABLE_USAGE_LOGGING="1", DO_NOT_TRACK="1", EVIDENTLY_DISABLE_TELEMETRY="1")
    main()
