"""A real S3 server over a folder, as the bundled store: versitygw, an ordinary Go program, with the users that a cluster has."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.containers.engine import ROOT
from tests.containers.go_programs import find_program

MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
BUCKET = "naru"
REGION = "us-east-1"
KEYS = {
    f"{role}_{part}": f"{role.lower()}-{part.lower()}"
    for role in ("ROOT", "RUNS", "READER", "SERVERS")
    for part in ("ACCESS_KEY", "SECRET_KEY")
}
"""The server's own keys and those of its users: what `users.py` of the bundled store reads."""


@dataclass(frozen=True)
class S3Server:
    """Where it listens, and the folder behind it. Its environment is that of a stage: its keys read and write the bucket, and no more."""

    port: int
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEYS["RUNS_ACCESS_KEY"],
            "AWS_SECRET_ACCESS_KEY": KEYS["RUNS_SECRET_KEY"],
        }


def set_users(endpoint: str, **changed: str) -> None:
    """Make the users as the pod of the bundled store does; `changed` are keys by their names in `KEYS`."""
    file = ROOT / "manifests" / "components" / "object-store" / "users.py"
    spec = importlib.util.spec_from_file_location("store_users", file)
    assert spec and spec.loader
    users = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(users)
    users.own_bucket(endpoint, REGION, BUCKET, {**KEYS, **changed})
    users.set_users(endpoint, REGION, BUCKET, {**KEYS, **changed})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path) -> Iterator[S3Server]:
    """A server with users over a folder that it makes."""
    (folder / BUCKET).mkdir(parents=True)
    with running(folder) as server:
        set_users(server.environment["AWS_ENDPOINT_URL"])
        yield server


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """A server as the manifest starts it, without users; its log and its users lie beside the folder."""
    server, users = S3Server(free_port(), folder), folder.parent / "users"
    users.mkdir(exist_ok=True)
    keys = {name: KEYS[name] for name in ("ROOT_ACCESS_KEY", "ROOT_SECRET_KEY")}
    command = [find_program("versitygw", MODULE), "--port", f"127.0.0.1:{server.port}", "--quiet", "--iam-dir", str(users), "posix", str(folder)]  # fmt: skip
    with (folder.parent / "s3.log").open("ab") as log:
        process = subprocess.Popen(command, env={**os.environ, **keys}, stdout=log, stderr=log)
    try:
        wait_until_listening(server.port, process, "the S3 server")
        yield server
    finally:
        process.terminate()
        process.wait(10)


def wait_until_listening(port: int, process: subprocess.Popen[bytes], what: str) -> None:
    for _ in range(600):
        assert process.poll() is None, f"{what} ended before it listened"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"{what} does not listen")
