"""Columns of text: masked, bounded, measured, with near duplicates in one split, in every format."""

from __future__ import annotations

import json
import random
import resource
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.project.project_file import Project, parse_project
from components.ingest.ingest import ingest_examples

KOREAN = [
    "배송이 빨라서 좋았어요",
    "품질이 기대보다 떨어집니다",
    "가격에 비해 만족스러운 제품입니다",
    "포장이 찢어져서 왔어요",
]
WORDS = "river stone window paper garden winter market silver letter engine cotton bridge island kitchen ladder mirror".split()


def project(source: Path | str, **data: object) -> Project:
    label = data.pop("label", "y")
    given = {"source": str(source), "texts": {"columns": ["review"]}, **data}
    return parse_project({"name": "p", "task": "multiclass_classification", "label": label, "data": given})


def ingest(folder: Path, source: Path | str, **data: object) -> tuple[Outcome, dict[str, pa.Table]]:
    examples, quarantine = folder / "examples", folder / "quarantine"
    for made in (examples, quarantine):
        made.mkdir(parents=True)
    outcome = ingest_examples(project(source, **data), examples=examples, quarantine=quarantine)
    return outcome, {split: pa.Table.from_batches(read_batches(examples, split)) for split in SPLITS}


def rows_of(splits: dict[str, pa.Table]) -> list[dict[str, object]]:
    return [row for table in splits.values() for row in table.to_pylist()]


def quarantined(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in (folder / "quarantine").iterdir() for line in path.read_text().splitlines()]


def sentences(count: int, seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choice(WORDS) + str(draw.randrange(40)) for _ in range(12)) for _ in range(count)]


def write_rows(path: Path, texts: list[str | None], **columns: list[object]) -> Path:
    table = pa.table({"review": pa.array(texts, pa.string()), "y": [n % 2 for n in range(len(texts))], **columns})
    pq.write_table(table, path)
    return path


def test_a_text_is_measured(tmp_path):
    source = write_rows(tmp_path / "t.parquet", [*KOREAN, "It was not what I had in mind.", None, *sentences(60)])
    _, splits = ingest(tmp_path, source)
    found = {row["review"]: row for row in rows_of(splits)}

    assert found[KOREAN[0]]["review.language"] == "ko"
    assert found[KOREAN[0]]["review.characters"] == len(KOREAN[0])
    assert found["It was not what I had in mind."]["review.language"] == "en"
    assert found[None]["review.language"] is None and found[None]["review.characters"] is None
    assert all(len(row["review.group"]) == 16 for row in rows_of(splits))


def test_measured_columns_are_hidden_from_the_model_with_a_reason():
    data = project(Path("t.csv"), exclude=["id"]).data

    assert data.exclude == ["id", "review.characters", "review.language", "review.group"]
    assert set(data.exclusion_reasons) == {"review.characters", "review.language", "review.group"}
    again = parse_project({"name": "p", "task": "regression", "label": "y", "data": data.model_dump(mode="json")})
    assert again.data == data
    assert "review.group" not in project(Path("t.csv"), texts={"columns": "review", "near": 0}).data.exclude


def test_a_project_without_texts_is_as_before():
    data = parse_project({"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv"}}).data

    assert "texts" not in data.model_dump(mode="json") and data.exclude == []


def test_near_duplicates_stay_in_one_split(tmp_path):
    originals = sentences(300)
    copies = [text.replace(text.split()[5], "other", 1).upper() for text in originals]
    _, splits = ingest(tmp_path, write_rows(tmp_path / "t.parquet", [*originals, *copies]))
    split_of = {row["review"]: split for split, table in splits.items() for row in table.to_pylist()}
    apart = sum(split_of[one] != split_of[other] for one, other in zip(originals, copies, strict=True))

    assert all(table.num_rows > 20 for table in splits.values())
    assert apart <= 3
    _, loose = ingest(tmp_path / "loose", tmp_path / "t.parquet", texts={"columns": ["review"], "near": 0})
    split_of = {row["review"]: split for split, table in loose.items() for row in table.to_pylist()}
    assert sum(split_of[one] != split_of[other] for one, other in zip(originals, copies, strict=True)) > 60


