"""What monitoring costs: a whole run of the monitor over a request log, on one core, in a process of its own.

python -m benchmarks.monitor_cost FOLDER            prints processor seconds beyond imports and the peak memory, as JSON
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.monitor_tables import flights

MILLION = 1_000_000
END = datetime(2026, 3, 30, tzinfo=UTC)
_LINES = 10_000
_HOURS = 25
_PROJECT = {
    "name": "bench",
    "task": "binary_classification",
    "label": "late",
    "data": {"source": "flights.csv"},
    "serve": {"request_log": {}},
}


def main() -> None:
    """Run the monitor of the store in a folder, and print what it took."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ.update(OMP_NUM_THREADS="1")
    folder = Path(sys.argv[1])
    os.environ["NARU_STORE"] = str(folder / "store")
    import pyarrow as pa

    from components._core.project.project_file import parse_project
    from components.monitor.monitor import monitor_requests

    pa.set_cpu_count(1)
    project = parse_project(_PROJECT)
    began = time.process_time()
    out = folder / "monitoring"
    result = monitor_requests(project, monitoring=out, page=out / "page.html", now=END + timedelta(hours=1))
    spent = time.process_time() - began
    rows = result.judged.counts.rows if result.judged else 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": rows, "seconds": round(spent, 2), "peak_mib": round(peak, 1)}))


def write_store(folder: Path, cache: Path, copies: int) -> None:
    """Write a store with a champion, its reference and a log of a million requests, or of several by hard links to its objects.

    Args:
        folder: A new folder.
        cache: Folder that keeps the flights.
        copies: Millions of requests.
    """
    import numpy as np
    import pyarrow as pa

    from components._core.monitoring.reference import MonitoringReference
    from components._core.monitoring.reference_builder import build_features
    from components._core.request_log.layout import hour_folder
    from components._core.store.ledger import Deployment, append_deployment
    from components._core.types.artifact_files import MONITORING_REFERENCE
    from components._core.types.signature import Feature

    table = flights(cache, every_column=True)
    features = [Feature(name, "float32", True) for name in table.numbers]
    features += [Feature(name, "string", True) for name in table.texts]
    arrow = pa.Table.from_pandas(table.rows[[*table.columns, "_day"]], preserve_index=False)
    built = build_features(
        lambda: iter(arrow.to_batches()), arrow.num_rows, features, lambda batch: np.asarray(batch["_day"])
    )
    model = folder / "store" / "bench" / "models" / "1" / "artifacts" / "model"
    model.mkdir(parents=True)
    MonitoringReference("day", built.days, built.features).save(model.parent / MONITORING_REFERENCE)
    line = Deployment("1", str(model), "", "", {}, "", "run", (END - timedelta(days=30)).isoformat(), "bench", "bench")
    append_deployment(str(folder / "store"), "bench", line)
    log = folder / "store" / "bench" / "requests"
    for place, content in enumerate(_objects(table.rows[table.columns])):
        hour = END - timedelta(hours=1 + place % _HOURS)
        first = log / hour_folder(hour.timestamp()) / f"pod-{place}-0.jsonl"
        first.parent.mkdir(parents=True, exist_ok=True)
        first.write_bytes(content)
        for copy in range(1, copies):
            os.link(first, first.with_name(f"pod-{place}-{copy}.jsonl"))


def _objects(rows: Any) -> Iterator[bytes]:
    """Yield the objects of a million requests of a row each."""
    known = [json.dumps({name: [value] for name, value in row.items()}) for row in rows.to_dict("records")]
    for place in range(0, MILLION, _LINES):
        hour = END - timedelta(hours=1 + place // _LINES % _HOURS)
        lines = []
        for number in range(place, place + _LINES):
            at = (hour + timedelta(seconds=number % 3_600)).isoformat(timespec="microseconds")
            lines.append(
                f'{{"id":"{number:08x}","time":"{at}","model":"bench","version":"1","latency_ms":2.5,'
                f'"inputs":{known[number % len(known)]},"masked":[],"outputs":{{"probability":[0.25]}},'
                f'"share":1.0,"schema":"s","log":2}}\n'
            )
        yield "".join(lines).encode()


if __name__ == "__main__":
    main()
