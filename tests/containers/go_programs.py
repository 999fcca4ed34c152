"""Servers of the tests that are ordinary Go programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.containers.engine import lacking


def find_program(name: str, module: str) -> str:
    """The program's path: the one on PATH, or one that Go builds once into the user's cache.

    Args:
        name: Name of the program.
        module: Go package with its version, as in `example.com/program@v1.0.0`.
    """
    cache = Path.home() / ".cache" / "naru" / "bin"
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), str(cache)]))
    if found:
        return found
    if not shutil.which("go"):
        lacking(f"no {name} and no Go to build it with (Go 1.25 or newer)")
    built = subprocess.run(["go", "install", module], env={**os.environ, "GOBIN": str(cache)}, capture_output=True)
    assert built.returncode == 0, f"{name} could not be built: {built.stderr.decode()[-500:]}"
    return str(cache / name)
