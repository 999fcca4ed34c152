"""What a live test leaves of each request: what the champion and the version under test answered, and how long it took.

    <request log>/live-tests/TEST/dt=YYYY-MM-DD/hour=HH/NAME.jsonl      by the hour (UTC) of the answers

    {"id": ..., "time": ..., "source": "shadow", "champion": ANSWER, "challenger": ANSWER or {"failed": CODE}}
    {"id": ..., "time": ..., "source": "ab", "unit": ..., "champion": ANSWER}           the champion answered
    {"id": ..., "time": ..., "source": "ab", "unit": ..., "challenger": ANSWER}         the version under test answered
    {"id": ..., "time": ..., "source": "ab", "unit": ..., "challenger": {"failed": CODE}, "champion": ANSWER}
    {"lost": {REASON: n}, "source": ...}                                  requests that were not copied, and lines that were not written

ANSWER is `{"version": ..., "ms": ..., "outputs": {NAME: [one value per row]}}`. `unit` is a digest of the key by which requests are assigned.
The files lie below the request log's folder, where servers may write, and apart from it: readers of the log look for `dt=` alone, so that no
answer of a shadow is ever counted as one that was returned. Features are not repeated here.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from components._core.request_log.hours import list_closed_hours, list_objects, read_lines

CHAMPION, CHALLENGER = "champion", "challenger"
LIVE_TESTS = "live-tests"
"""Folder of the lines below that of the request log, with one of its own for each test."""
_HOUR = timedelta(hours=1)
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def live_test_uri(log: str, test: str) -> str:
    """Return the folder of a test's lines.

    Args:
        log: URI of the request log.
        test: Name of the test.
    """
    return f"{log.rstrip('/')}/{LIVE_TESTS}/{test}"


def answer_of(version: str, seconds: float, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as a line has it.

    Args:
        version: Who answered.
        seconds: How long it took.
        outputs: Outputs by name, as NumPy arrays.
    """
    return {
        "version": version,
        "ms": round(seconds * 1_000, 3),
        "outputs": {name: values.tolist() for name, values in outputs.items()},
    }


def write_line(
    source: str,
    request_id: str,
    seconds: float,
    answers: Mapping[str, Mapping[str, Any]],
    unit: str = "",
) -> bytes:
    """Return the line of a request.

    Args:
        source: `shadow` or `ab`.
        request_id: Its id.
        seconds: When it was answered, in seconds since 1970.
        answers: Answers by `CHAMPION` and `CHALLENGER`.
        unit: Digest of the key by which it was assigned.
    """
    at = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    line = {"id": request_id, "time": at, "source": source, **({"unit": unit} if unit else {}), **answers}
    return json.dumps(line).encode() + b"\n"


def write_lost(source: str, lost: Mapping[str, int]) -> bytes:
    """Return the line that counts what was lost since the one before it."""
    return json.dumps({"lost": dict(lost), "source": source}).encode() + b"\n"


@dataclass(frozen=True)
class LiveAnswer:
    """One answer.

    Attributes:
        milliseconds: How long it took.
        outputs: Values by output, one per row.
    """

    milliseconds: float
    outputs: Mapping[str, list[Any]]


@dataclass(frozen=True)
class LiveRequest:
    """One request of a test.

    Attributes:
        id: Its id.
        unit: Digest of the key by which it was assigned; its id where there is none.
        champion: The champion's answer; None: it was not asked.
        challenger: The answer of the version under test; None: it was not asked, or failed.
        failed: Why the version under test did not answer; empty: it answered, or was not asked.
    """

    id: str
    unit: str
    champion: LiveAnswer | None
    challenger: LiveAnswer | None
    failed: str


@dataclass
class LiveLines:
    """All that servers wrote about a test.

    Attributes:
        requests: Its requests; of an id that occurs twice the first, as in the join of labels.
        lost: Requests that were not copied, and lines that were not written, by reason.
        total: Lines that there are, those too that cannot be read.
        damaged: Lines that cannot be read: cut, not JSON, or with values of another type.
    """

    requests: list[LiveRequest] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    total: int = 0
    damaged: int = 0


def read_live_lines(uri: str, now: datetime) -> LiveLines:
    """Read the lines of a test; none when no server has written one yet.

    Args:
        uri: Its folder.
        now: The present.

    Raises:
        ConfigError: Without permission to read the log.
        UnavailableError: When the store does not answer.
    """
    found, seen = LiveLines(), set[str]()
    for line in _lines(uri, now):
        found.total += 1
        try:
            raw = json.loads(line)
            if "lost" in raw:
                found.lost.update({_text(name): _whole(count) for name, count in raw["lost"].items()})
                continue
            request = _parse(raw)
        except _UNREADABLE:
            found.damaged += 1
            continue
        if request.id not in seen:
            seen.add(request.id)
            found.requests.append(request)
    return found


def _lines(uri: str, now: datetime) -> Iterator[bytes]:
    # an object is written whole, so that hours need not be closed; clocks of servers may be ahead
    for hour in list_closed_hours(uri, now + 2 * _HOUR, settle_seconds=0.0):
        for found in list_objects(uri, hour):
            yield from read_lines(found)


def _parse(raw: Mapping[str, Any]) -> LiveRequest:
    """Parse the line of a request; one of `_UNREADABLE` where it is none: a value of another type is never taken for what it resembles."""
    own, other = raw.get(CHAMPION), raw.get(CHALLENGER)
    failed = _text(other["failed"]) if other is not None and "failed" in other else ""
    champion = None if own is None else _answer(own)
    challenger = None if other is None or failed else _answer(other)
    if champion is None and challenger is None:
        raise ValueError("no answer")
    name = _text(raw["id"])
    return LiveRequest(name, _text(raw.get("unit", "")) or name, champion, challenger, failed)


def _answer(raw: Mapping[str, Any]) -> LiveAnswer:
    milliseconds, outputs = raw["ms"], raw["outputs"]
    if isinstance(milliseconds, bool) or not 0 <= milliseconds < math.inf:
        raise ValueError("no time")
    if not outputs or not all(isinstance(values, list) for values in outputs.values()):
        raise ValueError("no outputs")
    if len({len(values) for values in outputs.values()}) > 1:
        raise ValueError("outputs of different lengths")
    return LiveAnswer(float(milliseconds), {_text(name): values for name, values in outputs.items()})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no count")
    return value
