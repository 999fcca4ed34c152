"""The environment that a model is trained in: versions of Naru, Python and the packages that decide numbers, machine, image.

Train writes it beside its history, because the stage that writes the run's record runs in another image.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from components import VERSION
from components._core.setting_names import IMAGE

PACKAGES = {
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "keras": ("keras",),
    "tensorflow-transform": ("tensorflow-transform",),
    "scikit-learn": ("scikit-learn",),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "lightgbm": ("lightgbm",),
    "torch": ("torch",),
    "onnx": ("onnx",),
    "skl2onnx": ("skl2onnx",),
    "onnxruntime": ("onnxruntime",),
    "numpy": ("numpy",),
    "pyarrow": ("pyarrow",),
    "kfp": ("kfp",),
}
"""Packages on which a model's numbers depend, and the distributions that provide each."""


@dataclass(frozen=True)
class Environment:
    """The environment of a stage.

    Attributes:
        naru: Naru's version.
        python: Python's version.
        packages: Version by package; packages that are not installed are left out.
        platform: System and processor architecture, as in `Linux x86_64`.
        where: `laptop`, or `cluster` for a pod of a compiled pipeline.
        image: The pod's image, with its tag or digest; None on a laptop.
    """

    naru: str
    python: str
    packages: dict[str, str]
    platform: str
    where: Literal["laptop", "cluster"]
    image: str | None


def describe_environment() -> Environment:
    """Describe the environment of this process."""
    found = {name: _find_version(distributions) for name, distributions in PACKAGES.items()}
    image = os.environ.get(IMAGE) or None
    return Environment(
        naru=VERSION,
        python=platform.python_version(),
        packages={name: value for name, value in found.items() if value},
        platform=f"{platform.system()} {platform.machine()}",
        where="cluster" if image else "laptop",
        image=image,
    )


def _find_version(distributions: tuple[str, ...]) -> str:
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""
