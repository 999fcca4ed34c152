"""The section of the project file about the bounds of pictures (`gates.data.pictures`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt

from components._core.project.config_types import Real, Section

Share = Annotated[Real, Field(ge=0, lt=1)]


class PictureGates(Section):
    """Bounds of the checks of pictures.

    A bound on brightness, sharpness, size or shape flags only a picture that also lies far from the others of the same
    data: line drawings are bright, digits have no colour, and neither is wrong.
    """

    min_side: Annotated[StrictInt, Field(ge=1, description="Smallest width and height, in pixels.")] = 8
    size_ratio: Annotated[
        Real,
        Field(
            gt=1,
            description="How many times smaller or larger than the median a picture may be (square root of its area); more is allowed "
            "where sizes vary much.",
        ),
    ] = 4.0
    aspect: Annotated[
        Real,
        Field(
            gt=1,
            description="How many times longer than the other a side may be; more is allowed where shapes vary much.",
        ),
    ] = 3.0
    modes: Annotated[
        list[str],
        Field(
            description="The allowed modes of the source's pictures, as Pillow names them: `[RGB]`, `[L, RGB]`. Empty: mixed channels are a "
            "finding, whichever they are."
        ),
    ] = []
    blank: Annotated[
        Real,
        Field(ge=0, le=128, description="Standard deviation of the luma (0 to 255) up to which a picture is blank."),
    ] = 2.0
    dark: Annotated[
        Real,
        Field(
            ge=0,
            le=255,
            description="A picture is too dark where even its bright parts (mean luma plus two standard deviations) are below.",
        ),
    ] = 40.0
    bright: Annotated[
        Real,
        Field(
            ge=0,
            le=255,
            description="A picture is too bright where even its dark parts (mean luma minus two standard deviations) are above.",
        ),
    ] = 215.0
    blurred: Annotated[
        Real,
        Field(
            gt=1,
            description="How many times less sharp than the median a blurred picture is, at least: variance of the Laplacian over that of the luma.",
        ),
    ] = 20.0
    deviations: Annotated[
        Real,
        Field(
            gt=0,
            description="Robust standard deviations from the median within which a size, a shape, a brightness or a sharpness is usual; the "
            "more pictures, the more are allowed in any case, as chance has it.",
        ),
    ] = 5.0
    outliers: Annotated[
        Share,
        Field(
            description="Share of pictures of unusual size, shape, brightness or sharpness from which it is a finding."
        ),
    ] = 0.005
    duplicates: Annotated[
        Share, Field(description="Share of pictures that copy another one from which it is a finding.")
    ] = 0.01
    near_duplicates: Annotated[
        Share, Field(description="Share of pictures that nearly equal another one from which it is a finding.")
    ] = 0.01
    two_splits: Annotated[
        Share,
        Field(
            description="Share of the eval and test pictures that equal, or nearly equal, one of another split from which it is a finding."
        ),
    ] = 0.01
