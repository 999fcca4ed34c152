"""The project's own Python: packed with a fingerprint, unpacked safely, imported with errors that point to the person's lines.

It travels as an artifact (one zip), not in an image, so a new experiment needs no build.
"""

from __future__ import annotations

import importlib.util
import io
import sys
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components._core.errors import ConfigError, NaruError, UserCodeError
from components._core.files import fingerprint_of, hash_file, write_bytes
from components._core.project.project_file import Project
from components._core.stage.code_archives import check_size, unpack_archive

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MOST_FRAMES = 12


def code_files(folder: Path, project: Project) -> list[Path]:
    """List the files that make up a project's code: its functions, the modules beside them, the reviewed schema.

    Raises:
        ConfigError: When a named file is missing.
    """
    for name in project.code.files:
        _check_inside(folder, name, "code")
        if not (folder / name).is_file():
            raise ConfigError(
                "there is no such file", where=str(folder / name), remedy="write it, or correct `code` in project.yaml"
            )
    _check_inside(folder, project.schema_file, "schema")
    named = {folder / name for name in project.code.files}
    schema = folder / project.schema_file
    beside = {path for path in folder.glob("*.py") if path.is_file()}
    return sorted(named | beside | ({schema} if schema.is_file() else set()))


def _check_inside(folder: Path, name: str, place: str) -> None:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ConfigError(
            f"{name!r} lies outside the project's folder",
            where=place,
            remedy=f"copy it to {folder}, name it there",
        )


def pack_code(folder: Path, project: Project, archive: Path) -> str:
    """Write the project's code as a reproducible zip: equal files give equal bytes; returns its fingerprint."""
    buffer, files = io.BytesIO(), code_files(folder, project)
    check_size([(path.name, path.stat().st_size) for path in files], str(folder))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as pack:
        for path in files:
            pack.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH), path.read_bytes())
    write_bytes(archive, buffer.getvalue())
    return fingerprint_code(folder, project)


def fingerprint_code(folder: Path, project: Project) -> str:
    """Return the fingerprint of the project's code by names and contents."""
    return fingerprint_of(
        part for path in code_files(folder, project) for part in (path.relative_to(folder).as_posix(), hash_file(path))
    )


def unpack_code(archive: Path, folder: Path) -> None:
    """Unpack the project's code.

    Raises:
        ConfigError: When it is not a zip, is unreasonably large, or has a path outside the folder.
    """
    unpack_archive(archive, folder)


def load_function(folder: Path, file: str, name: str) -> Callable[..., Any]:
    """Import a function from a file of the project, which can import the modules beside it.

    Raises:
        UserCodeError: When the file does not import (with the person's own frames) or has no such function.
    """
    with own_frames(folder, f"importing {file}"):
        module = _import(folder, folder / file)
    function = getattr(module, name, None)
    if not callable(function):
        raise UserCodeError(
            f"has no function {name}", where=file, remedy=f"define `def {name}(...)` at the top level of {file}"
        )
    return function  # type: ignore[no-any-return]


_imported_from: set[str] = set()
"""Folders from which code was imported in this process."""


def _import(folder: Path, file: Path) -> Any:
    _forget_others(folder)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _forget_others(folder: Path) -> None:
    """Drop other projects' modules: they have the same names, and Python would reuse them for this project."""
    others = _imported_from - {str(folder)}
    _imported_from.add(str(folder))
    if not others:
        return
    sys.path[:] = [place for place in sys.path if place not in others]
    for name, module in list(sys.modules.items()):
        if str(Path(getattr(module, "__file__", None) or ".").parent) in others:
            del sys.modules[name]
    _imported_from.difference_update(others)


@contextmanager
def own_frames(folder: Path, doing: str) -> Iterator[None]:
    """Turn any error of the project's code into a UserCodeError that shows only the person's own frames.

    Args:
        folder: Folder with the project's code.
        doing: The action, as in `calling preprocessing_fn`.
    """
    try:
        yield
    except NaruError:  # already translated, such as a full disk
        raise
    except (Exception, SystemExit) as error:  # exit() in a module would end the stage as a success
        raise UserCodeError(
            f"{doing} failed: {type(error).__name__}: {_first_lines(error)}{_frames(folder, error)}",
            remedy="correct the code and run again",
        ) from error


def _first_lines(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return "\n".join(lines[:3])[:600]


def _frames(folder: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"\n    {Path(error.filename).name}, line {error.lineno}: {(error.text or '').strip()}"
    root = str(folder.resolve())
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if str(Path(frame.filename).resolve()).startswith(root)
    ]
    lines = [f"\n    {Path(frame.filename).name}, line {frame.lineno}, in {frame.name}: {frame.line}" for frame in own]
    if len(lines) > _MOST_FRAMES:  # infinite recursion
        half = _MOST_FRAMES // 2
        lines[half:-half] = [f"\n    ... {len(lines) - 2 * half} more ..."]
    return "".join(lines)
