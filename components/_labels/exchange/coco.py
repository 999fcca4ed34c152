"""COCO: pictures in a folder, and one JSON file with pictures, categories and annotations."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

from components._core.errors import ConfigError, DataError
from components._labels.annotations import FoundLabel, FoundLabels, parse_time
from components._labels.exchange.contract import ExchangeFormat, WorkItem
from components._labels.exchange.json_text import parse_json, whole_number
from components._labels.label_schema import ITEM, PROJECT, SCHEMA, LabelSchema

FOLDER = "pictures"


class CocoFormat(ExchangeFormat):
    """See the module's docstring."""

    name = "coco"
    tool = "COCO"

    def write(self, schema: LabelSchema, columns: Sequence[str], items: Sequence[WorkItem]) -> dict[str, bytes]:
        """See `ExchangeFormat`."""
        column = _picture_column(columns, items)
        if not schema.config.classes:
            raise ConfigError("has no place for numbers", where="--format coco", remedy="use label-studio or csv")
        pictures, files = [], {}
        for number, item in enumerate(items, 1):
            content = item.shown[column]
            if not isinstance(content, bytes):
                continue
            width, height, ending = _look_at(content, item.id)
            name = f"{FOLDER}/{item.id}.{ending}"
            files[name] = content
            pictures.append({"id": number, "file_name": name, "width": width, "height": height, ITEM: item.id})
        list_ = {
            "info": {"description": schema.question, PROJECT: schema.project, SCHEMA: schema.config.version},
            "images": pictures,
            "categories": [{"id": place, "name": name} for place, name in enumerate(schema.config.classes, 1)],
            "annotations": [],
        }
        return {".json": (json.dumps(list_, ensure_ascii=False, indent=1) + "\n").encode(), **files}

    def recognises(self, content: bytes) -> bool:
        """See `ExchangeFormat`."""
        return content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"

    def read(self, content: bytes, where: str, schema: LabelSchema) -> FoundLabels:
        """See `ExchangeFormat`."""
        raw = parse_json(content, where)
        parts = {
            name: raw.get(name) if isinstance(raw, dict) else None for name in ("images", "categories", "annotations")
        }
        if wrong := [name for name, part in parts.items() if not isinstance(part, list)]:
            message = f"is not COCO: it has no list {wrong[0]!r}"
            raise DataError(message, where=where, remedy="export it again; nothing was imported")
        info = raw.get("info")
        return _read(parts, info if isinstance(info, dict) else {}, where)


def _picture_column(columns: Sequence[str], items: Sequence[WorkItem]) -> str:
    found = [name for name in columns if any(isinstance(item.shown.get(name), bytes) for item in items)]
    if len(found) != 1:
        what = f"pictures in {' and '.join(found)}" if found else "no column of pictures"
        raise ConfigError(
            f"needs one column of pictures; found {what}", where="--format coco", remedy="name it in labels.show"
        )
    return found[0]


def _look_at(content: bytes, item: str) -> tuple[int, int, str]:
    """Return width, height and the ending of a picture, from its header."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.width, picture.height, (picture.format or "bin").lower()
    except (OSError, ValueError, Image.DecompressionBombError):
        remedy = "leave its row out, as with data.quarantine_limit"
        raise DataError("a picture cannot be read", where=f"item {item}", remedy=remedy) from None


def _read(parts: dict[str, Any], info: dict[str, Any], where: str) -> FoundLabels:
    found = FoundLabels(CocoFormat.tool)
    pictures = {each.get("id"): each for each in parts["images"] if isinstance(each, dict)}
    names = {each.get("id"): each.get("name") for each in parts["categories"] if isinstance(each, dict)}
    annotated = set()
    for number, each in enumerate(parts["annotations"], 1):
        place = f"{where}, annotation {number:,}"
        if not isinstance(each, dict) or each.get("image_id") not in pictures:
            found.unreadable.append((place, "names a picture that the file does not have"))
        elif each.get("category_id") not in names:
            found.unreadable.append((place, "names a category that the file does not have"))
        else:
            annotated.add(each["image_id"])
            label = str(names[each["category_id"]])
            found.labels.append(_label(place, pictures[each["image_id"]], label, each, info))
    found.skipped = len(pictures.keys() - annotated)
    return found


def _label(place: str, picture: dict[str, Any], label: str, raw: dict[str, Any], info: dict[str, Any]) -> FoundLabel:
    """Return an annotation; who gave it and when stand beside it, or among its attributes."""
    attributes = raw.get("attributes")
    more = {**(attributes if isinstance(attributes, dict) else {}), **raw}
    try:
        time = parse_time(more.get("time"))
    except ValueError:
        time = ""
    item, project = str(picture.get(ITEM) or _item_of(picture)), info.get(PROJECT)
    annotator = str(more.get("annotator") or "")
    known = project if isinstance(project, str) else ""
    return FoundLabel(place, item, annotator, label, time, known, whole_number(info.get(SCHEMA)))


def _item_of(picture: dict[str, Any]) -> str:
    """Return the item of a picture by its file's name, where a tool kept only that."""
    return str(picture.get("file_name", "")).rsplit("/", 1)[-1].rpartition(".")[0]
