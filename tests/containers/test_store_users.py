"""The users of the bundled store, on the real server: each may do what it needs, and nothing else."""

import importlib.util
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from minio import Minio
from minio.error import S3Error

from tests.containers.engine import ROOT
from tests.containers.s3_server import BUCKET, find_program, free_port, wait_until_listening

pytestmark = pytest.mark.containers

KEYS = {
    f"{role}_{part}": f"{role.lower()}-{part.lower()}"
    for role in ("ROOT", "RUNS", "READER", "SERVERS")
    for part in ("ACCESS_KEY", "SECRET_KEY")
}


def _users() -> ModuleType:
    file = ROOT / "manifests" / "components" / "object-store" / "users.py"
    spec = importlib.util.spec_from_file_location("store_users", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A bucket with a model in it, and an empty folder of users beside it."""
    models = tmp_path / "data" / BUCKET / "flights" / "models"
    models.mkdir(parents=True)
    (models / "m").write_text("a model")
    (tmp_path / "users").mkdir()
    return tmp_path / "data"


@contextmanager
def _serving(data: Path) -> Iterator[str]:
    """The endpoint of a server as the manifest starts it."""
    port = free_port()
    keys = {name: KEYS[name] for name in ("ROOT_ACCESS_KEY", "ROOT_SECRET_KEY")}
    command = [find_program(), "--port", f"127.0.0.1:{port}", "--quiet", "--iam-dir", str(data.parent / "users"), "posix", str(data)]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, **keys})
    try:
        wait_until_listening(port, process, "the S3 server")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def endpoint(data: Path) -> Iterator[str]:
    with _serving(data) as address:
        yield address


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
    users = _users()
    users.set_users(endpoint, "us-east-1", BUCKET, KEYS)
    users.set_users(endpoint, "us-east-1", BUCKET, KEYS)  # a second time changes nothing
    model, log, ledger = "flights/models/m", "flights/requests/dt=1/a.jsonl", "flights/deployments/1.json"
    for role, writes in {"RUNS": {model, log, ledger}, "READER": set(), "SERVERS": {log}}.items():
        client = _client(endpoint, role)
        assert client.get_object(BUCKET, model).data in (b"a model", b"x")
        assert [one.object_name for one in client.list_objects(BUCKET, "flights/models/")] == [model]
        assert {name for name in (model, log, ledger) if _may_write(client, name)} == writes, role
        assert _refused(partial(client.remove_object, BUCKET, ledger)) is (role != "RUNS"), role
        assert _refused(partial(client.set_bucket_policy, BUCKET, "{}")), role


def test_a_key_that_changed_is_taken(data: Path) -> None:
    """It comes with a new pod: a server that goes on may remember a user for two minutes."""
    users = _users()
    with _serving(data) as endpoint:
        users.set_users(endpoint, "us-east-1", BUCKET, KEYS)
        assert list(_client(endpoint, "READER").list_objects(BUCKET))
    with _serving(data) as endpoint:
        users.set_users(endpoint, "us-east-1", BUCKET, {**KEYS, "READER_SECRET_KEY": "another-secret"})
        assert list(_client(endpoint, "READER", "another-secret").list_objects(BUCKET))
        with pytest.raises(S3Error, match="Signature"):
            list(_client(endpoint, "READER").list_objects(BUCKET))
