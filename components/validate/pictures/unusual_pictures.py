"""Find pictures that are unusual by themselves: wrong kind, size, shape, channels, blank, dark, bright, blurred, animated.

What is unusual depends on the data, so a bound on brightness, sharpness, size or shape is combined with the distance from the
other pictures (`outliers.py`): a night scene among others, or a drawing of a few lines on white, is not a finding.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components._core.project.picture_gate_config import PictureGates
from components.validate.pictures.measured_pictures import MeasuredPictures, Numbers, Texts
from components.validate.pictures.outliers import deviations_for, lower_bound, upper_bound

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

_CHANNELS = {
    **dict.fromkeys(("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"), "grey"),
    **dict.fromkeys(("RGB", "P", "YCbCr", "LAB", "HSV", "RGBX"), "colour"),
    **dict.fromkeys(("LA", "La", "RGBA", "RGBa", "PA"), "with transparency"),
}
_EQUAL_FORMATS = {"MPO": "JPEG", "JPG": "JPEG", "TIF": "TIFF", "DIB": "BMP", "JFIF": "JPEG"}
_SINGLE_VALUE = 0.5
"""Standard deviation of the luma up to which a picture is blank in any data."""
_LEAST_LUMA = math.log(1.5)
_LEAST_LOGIT = 1.2
_ALL_DARK, _ALL_BRIGHT = 20.0, 235.0
"""Mean luma beyond which a picture far from the others is too dark or bright whatever its contrast."""


@dataclass(frozen=True)
class Unusual:
    """Pictures of one kind.

    Attributes:
        kind: Kind of finding (`findings.KINDS`).
        rows: Rows, the most unusual first.
        measured: What was measured, by row of `rows`, for people.
        bound: What is allowed, in words.
        allowed: Share of the pictures from which it is a finding.
        examined: Number of pictures examined.
        note: More about the finding; empty: none.
    """

    kind: str
    rows: Rows
    measured: list[str]
    bound: str
    allowed: float
    examined: int
    note: str = ""

    @property
    def share(self) -> float:
        """Share of the examined pictures, 0 to 1."""
        return len(self.rows) / self.examined if self.examined else 0.0


def find_unusual(pictures: MeasuredPictures, gates: PictureGates) -> list[Unusual]:
    """Find the pictures of each kind; a kind without any has no rows.

    Args:
        pictures: What ingest measured.
        gates: The bounds.
    """
    blank, sizes = is_blank(pictures, gates), _sizes(pictures, gates)
    return [
        _misnamed(pictures),
        _animated(pictures),
        _modes(pictures, gates),
        sizes,
        _aspects(pictures, gates),
        _found(
            "blank_pictures", pictures, blank, pictures.numbers["contrast"], "contrast {:.2f}", "the luma varies", 0.0
        ),
        _dark(pictures, gates, blank),
        _bright(pictures, gates, blank),
        _blurred(pictures, gates, blank, sizes.rows),
    ]


def is_blank(pictures: MeasuredPictures, gates: PictureGates) -> Mask:
    """Return which pictures have one colour, or hardly vary where the others do and are neither dark nor bright."""
    contrast = pictures.numbers["contrast"]
    single = contrast <= min(gates.blank, _SINGLE_VALUE)
    scale = np.log(np.maximum(contrast, _SINGLE_VALUE))
    usual = lower_bound(scale, deviations_for(len(scale), gates.deviations), 0.0)
    faint = (contrast <= gates.blank) & (scale < usual)
    dim = _is_dark(pictures, gates, single) | _is_bright(pictures, gates, single)
    return np.asarray(single | (faint & ~dim))


def _misnamed(pictures: MeasuredPictures) -> Unusual:
    found, named = pictures.texts["format"], pictures.texts["named"]
    pairs = {
        (one, other): _same_format(found, one, named, other)
        for one, other in set(zip(found.codes.tolist(), named.codes.tolist(), strict=True))
    }
    wrong = [not pairs[pair] for pair in zip(found.codes.tolist(), named.codes.tolist(), strict=True)]
    rows = np.flatnonzero(np.array(wrong, bool))
    measured = [f"{found.at(row)}, named {named.at(row)}" for row in rows]
    return Unusual("misnamed_pictures", rows, measured, "the kind that the file's name says", 0.0, len(pictures))


def _same_format(found: Texts, one: int, named: Texts, other: int) -> bool:
    if one < 0 or other < 0:
        return True  # a picture without a file's name, such as one in a table
    formats = (found.values[one].upper(), named.values[other].upper())
    return len({_EQUAL_FORMATS.get(name, name) for name in formats}) == 1


def _animated(pictures: MeasuredPictures) -> Unusual:
    frames = pictures.numbers["frames"]
    found = _found("animated_pictures", pictures, frames > 1, -frames, "", "one frame; the model sees the first", 0.0)
    return _with(found, [f"{frames[row]:.0f} frames" for row in found.rows])


def _modes(pictures: MeasuredPictures, gates: PictureGates) -> Unusual:
    modes = pictures.texts["mode"]
    if gates.modes:
        wrong = {code for code, mode in enumerate(modes.values) if mode not in gates.modes}
        bound = f"modes {', '.join(gates.modes)}"
    else:
        channels = [_CHANNELS.get(mode, mode) for mode in modes.values]
        counts = np.bincount(modes.codes[modes.codes >= 0], minlength=len(channels))
        totals: Counter[str] = Counter()
        for name, count in zip(channels, counts.tolist(), strict=True):
            totals[name] += count
        usual = max(totals, key=lambda name: (totals[name], name)) if totals else ""
        wrong = {code for code, name in enumerate(channels) if name != usual}
        bound = f"{usual} as most are"
    rows = np.flatnonzero(np.isin(modes.codes, list(wrong)))
    rarest = np.argsort(np.bincount(modes.codes[rows], minlength=1)[modes.codes[rows]], kind="stable")
    rows = rows[rarest]
    counted = Counter(modes.codes.tolist())
    note = ", ".join(f"{count:,} {modes.values[code]}" for code, count in counted.most_common() if code >= 0)
    return Unusual(
        "mixed_picture_modes",
        rows,
        [modes.at(row) for row in rows],
        bound,
        0.0,
        len(pictures),
        note if len(rows) else "",
    )


def _sizes(pictures: MeasuredPictures, gates: PictureGates) -> Unusual:
    width, height = pictures.numbers["width"], pictures.numbers["height"]
    side = np.log(np.maximum(width * height, 1)) / 2
    deviations, least = deviations_for(len(side), gates.deviations), math.log(gates.size_ratio)
    low, high = lower_bound(side, deviations, least), upper_bound(side, deviations, least)
    small = np.minimum(width, height) < gates.min_side
    distance = np.abs(side - np.median(side)) if len(side) else side
    found = _found("picture_sizes", pictures, small | (side < low) | (side > high), -distance, "", "", gates.outliers)
    bound = f"{gates.min_side} pixels a side at least"
    if math.isfinite(low):
        bound += f", and the square root of the area from {math.exp(low):.0f} to {math.exp(high):.0f} pixels"
    return _with(found, [f"{width[row]:.0f} x {height[row]:.0f}" for row in found.rows], bound)


def _aspects(pictures: MeasuredPictures, gates: PictureGates) -> Unusual:
    width, height = pictures.numbers["width"], pictures.numbers["height"]
    elongation = np.abs(np.log(np.maximum(width, 1) / np.maximum(height, 1)))
    bound = math.log(gates.aspect)
    usual = upper_bound(elongation, deviations_for(len(pictures), gates.deviations), 0.0)
    bound = max(bound, usual) if math.isfinite(usual) else bound
    found = _found("picture_aspects", pictures, elongation > bound, -elongation, "", "", gates.outliers)
    measured = [f"{width[row]:.0f} x {height[row]:.0f}" for row in found.rows]
    return _with(found, measured, f"a side at most {math.exp(bound):.3g} times as long as the other")


def _dark(pictures: MeasuredPictures, gates: PictureGates, blank: Mask) -> Unusual:
    mean = pictures.numbers["brightness"]
    bound = f"bright parts (mean luma + 2 standard deviations) of {gates.dark:g}"
    wrong = _is_dark(pictures, gates, blank)
    return _found("dark_pictures", pictures, wrong, mean, "mean luma {:.0f}", bound, gates.outliers)


def _bright(pictures: MeasuredPictures, gates: PictureGates, blank: Mask) -> Unusual:
    mean = pictures.numbers["brightness"]
    bound = f"dark parts (mean luma - 2 standard deviations) of {gates.bright:g}"
    found = _found("bright_pictures", pictures, _is_bright(pictures, gates, blank), -mean, "", bound, gates.outliers)
    return _with(found, [f"mean luma {mean[row]:.0f}" for row in found.rows])


def _is_dark(pictures: MeasuredPictures, gates: PictureGates, blank: Mask) -> Mask:
    mean, deviation = pictures.numbers["brightness"], pictures.numbers["contrast"]
    return _is_dim(mean, mean + 2 * deviation, gates.dark, _ALL_DARK, gates, blank)


def _is_bright(pictures: MeasuredPictures, gates: PictureGates, blank: Mask) -> Mask:
    mean, deviation = 255 - pictures.numbers["brightness"], pictures.numbers["contrast"]
    return _is_dim(mean, mean + 2 * deviation, 255 - gates.bright, 255 - _ALL_BRIGHT, gates, blank)


def _is_dim(mean: Numbers, level: Numbers, bound: float, all_dim: float, gates: PictureGates, blank: Mask) -> Mask:
    """Return which pictures are dark: their brightest parts, or nearly all, and far from the others. Of bright ones the luma is reversed."""
    deviations = deviations_for(len(mean), gates.deviations)
    levels, means = np.log(np.maximum(level, 0) + 1), np.log((mean + 1) / (256 - mean))
    seen = ~blank
    dim = (level < bound) & (levels < _finite(lower_bound(levels[seen], deviations, _LEAST_LUMA)))
    dim |= (mean < all_dim) & (means < lower_bound(means[seen], deviations + 1, _LEAST_LOGIT))
    return np.asarray(dim & seen)


def _finite(bound: float) -> float:
    """Return infinity where few pictures give no bound: then only the absolute one counts."""
    return bound if math.isfinite(bound) else math.inf


def _blurred(pictures: MeasuredPictures, gates: PictureGates, blank: Mask, of_other_size: Rows) -> Unusual:
    ratio = sharpness_of(pictures)
    scale = np.log(np.maximum(ratio, 1e-9))
    bound = lower_bound(scale[~blank], deviations_for(len(scale), gates.deviations), math.log(gates.blurred))
    wrong = (scale < bound) & ~blank
    wrong[of_other_size] = False  # how sharp a picture is depends on its size, and these are findings already
    usual = float(np.median(ratio[~blank])) if (~blank).any() else 0.0
    found = _found("blurred_pictures", pictures, wrong, ratio, "", "", gates.outliers)
    measured = [f"{usual / max(ratio[row], 1e-9):.3g} times less sharp than the median" for row in found.rows]
    words = (
        f"at most {usual / math.exp(bound):.3g} times less sharp than the median"
        if math.isfinite(bound)
        else "too few pictures to tell"
    )
    return _with(found, measured, words)


def sharpness_of(pictures: MeasuredPictures) -> Numbers:
    """Return the variance of the Laplacian over that of the luma: how sharp edges are, whatever the contrast."""
    contrast = pictures.numbers["contrast"]
    return np.asarray(pictures.numbers["sharpness"] / np.maximum(contrast, 1e-3) ** 2)


def _found(
    kind: str, pictures: MeasuredPictures, wrong: Mask, order: Numbers, text: str, bound: str, allowed: float
) -> Unusual:
    """Return the rows where `wrong` is true, by ascending `order`."""
    rows = np.flatnonzero(wrong)
    rows = rows[np.argsort(order[rows], kind="stable")]
    return Unusual(kind, rows, [text.format(order[row]) for row in rows] if text else [], bound, allowed, len(pictures))


def _with(found: Unusual, measured: list[str], bound: str = "") -> Unusual:
    return Unusual(found.kind, found.rows, measured, bound or found.bound, found.allowed, found.examined, found.note)
