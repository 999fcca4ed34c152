"""What the lines of append logs say of one another: each carries digests of those that its writer saw.

A line that was changed, removed or put there afterwards is then found by anyone who has the lines after it.
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
"""Of a line: by log, digest by file name of the lines that its writer saw last."""

Kind = Literal["changed", "missing", "without heads", "unnamed", "same number", "damaged"]
_NAME = re.compile(r"(\d+)(?:-([0-9a-z]+))?\.json$")
Lines = Mapping[str, Sequence[tuple[str, bytes]]]


@dataclass(frozen=True)
class Violation:
    """Something that an untouched log does not show.

    Attributes:
        log: The log, such as `deployments`.
        line: File name of the line that it is about.
        kind: What it is, for programs.
        reason: One sentence for a person.
    """

    log: str
    line: str
    kind: Kind
    reason: str


def digest_of(content: bytes) -> str:
    """SHA-256 of a line as it lies in the store, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def order_of(name: str) -> tuple[int, str]:
    """Number and nonce of a line; the nonce begins with the time, and a line of the old rule, without one, comes first.

    What is not named as a line comes before all.
    """
    match = _NAME.search(name)
    return (int(match[1]), match[2] or "") if match else (0, "")


def is_of_old_rule(name: str) -> bool:
    """Whether a line's name has no nonce: its writer knew no heads either."""
    return not order_of(name)[1]


def find_violations(logs: Lines, serialised: Sequence[str] = ("deployments",)) -> list[Violation]:
    """Hold logs against the digests in their own lines. Reads nothing but its arguments.

    What cannot be seen: that the last lines were removed, as no line after them names them.

    Args:
        logs: File name and content of every line, by log.
        serialised: Logs of which one line is written at a time: two lines of one number are two writers that did not wait.
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
                found += _against(f"{log}/{name}", other, digests, contents.get(other, {}))
    for log, lines in contents.items():
        found += _unnamed(log, sorted(lines, key=order_of), named[log])
        found += _doubles(log, sorted(lines, key=order_of)) if log in serialised else []
    return list(dict.fromkeys(found))


def _file(name: str) -> str:
    return name.rpartition("/")[2]


def _heads_of(log: str, name: str, content: bytes) -> tuple[dict[str, dict[str, str]], Violation | None]:
    try:
        raw: Any = json.loads(content)
        heads: Any = raw.get(HEADS)
    except (ValueError, AttributeError):
        return {}, Violation(log, name, "damaged", "it is not JSON, so what its writer saw is not known")
    if heads is None and is_of_old_rule(name):
        return {}, None
    if isinstance(heads, dict) and all(isinstance(digests, dict) for digests in heads.values()):
        return heads, None
    return {}, Violation(log, name, "without heads", "it does not say which lines its writer saw")


def _against(witness: str, log: str, digests: dict[str, str], lines: dict[str, bytes]) -> list[Violation]:
    found = []
    for name, digest in digests.items():
        if name not in lines:
            found.append(Violation(log, name, "missing", f"{witness} was written after it, and it is gone"))
        elif digest_of(lines[name]) != digest:
            found.append(Violation(log, name, "changed", f"it is not what the writer of {witness} saw"))
    return found


def _unnamed(log: str, names: Sequence[str], named: set[str]) -> list[Violation]:
    """Lines that none after them names, but for the last ones; lines of the old rule are named by the first of the new one."""
    newest = max((order_of(name)[0] for name in names if not is_of_old_rule(name)), default=0)
    message = "no later line names it: it arrived late, or was put there afterwards"
    return [
        Violation(log, name, "unnamed", message) for name in names if order_of(name)[0] < newest and name not in named
    ]


def _doubles(log: str, names: Sequence[str]) -> list[Violation]:
    message = "it has the number of the line before it: two were written at once, where one has to wait for the other"
    return [
        Violation(log, second, "same number", message)
        for first, second in pairwise(names)
        if order_of(first)[0] == order_of(second)[0]
    ]
