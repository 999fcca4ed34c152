"""The findings of validate about pictures: precision and recall on faults that were put in, false alarms where there are none.

    python -m benchmarks.pictures.faults --pictures 300 --resamples 20

For each clean set (`clean_sets.py`) and each kind of fault, 300 pictures are drawn without replacement and 15 with the fault are added, made
from others of the set. A picture counts as found if the finding of that kind names it; precision is over all pictures that
it names. Clean draws of the same size must have no finding at all. It prints a table, writes `results/picture_faults.json`, and ends with exit
code 1 when a bound is broken.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.machine import describe_machine
from benchmarks.pictures.clean_sets import CLEAN_SETS, Picture
from benchmarks.pictures.measured_examples import Measured, in_splits, measure_file, write_examples
from components._core.examples.artifact import Manifest
from components._core.files import write_json
from components._core.project.gate_config import DataGates
from components.validate.findings import severities
from components.validate.pictures.picture_checks import PictureFindings, check_pictures

RESULTS = Path(__file__).parents[1] / "results" / "picture_faults.json"
LEAST = {"precision": 0.95, "recall": 0.75}
"""Bounds over all sets where a fault can be seen; each kind."""
_SEED = 16
_SHARE = 0.05

Random = np.random.Generator


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        kind: Kind of finding.
        make: Makes the file of a picture with the fault: its bytes, and the kind that its name says.
        least_side: Side in pixels from which the fault can be seen at all; smaller sets are measured, and not judged.
        unseen_in: Sets in which the fault cannot be seen, as tiles of sky are bright and enlarged digits soft: measured, and not judged.
        is_copy: Whether the picture that it is made from stays in the data.
    """

    kind: str
    make: Callable[[Image.Image, Random], tuple[bytes, str]]
    least_side: int = 8
    unseen_in: tuple[str, ...] = ()
    is_copy: bool = False


def _file(picture: Image.Image, kind: str = "PNG", named: str = "", **options: Any) -> tuple[bytes, str]:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue(), named or kind


def clean_file(picture: Image.Image) -> tuple[bytes, str]:
    """Write a picture without a fault: a PNG if it is small or grey, else a JPEG."""
    is_plain = picture.mode == "L" or picture.width < 64
    return _file(picture) if is_plain else _file(picture, "JPEG", quality=90)


def _animated(picture: Image.Image, _: Random) -> tuple[bytes, str]:
    return _file(picture, save_all=True, append_images=[picture.rotate(90), picture.rotate(180)], duration=100)


def _other_channels(picture: Image.Image, random: Random) -> tuple[bytes, str]:
    modes = ["RGB", "RGBA"] if picture.mode == "L" else ["L", "RGBA"]
    return _file(picture.convert(str(random.choice(modes))))


def _other_size(picture: Image.Image, random: Random) -> tuple[bytes, str]:
    side = picture.width // 8 if random.random() < 0.5 else picture.width * 8
    side = side if side >= 4 else picture.width * 8
    return clean_file(picture.resize((side, side), Image.Resampling.LANCZOS))


