"""`naru://PROJECT@VERSION`: the rows of a version that are kept in the store are a table of another project, each file verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core.errors import ConfigError, DataError, NaruError
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.examples.kept_rows import keep_rows
from components._core.project.project_file import parse_project
from components._core.setting_names import STORE
from components._core.store.ledger import Deployment, append_deployment
from components._data.sources.registry import open_source
from components.ingest.ingest import ingest_examples

Ingest = Callable[..., Path]


@pytest.fixture
def ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))
    rows = [f"{n},{n / 3},{'' if n % 7 else 'x'},2024-01-{n % 28 + 1:02d},{n % 3}" for n in range(200)]
    (tmp_path / "t.csv").write_text("\n".join(["id,real,text,day,y", *rows]) + "\n")

    def run(name: str, **data: Any) -> Path:
        raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": str(tmp_path / "t.csv"), **data}}
        folders = {part: tmp_path / name / part for part in ("examples", "quarantine")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        ingest_examples(parse_project(raw), **folders)
        return folders["examples"]

    return run


@pytest.fixture
def kept(tmp_path: Path, ingest: Ingest) -> Path:
    """The rows of version 5 of flights in the store; returns their folder."""
    examples = ingest("theirs", exclude=["id"])
    store = tmp_path / "store"
    deploy(store, examples, "5")
    return Path(keep_rows(examples, str(store), "flights").uri.removeprefix("file://"))


def deploy(store: Path, examples: Path, version: str) -> None:
    model = store / "flights" / f"model-{version}"
    model.mkdir(parents=True)
    fingerprint = Manifest.load(examples).fingerprint
    line = Deployment(version, str(model), "", "", {}, fingerprint, "r", "t", "me", "w")
    append_deployment(str(store), "flights", line)


def table(examples: Path) -> list[dict[str, Any]]:
    batches = [batch for split in SPLITS for batch in read_batches(examples, split)]
    return sorted(pa.Table.from_batches(batches).to_pylist(), key=lambda row: row["id"])


@pytest.mark.parametrize("location", ["naru://flights@5", "naru://flights@v5"])
def test_another_project_reads_the_rows_with_their_types(
    location: str, kept: Path, ingest: Ingest, tmp_path: Path
) -> None:
    ours = ingest("ours", source=location, exclude=["id"])
    theirs = tmp_path / "theirs" / "examples"
    assert table(ours) == table(theirs) and Manifest.load(ours).columns == Manifest.load(theirs).columns
    assert Manifest.load(ours).rows == Manifest.load(theirs).rows  # equal features are in the split that they had


def test_rows_are_kept_once_and_their_fingerprint_is_that_of_their_content(kept: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*.parquet")}
    source = open_source("naru://flights@5")
    known = source.fingerprint("all")
    keep_rows(tmp_path / "theirs" / "examples", str(tmp_path / "store"), "flights")
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*.parquet")} == before and len(before) == 3
    assert source.fingerprint("all") == known


def test_a_file_that_is_not_what_was_kept_is_refused(kept: Path) -> None:
    file = kept / "eval" / "span-00001.parquet"
    shutil.copy(kept / "test" / "span-00001.parquet", file)
    with pytest.raises(DataError, match=r"eval/span-00001.parquet has changed since it was kept"):
        open_source("naru://flights@5").list_files("all")
    file.unlink()
    with pytest.raises(DataError, match=r"eval/span-00001.parquet is missing in the store"):
        open_source("naru://flights@5").list_files("all")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("naru://flights@6", "there is no deployed version 6 of flights; there are '5'"),
        ("naru://flihgts@5", "has no deployed version of 'flihgts'"),
        ("naru://flights", "a dataset of the store is named naru://PROJECT@VERSION"),
        ("naru://flights@last", "a dataset of the store is named naru://PROJECT@VERSION"),
        ("naru://../x@1", "a dataset of the store is named naru://PROJECT@VERSION"),
    ],
)
def test_a_dataset_that_does_not_exist_is_refused_with_what_does(location: str, message: str, kept: Path) -> None:
    with pytest.raises(NaruError) as refused:
        open_source(location).list_files("all")
    assert message in str(refused.value) and isinstance(refused.value, DataError | ConfigError)


def test_a_version_whose_rows_are_not_kept_and_spans_are_refused(kept: Path, ingest: Ingest, tmp_path: Path) -> None:
    deploy(tmp_path / "store", ingest("other", split={"train": 0.6, "eval": 0.2, "test": 0.2}), "6")
    with pytest.raises(DataError, match="does not have the rows of version 6 of flights") as refused:
        open_source("naru://flights@6").list_files("all")
    assert "naru data keep PROJECT 6" in refused.value.remedy
    with pytest.raises(ConfigError, match="the source has no"):
        open_source("naru://flights@5").list_files("last 2")


def test_it_is_an_address_like_any_other_in_a_project_file() -> None:
    raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": "naru://flights@5"}}
    assert parse_project(raw).data.source == "naru://flights@5"
