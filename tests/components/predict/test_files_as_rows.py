"""Folders of pictures and of texts as tables that a model answers: rows are what the model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components._core.project.project_file import Project
from components._core.types.signature import Feature, Signature
from components._data.formats.bad_rows import BadRow
from components.predict.scoring_table import open_table
from tests.components.core.pictures.pictures import encode, scene


def read(source: str, feature: Feature, **data: Any) -> tuple[list[dict[str, Any]], list[BadRow]]:
    raw = {"name": "zoo", "task": "binary_classification", "label": "label", "data": {"source": source, **data}}
    signature = Signature("binary_classification", (feature,), {"probability": "float32"}, ("cat", "dog"))
    bad: list[BadRow] = []
    table = open_table(Project.model_validate(raw), signature)
    rows = [row for _, rows in table.read(bad.append) for row in rows.examples.to_pylist()]
    table.check_unchanged()
    return rows, bad


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_a_folder_of_pictures_is_read_and_what_is_no_picture_is_named(tmp_path: Path) -> None:
    pictures = {"cat/a.png": encode(scene(1)), "dog/b.webp": encode(scene(2), "WEBP"), "dog/c.png": b"no picture"}
    root = write(tmp_path / "zoo", pictures)
    rows, bad = read(f"pictures://{root}", Feature("picture", "string", False, "picture"))
    assert [row["path"] for row in rows] == ["cat/a.png", "dog/b.webp"]
    assert rows[0]["picture"] == pictures["cat/a.png"]
    assert ["'dog/c.png': is not a picture" in row.reason for row in bad] == [True]


def test_a_table_of_paths_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"zoo/a.png": encode(scene(1)), "zoo.csv": b"file,label\nzoo/a.png,cat\nzoo/b.png,dog\n"})
    feature = Feature("file", "string", False, "picture")
    rows, bad = read(str(tmp_path / "zoo.csv"), feature, pictures={"column": "file"})
    assert [row["file"] for row in rows] == [encode(scene(1))]
    assert ["there is no such file" in row.reason for row in bad] == [True]


def test_a_folder_of_texts_is_decoded_and_not_masked(tmp_path: Path) -> None:
    text = "이 영화 정말 재미있어요, 전화 010-1234-5678 배우들 연기가 좋았다"
    root = write(tmp_path / "reviews", {"good/a.txt": text.encode("cp949"), "bad/b.txt": text.encode()})
    feature = Feature("text", "string", False, "text", mask=("phone",))
    rows, bad = read(f"texts://{root}", feature, texts={"mask": ["phone"]})
    assert ([row["text"] for row in rows], bad) == ([text, text], [])
