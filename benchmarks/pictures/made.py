"""Folders of pictures made by code: soft shapes with some noise, half JPEG and half PNG, in a folder for each of two classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("one", "two")


def write_pictures(root: Path, count: int, side: int, seed: int = 0) -> None:
    """Write pictures of a size.

    Args:
        root: An empty folder.
        count: Number of pictures.
        side: Width and height in pixels.
        seed: Equal seeds write equal pictures.
    """
    random = np.random.default_rng([seed, side])
    for name in CLASSES:
        (root / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        small = Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        soft = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = soft + random.integers(-6, 7, soft.shape, dtype=np.int16)
        ending = ("jpg", "png")[number % 2]
        path = root / CLASSES[number // 2 % 2] / f"{number:06}.{ending}"
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=90)
