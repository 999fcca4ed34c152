"""Folders of files as rows: a file's label is the folder of its class, in folders of spans as in one folder."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._data.sources.file_rows import FileRowsSource


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def read(location: str) -> dict[tuple[int, str], dict[str, str | None]]:
    """Label of each file by its path, by span and split."""
    found: dict[tuple[int, str], dict[str, str | None]] = {}
    for file in FileRowsSource(location, "picture").list_files("all"):
        with file.filesystem.open(file.path) as stream:
            table = pa.ipc.open_stream(stream).read_all()
        rows = zip(table["path"].to_pylist(), table["label"].to_pylist(), strict=True)
        found.setdefault((file.span, file.split), {}).update(rows)
    return found


def test_folders_of_spans_have_the_rows_and_labels_that_each_has_alone(tmp_path: Path) -> None:
    write(tmp_path / "1", "cat/a.jpg", "cat/persian/b.jpg", "dog/c.jpg", "notes.txt", ".DS_Store", "cat/.DS_Store")
    write(tmp_path / "2", "cat/persian/d.jpg")
    alone = {span: read(f"{tmp_path}/{span}")[1, ""] for span in (1, 2)}
    assert alone[1] == {"cat/a.jpg": "cat", "cat/persian/b.jpg": "cat", "dog/c.jpg": "dog", "notes.txt": None}
    assert read(f"{tmp_path}/{{span}}") == {(1, ""): alone[1], (2, ""): alone[2]}


def test_several_folders_of_a_span_are_one_set_of_classes(tmp_path: Path) -> None:
    write(tmp_path, "1-kim/cat/a.jpg", "1-lee/cat/a.jpg", "1-lee/dog/b.jpg", "2-lee/dog/c.jpg")
    found = read(f"{tmp_path}/{{span}}-*")
    assert found[1, ""] == {"1-kim/cat/a.jpg": "cat", "1-lee/cat/a.jpg": "cat", "1-lee/dog/b.jpg": "dog"}
    assert found[2, ""] == {"dog/c.jpg": "dog"}


def test_folders_of_splits_are_no_classes(tmp_path: Path) -> None:
    write(tmp_path, "train/cat/a.jpg", "train/dog/b.jpg", "test/cat/c.jpg", "README")
    with pytest.raises(DataError, match="its folders are splits, not classes: test, train"):
        read(str(tmp_path))
    assert read(f"{tmp_path}/{{split}}") == {
        (1, "train"): {"cat/a.jpg": "cat", "dog/b.jpg": "dog"},
        (1, "test"): {"cat/c.jpg": "cat"},
    }


def test_classes_may_have_the_names_of_splits(tmp_path: Path) -> None:
    write(tmp_path, "test/a.jpg", "train/b.jpg")
    assert read(str(tmp_path)) == {(1, ""): {"test/a.jpg": "test", "train/b.jpg": "train"}}


@pytest.mark.parametrize("location", ["1", "{span}"])
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("gone.jpg", "is a link to nothing"),
        ("../dog", "is a link to a folder"),
        ("..", "is a link to a folder"),
        ("../../..", "is a link that leaves the folder"),
    ],
)
def test_a_link_that_is_no_file_of_the_folder_is_named(
    target: str, message: str, location: str, tmp_path: Path
) -> None:
    write(tmp_path / "1", "cat/a.jpg", "dog/b.jpg")
    (tmp_path / "1" / "cat" / "link").symlink_to(target)
    with pytest.raises(DataError, match=message) as caught:
        read(f"{tmp_path}/{location}")
    assert str(caught.value.where).endswith("1/cat/link")


def test_a_pipe_does_not_stop_the_run(tmp_path: Path) -> None:
    write(tmp_path, "cat/a.jpg")
    os.mkfifo(tmp_path / "cat" / "pipe")
    with pytest.raises(DataError, match="is not a file"):
        read(str(tmp_path))
