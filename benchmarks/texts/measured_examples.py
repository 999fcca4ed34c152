"""Texts as examples with their measures: written as a table, and ingested as a project would."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components._core.examples.artifact import Manifest, read_rows
from components._core.project.gate_config import DataGates
from components._core.project.project_file import parse_project
from components._core.project.text_config import Texts
from components.ingest.ingest import ingest_examples
from components.validate.findings import severities
from components.validate.texts.text_checks import TextFindings, check_texts

SPLITS = ("train", "eval", "test")


@dataclass(frozen=True)
class Sample:
    """A text of a table.

    Attributes:
        text: The text.
        label: Its class.
        split: Its split.
    """

    text: str | None
    label: str
    split: str


def in_splits(texts: Sequence[str | None], seed: int) -> list[Sample]:
    """Give each text a class, and a split by chance: eight of ten train."""
    draw = random.Random(seed)
    return [Sample(text, draw.choice("ab"), draw.choices(SPLITS, (8, 1, 1))[0]) for text in texts]


def write_examples(samples: Sequence[Sample], folder: Path, **texts: object) -> Path:
    """Ingest texts into a folder, with the splits that they have; `row` is the number of each."""
    columns = {
        "text": pa.array([sample.text for sample in samples], pa.string()),
        "label": [sample.label for sample in samples],
        "part": [sample.split for sample in samples],
        "row": range(len(samples)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / "texts.parquet")
    data = {
        "source": str(folder / "texts.parquet"),
        "split": {"method": "given", "by": "part"},
        "exclude": ["row"],
        "quarantine_limit": 0.5,
        "texts": {"columns": ["text"], **texts},
    }
    project = parse_project({"name": "texts", "task": "multiclass_classification", "label": "label", "data": data})
    for name in ("examples", "quarantine"):
        (folder / name).mkdir()
    ingest_examples(project, examples=folder / "examples", quarantine=folder / "quarantine")
    return folder / "examples"


def check(examples: Path, **gates: object) -> TextFindings:
    """Return the findings of validate."""
    of = DataGates.model_validate({"texts": gates})
    config = Texts(columns=["text"])
    return check_texts(examples, Manifest.load(examples), "label", True, config, of, severities({}))[0]


def numbers_of(found: TextFindings, kind: str, examples: Path) -> set[int]:
    """Return the numbers of the rows that a finding names, as `write_examples` gave them."""
    rows = next(each.rows for each in found.found if each.kind == kind)
    numbers: set[int] = set()
    for split in SPLITS:
        places = sorted({place for name, place in map(found.texts.place, rows.tolist()) if name == split})
        if places:
            numbers |= set(read_rows(examples, split, np.array(places), ["row"])["row"].to_pylist())
    return numbers
