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
from pathlib import Path
from typing import Any

from benchmarks import monitor_cost
from benchmarks.machine import describe_machine

RESULTS = Path(__file__).parent / "results" / "monitor.json"
FOLDER = Path("build/bench/monitor")
PEERS = ("evidently", "nannyml")
_Z = 1.96


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="The interpreter of the environment with the peers")
    parser.add_argument("--windows", type=int, default=400, help="Windows without drift, of ours")
    parser.add_argument("--peer-windows", type=int, default=60, help="Windows without drift, of the peers")
    parser.add_argument(
        "--shifted", type=int, default=40, help="Windows for each of ten shifts; half of that for the second table"
    )
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    counted = measure_windows(given.peers, given.windows, given.peer_windows, given.shifted)
    result = {**summarise(counted, given.windows, given.peer_windows, given.shifted), **measure_cost()}
    result["counted"] = counted
    result["machine"] = describe_machine(given.peers, ["evidently", "nannyml", "pandas", "numpy", "scipy"])
    given.output.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n")
    print(make_table(result))
    broken = broken_bounds(result)
    print("\n".join(broken) or "every bound holds")
    sys.exit(1 if broken else 0)


def measure_windows(peers: Path, windows: int, peer_windows: int, shifted: int) -> dict[str, Any]:
    """Run all experiments where the peers are installed."""
    found: dict[str, Any] = {}
    for name in ("null", "days", "details", "weather"):
        ours = _run(peers, name, windows, ["naru"])
        theirs = _run(peers, name, peer_windows, list(PEERS))
        found[name] = {size: {**ours[size], **theirs[size]} for size in ours}
    found["power"] = _run(peers, "power", shifted, ["naru", *PEERS])
    found["details-power"] = _run(peers, "details-power", shifted // 2, ["naru", *PEERS])
    return found


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
        found[millions] = json.loads(done.stdout)
        shutil.rmtree(folder)
    return {
        "seconds_per_million": found[1]["seconds"],
        "rss_10m_over_1m": round(found[10]["peak_mib"] / found[1]["peak_mib"], 3),
        "cost": {f"{millions} million": measured for millions, measured in found.items()},
    }


def summarise(counted: dict[str, Any], windows: int, peer_windows: int, shifted: int) -> dict[str, Any]:
    """Turn counts into shares with their intervals."""
    found: dict[str, Any] = {"intervals": {}}

    def add(name: str, hits: int, of: int) -> None:
        found[name] = round(hits / of, 4)
        found["intervals"][name] = wilson(hits, of)

    for monitor in ("naru", *PEERS):
        end = "" if monitor == "naru" else f"_{monitor}"
        count = windows if monitor == "naru" else peer_windows
        for size in ("100", "1000", "10000"):
            add(f"null_{size}{end}", counted["null"][size][monitor], count)
        for table, prefix in (("days", ""), ("details", "details_"), ("weather", "weather_")):
            for length, word in (("1", "day"), ("7", "week")):
                add(f"{prefix}false_alarms_{word}{end}", counted[table][length][monitor], count)
        for table, prefix, draws in (("power", "", shifted), ("details-power", "details_", shifted // 2)):
            own = counted[table][monitor]
            of = draws * len(own["seen"])
            add(f"{prefix}power{end}", sum(own["seen"].values()), of)
            add(f"{prefix}other_columns{end}", own["others"], of)
    return found


def wilson(hits: int, of: int) -> list[float]:
    """Return the 95 % interval of a share (E. Wilson, Journal of the American Statistical Association 22, 1927)."""
    share, square = hits / of, _Z**2 / of
    middle = (share + square / 2) / (1 + square)
    reach = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    return [round(max(middle - reach, 0.0), 4), round(min(middle + reach, 1.0), 4)]


def broken_bounds(result: dict[str, Any]) -> list[str]:
    """Name the bounds that the results break."""
    most = {
        "false_alarms_day": 0.05,
        "false_alarms_week": 0.02,
        "null_100": 0.02,
        "null_1000": 0.02,
        "null_10000": 0.02,
        "other_columns": 0.05,
        "seconds_per_million": 20.0,
        "rss_10m_over_1m": 1.2,
    }
    broken = [f"{name} is {result[name]}, at most {bound}" for name, bound in most.items() if result[name] > bound]
    better = [peer for peer in PEERS if result["power"] < result[f"power_{peer}"] - 0.02]
    return [*broken, *(f"power is {result['power']}, {peer} has {result[f'power_{peer}']}" for peer in better)]


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
    for title, name in rows:
        lines.append(
            f"{title:<30}{result[name]:>8.3f}{result[f'{name}_evidently']:>11.3f}{result[f'{name}_nannyml']:>9.3f}"
        )
    cost = f"{result['seconds_per_million']} s of one core for a million requests; memory of ten million: {result['rss_10m_over_1m']} of one"
    return "\n".join([*lines, cost])


if __name__ == "__main__":
    main()