@pytest.mark.parametrize("method", ["hash", "stratified"])
def test_rows_added_later_do_not_move_earlier_ones(tmp_path, method):
    texts = sentences(400, seed=9)
    few = write_rows(tmp_path / "few.parquet", texts[:300])
    many = write_rows(tmp_path / "many.parquet", [*texts, *(text + " again" for text in texts)])
    split = {} if method == "hash" else {"split": {"method": method}}
    before, after = ingest(tmp_path / "a", few, **split)[1], ingest(tmp_path / "b", many, **split)[1]
    now = {row["review"]: (name, row["review.group"]) for name, table in after.items() for row in table.to_pylist()}
    moved = [
        row
        for name, table in before.items()
        for row in table.to_pylist()
        if now[row["review"]] != (name, row["review.group"])
    ]

    assert len(moved) == 0 if method == "hash" else len(moved) < 20


def test_personal_data_is_in_no_artifact(tmp_path):
    secret = "hong@example.com, 010-1234-5678"
    texts = {"columns": ["review"], "mask": ["mail", "phone"], "max_characters": 120}
    source = write_rows(
        tmp_path / "t.parquet", [*(f"{text} {secret}" for text in KOREAN), "가 " * 50 + secret, *sentences(60)]
    )
    outcome, splits = ingest(tmp_path, source, texts=texts, quarantine_limit=0.5)

    assert {row["review"] for row in rows_of(splits)} == {
        *(f"{text} [mail], [phone]" for text in KOREAN),
        *sentences(60),
    }
    assert len(quarantined(tmp_path)) == 1
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != source)
    assert b"hong" not in kept and b"1234" not in kept
    assert outcome.metrics["quarantined"] == 1


