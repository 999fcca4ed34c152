"""The environment of the seldon-core server, as its image has it: made once and kept until its requirements change."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
from pathlib import Path

from tests.containers.engine import ROOT, find_uv, lacking

_IMAGE = ROOT / "images" / "server-seldon"
REQUIREMENTS = (_IMAGE / "requirements.txt", _IMAGE / "extras" / "sklearn.txt")
"""What the image has, with the runtime of ONNX models built in."""
FOLDER = ROOT / ".venv-seldon"


def seldon_python() -> Path:
    """Its interpreter; the first call installs, and others, of other processes too, wait for it."""
    python, stamp = FOLDER / "bin" / "python", FOLDER / "naru-requirements"
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in REQUIREMENTS)).hexdigest()
    with (ROOT / "images" / "server-seldon" / "requirements.in").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not python.exists() or not stamp.exists() or stamp.read_text() != wanted:
            if FOLDER.is_symlink():  # uv would clear what it points to
                lacking(
                    f"{FOLDER.name} is a link to an environment of other requirements, {FOLDER.readlink()}: remove the link"
                )
            _install(python)
            stamp.write_text(wanted)
    return python


def _install(python: Path) -> None:
    uv = find_uv()
    made = subprocess.run([uv, "venv", "--quiet", "--clear", "--python", "3.11", FOLDER], check=False)
    if made.returncode:
        lacking("no Python 3.11 for the seldon-core server")
    command = [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", *REQUIREMENTS]
    subprocess.run(command, check=True, timeout=1_200)
