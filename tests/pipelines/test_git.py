"""The commit of a project: known, with changes on top, or not known; never an error."""

import os
import subprocess
from pathlib import Path

import pytest

from pipelines import git
from pipelines.git import read_commit, run_git


def _git(folder: Path, *command: str) -> None:
    identity = ("-c", "user.name=me", "-c", "user.email=me@host", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *command], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of a repository."""
    folder = tmp_path / "repository" / "flights"
    folder.mkdir(parents=True)
    for name in ("project.yaml", "model.py"):
        (folder / name).write_text("x")
    _git(folder.parent, "init", "--quiet")
    _git(folder.parent, "add", ".")
    _git(folder.parent, "commit", "--quiet", "-m", "first")
    return folder


def test_a_clean_folder_is_its_commit(project: Path) -> None:
    assert read_commit(project) == run_git(project, "rev-parse", "HEAD") != ""


@pytest.mark.parametrize("name", ["model.py", "new.py"])
def test_a_change_in_the_folder_is_on_top_of_the_commit(project: Path, name: str) -> None:
    (project / name).write_text("y")
    assert read_commit(project) == run_git(project, "rev-parse", "HEAD") + "+dirty"


def test_changes_elsewhere_and_what_naru_writes_do_not_count(project: Path) -> None:
    (project.parent / "other.py").write_text("y")
    (project / ".naru").mkdir()
    (project / ".naru" / "mlflow.db").write_text("y")
    assert read_commit(project) == run_git(project, "rev-parse", "HEAD")


def test_a_project_that_git_ignores_has_changes(project: Path) -> None:
    (project.parent / ".gitignore").write_text("ignored/\n")
    ignored = project.parent / "ignored"
    ignored.mkdir()
    (ignored / "project.yaml").write_text("x")
    assert read_commit(ignored).endswith("+dirty")


def test_a_hooks_repository_is_not_the_projects(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _git(tmp_path, "init", "--quiet", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert read_commit(project) != ""


def test_without_a_repository_or_a_commit_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert read_commit(tmp_path) == ""
    _git(tmp_path, "init", "--quiet")
    assert read_commit(tmp_path) == ""


def test_without_git_nothing_is_known(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_commit(project) == ""


def test_a_git_that_hangs_is_given_up(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git, "_SECONDS", 0.2)
    assert read_commit(project) == ""
