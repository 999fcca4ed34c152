"""Pictures without a fault, of many kinds and sizes, from what packages ship and from seeded generators.

`digits-*` are scikit-learn's 1,797 digits, `tiles-*` the tiles of its two photographs and of matplotlib's portrait, none overlapping another, `views-*` larger
parts of them, turned, mirrored and lit differently, `scenes-*` coloured shapes with light and noise, and `drawings-*` black lines on white. The number is the side in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

Picture = tuple[Image.Image, str]
"""A picture and its label."""

_SCENES = 700
_TILE = 40
"""Side in the photograph of a tile that is enlarged or reduced to the size of the set."""


def digits(side: int) -> list[Picture]:
    """Scikit-learn's digits, enlarged to a side."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pictures = [Image.fromarray((image * 255 / 16).astype(np.uint8)) for image in found.images]
    resized = [picture.resize((side, side), Image.Resampling.BICUBIC) for picture in pictures]
    return list(zip(resized, map(str, found.target.tolist()), strict=True))


def tiles(side: int) -> list[Picture]:
    """Tiles of photographs; the label is the photograph."""
    found = []
    for name, photograph in _photographs().items():
        width, height = photograph.size
        places = [(x, y) for y in range(0, height - _TILE + 1, _TILE) for x in range(0, width - _TILE + 1, _TILE)]
        boxes = [(x, y, x + _TILE, y + _TILE) for x, y in places]
        found += [(photograph.crop(box).resize((side, side), Image.Resampling.LANCZOS), name) for box in boxes]
    return found


def views(side: int) -> list[Picture]:
    """Parts of a third to all of a photograph, turned, mirrored, and lit differently; the label is the photograph."""
    found = []
    for seed in range(_SCENES):
        random = np.random.default_rng([seed, side])
        name, photograph = list(_photographs().items())[seed % 3]
        part = int(min(photograph.size) * random.uniform(0.35, 0.9))
        left, top = (int(random.integers(0, length - part + 1)) for length in photograph.size)
        turned = photograph.rotate(
            random.uniform(-15, 15), Image.Resampling.BICUBIC, center=(left + part / 2, top + part / 2)
        )
        view = turned.crop((left, top, left + part, top + part)).resize((side, side), Image.Resampling.LANCZOS)
        view = ImageOps.mirror(view) if random.random() < 0.5 else view
        found.append((ImageEnhance.Brightness(view).enhance(random.uniform(0.85, 1)), name))
    return found


def scenes(side: int) -> list[Picture]:
    """Coloured shapes on a coloured ground with a slope of light and noise; the label is the number of shapes."""
    return [_scene(side, seed) for seed in range(_SCENES)]


def drawings(side: int) -> list[Picture]:
    """Black lines on white; the label is their number."""
    return [_drawing(side, seed) for seed in range(_SCENES)]


CLEAN_SETS: dict[str, Callable[[], list[Picture]]] = {
    f"{name}-{side}": partial(make, side)
    for name, make, sides in (
        ("digits", digits, (8, 28, 96)),
        ("tiles", tiles, (16, 40, 96, 224)),
        ("views", views, (64, 224)),
        ("scenes", scenes, (16, 64, 224)),
        ("drawings", drawings, (16, 28, 112, 224)),
    )
    for side in sides
}


@cache
def _photographs() -> dict[str, Image.Image]:
    import matplotlib
    from sklearn.datasets import load_sample_images

    samples = load_sample_images()
    names = [Path(name).stem for name in samples.filenames]
    found = {name: Image.fromarray(image) for name, image in zip(names, samples.images, strict=True)}
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with Image.open(portrait) as opened:
        return {**found, "portrait": opened.convert("RGB")}


def _scene(side: int, seed: int) -> Picture:
    random = np.random.default_rng([seed, side])
    picture = Image.new("RGB", (side, side), tuple(random.integers(60, 200, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    shapes = int(random.integers(3, 9))
    for _ in range(shapes):
        left, top = random.integers(0, side, 2).tolist()
        size = int(random.integers(max(side // 8, 2), max(side // 2, 3)))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((left, top, left + size, top + size), fill=tuple(random.integers(0, 256, 3).tolist()))
    slope = np.add.outer(np.linspace(-20, 20, side), np.linspace(0, 40 * random.uniform(-1, 1), side))[..., None]
    noisy = np.asarray(picture, np.float64) + slope + random.normal(0, 4, (side, side, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), f"{shapes} shapes"


def _drawing(side: int, seed: int) -> Picture:
    random = np.random.default_rng([seed, side])
    lines = int(random.integers(2, 6))
    large = Image.new("L", (4 * side, 4 * side), 255)
    for _ in range(lines):
        points = [tuple(point) for point in random.integers(side // 2, 4 * side - side // 2, (3, 2)).tolist()]
        ImageDraw.Draw(large).line(points, fill=0, width=max(side // 4, 4))
    return large.resize((side, side), Image.Resampling.LANCZOS), f"{lines} lines"
