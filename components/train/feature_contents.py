"""What a project says of its pictures and texts, for the signature: the server bounds and masks requests by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from components._core.project.picture_config import Pictures
from components._core.project.text_config import Texts
from components._core.types.contents import PICTURE, TEXT
from components._core.types.signature import Feature


def with_contents(features: Iterable[Feature], pictures: Pictures | None, texts: Texts) -> tuple[Feature, ...]:
    """Return the features with the content, bounds and masks that `data.pictures` and `data.texts` give them."""
    return tuple(_with_content(feature, pictures, texts) for feature in features)


def _with_content(feature: Feature, pictures: Pictures | None, texts: Texts) -> Feature:
    if pictures is not None and feature.name == pictures.column:
        return replace(feature, content=PICTURE, max_pixels=pictures.max_pixels, max_bytes=pictures.max_bytes)
    if feature.name in texts.columns:
        return replace(feature, content=TEXT, mask=tuple(sorted(texts.mask)))
    return feature
