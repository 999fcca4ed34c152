"""The error of a stage for an input that the store has lost."""

import errno

import pytest

from components._core.errors import DataError
from components._core.stage.lost_artifacts import explain_lost

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
LOST = f"/s3/mlpipeline/v2/artifacts/flights-training/{UUID}/transform/{UUID}/transformed/train.parquet"
MOUNTED = f"/minio/b/root/flights/{UUID}/ingest/examples"  # KFP's mount of a pipeline root minio://b/root, without a second UUID


@pytest.mark.parametrize(
    ("path", "artifact", "uri"),
    [
        (LOST, "'transformed' of the stage transform", LOST.replace("/s3/", "s3://")),
        (MOUNTED, "'examples' of the stage ingest", MOUNTED.replace("/minio/", "minio://")),
        (f"/gcs/b/p/{UUID}/train/model/saved_model.pb", "'model' of the stage train", f"gs://b/p/{UUID}/train/model"),
        ("/s3/bucket/somewhere/else.json", "'somewhere'", "s3://bucket/somewhere/else.json"),
    ],
)
def test_the_artifact_its_stage_its_uri_and_the_command_that_makes_it_again_are_named(
    path: str, artifact: str, uri: str
) -> None:
    lost = explain_lost(FileNotFoundError(errno.ENOENT, "No such file or directory", path))
    assert lost is not None and lost.exit_code == 7
    assert artifact in lost.message and path.rpartition("/")[2] in lost.message
    assert "naru submit PROJECT --no-cache" in lost.remedy
    assert lost.where.startswith(uri)


def test_a_library_that_has_the_path_in_its_message_only_and_an_error_of_ours_are_explained_too() -> None:
    for error in (OSError(f"Failed to open local file '{LOST}'. Detail: ..."), DataError("cannot be read", where=LOST)):
        lost = explain_lost(error)
        assert lost is not None and "'transformed' of the stage transform" in lost.message


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/home/me/table.csv"),
        OSError(errno.ENOSPC, "No space left on device", LOST),
        OSError(f"cannot write {LOST}.partial/part-0.parquet"),
        DataError("s3://bucket/table.csv is not a table"),
        ValueError("nothing of a path"),
    ],
)
def test_what_has_another_cause_is_left_as_it_is(error: BaseException) -> None:
    assert explain_lost(error) is None
