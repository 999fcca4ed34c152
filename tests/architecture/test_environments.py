"""Environments that are links: what they point to belongs to someone else, and is never cleared or changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.components.serve.conformance import environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """An environment of someone else, without a stamp."""
    python = tmp_path / "other" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return tmp_path / "other"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_tests_leave_what_a_link_points_to(tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, link = files(other), tmp_path / ".venv-seldon"
    link.symlink_to(other)
    monkeypatch.setattr(environment, "FOLDER", link)
    monkeypatch.setattr(environment, "_install", lambda python: pytest.fail("it would be cleared"))
    with pytest.raises((pytest.skip.Exception, pytest.fail.Exception), match="remove the link"):
        environment.seldon_python()
    assert files(other) == before and link.is_symlink()


@pytest.mark.parametrize("name", ["SELDON", "MONITORS", "AUTOGLUON", "TFX", "RUNTIMES"])
def test_make_leaves_what_a_link_points_to(tmp_path: Path, other: Path, name: str) -> None:
    before, link = files(other), tmp_path / "environment"
    link.symlink_to(other)
    cleared = tmp_path / "cleared"
    (tmp_path / "uv").write_text(f"#!/bin/sh\ntouch {cleared}\n")
    (tmp_path / "uv").chmod(0o755)
    command = ["make", "-C", str(ROOT), f"{name}={link}", f"UV={tmp_path}/uv", f"{link}/ready"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 2 and f"{link} is a link to {other}" in done.stderr
    assert files(other) == before and not cleared.exists()


def test_setup_leaves_what_a_link_points_to(tmp_path: Path, other: Path) -> None:
    before, clone = files(other), tmp_path / "clone"
    (clone / "requirements").mkdir(parents=True)
    (clone / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup", clone / "tools" / "setup")
    (clone / ".venv").symlink_to(other)
    done = subprocess.run([clone / "tools" / "setup"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and f".venv is a link to {other}" in done.stderr
    assert files(other) == before
