"""Source patterns: placeholders in a path that stand for a span, for its version and for the split of its rows.

| placeholder | stands for |
| --- | --- |
| `{span}` | a span's number, with or without leading zeros |
| `{YYYY}`, `{MM}`, `{DD}`, `{HH}` | year, month, day and hour, with leading zeros: a span is the finest that is given |
| `{VERSION}` | a version of the span; the newest is read |
| `{split}` | the split of a file's rows: train, eval or test, or as `data.split.values` names them |
| `*` | any part of a name, where there are other placeholders: a span then has several files |

They may be in folders too, as in `{YYYY}/{MM}/{DD}.csv` or `date={YYYY}-{MM}-{DD}/`. Nothing here lists files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from components._core.errors import ConfigError
from components._core.types.span_units import NUMBER, UNITS, SpanUnit

_WHERE = "data.source"
_DATES = {"YYYY": 4, "MM": 2, "DD": 2, "HH": 2}
"""Placeholders of a date with their digits, from the coarsest to the finest."""
_UNITS = dict(zip(_DATES, ("year", "month", "day", "hour"), strict=True))
_KNOWN = ("span", *_DATES, "VERSION", "split")
_PLACEHOLDER = re.compile(r"\{(" + "|".join(_KNOWN) + r")\}")
_LIKE = re.compile(r"\{(" + "|".join(_KNOWN) + r")\}", re.IGNORECASE)


@dataclass(frozen=True)
class SpanPattern:
    """A path with placeholders.

    Attributes:
        path: The path, as its file system has it.
        unit: Unit of the spans; None when a source has no spans.
    """

    path: str
    unit: SpanUnit | None

    @property
    def root(self) -> str:
        """The folder below which all names have placeholders."""
        return self.path[: self._start].rpartition("/")[0]

    @property
    def segments(self) -> list[str]:
        """The parts of the path below the root."""
        return self.path[len(self.root) :].lstrip("/").split("/")

    @property
    def head(self) -> list[str]:
        """The first segments, which determine the span of a file."""
        last = max((place for place, part in enumerate(self.segments) if self._tells_span(part)), default=-1)
        return self.segments[: last + 1]

    @property
    def tail(self) -> list[str]:
        """The other segments, in which only versions and splits differ."""
        return self.segments[len(self.head) :]

    @property
    def has_several_files(self) -> bool:
        """Whether a `*` may match several files of a span."""
        return "*" in "/".join(self.segments)

    def span(self, values: dict[str, str]) -> int | None:
        """Return the span of the placeholders' values; None when there is no such date."""
        if self.unit is None:
            return 1
        if self.unit is NUMBER:
            return int(values["span"])
        return self.unit.span(tuple(int(values[name]) for name in [*_DATES][: self.unit.fields]))

    def matches(self, path: str) -> bool:
        """Return whether a path has the form of the pattern."""
        parts = path[len(self.root) :].lstrip("/").split("/")
        if not path.startswith(f"{self.root}/") or len(parts) != len(self.segments):
            return False
        values: dict[str, str] | None = {}
        for segment, part in zip(self.segments, parts, strict=True):
            values = None if values is None else match_segment(segment, part, values)
        return values is not None

    @property
    def _start(self) -> int:
        match = _PLACEHOLDER.search(self.path)
        return match.start() if match else len(self.path)

    def _tells_span(self, segment: str) -> bool:
        return any(name not in ("VERSION", "split") for name in _PLACEHOLDER.findall(segment))


def parse_pattern(path: str) -> SpanPattern | None:
    """Parse a source's path; None when it has no placeholder.

    Raises:
        ConfigError: When the placeholders do not make a span.
    """
    names = set(_PLACEHOLDER.findall(path))
    if wrong := next((found[0] for found in _LIKE.finditer(path) if found[1] not in _KNOWN), ""):
        right = next(name for name in _KNOWN if name.lower() == wrong[1:-1].lower())
        raise ConfigError(f"found {wrong}", where=_WHERE, remedy=f"write {{{right}}}")
    if not names:
        return None
    dates = [name for name in _DATES if name in names]
    if "span" in names and dates:
        raise ConfigError(
            f"has both {{span}} and {{{dates[0]}}}", where=_WHERE, remedy="a span is a number or a date: keep one"
        )
    if dates != [*_DATES][: len(dates)]:
        given = " ".join(f"{{{name}}}" for name in dates)
        lacking = next(name for name in _DATES if name not in dates)
        raise ConfigError(
            f"has {given} without {{{lacking}}}",
            where=_WHERE,
            remedy="a date is {YYYY}, {YYYY}-{MM}, {YYYY}-{MM}-{DD} or with {HH} besides, in any order and form",
        )
    unit = NUMBER if "span" in names else UNITS[_UNITS[dates[-1]]] if dates else None
    return SpanPattern(path, unit)


def unit_of(source: str) -> SpanUnit | None:
    """Return the unit of a source's spans; None when it has none. Errors as in `parse_pattern`."""
    pattern = parse_pattern(source)
    return pattern.unit if pattern else None


def is_literal(segment: str) -> bool:
    """Return whether a segment of a pattern is a name without placeholders."""
    return not _PLACEHOLDER.search(segment) and "*" not in segment


def matches_any_name(segment: str) -> bool:
    """Return whether a segment matches names of which the pattern says little, so that those of writers do not count."""
    return "*" in segment or "{split}" in segment


def match_segment(segment: str, name: str, known: dict[str, str]) -> dict[str, str] | None:
    """Match the name of a file or folder with one segment of a pattern.

    Args:
        segment: The segment.
        name: The name.
        known: The values of placeholders in the folders above, which must be the same here.

    Returns:
        The values of all placeholders so far, or None when the name does not match.
    """
    match = re.fullmatch(_expression(segment, known), name)
    return {**known, **match.groupdict()} if match else None


def _expression(segment: str, known: dict[str, str]) -> str:
    written, seen = "", set()
    for number, part in enumerate(_PLACEHOLDER.split(segment)):
        if number % 2 == 0:
            written += re.escape(part).replace(r"\*", "[^/]*")
        elif part in known:
            written += re.escape(known[part])
        elif part in seen:
            written += f"(?P={part})"
        else:
            seen.add(part)
            if part == "split":
                written += "(?P<split>[^/]+?)"
                continue
            digits = f"{{{_DATES[part]}}}" if part in _DATES else "{1,19}"
            written += rf"(?P<{part}>[0-9]{digits})"
    return written