def test_a_text_of_10_mb_sets_its_row_aside_in_bounded_memory(tmp_path):
    texts = sentences(2_000)
    lines = [f"{text},{n % 2}" for n, text in enumerate(texts)]
    lines[700] = '"' + "word " * 2_000_000 + '",1'
    (tmp_path / "t.csv").write_text("\n".join(["review,y", *lines]) + "\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match="10,000,000 characters"):
        ingest(tmp_path / "strict", tmp_path / "t.csv")
    outcome, splits = ingest(tmp_path / "a", tmp_path / "t.csv", quarantine_limit=0.01)

    assert outcome.metrics["quarantined"] == 1
    assert sum(table.num_rows for table in splits.values()) == 1_999
    (aside,) = quarantined(tmp_path / "a")
    assert aside["line"] == 702 and len(str(aside["text"])) < 1_200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_lines_of_text_are_rows_in_any_encoding(tmp_path, encoding):
    for number in (0, 1):
        folder = tmp_path / "data" / f"y={number}"
        folder.mkdir(parents=True)
        lines = "".join(f"{text} {number} {n}\r\n\r\n" for n in range(12) for text in KOREAN)
        (folder / "part.txt").write_bytes(lines.encode(encoding if number else "utf-8"))
    outcome, splits = ingest(tmp_path, tmp_path / "data", format="text_lines", texts={"near": 0})
    rows = rows_of(splits)

    assert len(rows) == 96
    assert {row["text"] for row in rows if row["y"] == 1} == {f"{text} 1 {n}" for n in range(12) for text in KOREAN}
    assert {row["text.language"] for row in rows} == {"ko"}
    assert (encoding in outcome.reason and "y=1/part.txt" in outcome.reason) == (encoding in ("cp949", "utf-16"))
    assert "96 empty lines" in outcome.reason


def test_a_folder_of_files_in_several_encodings_is_a_table(tmp_path):
    encodings = ["utf-8", "cp949", "utf-16", "utf-8-sig"]
    for number in range(80):
        folder = tmp_path / "data" / ("good" if number % 2 else "bad")
        folder.mkdir(parents=True, exist_ok=True)
        text = f"{' '.join(KOREAN)} {number}\n두 번째 줄 {number}"
        (folder / f"{number}.txt").write_bytes(text.encode(encodings[number % 4]))
    (tmp_path / "data" / "bad" / "picture.txt").write_bytes(b"\x89PNG\r\n\0\0\0\x0d" * 9)
    given = {"label": "label", "texts": {"near": 0}, "quarantine_limit": 0.05}
    outcome, splits = ingest(tmp_path, f"texts://{tmp_path / 'data'}", **given)
    rows = rows_of(splits)

    assert {row["text"] for row in rows} == {
        f"{' '.join(KOREAN)} {number}\n두 번째 줄 {number}" for number in range(80)
    }
    assert {row["label"] for row in rows} == {"good", "bad"}
    assert all(row["path"].startswith(row["label"]) for row in rows)
    assert "cp949 in 20 texts (good/1.txt)" in outcome.reason
    (aside,) = quarantined(tmp_path)
    assert "bad/picture.txt" in aside["reason"] and "not text" in aside["reason"]
    assert len(Manifest.load(tmp_path / "examples").files) == 1


def test_a_line_that_is_not_valid_is_set_aside(tmp_path):
    (tmp_path / "y=1").mkdir()
    (tmp_path / "y=1" / "a.txt").write_bytes(
        "".join(f"좋아요 {n}\n" for n in range(30)).encode() + b"\xff\xfe broken\n" + "싫어요\n".encode()
    )
    (tmp_path / "y=0").mkdir()
    (tmp_path / "y=0" / "b.txt").write_text("".join(f"별로 {n}\n" for n in range(30)))
    outcome, _ = ingest(
        tmp_path / "out", tmp_path / "y=1" / "..", format="text_lines", quarantine_limit=0.1, texts={"near": 0}
    )

    assert outcome.metrics["quarantined"] == 1
    assert quarantined(tmp_path / "out")[0]["line"] == 31


@pytest.mark.parametrize(
    ("texts", "kind", "message"),
    [
        ({"columns": ["reviw"]}, ConfigError, "did you mean 'review'"),
        ({"columns": ["y"]}, ConfigError, "is the label"),
        ({"columns": ["n"]}, DataError, "name of a measured one"),
        ({"columns": ["review"], "mask": ["name"]}, ConfigError, "mask"),
        ({"columns": ["review"], "near": 2}, ConfigError, "near"),
        ({"columns": ["review", "review"]}, ConfigError, "named twice"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path, texts, kind, message):
    source = write_rows(tmp_path / "t.parquet", [*KOREAN], **{"n": KOREAN, "n.language": KOREAN})
    with pytest.raises(kind, match=message):
        ingest(tmp_path, source, texts=texts)


def test_the_same_rows_come_from_every_format(tmp_path):
    texts = [*sentences(50), *KOREAN]
    table = pa.table({"review": texts, "y": [n % 2 for n in range(len(texts))]})
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    (tmp_path / "t.csv").write_bytes(
        "".join(["review,y\n", *(f"{text},{n % 2}\n" for n, text in enumerate(texts))]).encode("cp949")
    )
    found = []
    for ending in ("parquet", "jsonl", "csv"):
        found.append(ingest(tmp_path / ending, tmp_path / f"t.{ending}")[1])
        assert Manifest.load(tmp_path / ending / "examples").columns["review.characters"] == "int64"

    assert [found[0][split].to_pylist() for split in SPLITS] == [found[1][split].to_pylist() for split in SPLITS]
    assert [found[0][split].to_pylist() for split in SPLITS] == [found[2][split].to_pylist() for split in SPLITS]
