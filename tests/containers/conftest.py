"""What the tests with real servers and containers share."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.containers.engine import READ_ONLY, build_images, docker, find_uv, tag
from tests.containers.gcs_server import serving as serving_gcs
from tests.containers.s3_server import S3Server, free_port, serving


@pytest.fixture(scope="session")
def images() -> None:
    """The images, built from the files as they are."""
    build_images()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with serving(tmp_path_factory.mktemp("s3") / "data") as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The S3 server, named by this process's environment."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[dict[str, str]]:
    """The environment that names a server with the interface of Google Cloud Storage."""
    with serving_gcs() as environment:
        yield environment


@pytest.fixture
def gcs(gcs_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """That server, named by this process's environment."""
    for name, value in gcs_server.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def mlflow_server(images: None) -> Iterator[str]:
    """The address of MLflow's server, in its own image."""
    port = free_port()
    with started("mlflow", "--port", str(port), "--workers", "1"):
        wait_until_answers(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has kfp and Docker's client, and no TensorFlow."""
    python = tmp_path_factory.mktemp("runner") / "venv" / "bin" / "python"
    requirements = Path(__file__).parent / "requirements.txt"
    for command in (
        ["venv", "--quiet", "--python", sys.executable, str(python.parents[1])],
        ["pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(requirements)],
    ):
        subprocess.run([find_uv(), *command], check=True, timeout=600)
    return python


@contextmanager
def started(image: str, *arguments: str, options: tuple[str, ...] = (), network: str = "host") -> Iterator[str]:
    """A container that serves on this machine's loopback until the block ends; its root file system is read-only."""
    place_stages = ("--detach", "--network", network)
    container = docker("run", *place_stages, *READ_ONLY, *options, tag(image), *arguments).strip()
    try:
        yield container
    finally:
        docker("stop", "--time", "10", container)


def wait_until_answers(url: str, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < end, f"{url} does not answer after {seconds:.0f} s"
            time.sleep(0.5)


def container_user() -> str | None:
    """The user that stages run as: the image's own where root runs the tests, as root may read everything; else the one that runs the tests."""
    return f"{os.getuid()}:{os.getgid()}" if os.getuid() else None
