"""A server with Google Cloud Storage's interface, in memory: fake-gcs-server, an ordinary Go program."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.containers.go_programs import find_program
from tests.containers.s3_server import free_port, wait_until_listening

MODULE = "github.com/fsouza/fake-gcs-server@v1.56.1"
BUCKET = "naru"


@contextmanager
def serving() -> Iterator[dict[str, str]]:
    """A server with one bucket; yields the environment that names it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [find_program("fake-gcs-server", MODULE), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-public-host", f"127.0.0.1:{port}", "-external-url", address, "-backend", "memory", "-log-level", "error"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_listening(port, process, "the GCS server")
        _create_bucket(address)
        yield {"STORAGE_EMULATOR_HOST": address}
    finally:
        process.terminate()
        process.wait(10)


def _create_bucket(address: str) -> None:
    body = json.dumps({"name": BUCKET}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{address}/storage/v1/b?project=none", body, headers)).close()
