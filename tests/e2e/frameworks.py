"""The small project of flights by each framework: its code, as short as it gets, and which server's image serves its model."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.flights import read_rows, write_project

_LINEAR = """
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def build_model(hyperparameters):
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), make_column_selector(dtype_include="number")),
            ("texts", OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include=object)),
        ]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=500))
"""
_BOOSTED = """
from sklearn.ensemble import HistGradientBoostingClassifier


def build_model(hyperparameters):
    return HistGradientBoostingClassifier(max_iter=60, learning_rate=0.08)
"""
_PARAMETERS = """
def build_model(hyperparameters):
    return {"n_estimators": 60, "learning_rate": 0.08}
"""
_NUMBERS = ["month", "day", "sched_dep_time", "sched_arr_time", "dep_delay", "distance", "hour"]


@dataclass(frozen=True)
class Family:
    """A kind of project.

    Attributes:
        framework: Its `code.framework`; empty: that of the example, Keras.
        model: Its `model.py`; empty: there is none, or that of the example.
        server: Name of the image that serves its model.
        opened_by: Frameworks that the model may name as those that open it.
        is_repeatable: Whether a fit on this machine makes the same model as one in the image. TensorFlow and XGBoost may have other
            versions here, with which the same parameters make another one (XGBoost 3.2 and 3.4 do).
    """

    framework: str = ""
    model: str = ""
    server: str = "naru-server-onnx"
    opened_by: tuple[str, ...] = ()
    is_repeatable: bool = True


LINEAR = Family("sklearn", _LINEAR, opened_by=("sklearn",))
BOOSTED = Family("sklearn", _BOOSTED, opened_by=("sklearn",))
"""It has no project of its own here: it challenges Keras in that one's."""
FAMILIES = {
    "keras": Family(server="naru-server", opened_by=("keras",), is_repeatable=False),
    "linear": LINEAR,
    "xgboost": Family("xgboost", _PARAMETERS, opened_by=("xgboost",), is_repeatable=False),
    "lightgbm": Family("lightgbm", _PARAMETERS, opened_by=("lightgbm",)),
    "onnx": Family("onnx", opened_by=("onnx",)),
    "auto": Family("auto", opened_by=("sklearn", "lightgbm", "xgboost")),
}
"""PyTorch is not among them: PyPI has only its 3 GB build for GPUs, so `naru-stages-torch` is not built here."""


def name_of(family: str) -> str:
    """Name of the project."""
    return f"e2e-{family}"


def write_family(
    folder: Path, source: str, name: str, family: Family, more: dict[str, dict[str, Any]] | None = None
) -> Path:
    """The project's folder; that of ONNX is the example's, until a model is imported.

    Args:
        folder: Where to write it.
        source: Its rows.
        name: The project's name.
        family: The kind of project.
        more: More of project.yaml, by section.
    """
    write_project(folder, source, name=name)
    file = folder / "project.yaml"
    raw = yaml.safe_load(file.read_text())
    for section, content in (more or {}).items():
        raw[section] = {**raw.get(section, {}), **content}
    if family.framework not in ("", "onnx"):
        del raw["train"]
        raw["code"] = {"framework": family.framework}
        for code in ("preprocessing.py", "model.py"):
            (folder / code).unlink()
        if family.model:
            (folder / "model.py").write_text(family.model)
    file.write_text(yaml.safe_dump(raw, sort_keys=False))
    return folder


def copy_with_source(folder: Path, project: Path, source: str) -> Path:
    """The same project over rows in another place."""
    shutil.copytree(project, folder)
    file = folder / "project.yaml"
    raw = yaml.safe_load(file.read_text())
    raw["data"]["source"] = source
    file.write_text(yaml.safe_dump(raw, sort_keys=False))
    return folder


def write_onnx_file(file: Path) -> dict[str, list[str]]:
    """A model as another team may have it: fitted outside of Naru, one matrix of numbers in. Returns the columns by input."""
    import numpy as np
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = read_rows(1, 2_000)
    matrix = np.stack([rows[name].to_numpy() for name in _NUMBERS], axis=1).astype(np.float32)
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(matrix, rows["late"].to_numpy())
    types: list[tuple[str, Any]] = [("X", FloatTensorType([None, len(_NUMBERS)]))]
    made: Any = to_onnx(fitted, initial_types=types, target_opset={"": 17, "ai.onnx.ml": 3})
    file.write_bytes(made.SerializeToString())
    return {"X": _NUMBERS}
