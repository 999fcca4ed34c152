"""The store, the ledger and a source in each object store: the same with S3 and with Google Cloud Storage."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from components._core.errors import DataError, ServiceError
from components._core.files import hash_file, write_text
from components._core.store.filesystems import open_filesystem
from components._core.store.ledger import Deployment, append_deployment, current_champion, read_deployments
from components._core.store.object_store import fetch, put, read_bytes, upload
from components._data.sources.registry import open_source
from components._frameworks.contract import Progress
from components.train.checkpoints import Checkpoint
from tests.components.data.sources.test_same_examples import TABLE, digest

pytestmark = pytest.mark.containers

DEPLOYMENT = Deployment("1", "m", "s", "c", {"auc": 0.9}, "f", "r", "2026-01-01T00:00:00+00:00", "me", "a test")


@pytest.fixture(params=["s3", "gcs"])
def scheme(request: pytest.FixtureRequest) -> str:
    """The beginning of addresses in the store; its server is named by this process's environment."""
    request.getfixturevalue(request.param)
    return {"s3": "s3://", "gcs": "gs://"}[request.param]


@pytest.fixture
def bucket(scheme: str) -> str:
    return f"{scheme}naru"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_text(tmp_path / "folder" / "a.txt", "a")
    write_text(tmp_path / "folder" / "below" / "b.txt", "b" * (6 << 20))  # more than one part of an upload
    return tmp_path / "folder"


def _put(uri: str, text: str) -> None:
    files, path = open_filesystem(uri)
    files.pipe_file(path, text.encode())


def test_a_folder_goes_up_and_comes_back_whole(bucket: str, folder: Path, tmp_path: Path) -> None:
    hashes = upload(folder, f"{bucket}/whole/model")
    assert hashes == {"a.txt": hash_file(folder / "a.txt"), "below/b.txt": hash_file(folder / "below" / "b.txt")}
    here = fetch(f"{bucket}/whole/model", tmp_path / "here")
    assert hash_file(here / "below" / "b.txt") == hashes["below/b.txt"]
    assert (here / "a.txt").read_text() == "a"


def test_an_object_is_created_once(bucket: str) -> None:
    files, path = open_filesystem(f"{bucket}/once/line.json")
    files.pipe_file(path, b"1", mode="create")
    with pytest.raises(FileExistsError):
        files.pipe_file(path, b"2", mode="create")
    assert files.cat_file(path) == b"1"


def test_a_folder_lists_what_is_directly_below_it(bucket: str) -> None:
    for name in ("a.txt", "b.txt", "below/c.txt"):
        put(b"x", f"{bucket}/listed/{name}")
    files, path = open_filesystem(f"{bucket}/listed")
    assert files.ls(path, detail=False) == ["naru/listed/a.txt", "naru/listed/b.txt", "naru/listed/below"]
    assert files.isdir(path) and files.isdir(f"{path}/below") and files.isfile(f"{path}/a.txt")
    assert files.find(path) == [f"naru/listed/{name}" for name in ("a.txt", "b.txt", "below/c.txt")]
    with pytest.raises(FileNotFoundError):
        files.ls("naru/listed-not")
    files.rm_file(f"{path}/a.txt")
    assert read_bytes(f"{bucket}/listed/a.txt") is None


def test_a_folder_that_is_gone_is_named(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no such folder"):
        fetch(f"{bucket}/gone", tmp_path)


def test_an_empty_ledger_has_no_champion(bucket: str) -> None:
    assert current_champion(f"{bucket}/empty", "flights") is None


def test_eight_writers_get_eight_lines_of_the_ledger(bucket: str) -> None:
    def append(number: int) -> str:
        return append_deployment(f"{bucket}/ledger", "flights", replace(DEPLOYMENT, version=str(number)))

    with ThreadPoolExecutor(8) as pool:
        uris = list(pool.map(append, range(8)))
    assert len(set(uris)) == 8
    lines = read_deployments(f"{bucket}/ledger", "flights")
    assert sorted(line.version for line in lines) == [str(number) for number in range(8)]
    assert current_champion(f"{bucket}/ledger", "flights") == lines[-1]


def test_spans_are_found_and_pinned_by_their_content(bucket: str) -> None:
    for span in (1, 2):
        _put(f"{bucket}/data/flights-{span:02d}.csv", f"a,b\n{span},2\n")
    source = open_source(f"{bucket}/data/flights-{{span}}.csv")
    found = source.list_files("all")
    assert [(file.span, file.name) for file in found] == [(1, "flights-01.csv"), (2, "flights-02.csv")]
    with found[1].filesystem.open(found[1].path, "rb") as stream:
        assert stream.read() == b"a,b\n2,2\n"
    before = source.fingerprint("all")
    assert source.fingerprint("all") == before
    _put(f"{bucket}/data/flights-02.csv", "a,b\n2,3\n")
    assert source.fingerprint("all") != before


def test_a_source_that_is_not_there_is_bad_data(bucket: str) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_source(f"{bucket}/data/none.csv").list_files("all")


def test_a_checkpoint_is_kept_read_and_forgotten(bucket: str) -> None:
    checkpoint = Checkpoint.of(f"{bucket}/store", "flights", "abc")
    assert checkpoint.load() is None
    checkpoint.save(Progress(1, 2, 1, [np.ones(3)], [np.zeros(3)]))
    kept = checkpoint.load()
    assert kept is not None and kept.steps == 2 and kept.variables[0].tolist() == [1, 1, 1]
    checkpoint.remove()
    assert checkpoint.load() is None


def test_a_bucket_that_is_not_there_is_no_empty_store(scheme: str) -> None:
    with pytest.raises(ServiceError, match="no such bucket"):
        current_champion(f"{scheme}nobody-made-this/store", "flights")


def test_parts_of_an_object_are_read_by_ranges(bucket: str) -> None:
    put(bytes(range(256)) * 40_000, f"{bucket}/ranges/bytes")
    files, path = open_filesystem(f"{bucket}/ranges/bytes")
    with files.open(path, "rb") as stream:
        stream.seek(6_000_001)
        assert stream.read(3) == bytes([(6_000_001 + n) % 256 for n in range(3)])


def test_parquet_in_the_bucket_gives_the_examples_of_a_csv_on_disk(bucket: str, tmp_path: Path) -> None:
    for place in ("disk", "bucket"):
        (tmp_path / place).mkdir()
    pyarrow.csv.write_csv(TABLE, tmp_path / "t.csv")
    pq.write_table(TABLE, tmp_path / "t.parquet")
    upload(tmp_path / "t.parquet", f"{bucket}/same/t.parquet")
    expected = digest(tmp_path / "disk", str(tmp_path / "t.csv"))
    assert digest(tmp_path / "bucket", f"{bucket}/same/t.parquet") == expected
