"""One side of the comparison, in a process of its own: prints seconds and peak memory as JSON.

python -m benchmarks.pictures.side pillow|naru FOLDER
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.ingest_run import prepare_ingest
from benchmarks.machine import peak_mib
from benchmarks.pictures.made import CLASSES


def prepare_pillow(folder: Path) -> Callable[[], None]:
    """Read and decode every picture, on as many threads as cores: Pillow decodes without Python's lock."""
    from PIL import Image

    def decode(path: Path) -> int:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            image.load()
            return image.size[0]

    def run() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            total = sum(pool.map(decode, paths))
        if not total:
            raise SystemExit("no picture was decoded")

    Image.init()
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return run


def prepare_naru(folder: Path) -> Callable[[], None]:
    """Ingest and validate the pictures."""
    project = {
        "name": "pictures",
        "task": "binary_classification",
        "label": "label",
        "positive": CLASSES[1],
        "data": {"source": f"pictures://{folder}"},
    }
    return prepare_ingest(project, folder.parent)


SIDES: dict[str, Callable[[Path], Callable[[], None]]] = {"pillow": prepare_pillow, "naru": prepare_naru}


def main() -> None:
    """Run one side and print what it took."""
    run = SIDES[sys.argv[1]](Path(sys.argv[2]))
    begun = time.perf_counter()
    run()
    print(json.dumps({"seconds": time.perf_counter() - begun, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
