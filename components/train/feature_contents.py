"""What a project says of its pictures and texts, for the signature: the server bounds and masks requests by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from components._core.project.data_config import Data
from components._core.types.contents import PICTURE, TEXT
from components._core.types.signature import Feature

_MIB = 1 << 20


def with_contents(features: Iterable[Feature], data: Data) -> tuple[Feature, ...]:
    """Return the features with the content, bounds and masks that `data.pictures` and `data.texts` give them."""
    return tuple(_with_content(feature, data) for feature in features)


def _with_content(feature: Feature, data: Data) -> Feature:
    pictures = data.pictures
    if pictures is not None and feature.name == pictures.column:
        most = int(pictures.max_mb * _MIB)
        return replace(feature, content=PICTURE, max_pixels=pictures.max_pixels, max_bytes=most)
    if feature.name in data.texts.columns:
        return replace(feature, content=TEXT, mask=tuple(sorted(data.texts.mask)))
    return feature
