"""One side of the comparison, in a process of its own: prints seconds, CPU seconds of all threads, and peak memory as JSON.

python -m benchmarks.texts.side arrow|plain|measured|grouped|masked|checked FILE
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    """Ingest the table, and validate it if wanted; the imports are made before, as a run makes them once for all stages."""
    from components._core.project.project_file import parse_project
    from components.ingest.ingest import ingest_examples
    from components.validate.validate import validate_examples

    data = {"source": str(source), **({"texts": texts} if texts else {})}
    project = parse_project({"name": "texts", "task": "multiclass_classification", "label": "label", "data": data})

    def run() -> None:
        with tempfile.TemporaryDirectory(dir=source.parent) as scratch:
            names = ("examples", "quarantine", "statistics", "schema", "validation")
            examples, quarantine, statistics, schema, validation = (Path(scratch) / name for name in names)
            for made in (examples, quarantine, statistics, schema, validation):
                made.mkdir()
            ingest_examples(project, examples=examples, quarantine=quarantine)
            if not checked:
                return
            ingested = time.perf_counter()
            code = Path(scratch) / "code.zip"
            with zipfile.ZipFile(code, "w"):
                pass
            validate_examples(
                project,
                champion="none",
                code=code,
                examples=examples,
                statistics=statistics,
                schema=schema,
                validation=validation,
                page=Path(scratch) / "page.html",
            )
            print(f"validate took {time.perf_counter() - ingested:.1f} s", file=sys.stderr)

    return run


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
