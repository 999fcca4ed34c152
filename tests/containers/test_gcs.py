"""What only Google Cloud Storage has: generations of objects, and a bucket's absence when an object is read."""

from pathlib import Path

import pytest

from components._core.errors import ServiceError
from components._core.store.filesystems import open_filesystem
from components._core.store.object_store import read_bytes, upload

pytestmark = pytest.mark.containers


@pytest.mark.usefixtures("gcs")
def test_a_file_that_exists_with_the_same_content_is_not_sent_again(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.txt").write_text("a")
    upload(tmp_path / "model", "gs://naru/again/model")
    files, path = open_filesystem("gs://naru/again/model/a.txt")
    before = files.info(path)["generation"]
    upload(tmp_path / "model", "gs://naru/again/model")
    assert files.info(path)["generation"] == before


@pytest.mark.usefixtures("gcs")
def test_an_object_in_a_bucket_that_does_not_exist_is_an_error_and_not_missing() -> None:
    with pytest.raises(ServiceError, match="no such bucket"):
        read_bytes("gs://nobody-made-this/store/a.txt")
