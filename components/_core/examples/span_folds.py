"""Examples for a backtest: the rows up to a span to train on, and the rows of each later span to judge on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from components._core.examples.artifact import SPLITS, Manifest, row_count, split_file
from components._core.examples.safe_parquet import pq
from components._core.files import fingerprint_of, link_file


def write_later_spans(examples: Path, spans: Sequence[int], folder: Path) -> None:
    """Write the rows of all splits of some spans into the test split: no model that is judged on them has seen one.

    Args:
        examples: The examples artifact.
        spans: The spans; each becomes one file.
        folder: An empty folder for the new artifact.
    """
    for span in spans:
        _merge(examples, span, split_file(folder, "test", span))
    _save_manifest(examples, spans, folder)


def write_earlier_spans(examples: Path, spans: Sequence[int], folder: Path) -> None:
    """Write the rows of some spans to train on, as a run over these spans would split them.

    Rows stay in their splits; those of the test split are left out. A split by time moves with the spans that are read: there the last
    span becomes the eval split, and all rows before it the train split.

    Args:
        examples: The examples artifact.
        spans: The spans, in their order: two at least.
        folder: An empty folder for the new artifact.
    """
    chosen = list(spans)
    if all(row_count(examples, "train", [span]) for span in chosen) and row_count(examples, "eval", chosen):
        for split in ("train", "eval"):
            for span in spans:
                if (source := split_file(examples, split, span)).exists():
                    target = split_file(folder, split, span)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    link_file(source, target)
    else:
        for span in spans:
            _merge(examples, span, split_file(folder, "eval" if span == spans[-1] else "train", span))
    _save_manifest(examples, spans, folder)


def _merge(examples: Path, span: int, target: Path) -> None:
    found = [path for split in SPLITS if (path := split_file(examples, split, span)).exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(target, pq.read_schema(found[0])) as writer:
        for path in found:
            with pq.ParquetFile(path) as source:
                for batch in source.iter_batches():
                    writer.write_batch(batch)


def _save_manifest(examples: Path, spans: Sequence[int], folder: Path) -> None:
    whole = Manifest.load(examples)
    chosen = replace(
        whole,
        fingerprint=fingerprint_of([whole.fingerprint, *map(str, spans), *sorted(_names(folder))]),
        rows={split: row_count(folder, split) for split in SPLITS},
        spans=list(spans),
        files=[file for file in whole.files if file.span in spans],
    )
    chosen.save(folder)


def _names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("span-*.parquet")]
