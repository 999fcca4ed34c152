"""One side of the comparison, in a process of its own: prints seconds, CPU seconds of all threads, and peak memory as JSON.

python -m benchmarks.texts.side arrow|plain|measured|grouped|masked|checked FILE
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.ingest_run import prepare_ingest
from benchmarks.machine import peak_mib

MASK = ["mail", "phone", "card", "resident_number"]


def prepare_arrow(source: Path) -> Callable[[], None]:
    """Only read the table, block by block, on all cores."""
    import pyarrow.csv as csv

    def run() -> None:
        with csv.open_csv(source) as reader:
            rows = sum(batch.num_rows for batch in reader)
        if not rows:
            raise SystemExit("no row was read")

    return run


def prepare_naru(source: Path, texts: dict[str, Any] | None, checked: bool = False) -> Callable[[], None]:
    """Ingest the table, and validate it if wanted."""
    data = {"source": str(source), **({"texts": texts} if texts else {})}
    project = {"name": "texts", "task": "multiclass_classification", "label": "label", "data": data}
    return prepare_ingest(project, source.parent, checked)


SIDES: dict[str, Callable[[Path], Callable[[], None]]] = {
    "arrow": prepare_arrow,
    "plain": lambda source: prepare_naru(source, None),
    "measured": lambda source: prepare_naru(source, {"columns": ["text"], "near": 0}),
    "grouped": lambda source: prepare_naru(source, {"columns": ["text"]}),
    "masked": lambda source: prepare_naru(source, {"columns": ["text"], "mask": MASK}),
    "checked": lambda source: prepare_naru(source, {"columns": ["text"], "mask": MASK}, checked=True),
}
"""What is measured: a bare reader; ingest without `data.texts`, with length and language, with near duplicates, with masking too; and validate."""


def main() -> None:
    """Run one side and print what it took."""
    run = SIDES[sys.argv[1]](Path(sys.argv[2]))
    begun, used = time.perf_counter(), time.process_time()
    run()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
