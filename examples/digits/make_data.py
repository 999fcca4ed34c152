"""Write 1,797 small colour pictures of handwritten digits, a folder per class: data/pictures/0/ to data/pictures/9/.

The digits are those of `sklearn.datasets.load_digits` (8 x 8 grey values), enlarged, drawn in a random colour on a faded, random
crop of one of the two photographs that scikit-learn ships. Nothing is downloaded; the same pictures are written on each machine.

    python examples/digits/make_data.py
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

FOLDER = Path(__file__).parent / "data" / "pictures"
SIZE = 32
SMALLEST, LARGEST = 24, 31  # of a digit, in pixels
FADE = 0.35  # of what is behind a digit: the share of its contrast that is left
CONTRAST = 90  # least distance between the brightness of a digit and of what is behind it, of 255
SEED = 13


def picture_file(number: int, label: int) -> Path:
    """Where a picture is."""
    return FOLDER / str(label) / f"{number:04d}.png"


def draw(digit: np.ndarray, photographs: list[np.ndarray], random: np.random.Generator) -> Image.Image:
    """Draw a digit of 8 x 8 grey values (0 to 16) on a crop of a photograph: a colour picture of 32 x 32."""
    picture = crop(photographs[random.integers(len(photographs))], random).astype(np.float64)
    mean = picture.mean(axis=(0, 1))
    picture = mean + FADE * (picture - mean)
    size = int(random.integers(SMALLEST, LARGEST + 1))
    top, left = random.integers(0, SIZE - size + 1, 2)
    ink = np.asarray(Image.fromarray((digit * 255 / 16).astype(np.uint8)).resize((size, size), Image.BICUBIC)) / 255
    place = picture[top : top + size, left : left + size]
    place += (colour_on(picture, random) - place) * ink[:, :, None]
    return Image.fromarray(picture.round().astype(np.uint8))


def crop(photograph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Cut out a square of any size, and scale it down to 32 x 32."""
    height, width = photograph.shape[:2]
    size = int(random.integers(SIZE, 5 * SIZE))
    top, left = int(random.integers(height - size)), int(random.integers(width - size))
    cut = Image.fromarray(photograph[top : top + size, left : left + size])
    return np.asarray(cut.resize((SIZE, SIZE), Image.BOX))


def colour_on(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw a colour that can be told from a picture: red, green and blue, each 0 to 255."""
    while True:
        colour = random.integers(0, 256, 3)
        if abs(float(colour.mean()) - float(picture.mean())) >= CONTRAST:
            return colour


def main() -> None:
    """Write the pictures that are not there yet."""
    digits, photographs, random = load_digits(), load_sample_images().images, np.random.default_rng(SEED)
    new = 0
    for number, (digit, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        picture = draw(digit, photographs, random)  # in any case, so that the next one is the same
        path = picture_file(number, label)
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}.partial")
        picture.save(aside, "PNG")
        os.replace(aside, path)
        new += 1
    print(f"{FOLDER}: {len(digits.target):,} pictures, {new:,} of them new")


if __name__ == "__main__":
    main()
