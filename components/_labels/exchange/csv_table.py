"""CSV: one row for each item with an empty column for the label, filled in with any program; and the same file with the labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from components._core.errors import ConfigError, DataError
from components._labels.annotations import FoundLabel, FoundLabels, parse_time
from components._labels.exchange.contract import LARGEST_FILE, ExchangeFormat, WorkItem
from components._labels.label_schema import ITEM, PROJECT, SCHEMA, LabelSchema

ANNOTATOR, TIME, VOTES = "annotator", "time", "votes"
_REMEDY = "correct the file; nothing was imported"


class CsvTableFormat(ExchangeFormat):
    """See the module's docstring."""

    name = "csv"
    tool = "CSV"

    def write(self, schema: LabelSchema, columns: Sequence[str], items: Sequence[WorkItem]) -> dict[str, bytes]:
        """See `ExchangeFormat`."""
        if any(isinstance(value, bytes) for item in items for value in item.shown.values()):
            raise ConfigError("has no place for pictures", where="--format csv", remedy="use label-studio or coco")
        if taken := [name for name in columns if name in (ANNOTATOR, TIME, VOTES)]:
            remedy = "leave it out of labels.show, or use label-studio"
            raise ConfigError(f"has a column {taken[0]!r} of its own", where="--format csv", remedy=remedy)
        has_votes = any(item.votes for item in items)
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(
            [ITEM, PROJECT, SCHEMA, *columns, *([VOTES] if has_votes else []), schema.label, ANNOTATOR, TIME]
        )
        for item in items:
            votes = [_as_text(", ".join(f"{name}: {label}" for name, label in item.votes.items()))] if has_votes else []
            shown = [_as_text(item.shown.get(name)) for name in columns]
            lines.writerow([item.id, schema.project, schema.config.version, *shown, *votes, "", "", ""])
        return {
            ".csv": text.getvalue().encode("utf-8-sig")
        }  # with the mark, which spreadsheets need for anything but ASCII

    def recognises(self, content: bytes) -> bool:
        """See `ExchangeFormat`."""
        return True  # any other text; what is not a table of labels is refused while it is read

    def read(self, content: bytes, where: str, schema: LabelSchema) -> FoundLabels:
        """See `ExchangeFormat`."""
        found = FoundLabels(self.tool)
        for number, row in _rows(content, where, schema.label):
            place, label = f"{where}, line {number:,}", row[schema.label].strip()
            if not label:
                found.skipped += 1
                continue
            try:
                time = parse_time(row[TIME]) if row.get(TIME) else ""
            except ValueError:
                found.unreadable.append((place, f"{row[TIME][:40]!r} is not a time as in 2026-01-31T09:00Z"))
                continue
            version = row.get(SCHEMA, "")
            found.labels.append(
                FoundLabel(
                    place,
                    row[ITEM].strip(),
                    row.get(ANNOTATOR, "").strip(),
                    label,
                    time,
                    row.get(PROJECT, "").strip(),
                    int(version) if version.isdecimal() else None,
                )
            )
        return found


def _as_text(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: its content may come from anybody, and only the label comes back."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _rows(content: bytes, where: str, label: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line and cells of each row; a row with too few or too many cells ends the import: a delimiter or a quote is lost."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        remedy = "save it as CSV UTF-8; nothing was imported"
        raise DataError(f"is not UTF-8 (byte {error.start:,})", where=where, remedy=remedy) from None
    if "\0" in text:
        raise DataError("is not a text", where=where, remedy=_REMEDY)
    before = csv.field_size_limit(LARGEST_FILE)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        header = next(lines, [])
        for needed in (ITEM, label):
            if header.count(needed) != 1:
                message = f"must have the column {needed!r} once; found: {', '.join(header)[:200] or 'nothing'}"
                raise DataError(message, where=where, remedy="fill in the file that naru label export wrote")
        for row in lines:
            if not row:
                continue
            if len(row) != len(header):
                message = f"has {len(row)} cells, and the header {len(header)}"
                raise DataError(message, where=f"{where}, line {lines.line_num:,}", remedy=_REMEDY)
            yield lines.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise DataError(f"is not CSV: {error}", where=where, remedy=_REMEDY) from None
    finally:
        csv.field_size_limit(before)


def _delimiter(text: str) -> str:
    """Return the delimiter of the header: spreadsheets of some languages write semicolons."""
    header = text.partition("\n")[0]
    return next((mark for mark in ",;\t" if ITEM in [name.strip('"\r') for name in header.split(mark)]), ",")
