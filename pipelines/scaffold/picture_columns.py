"""What a new project does with a table of pictures: the picture is what the model sees."""

from __future__ import annotations

from dataclasses import replace

import pyarrow.compute as pc

from components._core.errors import ConfigError
from components._core.project.picture_config import Pictures
from components._core.types.measured_columns import measured_column
from pipelines.scaffold.choices import AUTO, Choices
from pipelines.scaffold.decisions import Decision, Fitting
from pipelines.scaffold.table_profile import Profile

SIDES = (32, 64, 128)
"""Sides that pictures are scaled to; the first that is not smaller than most pictures, or the last."""
_KINDS = ("keras", AUTO)
_BATCH, _EPOCHS, _PATIENCE = 64, 30, 6
_LEARNING_RATE, _UNITS, _DROPOUT = 0.002, 64, 0.3


def check_picture_choices(choices: Choices) -> None:
    """Refuse a kind of model for which no code for pictures is written.

    Raises:
        ConfigError: When `--model` names one.
    """
    if choices.model not in _KINDS:
        message = f"found {choices.model!r}; of pictures a project with a Keras model is written"
        raise ConfigError(message, where="--model", remedy="leave it out, or name keras")


def decide_pictures(profile: Profile, label: str, pictures: Pictures) -> list[Decision]:
    """Decide the role of each column, in the table's order.

    Args:
        profile: The table's profile.
        label: The column to predict.
        pictures: The column of pictures.
    """
    side = choose_side(profile, pictures)
    found = []
    for name, column in profile.columns.items():
        if name == label:
            found.append(Decision(column, "label", "the label"))
        elif name == pictures.column:
            found.append(Decision(column, "picture", f"scaled to {side} x {side} pixels, seen by convolutions"))
        else:
            found.append(Decision(column, "left out", "the code that was written looks at the picture alone"))
    return found


def choose_side(profile: Profile, pictures: Pictures) -> int:
    """Return the side that pictures are scaled to, in pixels."""
    sizes = [profile.sample[measured_column(pictures.column, name)] for name in ("width", "height")]
    usual = min(float(pc.quantile(values, 0.5)[0].as_py()) for values in sizes)
    return next((side for side in SIDES if side >= usual), SIDES[-1])


def decide_picture_fitting(fitting: Fitting) -> Fitting:
    """Return the training settings for pictures, with the shares of the splits of a table."""
    return replace(
        fitting,
        epochs=_EPOCHS,
        batch_size=min(_BATCH, fitting.batch_size * 2),
        patience=_PATIENCE,
        learning_rate=_LEARNING_RATE,
        units=_UNITS,
        dropout=_DROPOUT,
    )
