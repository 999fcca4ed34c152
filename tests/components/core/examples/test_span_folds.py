"""Examples as of a span, and those of later spans, against the rows that they must hold."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.examples.artifact import SPLITS, Manifest, SourceFile, read_batches, split_file
from components._core.examples.span_folds import write_earlier_spans, write_later_spans

BY_HASH = {(split, span): [100 * span + place] for span in (1, 2, 3, 4) for place, split in enumerate(SPLITS)}
BY_TIME = {("train", 1): [1, 2], ("train", 2): [3], ("eval", 3): [4, 5], ("test", 3): [6], ("test", 4): [7]}

Rows = dict[tuple[str, int], list[int]]


def _examples(folder: Path, rows: Rows) -> Path:
    for (split, span), values in rows.items():
        path = split_file(folder, split, span)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": values}), path)
    spans = sorted({span for _, span in rows})
    files = [SourceFile(f"{span}.csv", span, 1, 0, 1, "a" * 64) for span in spans]
    counts = {split: sum(len(found) for (of, _), found in rows.items() if of == split) for split in SPLITS}
    Manifest("f" * 32, {"x": "int64"}, counts, spans, files).save(folder)
    return folder


def _values(folder: Path, split: str, span: int | None = None) -> list[int]:
    batches = read_batches(folder, split, spans=None if span is None else [span])
    return [value for batch in batches for value in batch["x"].to_pylist()]


def test_rows_as_of_a_span_stay_in_their_splits_and_test_rows_are_left_out(tmp_path: Path) -> None:
    examples = _examples(tmp_path / "examples", BY_HASH)
    write_earlier_spans(examples, [2, 3], tmp_path / "fold")
    found = {split: _values(tmp_path / "fold", split) for split in SPLITS}
    assert found == {"train": [200, 300], "eval": [201, 301], "test": []}
    manifest = Manifest.load(tmp_path / "fold")
    assert manifest.rows == {"train": 2, "eval": 2, "test": 0} and manifest.spans == [2, 3]
    assert [file.span for file in manifest.files] == [2, 3] and manifest.fingerprint != "f" * 32


@pytest.mark.parametrize(("spans", "train", "judged"), [([1, 2], [1, 2], [3]), ([1, 2, 3], [1, 2, 3], [4, 5, 6])])
def test_a_split_by_time_moves_with_the_span(
    tmp_path: Path, spans: list[int], train: list[int], judged: list[int]
) -> None:
    write_earlier_spans(_examples(tmp_path / "examples", BY_TIME), spans, tmp_path / "fold")
    if spans == [1, 2]:
        assert _values(tmp_path / "fold", "train") == train and _values(tmp_path / "fold", "eval") == judged
    assert sorted(_values(tmp_path / "fold", "train") + _values(tmp_path / "fold", "eval")) == sorted(train + judged)
    assert _values(tmp_path / "fold", "test") == []


def test_a_later_span_has_the_rows_of_all_its_splits(tmp_path: Path) -> None:
    write_later_spans(_examples(tmp_path / "examples", BY_HASH), [3, 4], tmp_path / "later")
    assert _values(tmp_path / "later", "test", 3) == [300, 301, 302]
    assert _values(tmp_path / "later", "test", 4) == [400, 401, 402]
    assert _values(tmp_path / "later", "train") == []


def test_folds_over_other_spans_have_other_fingerprints(tmp_path: Path) -> None:
    examples = _examples(tmp_path / "examples", BY_HASH)
    found = set()
    for number, spans in enumerate(([1, 2], [1, 2, 3], [2, 3])):
        write_earlier_spans(examples, spans, tmp_path / str(number))
        found.add(Manifest.load(tmp_path / str(number)).fingerprint)
    assert len(found) == 3
