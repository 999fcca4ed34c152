"""A real S3 server over a folder: versitygw, an ordinary Go program."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.containers.engine import lacking

MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
BUCKET = "naru"


@dataclass(frozen=True)
class S3Server:
    """Where it listens, and the folder behind it."""

    port: int
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "naru",
            "AWS_SECRET_ACCESS_KEY": "only-for-tests",
        }


def find_program() -> str:
    """The server's path: the one on PATH, or one that Go builds once into the user's cache."""
    cache = Path.home() / ".cache" / "naru" / "bin"
    found = shutil.which("versitygw", path=os.pathsep.join([os.environ.get("PATH", ""), str(cache)]))
    if found:
        return found
    if not shutil.which("go"):
        lacking("no versitygw and no Go to build it with (Go 1.25 or newer)")
    built = subprocess.run(["go", "install", MODULE], env={**os.environ, "GOBIN": str(cache)}, capture_output=True)
    assert built.returncode == 0, f"versitygw could not be built: {built.stderr.decode()[-500:]}"
    return str(cache / "versitygw")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path) -> Iterator[S3Server]:
    server = S3Server(free_port(), folder)
    (folder / BUCKET).mkdir(parents=True)
    credentials = {"ROOT_ACCESS_KEY": "naru", "ROOT_SECRET_KEY": "only-for-tests"}
    command = [find_program(), "--port", f"127.0.0.1:{server.port}", "--quiet", "posix", str(folder)]
    with (folder.parent / "s3.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **credentials}, stdout=log, stderr=log)
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
