"""Join ten million logged requests with the labels of nine million: seconds, processor seconds and peak memory, beside a tenth of it.

    python -m benchmarks.feedback --requests 10000000

It writes a log of JSON lines (some four gigabytes) and labels in Parquet, joins them with `naru feedback`'s own function in a process
of its own, checks the rows, prints a table, writes `results/feedback.json`, and ends with exit code 1 when a bound is broken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.machine import describe_machine
from components._core.examples.safe_parquet import pq
from components._core.files import write_json
from components._core.project.feedback_config import Feedback, Labels
from components._core.types.signature import Feature, Signature
from components._feedback.make_span import make_span
from components._feedback.settings import FeedbackSettings

FOLDER = Path("build/bench/feedback")
RESULTS = Path(__file__).parent / "results" / "feedback.json"
MOST_BYTES = 1_000_000_000
"""Peak memory of the process, interpreter and libraries included."""
OBJECT_ROWS = 20_000
LABEL_ROWS = 1_000_000
UNLABELLED = 10
"""One request in so many has no label."""
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_CARRIERS = [f"C{number:02d}" for number in range(16)]
_REALS = ("dep_delay", "distance", "air_time", "wind", "temperature")
_WHOLES = ("month", "day", "hour", "seats")
_TEXTS = ("carrier", "dest")
SIGNATURE = Signature(
    "binary_classification",
    tuple(
        Feature(name, kind, kind != "int64")
        for names, kind in ((_REALS, "float32"), (_WHOLES, "int64"), (_TEXTS, "string"))
        for name in names
    ),
    {"probability": "float32"},
    ("0", "1"),
)


@dataclass(frozen=True)
class Joined:
    """One join in a process of its own.

    Attributes:
        requests: Requests in the log, of one row each.
        labels: Labels.
        rows: Labelled rows.
        open: Requests without a label.
        log_bytes: Size of the log.
        seconds: By the clock.
        cpu_seconds: Of the process.
        rss_bytes: Its peak memory.
    """

    requests: int
    labels: int
    rows: int
    open: int
    log_bytes: int
    seconds: float
    cpu_seconds: float
    rss_bytes: int


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000_000, help="logged requests, of one row each")
    parser.add_argument("--join", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.join:
        print(json.dumps(asdict(join_folder(options.join))))
        return 0
    small, large = (_measure(requests) for requests in (options.requests // 10, options.requests))
    growth = large.rss_bytes / small.rss_bytes
    print(f"{'requests':>12} {'labels':>12} {'rows':>12} {'seconds':>9} {'CPU s':>7} {'rows/CPU s':>11} {'peak MB':>8}")
    for found in (small, large):
        rate = found.requests / found.cpu_seconds
        print(
            f"{found.requests:>12,} {found.labels:>12,} {found.rows:>12,} {found.seconds:>9.1f} {found.cpu_seconds:>7.1f} "
            f"{rate:>11,.0f} {found.rss_bytes / 1e6:>8.0f}"
        )
    results = {
        "machine": describe_machine(None),
        "small": asdict(small),
        "large": asdict(large),
        "rss_growth": round(growth, 3),
    }
    write_json(RESULTS, results)
    if large.rss_bytes > MOST_BYTES:
        print(f"peak memory is {large.rss_bytes / 1e6:,.0f} MB; the bound is {MOST_BYTES / 1e6:,.0f} MB")
        return 1
    return 0


def _measure(requests: int) -> Joined:
    folder = FOLDER / str(requests)
    shutil.rmtree(folder, ignore_errors=True)
    write_log(folder / "log", requests)
    labels = write_labels(folder / "labels", requests)
    command = [sys.executable, "-m", "benchmarks.feedback", "--join", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = Joined(**json.loads(done.stdout.splitlines()[-1]))
    if found.rows != labels or found.open != requests - labels:
        raise SystemExit(f"{found.rows:,} rows of {labels:,} labels, and {found.open:,} open: the join is wrong")
    shutil.rmtree(folder)
    return found


def write_log(folder: Path, requests: int) -> None:
    """Write a log: objects of 20,000 requests, whose ids are new and whose rows repeat from object to object."""
    rests = _line_rests()
    for begin in range(0, requests, OBJECT_ROWS):
        hour = _BEGIN + timedelta(hours=begin * 240 // requests)
        path = folder / f"{hour:dt=%Y-%m-%d/hour=%H}" / f"pod-{begin:09d}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        stamp = f'","time":"{hour:%Y-%m-%dT%H}:30:00.123456+00:00'
        numbers = range(begin, min(begin + OBJECT_ROWS, requests))
        path.write_text(
            "".join([f'{{"id":"{_id(number)}{stamp}{rest}' for number, rest in zip(numbers, rests, strict=False)])
        )


def write_labels(folder: Path, requests: int) -> int:
    """Write the labels in a random order; returns how many there are."""
    numbers = np.arange(requests)
    numbers = numbers[numbers % UNLABELLED != 0]
    np.random.default_rng(3).shuffle(numbers)
    folder.mkdir(parents=True)
    for part in range(0, len(numbers), LABEL_ROWS):
        chosen = numbers[part : part + LABEL_ROWS]
        ids = pa.array([_id(number) for number in chosen.tolist()], pa.string())
        pq.write_table(pa.table({"request_id": ids, "late": chosen % 2}), folder / f"labels-{part:09d}.parquet")
    return len(numbers)


def _id(number: int) -> str:
    return f"{number:08x}-7a3c-4f21-9b1e-5d2c8e6f0a17"


def _line_rests() -> list[str]:
    """Everything in a line after its time, for as many lines as an object has."""
    draw = np.random.default_rng(7)
    reals = np.round(draw.normal(20, 40, (OBJECT_ROWS, len(_REALS))), 2)
    wholes = draw.integers(1, 13, (OBJECT_ROWS, len(_WHOLES)))
    texts = draw.integers(0, len(_CARRIERS), (OBJECT_ROWS, len(_TEXTS)))
    scores = np.round(draw.random(OBJECT_ROWS), 6)
    rests = []
    for row in range(OBJECT_ROWS):
        inputs: dict[str, list[Any]] = {name: [value] for name, value in zip(_REALS, reals[row].tolist(), strict=True)}
        inputs |= {name: [value] for name, value in zip(_WHOLES, wholes[row].tolist(), strict=True)}
        inputs |= {name: [_CARRIERS[value]] for name, value in zip(_TEXTS, texts[row].tolist(), strict=True)}
        rest = {"model": "bench", "version": "3", "latency_ms": 1.25, "inputs": inputs, "masked": []}
        rest |= {
            "outputs": {"probability": [float(scores[row])]},
            "share": 1.0,
            "schema": SIGNATURE.fingerprint,
            "log": 2,
        }
        rests.append('",' + json.dumps(rest, separators=(",", ":"))[1:] + "\n")
    return rests


def join_folder(folder: Path) -> Joined:
    """Join the log and the labels in a folder, and measure this process."""
    log = sum(path.stat().st_size for path in (folder / "log").rglob("*.jsonl"))
    config = Feedback(labels=Labels(source=str(folder / "labels"), id="request_id"), min_rows=1)
    settings = FeedbackSettings(
        "bench", str(folder / "log"), str(folder / "home"), config, "late", pa.int64(), SIGNATURE
    )  # fmt: skip
    began = time.perf_counter()
    report = make_span(settings, _BEGIN + timedelta(days=20), folder)
    seconds = time.perf_counter() - began
    return Joined(
        report.answers.log.requests,
        report.labels.rows,
        report.rows,
        report.open,
        log,
        round(seconds, 1),
        round(time.process_time(), 1),
        _peak_bytes(),
    )


def _peak_bytes() -> int:
    """Return the peak memory of this process alone; `ru_maxrss` is at least what its parent had."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1_024


if __name__ == "__main__":
    sys.exit(main())
