"""The files of spans: those that match a source's pattern.

Folders are listed level by level as far as names distinguish spans. Below them only the spans that a run reads are
listed, so that a year of daily partitions costs one listing and one more for each day that is read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from components._core.errors import DataError, ServiceError
from components._core.system_errors import from_system, needs_user_action
from components._core.types.span_units import NUMBER
from components._data.sources.contract import NoFilesError, SpanFile
from components._data.sources.span_pattern import SpanPattern, is_literal, match_segment, matches_any_name

_HIDDEN = ("_", ".")
"""First characters of names that writers keep beside the data: `_SUCCESS`, `.part-0.crc`."""


class Match(NamedTuple):
    """A file or folder that matches the beginning of a pattern.

    Attributes:
        path: Its path.
        values: The values of the placeholders so far.
        kind: `file` or `directory`; empty: it was not listed.
    """

    path: str
    values: dict[str, str]
    kind: str = ""


def find_spans(filesystem: Any, pattern: SpanPattern) -> dict[int, list[Match]]:
    """Find the spans of a source: the files or folders of each, by the parts of the path that determine the span.

    Raises:
        ConfigError: Without permission to list a folder.
        DataError: When two files or folders are the same span.
        ServiceError: When a folder cannot be listed.
    """
    root = pattern.root or ("/" if pattern.path.startswith("/") else "")
    found: dict[int, list[Match]] = {}
    for match in _walk(filesystem, [Match(root, {}, "directory")], pattern.head):
        span = pattern.span(match.values)
        if span is not None:
            found.setdefault(span, []).append(match)
    return {span: _only_one(pattern, span, matches) for span, matches in found.items()}


def list_span(filesystem: Any, pattern: SpanPattern, span: int, matches: list[Match]) -> list[SpanFile]:
    """List the files of one span in its newest version, sorted by path.

    Args:
        filesystem: The file system.
        pattern: The source's pattern.
        span: The span.
        matches: What `find_spans` found for it.

    Raises:
        DataError: When there is no file, or there are two of which the pattern allows one.
    """
    chosen = _newest(filesystem, pattern, span, matches)
    paths = {path: _split(match) for match in chosen for path in _files_of(filesystem, match)}
    if not paths and pattern.unit is None:
        remedy = "{VERSION} is replaced by a number, {split} by a name, as in train-v3.csv; correct data.source"
        raise NoFilesError("no file matches", where=pattern.path, remedy=remedy)
    if not paths:
        label = (pattern.unit or NUMBER).label(span)
        where = matches[0].path if matches else pattern.path
        raise DataError(f"span {label} has no files", where=where, remedy="finish the export, or remove the folder")
    below = len(pattern.root) + bool(pattern.root.strip("/"))
    return [SpanFile(span, path, filesystem, path[below:].lstrip("/"), paths[path]) for path in sorted(paths)]


def list_span_folders(filesystem: Any, pattern: SpanPattern, span: int, matches: list[Match]) -> list[tuple[str, str]]:
    """List the folders of one span in its newest version: the split that its path names, and the folder, sorted.

    Args:
        filesystem: As in `list_span`.
        pattern: As in `list_span`, of folders.
        span: As in `list_span`.
        matches: As in `list_span`.

    Raises:
        DataError: When there are two of which the pattern allows one.
    """
    chosen = _newest(filesystem, pattern, span, matches)
    return sorted(
        (_split(each), each.path) for each in chosen if (each.kind or _kind(filesystem, each.path)) not in ("", "file")
    )


def _newest(filesystem: Any, pattern: SpanPattern, span: int, matches: list[Match]) -> list[Match]:
    """Return what matches the whole pattern, of each split in its newest version."""
    complete = _walk(filesystem, matches, pattern.tail)
    newest: dict[str, int] = {}
    for match in complete:
        newest[_split(match)] = max(newest.get(_split(match), 0), _version(match))
    return _only_one(pattern, span, [match for match in complete if _version(match) == newest[_split(match)]])


def _walk(filesystem: Any, starts: list[Match], segments: list[str]) -> list[Match]:
    """Follow segments of a pattern through the folders."""
    matches = starts
    for segment in segments:
        matches = [following for match in matches for following in _follow(filesystem, match, segment)]
    return matches


def _follow(filesystem: Any, match: Match, segment: str) -> list[Match]:
    if match.kind == "file" or not segment:
        return [] if segment else [match]
    if is_literal(segment):
        path = f"{match.path.rstrip('/')}/{segment}" if match.path else segment
        return [Match(path, match.values)]
    found = []
    for path, kind in _list(filesystem, match.path):
        name = path.rsplit("/", 1)[-1]
        values = match_segment(segment, name, match.values)
        if values is not None and not (matches_any_name(segment) and name.startswith(_HIDDEN)):
            found.append(Match(path, values, kind))
    return found


def _files_of(filesystem: Any, match: Match) -> list[str]:
    """Return a matching file, or the files in a matching folder."""
    kind = match.kind or _kind(filesystem, match.path)
    if kind != "directory":
        return [match.path] if kind else []
    inside = _list(filesystem, match.path)
    return [path for path, kind in inside if kind == "file" and not path.rsplit("/", 1)[-1].startswith(_HIDDEN)]


def _kind(filesystem: Any, path: str) -> str:
    try:
        return str(filesystem.info(path)["type"])
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _unlistable(error, path) from error


def _list(filesystem: Any, folder: str) -> list[tuple[str, str]]:
    """List a folder: path and kind of what is in it, sorted; empty when there is no such folder."""
    try:
        entries = filesystem.ls(folder or ".", detail=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unlistable(error, folder) from error
    listed = sorted((str(entry["name"]).rstrip("/"), str(entry["type"])) for entry in entries)
    return [entry for entry in listed if entry[0] != folder.rstrip("/")]


def _unlistable(error: OSError, folder: str) -> Exception:
    if needs_user_action(error):
        return from_system(error, folder)
    remedy = "correct its permissions or the network, then run again"
    return ServiceError(f"cannot be listed: {error}", where=folder, remedy=remedy)


def _version(match: Match) -> int:
    return int(match.values.get("VERSION", 0))


def _split(match: Match) -> str:
    return match.values.get("split", "")


def _only_one(pattern: SpanPattern, span: int, matches: list[Match]) -> list[Match]:
    """Refuse two files or folders that are the same version of a span, unless a `*` stands for their difference."""
    if pattern.has_several_files:
        return matches
    seen: dict[tuple[int, str], Match] = {}
    for match in matches:
        if (other := seen.setdefault((_version(match), _split(match)), match)) is not match:
            label = (pattern.unit or NUMBER).label(span)
            raise DataError(
                f"two files for span {label}: {other.path} and {match.path}",
                where="data.source",
                remedy="remove one of them, or make the pattern more specific",
            )
    return matches
