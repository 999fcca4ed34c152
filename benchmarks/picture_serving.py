"""Requests with one picture: ours beside a bare MLServer runtime around the same model and bytes. `make bench-picture-serving`.

The pictures of the test rows (32 x 32 PNG), and crops of a photograph (224 x 224 JPEG, which the model scales itself), as base64 in JSON.
Ours checks and bounds each picture before the model sees it, and has the request log and metrics on; the bare runtime does neither.

python -m benchmarks.picture_serving --project examples/digits
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.machine import describe_machine
from benchmarks.process_watch import alone
from benchmarks.server_rounds import QUICK, Pace, medians, ratios, take_turns
from benchmarks.serving import WORK, bare, ours, running
from benchmarks.workload import InProcess, Workload, prepared
from components._core.files import write_json
from pipelines.serve import fetched_champion

RESULTS = Path(__file__).resolve().parent / "results" / "picture_serving.json"
LEAST_RATIO = 1.0
_SIDE = 224
_PICTURES = 40
_SEED = 3


def main() -> int:
    """Measure, print, write the results; returns 1 when ours answers fewer requests than the bare runtime, or wrong ones."""
    wanted = _arguments()
    pace = QUICK if wanted.quick else Pace()
    shutil.rmtree(WORK / "logs", ignore_errors=True)
    with alone(wanted.lock):
        found = _measure(wanted.project, pace)
    write_json(wanted.output, {"pictures": found, "machine": describe_machine(None, [])})
    lowest = min(min(each["ratios"].values()) for each in found.values())
    wrong = sum(
        row["wrong"] + row["failed"]
        for each in found.values()
        for server in each["servers"].values()
        for row in server.values()
    )
    print(f"lowest ratio {lowest:.2f}; {wrong} answers failed or wrong")
    return 0 if wanted.quick or (lowest >= LEAST_RATIO and not wrong) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture_serving", description=__doc__)
    parser.add_argument("--project", type=Path, required=True, help="a project with a champion that takes one picture")
    parser.add_argument("--quick", action="store_true", help="only check that it works; its numbers mean nothing")
    parser.add_argument("--lock", type=Path, help="hold this file's lock meanwhile, where others keep to it")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    return parser.parse_args()


def _measure(project: Path, pace: Pace) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))
    serving, asking = cores[0], cores[-1]
    found: dict[str, Any] = {}
    with (
        fetched_champion(project) as (_, parts),
        prepared(parts, serving, 1) as small,
        _photographs(small, serving) as large,
    ):
        os.sched_setaffinity(0, {asking})
        try:
            for name, workload in {"32 x 32": small, f"{_SIDE} x {_SIDE}": large}.items():
                with running([ours(workload), bare(workload)], serving) as servers:
                    turns = take_turns(servers, workload, pace)
                found[name] = {
                    "bytes": int(np.mean([len(body) for body in workload.bodies("v2")])),
                    "ratios": ratios(turns, "naru", "bare mlserver"),
                    "servers": medians(turns),
                    "turns": [asdict(turn) for turn in turns],
                }
                rates = {
                    server: {clients: round(row["requests_per_second"]) for clients, row in rows.items()}
                    for server, rows in found[name]["servers"].items()
                }
                print(
                    f"{name:<12} {found[name]['bytes']:,} bytes a request; requests/s by clients {rates}; ratios {found[name]['ratios']}",
                    flush=True,
                )
        finally:
            os.sched_setaffinity(0, set(cores))
    return found


@contextmanager
def _photographs(small: Workload, core: int) -> Iterator[Workload]:
    """The same requests with crops of a photograph."""
    from sklearn.datasets import load_sample_images

    photograph, random = load_sample_images().images[0], np.random.default_rng(_SEED)
    name = small.requests[0]["inputs"][0]["name"]
    requests = []
    for _ in range(_PICTURES):
        top, left = (int(random.integers(size - _SIDE)) for size in photograph.shape[:2])
        written = io.BytesIO()
        Image.fromarray(photograph[top : top + _SIDE, left : left + _SIDE]).save(written, "JPEG", quality=95)
        data = base64.urlsafe_b64encode(written.getvalue()).decode()
        requests.append({"inputs": [{"name": name, "datatype": "BYTES", "shape": [1], "data": [data]}]})
    with closing(InProcess(small.model, requests, core, 1)) as in_process:
        yield Workload(small.model, requests, in_process.outputs, in_process.rates)


if __name__ == "__main__":
    sys.exit(main())
