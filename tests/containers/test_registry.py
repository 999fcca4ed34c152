"""`make push` against a real registry, and against those that refuse."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.compile_target import Target
from tests.containers.engine import READ_ONLY, ROOT, docker, inspect, tag
from tests.containers.registry import serving_registry
from tests.containers.s3_server import free_port

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("images")]

VERSION = "tests-only"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with serving_registry(tmp_path) as address:
        yield address


def _push(registry: str, digests: Path, *images: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "push", f"REGISTRY={registry}", f"IMAGES={' '.join(images or ('light',))}"]
    world = {**os.environ, "VERSION": VERSION, "DIGESTS": str(digests)}
    done = subprocess.run(command, cwd=ROOT, env=world, capture_output=True, text=True, timeout=300, check=False)
    subprocess.run(["docker", "image", "rm", f"{registry}/naru-light:{VERSION}"], capture_output=True, check=False)
    return done


def _refusal(done: subprocess.CompletedProcess[str]) -> str:
    """What was said, which is two lines at most, before make's own."""
    assert done.returncode
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert 1 <= len(said) <= 2
    assert said[0].startswith("images: ")
    return "\n".join(said)


def test_what_was_pushed_comes_back_by_the_digest_that_a_release_pins(
    registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = tmp_path / "digests.yaml"
    done = _push(registry, digests)
    assert done.returncode == 0, done.stderr
    assert digests.read_text() == done.stdout
    monkeypatch.setenv("NARU_REGISTRY", registry)
    monkeypatch.setenv("NARU_DIGESTS", str(digests))
    named = Target.from_environment().image(tag("light"))
    assert named.startswith(f"{registry}/naru-light@sha256:")
    docker("pull", "--quiet", named)
    try:
        assert inspect(named)["Id"] == inspect(tag("light"))["Id"]
        assert docker("run", *READ_ONLY, named).split()[-1] == "ready"
    finally:
        docker("image", "rm", named)


def test_a_registry_that_asks_who_pushes_is_answered_with_how_to_log_in(tmp_path: Path) -> None:
    with serving_registry(tmp_path, asks_who=True) as registry:
        said = _refusal(_push(registry, tmp_path / "digests.yaml"))
    assert f"{registry}/naru-light:{VERSION} was not pushed: " in said
    assert f"docker login {registry}" in said
    assert not (tmp_path / "digests.yaml").exists()


def test_a_registry_that_does_not_answer_is_named(tmp_path: Path) -> None:
    registry = f"127.0.0.1:{free_port()}"
    assert f"is {registry} its name" in _refusal(_push(registry, tmp_path / "digests.yaml"))


@pytest.mark.parametrize(
    ("registry", "images", "message"),
    [
        ("", ("light",), "say where to"),
        ("https://registry.example.com", ("light",), "without https://"),
        ("registry.example.com", ("lihgt",), "naru-lihgt is not built yet"),
    ],
)
def test_what_cannot_be_pushed_is_said_before_anything_is(
    registry: str, images: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    assert message in _refusal(_push(registry, tmp_path / "digests.yaml", *images))
