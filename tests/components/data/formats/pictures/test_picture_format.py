"""Pictures in tables of several formats, through ingest: bytes, paths and folders of classes give the same examples."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components._core.checks import Outcome
from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.types.artifact_files import QUARANTINE
from components._core.types.measured_columns import PICTURE_MEASURES
from components._data.joins.source_state import fingerprint_state
from components.ingest.ingest import ingest_examples
from tests.components.core.pictures.pictures import bomb, encode, scene

CLASSES = ("cat", "dog")
Ingest = Callable[..., tuple[Outcome, pa.Table, list[dict[str, Any]]]]


def pictures(count: int = 24) -> list[tuple[str, str, bytes]]:
    """Class, name and content of some pictures, of several formats."""
    kinds = ("PNG", "JPEG", "WEBP")
    made = []
    for seed in range(count):
        kind = kinds[seed % 3]
        made.append((CLASSES[seed % 2], f"p{seed:02}.{kind.lower()}", encode(scene(seed), kind)))
    return made


def write_folder(root: Path, made: list[tuple[str, str, bytes]]) -> Path:
    for label, name, content in made:
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / label / name).write_bytes(content)
    return root


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    runs = iter(range(100))

    def run(source: str, **data: Any) -> tuple[Outcome, pa.Table, list[dict[str, Any]]]:
        out = tmp_path / f"run{next(runs)}"
        examples, quarantine = out / "examples", out / "quarantine"
        examples.mkdir(parents=True)
        quarantine.mkdir()
        project = Project.model_validate(
            {
                "name": "zoo",
                "task": "binary_classification",
                "label": "label",
                "positive": "dog",
                "data": {"source": source, **data},
            }
        )
        outcome = ingest_examples(project, examples=examples, quarantine=quarantine)
        tables = [pq.read_table(path) for split in SPLITS for path in sorted((examples / split).glob("*.parquet"))]
        aside = [json.loads(line) for line in (quarantine / QUARANTINE).read_text().splitlines()]
        return outcome, pa.concat_tables(tables), aside

    return run


def by_hash(table: pa.Table) -> dict[str, dict[str, Any]]:
    rows = {row["picture.sha256"]: row for row in table.to_pylist()}
    return {digest: {name: value for name, value in row.items() if name != "path"} for digest, row in rows.items()}


def test_bytes_paths_and_folders_give_the_same_examples(tmp_path: Path, ingest: Ingest) -> None:
    made = pictures()
    root = write_folder(tmp_path / "zoo", made)
    _, folder, _ = ingest(f"pictures://{root}")
    labels = [label for label, _, _ in made]
    pq.write_table(pa.table({"picture": [content for *_, content in made], "label": labels}), tmp_path / "zoo.parquet")
    _, parquet, _ = ingest(str(tmp_path / "zoo.parquet"), pictures={})
    with (tmp_path / "zoo.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("picture", "label"), *((f"zoo/{label}/{name}", label) for label, name, _ in made)])
    _, named, _ = ingest(str(tmp_path / "zoo.csv"), pictures={})
    lines = [json.dumps({"picture": f"{label}/{name}", "label": label}) for label, name, _ in made]
    (tmp_path / "zoo.jsonl").write_text("\n".join(lines))
    _, listed, _ = ingest(str(tmp_path / "zoo.jsonl"), pictures={"folder": str(root)})
    for table in (folder, parquet, named, listed):
        assert table.num_rows == 24
    assert by_hash(folder) == by_hash(named) == by_hash(listed)
    unnamed = {digest: {**row, "picture.named": None} for digest, row in by_hash(folder).items()}
    assert by_hash(parquet) == unnamed, "bytes have no file name"


def test_examples_hold_pictures_that_tensorflow_reads_and_what_was_measured(tmp_path: Path, ingest: Ingest) -> None:
    root = write_folder(tmp_path / "zoo", pictures())
    outcome, table, aside = ingest(f"pictures://{root}")
    assert outcome.verdict == "ok" and not aside
    for row in table.to_pylist():
        with Image.open(io.BytesIO(row["picture"])) as image:
            assert image.format == ("JPEG" if row["picture.format"] == "JPEG" else "PNG")
            assert image.size == (row["picture.width"], row["picture.height"]) == (40, 30)
        assert row["picture.named"] == row["picture.format"] == row["path"].rsplit(".")[-1].upper()
    assert {f"picture.{name}" for name in PICTURE_MEASURES} < {*table.schema.names}


def test_what_cannot_be_read_is_set_aside_with_its_reason_and_nothing_else_is(tmp_path: Path, ingest: Ingest) -> None:
    root = write_folder(tmp_path / "zoo", pictures())
    (root / "cat" / "cut.jpg").write_bytes(encode(scene(90), "JPEG")[:-100])
    (root / "cat" / "bomb.png").write_bytes(bomb())
    (root / "dog" / "notes.txt").write_text("not a picture")
    (root / "dog" / "empty.png").write_bytes(b"")
    (root / "loose.png").write_bytes(encode(scene(91)))
    with pytest.raises(DataError, match="5 of 29"):
        ingest(f"pictures://{root}")
    _, table, aside = ingest(f"pictures://{root}", quarantine_limit=0.3)
    assert table.num_rows == 24
    reasons = {row["text"].rsplit(",")[-1]: row["reason"] for row in aside}
    assert "is truncated" in reasons["cat/cut.jpg"]
    assert "at most 50,000,000 are allowed" in reasons["cat/bomb.png"]
    assert "is not a picture of an allowed format" in reasons["dog/notes.txt"]
    assert "is missing" in reasons["dog/empty.png"] or "is empty" in reasons["dog/empty.png"]
    assert "the label 'label' is missing" in reasons["loose.png"]
    assert max(len(row["text"]) for row in aside) < 200, "no picture is written into the quarantine"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../secret.png", "is not a path below the folder"),
        ("/etc/hostname", "leaves the folder"),
        ("cat/../../secret.png", "is not a path below the folder"),
        ("http://example.com/a.png", "is not a path below the folder"),
        ("link.png", "leaves the folder"),
        ("cat", "is not a file"),
        ("cat/none.png", "there is no such file"),
        ("", "is missing"),
        ("\0", "is not a path below the folder"),
    ],
)
def test_a_path_that_leaves_the_folder_or_names_nothing_is_set_aside(
    path: str, reason: str, tmp_path: Path, ingest: Ingest
) -> None:
    made = pictures(23)
    root = write_folder(tmp_path / "zoo", made)
    (tmp_path / "secret.png").write_bytes(encode(scene(99)))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    rows = [{"picture": f"{label}/{name}", "label": label} for label, name, _ in made]
    lines = [json.dumps(row) for row in [*rows, {"picture": path, "label": "cat"}]]
    (tmp_path / "zoo.jsonl").write_text("\n".join(lines))
    _, table, aside = ingest(str(tmp_path / "zoo.jsonl"), pictures={"folder": str(root)}, quarantine_limit=0.1)
    assert table.num_rows == 23
    assert reason in aside[0]["reason"]


def test_a_link_out_of_a_folder_of_pictures_is_refused(tmp_path: Path, ingest: Ingest) -> None:
    root = write_folder(tmp_path / "zoo", pictures())
    (tmp_path / "secret.png").write_bytes(encode(scene(99)))
    (root / "cat" / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match="is a link that leaves the folder"):
        ingest(f"pictures://{root}")


def test_pictures_that_show_the_same_are_in_one_split(tmp_path: Path, ingest: Ingest) -> None:
    made = []
    for seed in range(40):
        image = scene(seed, 64, 48)
        made += [("cat", f"{seed}.png", encode(image)), ("cat", f"{seed}.jpg", encode(image, "JPEG", quality=50))]
    root = write_folder(tmp_path / "zoo", made)
    write_folder(root, [("dog", "d.png", encode(scene(200)))])
    project_run = tmp_path / "split"
    (project_run / "e").mkdir(parents=True)
    (project_run / "q").mkdir()
    project = Project.model_validate(
        {
            "name": "zoo",
            "task": "binary_classification",
            "label": "label",
            "positive": "dog",
            "data": {"source": f"pictures://{root}"},
        }
    )
    ingest_examples(project, examples=project_run / "e", quarantine=project_run / "q")
    split_of: dict[str, set[str]] = {}
    for split in SPLITS:
        for path in (project_run / "e" / split).glob("*.parquet"):
            for row in pq.read_table(path).to_pylist():
                split_of.setdefault(row["picture.group"], set()).add(split)
    assert len(split_of) == 41
    assert all(len(splits) == 1 for splits in split_of.values())
    assert len({next(iter(splits)) for splits in split_of.values()}) == 3


def test_rows_that_are_added_move_no_row_to_another_split(tmp_path: Path) -> None:
    def splits(root: Path, name: str) -> dict[str, str]:
        out = tmp_path / name
        (out / "e").mkdir(parents=True)
        (out / "q").mkdir()
        project = Project.model_validate(
            {
                "name": "zoo",
                "task": "binary_classification",
                "label": "label",
                "positive": "dog",
                "data": {"source": f"pictures://{root}/{{span}}"},
            }
        )
        ingest_examples(project, examples=out / "e", quarantine=out / "q")
        assert len(Manifest.load(out / "e").files) == len(list(root.iterdir()))
        return {
            row["picture.sha256"]: split
            for split in SPLITS
            for path in (out / "e" / split).glob("*.parquet")
            for row in pq.read_table(path).to_pylist()
        }

    root = tmp_path / "zoo"
    write_folder(root / "1", pictures(40))
    before = splits(root, "before")
    again = [
        (label, f"again-{name}", encode(scene(seed), "JPEG")) for seed, (label, name, _) in enumerate(pictures(40))
    ]
    write_folder(root / "2", again)
    after = splits(root, "after")
    assert {digest: after[digest] for digest in before} == before
    assert len(after) > len(before)


def test_the_fingerprint_says_when_a_picture_changes_or_is_renamed(tmp_path: Path, ingest: Ingest) -> None:
    from components._data.sources.registry import open_source

    root = write_folder(tmp_path / "zoo", pictures())
    prints = [open_source(f"pictures://{root}").fingerprint("all")]
    (root / "cat" / "p00.png").write_bytes(encode(scene(77)))
    prints.append(open_source(f"pictures://{root}").fingerprint("all"))
    (root / "cat" / "p00.png").rename(root / "dog" / "p00.png")
    prints.append(open_source(f"pictures://{root}").fingerprint("all"))
    assert len(set(prints)) == 3


def test_a_picture_that_a_row_names_is_a_part_of_the_sources_state(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "zoo", pictures(2))
    (tmp_path / "zoo.csv").write_text("picture,label\nzoo/cat/p00.png,cat\n")
    named = Data.model_validate({"source": str(tmp_path / "zoo.csv"), "pictures": {}})
    apart = Data.model_validate({"source": str(tmp_path / "zoo.csv"), "pictures": {"folder": str(root)}})
    before = [fingerprint_state(data) for data in (named, apart)]
    assert [fingerprint_state(data) for data in (named, apart)] == before
    (root / "cat" / "p00.png").write_bytes(encode(scene(77)))
    assert all(
        one != two for one, two in zip(before, [fingerprint_state(named), fingerprint_state(apart)], strict=True)
    )


def test_what_a_project_keeps_beside_its_table_is_no_part_of_the_sources_state(tmp_path: Path) -> None:
    write_folder(tmp_path / ".pictures", pictures(2))
    (tmp_path / "zoo.csv").write_text("picture,label\n.pictures/cat/p00.png,cat\n")
    data = Data.model_validate({"source": str(tmp_path / "zoo.csv"), "pictures": {}})
    before = fingerprint_state(data)
    for name in (".naru/store/zoo/record.json", "__pycache__/model.pyc"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("written by a run")
    assert fingerprint_state(data) == before
    (tmp_path / ".pictures" / "cat" / "p00.png").write_bytes(encode(scene(77)))
    assert fingerprint_state(data) != before


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"pictures": {"column": "pictre"}}, "unknown column 'pictre'.*did you mean 'picture'"),
        ({"pictures": {"column": "number"}}, "has the type int64"),
    ],
)
def test_a_column_that_holds_no_pictures_is_named(
    data: dict[str, Any], message: str, tmp_path: Path, ingest: Ingest
) -> None:
    table = pa.table(
        {"picture": [content for *_, content in pictures()], "label": ["cat", "dog"] * 12, "number": range(24)}
    )
    pq.write_table(table, tmp_path / "zoo.parquet")
    with pytest.raises((ConfigError, DataError), match=message):
        ingest(str(tmp_path / "zoo.parquet"), **data)


@pytest.mark.parametrize("place", ["pictures://nowhere", "pictures://empty"])
def test_a_folder_without_pictures_is_named(
    place: str, tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"no such folder|without files"):
        ingest(place)


def test_what_is_measured_is_excluded_from_the_model_and_can_be_a_rule(tmp_path: Path, ingest: Ingest) -> None:
    made = pictures()
    root = write_folder(tmp_path / "zoo", [*made, ("cat", "dark.png", encode(Image.new("RGB", (40, 30), (2, 2, 2))))])
    outcome, table, _ = ingest(f"pictures://{root}", rows={"drop": [{"column": "picture.brightness", "below": 10}]})
    assert table.num_rows == 24 and outcome.metrics["dropped"] == 1
    project = Project.model_validate(
        {"name": "zoo", "task": "regression", "label": "y", "data": {"source": "t.csv", "pictures": {}}}
    )
    assert {f"picture.{name}" for name in PICTURE_MEASURES} == {*project.data.exclude}
    assert project.data.split.by == ["picture.group"]
    alone = Project.model_validate(
        {"name": "zoo", "task": "regression", "label": "y", "data": {"source": "t.csv", "pictures": {"near": 0}}}
    )
    assert alone.data.split.kind == "hash"
    given = {"source": "t.csv", "pictures": {}, "split": {"by": "person"}}
    assert Project.model_validate({"name": "z", "task": "regression", "label": "y", "data": given}).data.split.by == [
        "person"
    ]


def write_tar(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def samples(made: list[tuple[str, str, bytes]]) -> list[tuple[str, bytes]]:
    members = []
    for number, (label, name, content) in enumerate(made):
        members += [(f"{number:04}.{name.rsplit('.')[-1]}", content), (f"{number:04}.cls", label.encode())]
        members.append((f"{number:04}.json", json.dumps({"taken": number, "place": "Seoul"}).encode()))
    return members


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_archives_of_samples_give_the_same_examples_as_a_folder(mode: str, tmp_path: Path, ingest: Ingest) -> None:
    made = pictures()
    root = write_folder(tmp_path / "zoo", made)
    (tmp_path / "tars").mkdir()
    write_tar(tmp_path / "tars" / "a.tar", samples(made[:10]), mode)
    write_tar(tmp_path / "tars" / "b.tar", samples(made[10:]), mode)
    _, folder, _ = ingest(f"pictures://{root}")
    _, tars, _ = ingest(f"webdataset://{tmp_path / 'tars'}")
    extra = {"taken", "place"}
    known = {
        digest: {name: value for name, value in row.items() if name not in extra}
        for digest, row in by_hash(tars).items()
    }
    assert known == by_hash(folder)
    assert sorted(tars["taken"].to_pylist()) == sorted([*range(10), *range(14)])
    assert {"taken", "place"} < {*tars.schema.names}


def test_names_that_would_leave_the_archive_and_links_write_nothing(tmp_path: Path, ingest: Ingest) -> None:
    made = samples(pictures())
    path = write_tar(tmp_path / "zoo.tar", [*made, ("../../evil.png", encode(scene(70))), ("../../evil.cls", b"cat")])
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("9999.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    _, table, _ = ingest(f"webdataset://{path}")
    assert table.num_rows == 25
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.bin", b"x")], "has no sample"),
        ([("a.png", encode(scene(1))), ("a.cls", b"\xff\xfe\x00")], "'a.cls' is not UTF-8"),
        ([("a.png", encode(scene(1))), ("a.json", b"[1]")], "'a.json' is not a JSON object"),
        (
            [("a.png", encode(scene(1))), ("a.jpg", encode(scene(2))), ("a.cls", b"cat")],
            "two pictures of one sample: 'a.png' and 'a.jpg'",
        ),
        (
            [("a.png", encode(scene(1))), ("a.cls", b"cat"), ("a.json", b'{"label": "dog"}')],
            "two values of column 'label'",
        ),
        (
            [("a.png", encode(scene(1))), ("b.2.png", encode(scene(2))), ("b.2.cls", b"cat")],
            "'b.2.png' belongs to no sample",
        ),
        ([("a.png", encode(scene(1))), ("a.txt", b"x" * ((16 << 20) + 1))], "more than 16 MB of text"),
    ],
)
def test_an_archive_that_is_not_one_of_samples_is_refused(
    members: list[tuple[str, bytes]], message: str, tmp_path: Path, ingest: Ingest
) -> None:
    with pytest.raises(DataError, match=message):
        ingest(f"webdataset://{write_tar(tmp_path / 'zoo.tar', members)}")


def test_other_pictures_of_a_sample_and_hidden_files_are_left_out(tmp_path: Path, ingest: Ingest) -> None:
    made = [(f"./set/{name}", content) for name, content in samples(pictures())]
    mask = ("./set/0023.seg.png", encode(scene(90)))
    hidden = [("./set/._0001.png", b"\0\5"), ("./set/.thumb.png", encode(scene(91)))]
    _, table, aside = ingest(f"webdataset://{write_tar(tmp_path / 'zoo.tar', [*hidden, *made, mask])}")
    assert (table.num_rows, aside) == (24, [])


def test_a_damaged_archive_is_refused(tmp_path: Path, ingest: Ingest) -> None:
    path = write_tar(tmp_path / "zoo.tar", samples(pictures()))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="cannot be read as a tar archive"):
        ingest(f"webdataset://{path}")
    path.write_text("hello")
    with pytest.raises(DataError, match="cannot be read as a tar archive"):
        ingest(f"webdataset://{path}")
