"""The section of the project file about a column of pictures."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictInt

from components._core.project.config_types import Real, Section
from components._core.project.measured_exclusions import exclude_measured
from components._core.types.file_columns import PATH_COLUMN, PATH_REASON
from components._core.types.measured_columns import GROUP, PICTURE_MEASURES, REASON, measured_column

PICTURES_SCHEME = "pictures://"
"""Beginning of a source that is a folder of pictures, with a folder for each class."""
WEBDATASET_SCHEME = "webdataset://"
"""Beginning of a source that is tar archives of samples."""
DEFAULT_COLUMN = "picture"
PICTURE_ENDINGS = frozenset({"jpg", "jpeg", "png", "webp", "tif", "tiff", "gif", "bmp"})
"""Endings of the names of pictures."""


class Pictures(Section):
    """A column of pictures."""

    column: Annotated[
        str,
        Field(min_length=1, description="The column: encoded pictures (bytes), or paths of their files (text)."),
    ] = DEFAULT_COLUMN
    folder: Annotated[
        str,
        Field(
            description="Folder from which paths begin, relative to the project file, or a URL; empty: the folder of the table's "
            "file. A path that leaves it is refused."
        ),
    ] = ""
    max_pixels: Annotated[
        StrictInt,
        Field(ge=1, le=150_000_000, description="Most pixels of a picture; it is set aside before it is decoded."),
    ] = 50_000_000
    max_mb: Annotated[
        Real,
        Field(gt=0, le=512, description="Largest file of a picture, in MB (2**20 bytes); a larger one is set aside."),
    ] = 20
    near: Annotated[
        Real,
        Field(
            ge=0,
            le=1,
            description="Correlation of small grey copies from which two pictures show the same and stay in one split; 1: only "
            "equal ones do; 0: each row goes by itself.",
        ),
    ] = 0.99

    @property
    def max_bytes(self) -> int:
        """`max_mb` in bytes."""
        return int(self.max_mb * (1 << 20))

    @property
    def measured(self) -> dict[str, str]:
        """Reason for excluding each measured column from the model, by its name."""
        return {measured_column(self.column, name): REASON.format(self.column) for name in PICTURE_MEASURES}

    @property
    def group_column(self) -> str:
        """The column with the group of pictures that show the same; empty: rows go by themselves."""
        return measured_column(self.column, GROUP) if self.near else ""


def with_pictures(raw: Any) -> Any:
    """Complete a raw `data` section with pictures: what is measured is excluded from the model, and the split goes by what a picture shows.

    A source of files of pictures has the section by itself.
    """
    if not isinstance(raw, dict):
        return raw
    has_files = isinstance(raw.get("source"), str) and raw["source"].startswith((PICTURES_SCHEME, WEBDATASET_SCHEME))
    given = raw.get("pictures", {} if has_files else None)
    if not isinstance(given, dict | Pictures):
        return raw
    pictures = given if isinstance(given, Pictures) else _parse(given)
    if pictures is None:
        return raw  # pydantic says what is wrong
    reasons = {**pictures.measured, **({PATH_COLUMN: PATH_REASON} if has_files else {})}
    groups = [pictures.group_column] if pictures.group_column else []
    return exclude_measured({**raw, "pictures": given}, reasons, groups)


def _parse(given: dict[str, Any]) -> Pictures | None:
    try:
        return Pictures.model_validate(given)
    except ValueError:
        return None
