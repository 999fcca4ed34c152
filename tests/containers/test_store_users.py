"""The users of the bundled store, on the real server: each may do what it needs, and nothing else."""

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from minio import Minio
from minio.commonconfig import CopySource
from minio.error import S3Error

from tests.containers.s3_server import BUCKET, KEYS, running, set_users

pytestmark = pytest.mark.containers


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A bucket with a model in it."""
    models = tmp_path / "data" / BUCKET / "flights" / "models"
    models.mkdir(parents=True)
    (models / "m").write_text("a model")
    return tmp_path / "data"


@pytest.fixture
def endpoint(data: Path) -> Iterator[str]:
    with running(data) as server:
        yield server.environment["AWS_ENDPOINT_URL"]


def _client(endpoint: str, role: str, secret: str = "") -> Minio:
    return Minio(endpoint.removeprefix("http://"), KEYS[f"{role}_ACCESS_KEY"], secret or KEYS[f"{role}_SECRET_KEY"], secure=False, region="us-east-1")  # fmt: skip


def _refused(call: Callable[[], object]) -> bool:
    """Whether the server denies it; any other error is raised."""
    try:
        call()
    except S3Error as error:
        if error.code != "AccessDenied":
            raise
        return True
    return False


def _may_write(client: Minio, name: str) -> bool:
    return not _refused(lambda: client.put_object(BUCKET, name, BytesIO(b"x"), 1))


def test_each_user_may_do_what_it_needs_and_nothing_else(endpoint: str) -> None:
    set_users(endpoint)
    set_users(endpoint)  # a second time changes nothing
    model, log, ledger = "flights/models/m", "flights/requests/dt=1/a.jsonl", "flights/deployments/1.json"
    for role, writes in {"RUNS": {model, log, ledger}, "READER": set(), "SERVERS": {log}}.items():
        client = _client(endpoint, role)
        assert client.get_object(BUCKET, model).data in (b"a model", b"x")
        assert [one.object_name for one in client.list_objects(BUCKET, "flights/models/m")] == [model]
        assert {name for name in (model, log, ledger) if _may_write(client, name)} == writes, role
        assert _refused(partial(client.remove_object, BUCKET, ledger)) is (role != "RUNS"), role
        assert _refused(partial(client.set_bucket_policy, BUCKET, "{}")), role
        copy = partial(client.copy_object, BUCKET, "flights/models/copy", CopySource(BUCKET, model))
        assert _refused(copy) is (role != "RUNS"), role


def test_a_key_that_changed_is_taken(data: Path) -> None:
    """It comes with a new pod: a server that goes on may remember a user for two minutes."""
    with running(data) as server:
        endpoint = server.environment["AWS_ENDPOINT_URL"]
        set_users(endpoint)
        assert list(_client(endpoint, "READER").list_objects(BUCKET))
    with running(data) as server:
        endpoint = server.environment["AWS_ENDPOINT_URL"]
        set_users(endpoint, READER_SECRET_KEY="another-secret")
        assert list(_client(endpoint, "READER", "another-secret").list_objects(BUCKET))
        with pytest.raises(S3Error, match="Signature"):
            list(_client(endpoint, "READER").list_objects(BUCKET))
