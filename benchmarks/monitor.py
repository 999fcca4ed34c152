"""The monitor beside Evidently and NannyML: false alarms on days that did not drift, power on those that did, and cost.

    python -m benchmarks.monitor --peers benchmarks/.venv-monitor/bin/python

All monitors judge the same windows; the peers, which are slow, fewer of those in which nothing drifted. It prints a table, writes
`results/monitor.json`, and ends with exit code 1 when a bound is broken.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks import monitor_cost
from benchmarks.machine import describe_machine

RESULTS = Path(__file__).parent / "results" / "monitor.json"
FOLDER = Path("build/bench/monitor")
PEERS = ("evidently", "nannyml")
SHIFTED = {"power": "", "details-power": "details_"}
"""Prefix of the results by part, where windows have a shift."""
QUIET = {
    "days": {"1": "false_alarms_day", "7": "false_alarms_week"},
    "null": {size: f"null_{size}" for size in ("100", "1000", "10000")},
    "details": {"1": "details_false_alarms_day", "7": "details_false_alarms_week"},
    "weather": {"1": "weather_false_alarms_day", "7": "weather_false_alarms_week"},
}
"""Name of the result by part and size of the window, where nothing drifted."""
PARTS = ["power", "days", "null", "details", "details-power", "weather", "cost"]
OTHER_TABLES = ("details", "weather")
"""Tables for which the bounds of the flights hold as well, where they were measured."""
_Z = 1.96
_WORSE = 0.02


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="The interpreter of the environment with the peers")
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="Other parts stay as they are in the results"
    )
    parser.add_argument("--windows", type=int, default=400, help="Windows without drift that Naru judges")
    parser.add_argument("--peer-windows", type=int, default=60, help="Windows without drift, of the peers")
    parser.add_argument("--shifted", type=int, default=40, help="Windows for each of ten shifts")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    counted = json.loads(given.output.read_text())["counted"] if given.output.exists() else {}
    for part in given.parts:
        counted[part] = measure(part, given.peers, given.windows, given.peer_windows, given.shifted)
        save(counted, given.peers, given.output)  # each part at once: the whole takes long
    result = save(counted, given.peers, given.output)
    print(make_table(result))
    broken = broken_bounds(result)
    print("\n".join(broken) or "every bound holds")
    sys.exit(1 if broken else 0)


def save(counted: dict[str, Any], peers: Path, output: Path) -> dict[str, Any]:
    """Write what is measured so far, and return it."""
    machine = describe_machine(peers, ["evidently", "nannyml", "pandas", "numpy", "scipy"])
    result = {**summarise(counted), "counted": counted, "machine": machine}
    output.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n")
    return result


def measure(part: str, peers: Path, windows: int, peer_windows: int, shifted: int) -> dict[str, Any]:
    """Measure one part: the windows of each monitor, and how many of them alarmed; or the cost."""
    if part == "cost":
        return measure_cost()
    if part in SHIFTED:
        every = ["naru", *PEERS]
        return {"windows": dict.fromkeys(every, shifted), "alarms": _run(peers, part, shifted, every)}
    ours, theirs = _run(peers, part, windows, ["naru"]), _run(peers, part, peer_windows, list(PEERS))
    numbers = {"naru": windows, **dict.fromkeys(PEERS, peer_windows)}
    return {"windows": numbers, "alarms": {size: {**ours[size], **theirs[size]} for size in ours}}


def _run(peers: Path, experiment: str, draws: int, monitors: list[str]) -> dict[str, Any]:
    command = [peers, "-m", "benchmarks.monitor_windows", experiment, "--cache", FOLDER, "--draws", str(draws)]
    environment = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [*map(str, command), "--only", *monitors], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_cost() -> dict[str, Any]:
    """Monitor a million and ten million requests, each in a fresh process on one core."""
    found = {}
    for millions in (1, 10):
        folder = FOLDER / f"store-{millions}"
        shutil.rmtree(folder, ignore_errors=True)
        monitor_cost.write_store(folder, FOLDER, millions)
        command = [sys.executable, "-m", "benchmarks.monitor_cost", str(folder)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found[f"{millions} million"] = json.loads(done.stdout)
        shutil.rmtree(folder)
    return found


def summarise(counted: dict[str, Any]) -> dict[str, Any]:
    """Turn counts into shares with their intervals; parts that are not measured are left out.

    Args:
        counted: By part, as `measure` returns it.
    """
    found: dict[str, Any] = {"intervals": {}}

    def add(name: str, hits: int, of: int) -> None:
        found[name] = round(hits / of, 4)
        found["intervals"][name] = wilson(hits, of)

    for part, monitor in product(counted.keys() - {"cost"}, ("naru", *PEERS)):
        end = "" if monitor == "naru" else f"_{monitor}"
        alarms, windows = counted[part]["alarms"], counted[part]["windows"][monitor]
        if part in SHIFTED:
            own, of = alarms[monitor], windows * len(alarms[monitor]["seen"])
            add(f"{SHIFTED[part]}power{end}", sum(own["seen"].values()), of)
            add(f"{SHIFTED[part]}other_columns{end}", own["others"], of)
            continue
        for size, name in QUIET[part].items():
            add(f"{name}{end}", alarms[size][monitor], windows)
    if cost := counted.get("cost"):
        one, ten = cost["1 million"], cost["10 million"]
        found["seconds_per_million"] = one["seconds"]
        found["rss_10m_over_1m"] = round(ten["peak_mib"] / one["peak_mib"], 3)
    return found


def wilson(hits: int, of: int) -> list[float]:
    """Return the 95 % interval of a share (E. Wilson, Journal of the American Statistical Association 22, 1927)."""
    share, square = hits / of, _Z**2 / of
    middle = (share + square / 2) / (1 + square)
    reach = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    return [round(max(middle - reach, 0.0), 4), round(min(middle + reach, 1.0), 4)]


def broken_bounds(result: dict[str, Any]) -> list[str]:
    """Name the bounds that the results break."""
    each = {"false_alarms_day": 0.05, "false_alarms_week": 0.02, "other_columns": 0.05}
    most = {
        **each,
        "null_100": 0.02,
        "null_1000": 0.02,
        "null_10000": 0.02,
        "seconds_per_million": 20.0,
        "rss_10m_over_1m": 1.2,
    }
    broken = [f"{name} is not measured" for name in (*most, "power") if name not in result]
    most |= {f"{table}_{name}": bound for table in OTHER_TABLES for name, bound in each.items()}
    known = {name: bound for name, bound in most.items() if name in result}
    broken += [f"{name} is {result[name]}, at most {bound}" for name, bound in known.items() if result[name] > bound]
    for name, peer in product((f"{table}power" for table in SHIFTED.values()), PEERS):
        if result.get(name, 1.0) < result.get(f"{name}_{peer}", 0.0) - _WORSE:
            broken.append(f"{name} is {result[name]}, {peer} has {result[f'{name}_{peer}']}")
    return broken


def make_table(result: dict[str, Any]) -> str:
    """Format the shares for a terminal."""
    rows = [
        ("rows one by one, 100", "null_100"),
        ("rows one by one, 1,000", "null_1000"),
        ("rows one by one, 10,000", "null_10000"),
        ("flights, a day", "false_alarms_day"),
        ("flights, a week", "false_alarms_week"),
        ("other columns, a day", "details_false_alarms_day"),
        ("other columns, a week", "details_false_alarms_week"),
        ("weather, a day", "weather_false_alarms_day"),
        ("weather, a week", "weather_false_alarms_week"),
        ("flights: power", "power"),
        ("  unshifted columns", "other_columns"),
        ("other columns: power", "details_power"),
        ("  unshifted columns", "details_other_columns"),
    ]
    lines = [f"{'share of windows that alarm':<30}{'naru':>8}{'evidently':>11}{'nannyml':>9}"]
    for title, name in (row for row in rows if row[1] in result):
        lines.append(
            f"{title:<30}{result[name]:>8.3f}{result[f'{name}_evidently']:>11.3f}{result[f'{name}_nannyml']:>9.3f}"
        )
    if "seconds_per_million" not in result:
        return "\n".join(lines)
    cost = f"{result['seconds_per_million']} s of one core for a million requests; memory of ten million: {result['rss_10m_over_1m']} of one"
    return "\n".join([*lines, cost])


if __name__ == "__main__":
    main()