def _strip(picture: Image.Image, random: Random) -> tuple[bytes, str]:
    sides = [max(picture.width // 3, 4), picture.width * 3]
    return clean_file(picture.resize(random.permutation(sides).tolist(), Image.Resampling.LANCZOS))


def _blank(picture: Image.Image, random: Random) -> tuple[bytes, str]:
    colour = tuple(random.integers(0, 256, 3).tolist())
    return clean_file(Image.new("RGB", picture.size, colour).convert(picture.mode))


def _dark(picture: Image.Image, random: Random) -> tuple[bytes, str]:
    return clean_file(ImageEnhance.Brightness(picture).enhance(random.uniform(0.04, 0.1)))


def _bright(picture: Image.Image, random: Random) -> tuple[bytes, str]:
    white = Image.new(picture.mode, picture.size, "white")
    return clean_file(Image.blend(picture, white, random.uniform(0.9, 0.96)))


def _blurred(picture: Image.Image, random: Random) -> tuple[bytes, str]:
    radius = max(picture.width * random.uniform(0.025, 0.05), 1.5)
    return clean_file(picture.filter(ImageFilter.GaussianBlur(radius)))


def _near_copy(picture: Image.Image, random: Random) -> tuple[bytes, str]:
    match random.integers(0, 4):
        case 0:
            return _file(picture, "JPEG", quality=int(random.integers(40, 80)))
        case 1:
            side = round(picture.width * random.uniform(0.5, 0.9))
            return clean_file(picture.resize((side, side), Image.Resampling.LANCZOS))
        case 2:
            side = round(picture.width * random.uniform(1.2, 2))
            return clean_file(picture.resize((side, side), Image.Resampling.BICUBIC))
        case _:
            return clean_file(ImageEnhance.Brightness(picture).enhance(random.uniform(0.8, 1.2)))


FAULTS = (
    Fault("misnamed_pictures", lambda picture, _: _file(picture, "PNG", named="JPEG")),
    Fault("animated_pictures", _animated),
    Fault("mixed_picture_modes", _other_channels),
    Fault("picture_sizes", _other_size),
    Fault("picture_aspects", _strip),
    Fault("blank_pictures", _blank),
    Fault("dark_pictures", _dark, unseen_in=("tiles",)),
    Fault("bright_pictures", _bright, unseen_in=("tiles",)),
    Fault("blurred_pictures", _blurred, least_side=28, unseen_in=("tiles", "digits")),
    Fault("duplicate_pictures", lambda picture, _: clean_file(picture), is_copy=True),
    Fault("near_duplicate_pictures", _near_copy, least_side=28, is_copy=True),
    Fault("pictures_in_two_splits", _near_copy, least_side=28, is_copy=True),
    Fault("pictures_with_two_labels", _near_copy, least_side=28, is_copy=True),
)


@dataclass
class Counted:
    """Pictures by answer."""

    right: int = 0
    missed: int = 0
    wrong: int = 0

    def add(self, other: Counted) -> None:
        """Add the counts of other data."""
        self.right, self.missed, self.wrong = (
            self.right + other.right,
            self.missed + other.missed,
            self.wrong + other.wrong,
        )

    @property
    def precision(self) -> float:
        """Share of the pictures named that have the fault; 1 where none is named."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Share of the pictures with the fault that are named."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


@dataclass(frozen=True)
class CleanSet:
    """A clean set, measured once.

    Attributes:
        name: Its name.
        pictures: Pictures with labels.
        rows: What was measured of each.
    """

    name: str
    pictures: list[Picture]
    rows: list[Measured]

    @property
    def side(self) -> int:
        """Side of the pictures in pixels."""
        return self.pictures[0][0].width


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=300, help="Pictures of each draw")
    parser.add_argument("--resamples", type=int, default=20, help="Clean draws of each set")
    parser.add_argument("--sets", nargs="+", choices=[*CLEAN_SETS], default=[*CLEAN_SETS])
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    counted: dict[str, dict[str, Counted]] = defaultdict(dict)
    alarms: dict[str, Counter[str]] = {}
    for name in arguments.sets:
        pictures = CLEAN_SETS[name]()
        clean = CleanSet(name, pictures, [measure_file(*clean_file(picture), label) for picture, label in pictures])
        alarms[name] = count_false_alarms(clean, arguments.pictures, arguments.resamples)
        for fault in FAULTS:
            counted[fault.kind][name] = inject(clean, fault, arguments.pictures)
        print(f"{name}: {sum(alarms[name].values())} false alarms in {arguments.resamples} draws", file=sys.stderr)
    result = summary(counted, alarms, arguments.pictures, arguments.resamples)
    write_json(arguments.output, {**result, "machine": describe_machine(None)})
    print(table(result))
    broken = broken_bounds(result)
    print("\n".join(broken) or "every bound holds")
    sys.exit(1 if broken else 0)


def count_false_alarms(clean: CleanSet, size: int, draws: int) -> Counter[str]:
    """Count the findings in draws without a fault, by kind."""
    found: Counter[str] = Counter()
    for draw in range(draws):
        random = np.random.default_rng([_SEED, draw])
        rows = [clean.rows[place] for place in random.permutation(len(clean.rows))[:size]]
        answer = _check(rows, _splits(len(rows), random))
        found.update(check.name for check in answer.checks if check.status != "pass")
    return found


def inject(clean: CleanSet, fault: Fault, size: int) -> Counted:
    """Add pictures with a fault to a draw, and count which the finding names."""
    random = np.random.default_rng([_SEED, *map(ord, fault.kind)])
    count = max(round(_SHARE * size), 1)
    places = random.permutation(len(clean.rows))[: size + count].tolist()
    kept, spare = places[:-count], places[-count:]
    rows, splits = [clean.rows[place] for place in kept], _splits(len(kept), random)
    sources = kept[:count] if fault.is_copy else spare
    labels = sorted({row.label for row in rows})
    for number, source in enumerate(sources):
        picture, label = clean.pictures[source]
        if fault.kind == "pictures_with_two_labels":
            label = next(other for other in labels if other != label)
        content, named = fault.make(picture, random)
        rows.append(measure_file(content, named, label))
        splits.append("test" if fault.kind == "pictures_in_two_splits" else "train")
        splits[number] = "train" if fault.is_copy else splits[number]
    order = sorted(range(len(rows)), key=lambda place: ("train", "eval", "test").index(splits[place]))
    answer = _check([rows[place] for place in order], [splits[place] for place in order])
    wrong = {number for number, place in enumerate(order) if place >= len(kept)}
    originals = {number for number, place in enumerate(order) if place < count} if fault.is_copy else set()
    return _count(_named(answer, fault.kind), wrong, originals)


def _named(answer: PictureFindings, kind: str) -> set[tuple[int, ...]]:
    """Return the rows that a finding names: of copies, the pair."""
    for unusual in answer.unusual:
        if unusual.kind == kind:
            return {(row,) for row in unusual.rows.tolist()}
    return {pair for copies in answer.copies if copies.kind == kind for pair in copies.pairs}


def _count(named: set[tuple[int, ...]], wrong: set[int], originals: set[int]) -> Counted:
    """Count answers; of a pair one must be the copy, and the other its original."""
    right = {row for rows in named for row in rows if row in wrong and {*rows} <= wrong | originals}
    false = sum(not {*rows} & wrong for rows in named)
    return Counted(len(right), len(wrong - right), false)


def _splits(count: int, random: Random) -> list[str]:
    return random.choice(["train", "eval", "test"], count, p=[0.8, 0.1, 0.1]).tolist()  # type: ignore[no-any-return]


def _check(rows: Sequence[Measured], splits: list[str]) -> PictureFindings:
    with tempfile.TemporaryDirectory() as folder:
        examples = write_examples(in_splits(rows, splits), Path(folder))
        policy = severities({})
        found = check_pictures(examples, Manifest.load(examples), "label", True, DataGates(), policy)
        if found is None:
            raise RuntimeError("the examples have no measured pictures")
        return found


def summary(
    counted: dict[str, dict[str, Counted]], alarms: dict[str, Counter[str]], pictures: int, draws: int
) -> dict[str, Any]:
    """Sum up: by kind over the sets in which the fault can be seen, and each set by itself."""
    kinds = {}
    for fault in FAULTS:
        total = Counted()
        for name, found in counted[fault.kind].items():
            family, _, side = name.partition("-")
            if int(side) >= fault.least_side and family not in fault.unseen_in:
                total.add(found)
        by_set = {
            name: [round(found.precision, 3), round(found.recall, 3)] for name, found in counted[fault.kind].items()
        }
        kinds[fault.kind] = {
            "faults": total.right + total.missed,
            "precision": round(total.precision, 4),
            "recall": round(total.recall, 4),
            "least_side": fault.least_side,
            "unseen_in": list(fault.unseen_in),
            "precision_and_recall_by_set": by_set,
        }
    return {
        "pictures": pictures,
        "clean_draws": draws * len(alarms),
        "false_alarms": sum(sum(found.values()) for found in alarms.values()),
        "false_alarms_by_set": {name: dict(found) for name, found in alarms.items() if found},
        "kinds": kinds,
    }


def table(result: dict[str, Any]) -> str:
    """Format the result for a terminal."""
    lines = [f"{'kind':28} {'faults':>7} {'precision':>10} {'recall':>7}  judged"]
    for kind, found in result["kinds"].items():
        numbers = f"{found['faults']:>7} {found['precision']:>10.3f} {found['recall']:>7.3f}"
        judged = f"from {found['least_side']} px" + (
            f", not {', '.join(found['unseen_in'])}" if found["unseen_in"] else ""
        )
        lines.append(f"{kind:28} {numbers}  {judged}")
    lines.append(
        f"{result['false_alarms']} false alarms in {result['clean_draws']} clean draws of {result['pictures']} pictures"
    )
    return "\n".join(lines)


def broken_bounds(result: dict[str, Any]) -> list[str]:
    """Return the bounds that are broken, in words."""
    broken = [
        f"{kind}: {measure} {found[measure]:.3f}, at least {least}"
        for kind, found in result["kinds"].items()
        for measure, least in LEAST.items()
        if found[measure] < least
    ]
    if result["false_alarms"]:
        broken.append(f"{result['false_alarms']} false alarms on clean pictures: {result['false_alarms_by_set']}")
    return broken


if __name__ == "__main__":
    main()
