"""Measures of a picture against NumPy's, and near groups against a comparison of all pairs."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from components._core.pictures.decode import open_picture
from components._core.pictures.measures import SKETCH_SIDE, TYPES, Measures, format_of_name, measure
from components._core.pictures.near_groups import CORRELATION, LEAST_CONTRAST, NearGroups
from tests.components.core.pictures.pictures import encode, scene


def measured(image: Image.Image, kind: str = "PNG", name: str = "", **options: int) -> Measures:
    data = encode(image, kind, **options)
    return measure(data, open_picture(data), name)


def test_what_is_measured_is_what_numpy_finds() -> None:
    image = scene(1)
    found, data = measured(image, name="a.jpg"), encode(image)
    luma = np.asarray(image.convert("L"), dtype=float)
    inner = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * inner
    colour = np.asarray(image).astype(int)
    assert (found.width, found.height, found.mode, found.format, found.named) == (40, 30, "RGB", "PNG", "JPEG")
    assert (found.size, found.sha256, found.frames) == (len(data), hashlib.sha256(data).hexdigest(), 1)
    assert found.brightness == pytest.approx(luma.mean())
    assert found.contrast == pytest.approx(luma.std())
    assert found.sharpness == pytest.approx(laplacian.var(), rel=1e-5)
    assert found.colour == pytest.approx((colour.max(axis=2) - colour.min(axis=2)).mean())
    assert {*TYPES} - {"group"} == {*vars(found)} - {"sketch"}


def test_a_blurred_picture_is_less_sharp_and_a_grey_one_has_no_colour() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    blurred = noise.resize((8, 8), Image.Resampling.BOX).resize((64, 64), Image.Resampling.BICUBIC)
    assert measured(blurred).sharpness < measured(noise).sharpness / 10
    assert measured(noise.convert("L")).colour == 0
    assert measured(Image.new("RGB", (1, 1), (9, 9, 9))).sharpness == 0


def test_what_is_transparent_counts_as_white() -> None:
    icon = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    icon.paste((0, 0, 0, 255), (0, 0, 20, 40))
    found = measured(icon)
    assert (found.brightness, found.contrast) == pytest.approx((127.5, 127.5))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JPG", "JPEG"),
        ("b/c.png", "PNG"),
        ("x.tar.tiff", "TIFF"),
        ("png", None),
        (".png", None),
        ("a.txt", None),
        ("", None),
    ],
)
def test_the_ending_of_a_name_says_a_format(name: str, kind: str | None) -> None:
    assert format_of_name(name) == kind


def groups_of(pictures: list[Measures], groups: NearGroups | None = None) -> list[str]:
    sketches = np.stack([each.sketch for each in pictures])
    return (groups or NearGroups()).assign(sketches, [each.sha256 for each in pictures])


def brute_force(pictures: list[Measures]) -> list[str]:
    """The same rule over all pairs, in double precision."""
    first: list[tuple[np.ndarray, str]] = []
    found = []
    for each in pictures:
        levels = each.sketch.astype(float)
        own = each.sha256[:16]
        if levels.std() < LEAST_CONTRAST:
            found.append(own)
            continue
        unit = (levels - levels.mean()) / np.linalg.norm(levels - levels.mean())
        group = next((name for other, name in first if other @ unit >= CORRELATION), None)
        if group is None:
            first.append((unit, own))
        found.append(group or own)
    return found


def test_groups_are_those_of_a_comparison_of_all_pairs() -> None:
    random = np.random.default_rng(5)
    pictures = []
    for seed in range(60):
        image = scene(seed, 64, 48)
        pictures += [measured(image), measured(image, "JPEG", quality=40), measured(image.resize((32, 24)))]
        noisy = np.asarray(image).astype(int) + random.normal(0, random.choice([2, 10, 40]), (48, 64, 3))
        pictures.append(measured(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))))
    pictures = [pictures[place] for place in random.permutation(len(pictures))]
    assert groups_of(pictures) == brute_force(pictures)


def test_groups_among_thousands_of_first_pictures_are_those_of_a_comparison_of_all_pairs() -> None:
    random, count = np.random.default_rng(3), 5_400
    kinds = random.normal(0, 1, (40, SKETCH_SIDE**2)).cumsum(axis=1)
    noise = random.normal(0, 1, (count, SKETCH_SIDE**2)) * random.choice([0.4, 3], (count, 1), p=[0.2, 0.8])
    sketches = np.clip((kinds[random.integers(0, 40, count)] + noise) * 12 + 128, 0, 255).astype(np.uint8)
    digests = [f"{number:016x}" for number in range(count)]
    known = NearGroups()
    found = [
        group for at in range(0, count, 700) for group in known.assign(sketches[at : at + 700], digests[at : at + 700])
    ]
    units = sketches - sketches.mean(axis=1, keepdims=True)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    firsts, names = np.empty_like(units), list[str]()
    for row in range(count):
        alike = np.flatnonzero(firsts[: len(names)] @ units[row] >= CORRELATION)
        group = names[alike[0]] if len(alike) else digests[row]
        assert found[row] == group
        if group == digests[row]:
            firsts[len(names)] = units[row]
            names.append(group)
    assert 4_200 < len(names) < 5_000, "enough of them are sorted, and enough are alike"


def test_altered_copies_are_together_and_different_digits_are_not() -> None:
    digits = [Image.fromarray((each * 15.9).astype(np.uint8)) for each in load_digits().images[:300]]
    originals = [measured(each) for each in digits]
    assert len(set(groups_of(originals))) >= 295
    copies = [measured(each.resize((16, 16), Image.Resampling.BICUBIC)) for each in digits[:100]]
    together = groups_of([*originals, *copies])
    assert sum(one == two for one, two in zip(together[:100], together[300:], strict=True)) >= 90


def test_flat_pictures_are_only_together_with_equal_ones() -> None:
    grey = [measured(Image.new("L", (20, 20), level)) for level in (10, 11, 10)]
    one, two, three = groups_of(grey)
    assert one == three != two


def test_a_group_never_changes_by_what_comes_later() -> None:
    pictures = [measured(scene(seed)) for seed in range(20)] + [measured(scene(seed), "JPEG") for seed in range(20)]
    groups = NearGroups()
    assert groups_of(pictures[:13], groups) + groups_of(pictures[13:], groups) == groups_of(pictures)
    assert groups_of(pictures)[20:] == groups_of(pictures)[:20]
