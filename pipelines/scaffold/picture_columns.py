"""What a new project does with a table of pictures: the picture is what the model sees."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import ConfigError
from components._core.pictures.measures import format_of_name
from components._core.project.picture_config import Pictures
from components._core.types.measured_columns import measured_column
from pipelines.scaffold.choices import AUTO, Choices
from pipelines.scaffold.decisions import Decision, Fitting
from pipelines.scaffold.table_profile import Profile

SIDES = (32, 64, 128)
"""Sides that pictures are scaled to; the first that is not smaller than most pictures, or the last."""
_KINDS = ("keras", AUTO)
_NAMES, _MOST_NAMES = 1_000, 0.9
"""Texts of a column that are looked at, and the share of them that must end as pictures do."""
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


def find_named_pictures(profile: Profile, label: str) -> str:
    """Return what a user can do with a column whose texts are names of files of pictures; empty: there is none."""
    for name, column in zip(profile.sample.column_names, profile.sample.columns, strict=True):
        if name == label or not pa.types.is_string(column.type):
            continue
        values = column.drop_null().slice(0, _NAMES).to_pylist()
        if values and sum(format_of_name(value) is not None for value in values) >= _MOST_NAMES * len(values):
            return (
                f"{name!r} names files of pictures, which are not looked at; for a model that sees them set "
                f"data.pictures: {{column: {json.dumps(name, ensure_ascii=False)}}} in a project.yaml, or give a folder for each class: "
                "--data pictures://FOLDER"
            )
    return ""


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
