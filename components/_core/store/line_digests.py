"""Verification of append logs: each line has the digests of the lines that its writer saw.

A line that was changed, removed or added afterwards can then be found from the lines after it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

HEADS = "heads"
"""Field of a line: by log, digest by file name of the last lines that its writer saw."""

Kind = Literal["changed", "missing", "without heads", "unnamed", "same number", "damaged"]
_NAME = re.compile(r"(\d+)(?:-([0-9a-z]+))?\.json$")
Lines = Mapping[str, Sequence[tuple[str, bytes]]]


@dataclass(frozen=True)
class Violation:
    """Evidence that a log was changed.

    Attributes:
        log: The log, such as `deployments`.
        line: File name of the line in question.
        kind: Kind of the violation, for programs.
        reason: One sentence for a person.
    """

    log: str
    line: str
    kind: Kind
    reason: str


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a line as stored, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def order_of(name: str) -> tuple[int, str]:
    """Return number and nonce of a line, its sort key; the nonce begins with the time, and old lines, without one, come first.

    Names that are not of a line come before all.
    """
    match = _NAME.search(name)
    return (int(match[1]), match[2] or "") if match else (0, "")


def is_of_old_rule(name: str) -> bool:
    """Return whether a line's name has no nonce; such a line has no heads either."""
    return not order_of(name)[1]


def find_violations(logs: Lines, serialised: Sequence[str] = ("deployments",)) -> list[Violation]:
    """Check logs against the digests in their own lines.

    Removed last lines cannot be found, since no line after them refers to them.

    Args:
        logs: File name and content of every line, by log.
        serialised: Logs whose lines are written one at a time, so that two lines with one number are a violation.
    """
    contents = {log: {_file(name): content for name, content in lines} for log, lines in logs.items()}
    found: list[Violation] = []
    named: dict[str, set[str]] = {log: set() for log in logs}
    for log, lines in contents.items():
        for name in sorted(lines, key=order_of):
            heads, problem = _heads_of(log, name, lines[name])
            found += [problem] if problem else []
            for other, digests in heads.items():
                named.setdefault(other, set()).update(digests)
                found += _find_changed(f"{log}/{name}", other, digests, contents.get(other, {}))
    for log, lines in contents.items():
        found += _find_unreferenced(log, sorted(lines, key=order_of), named[log])
        found += _find_duplicates(log, sorted(lines, key=order_of)) if log in serialised else []
    return list(dict.fromkeys(found))


def _file(name: str) -> str:
    return name.rpartition("/")[2]


def _heads_of(log: str, name: str, content: bytes) -> tuple[dict[str, dict[str, str]], Violation | None]:
    try:
        raw: Any = json.loads(content)
        heads: Any = raw.get(HEADS)
    except (ValueError, AttributeError):
        return {}, Violation(log, name, "damaged", "it is not JSON, so the lines that its writer saw are unknown")
    if heads is None and is_of_old_rule(name):
        return {}, None
    if isinstance(heads, dict) and all(isinstance(digests, dict) for digests in heads.values()):
        return heads, None
    return {}, Violation(log, name, "without heads", "it does not say which lines its writer saw")


def _find_changed(witness: str, log: str, digests: dict[str, str], lines: dict[str, bytes]) -> list[Violation]:
    found = []
    for name, digest in digests.items():
        if name not in lines:
            found.append(Violation(log, name, "missing", f"{witness} was written after it, and it is missing"))
        elif digest_of(lines[name]) != digest:
            found.append(Violation(log, name, "changed", f"it differs from what the writer of {witness} saw"))
    return found


def _find_unreferenced(log: str, names: Sequence[str], named: set[str]) -> list[Violation]:
    """Find lines that no later line refers to, except the last ones; the first new line refers to the old ones."""
    newest = max((order_of(name)[0] for name in names if not is_of_old_rule(name)), default=0)
    message = "no later line refers to it: it arrived late or was added afterwards"
    return [
        Violation(log, name, "unnamed", message) for name in names if order_of(name)[0] < newest and name not in named
    ]


def _find_duplicates(log: str, names: Sequence[str]) -> list[Violation]:
    message = "it has the number of the line before it: two were written at once, but writers must take turns"
    return [
        Violation(log, second, "same number", message)
        for first, second in pairwise(names)
        if order_of(first)[0] == order_of(second)[0]
    ]
