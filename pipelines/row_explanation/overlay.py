"""The picture of a row, with what each of its areas adds to the score, as a file."""

from __future__ import annotations

from pathlib import Path

from components._core.errors import ConfigError
from components._core.files import write_bytes
from components.explain.picture_parts import draw_overlay
from pipelines.row_explanation.explained_row import ExplainedRow


def write_overlay(found: ExplainedRow, path: Path) -> None:
    """Write the overlay of the row's first picture as a PNG.

    Raises:
        ConfigError: When the row has no picture of two areas or more, or the file is not named `.png`.
    """
    if path.suffix.lower() != ".png":
        raise ConfigError(
            f"found {str(path)!r}; the overlay is a PNG", where="--overlay", remedy="name a file that ends with .png"
        )
    parts = next((each for each in found.parts if each.columns), None)
    if parts is None:
        message = f"{found.row.title} has no picture"
        raise ConfigError(message, where="--overlay", remedy="leave it out; pictures are what data.pictures names")
    write_bytes(path, draw_overlay(parts.value, parts.values, parts.columns))
