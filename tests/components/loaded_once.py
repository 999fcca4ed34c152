"""Models that stay in memory for later tests: loading even the tiniest takes longer than all that a stage does with a few rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from components._core.files import fingerprint_folder

Loaded = TypeVar("Loaded")


def loading_once(load: Callable[[Path], Loaded]) -> Callable[[Path], Loaded]:
    """Return `load` with a memory: a folder that still has the same bytes is not loaded again."""
    loaded: dict[tuple[Path, str], Loaded] = {}

    def load_once(folder: Path) -> Loaded:
        if not folder.is_dir():
            return load(folder)
        key = folder, fingerprint_folder(folder)
        if key not in loaded:
            loaded[key] = load(folder)
        return loaded[key]

    return load_once
