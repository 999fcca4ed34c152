"""The Docker engine, called through its own command line, and the images of this repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ("stages", "light", "server", "server-onnx", "server-seldon", "mlflow")
BASE = "python:3.12-slim-trixie"
BASES = {"server-seldon": "python:3.11-slim-bookworm"}
"""Of the images whose base is another."""
READ_ONLY = ("--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def lacking(what: str) -> NoReturn:
    """Leave the test out and say why; where all was to be there (`.ci/containers` saw to it), that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def docker(*arguments: str, seconds: float = 120) -> str:
    """What a docker command printed; its own words when it failed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-2_000:]}\n{done.stderr[-3_000:]}"
    return done.stdout


def inspect(image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("image", "inspect", image))[0]
    return found


def base_of(image: str) -> str:
    return BASES.get(image, BASE)


def tag(image: str) -> str:
    return f"naru-{image}:python{base_of(image).partition(':')[2].partition('-')[0]}"


def find_uv() -> str:
    """The installer: the one on PATH, or the one that `tools/setup` put beside this Python."""
    return shutil.which("uv") or str(Path(sys.executable).parent / "uv")


def build_images(*names: str, extras: str = "") -> None:
    """Build all images, or these, from the files as they are, with extras; layers that did not change are the engine's."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        lacking("no Docker engine answers (Debian, Ubuntu: apt-get install docker.io)")
    for base in sorted({base_of(name) for name in names or IMAGES}):
        _get_base(base)
    command = [ROOT / "images" / "build", *(names or IMAGES)]
    subprocess.run(command, env={**os.environ, "EXTRAS": extras}, check=True, timeout=3_000)


def _get_base(base: str) -> None:
    if not subprocess.run(["docker", "image", "inspect", base], capture_output=True, check=False).returncode:
        return
    if subprocess.run(["docker", "pull", "--quiet", base], capture_output=True, check=False).returncode:
        subprocess.run([ROOT / "tools" / "base-images", base], check=True, timeout=900)
