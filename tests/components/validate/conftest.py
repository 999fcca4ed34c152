"""Tiny examples, in the format of ingest, and a run of the stage on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.checks import Check, Outcome
from components._core.examples.artifact import SPLITS, Manifest, split_file
from components._core.project.project_file import Project, parse_project
from components._core.stage.user_code import pack_code
from components._core.types.column_types import type_of_arrow
from components.validate.validate import validate_examples
from tests.components.figures import every_figure, figures  # noqa: F401 - fixtures

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Validated:
    """What the stage answered and where it left its artifacts."""

    outcome: Outcome
    folder: Path

    @property
    def schema(self) -> str:
        return (self.folder / "schema" / "schema.pbtxt").read_text(encoding="utf-8")

    def check(self, name: str) -> Check:
        found = [check for check in self.outcome.checks if check.name == name]
        assert found, f"no check {name!r} in {[check.name for check in self.outcome.checks]}"
        return found[0]


def flights(rows: int, seed: int, delay: float = 10.0) -> Columns:
    """Rows of a table with a number, a whole number, a text and a label of two values."""
    random = np.random.default_rng(seed)
    delays = random.normal(delay, 20, rows)
    return {
        "delay": delays.tolist(),
        "distance": random.integers(100, 2000, rows).tolist(),
        "carrier": random.choice(["AA", "B6", "UA"], rows).tolist(),
        "late": [int(value > delay + 10) for value in delays],
    }


@pytest.fixture
def table() -> Callable[..., Columns]:
    return flights


@pytest.fixture
def project() -> Callable[..., Project]:
    """A project; fields by their place with `__` for the dot."""

    def make(**fields: Any) -> Project:
        raw: dict[str, Any] = {
            "name": "tiny",
            "task": "binary_classification",
            "label": "late",
            "data": {"source": "x.csv"},
        }
        for place, value in fields.items():
            *parents, last = place.split("__")
            section = raw
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
        return parse_project(raw)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write examples: columns by split, or by split and span."""

    def make(parts: Mapping[str, Any], to: str = "examples", **types: pa.DataType) -> Path:
        examples = tmp_path / to
        kinds, rows, spans = {}, dict.fromkeys(SPLITS, 0), {1}
        for split, part in parts.items():
            by_span = part if all(isinstance(span, int) for span in part) else {1: part}
            spans |= set(by_span)
            for span, columns in by_span.items():
                found = pa.table({name: _array(values, types.get(name)) for name, values in columns.items()})
                kinds.update(
                    {
                        name: type_of_arrow(kind, name).name
                        for name, kind in zip(found.schema.names, found.schema.types, strict=True)
                    }
                )
                rows[split] += found.num_rows
                path = split_file(examples, split, span)
                path.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(found, path)
        Manifest("fingerprint", kinds, rows, sorted(spans), []).save(examples)
        return examples

    return make


@pytest.fixture
def three(write: Callable[..., Path]) -> Callable[..., Path]:
    """Write examples of one span: the usual table in every split, with columns changed in `train` or in all."""

    def make(change: Callable[[Columns], Columns] = dict, only_train: bool = False, **types: pa.DataType) -> Path:
        train, evaluation, test = flights(300, 1), flights(60, 2), flights(60, 3)
        others = [part if only_train else change(part) for part in (evaluation, test)]
        return write({"train": change(train), "eval": others[0], "test": others[1]}, **types)

    return make


@pytest.fixture
def validate(tmp_path: Path, project: Callable[..., Project]) -> Callable[..., Validated]:
    """Run the stage."""

    def run(
        examples: Path, of: Project | None = None, schema: str = "", champion: str = "none", to: str = "out"
    ) -> Validated:
        of = of or project()
        code, out = tmp_path / f"{to}-code", tmp_path / to
        code.mkdir()
        for name in ("preprocessing.py", "model.py"):
            (code / name).write_text("", encoding="utf-8")
        if schema:
            (code / "schema.pbtxt").write_text(schema, encoding="utf-8")
        pack_code(code, of, tmp_path / f"{to}-code.zip")
        folders = {name: out / name for name in ("statistics", "schema", "validation")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        zipped = tmp_path / f"{to}-code.zip"
        outcome = validate_examples(
            of, champion=champion, code=zipped, examples=examples, page=out / "page.html", **folders
        )
        return Validated(outcome, out)

    return run


def _array(values: list[Any], kind: pa.DataType | None) -> pa.Array:
    array = pa.array(values, kind)
    return array.cast(pa.float32()) if kind is None and array.type == pa.float64() else array
