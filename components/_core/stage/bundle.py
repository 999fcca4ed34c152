"""Small artifacts of earlier stages travel inside the artifacts of later ones, so that a stage takes only what it computes from.

    <artifact>/bundle/<name>/    a copy of the artifact `name` of an earlier stage

The report binds the pages of all stages, and a registered version holds the parts that made it. With an edge for each of them the graph in
the Kubeflow page was a tangle; bundles go along the edges that are there. Rows, models, their variants and transform graphs are not copied.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from components._core.errors import DataError
from components._core.types.artifact_files import CHOSEN_VARIANT

_FOLDER = "bundle"


def copy_bundles(into: Path, inputs: Iterable[Path], whole: Mapping[str, Path]) -> None:
    """Copy what the inputs bundle into an artifact's bundle, and artifacts as a whole beside it.

    Args:
        into: Folder of the artifact.
        inputs: Artifacts whose bundles travel on; a file has none.
        whole: Folders of artifacts by the name that they get in the bundle; what they bundle travels on too.
    """
    for artifact in [*inputs, *whole.values()]:
        if (artifact / _FOLDER).is_dir():
            shutil.copytree(artifact / _FOLDER, into / _FOLDER, dirs_exist_ok=True)
    for name, artifact in whole.items():
        shutil.copytree(artifact, into / _FOLDER / name, ignore=_left_out(artifact), dirs_exist_ok=True)


def bundled(artifact: Path, name: str) -> Path:
    """Return the folder of an earlier artifact in an artifact's bundle.

    Raises:
        DataError: When it is not there.
    """
    folder = artifact / _FOLDER / name
    if not folder.is_dir():
        message = f"the artifact {artifact.name} does not bundle {name}: it was made by an earlier Naru, or damaged"
        raise DataError(message, where=str(artifact), remedy="run the pipeline again without its cache")
    return folder


def _left_out(artifact: Path) -> Callable[[str, list[str]], set[str]]:
    return lambda folder, names: {_FOLDER, CHOSEN_VARIANT} & set(names) if Path(folder) == artifact else set()
