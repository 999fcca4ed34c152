"""Ingest and validate a table as a run does, in one process and a folder that is removed."""

from __future__ import annotations

import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def prepare_ingest(project: dict[str, Any], folder: Path, validated: bool = True) -> Callable[[], None]:
    """Return what ingests a project's table, and validates it if wanted; the imports are made before, as a run makes them once for all stages.

    Args:
        project: The project, as in project.yaml.
        folder: Folder on the disk of the table, for the artifacts.
        validated: Whether the examples are validated.
    """
    from components._core.project.project_file import parse_project
    from components.ingest.ingest import ingest_examples
    from components.validate.validate import validate_examples

    parsed = parse_project(project)

    def run() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            names = ("examples", "quarantine", "statistics", "schema", "validation")
            examples, quarantine, statistics, schema, validation = (Path(scratch) / name for name in names)
            for made in (examples, quarantine, statistics, schema, validation):
                made.mkdir()
            ingest_examples(parsed, examples=examples, quarantine=quarantine)
            if not validated:
                return
            ingested = time.perf_counter()
            code = Path(scratch) / "code.zip"
            with zipfile.ZipFile(code, "w"):
                pass
            validate_examples(
                parsed,
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
