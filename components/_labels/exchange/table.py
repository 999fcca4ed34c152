"""The table of exchange formats: one line for each."""

from __future__ import annotations

from components._core.errors import ConfigError
from components._core.suggestions import listed, suggest
from components._labels.exchange.coco import CocoFormat
from components._labels.exchange.contract import ExchangeFormat
from components._labels.exchange.csv_table import CsvTableFormat
from components._labels.exchange.label_studio import LabelStudioFormat

FORMATS: dict[str, ExchangeFormat] = {each.name: each for each in (LabelStudioFormat(), CocoFormat(), CsvTableFormat())}
"""Formats by name, in the order in which a file is tried."""


def find_format(name: str) -> ExchangeFormat:
    """Return a format by its name.

    Raises:
        ConfigError: When there is none.
    """
    if name not in FORMATS:
        message = f"unknown format {name!r}; {suggest(name, [*FORMATS])}"
        raise ConfigError(message, where="--format", remedy=f"allowed: {listed([*FORMATS])}")
    return FORMATS[name]


def recognise_format(content: bytes) -> ExchangeFormat:
    """Return the format of a file of labels."""
    return next(known for known in FORMATS.values() if known.recognises(content))
