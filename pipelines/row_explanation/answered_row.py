"""A row that was answered: found in the request log by the id of its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from components._core.errors import ConfigError
from components._core.request_log.blocks import read_blocks
from components._core.request_log.hours import LogObject, list_closed_hours, list_objects, unavailable
from components._core.request_log.json_lines import Request, parse_line
from components._core.request_log.layout import HOUR_SECONDS
from components._core.request_log.reader import open_object
from components._core.types.json_values import LineError

_WHERE = "--request"


@dataclass(frozen=True)
class AnsweredRow:
    """A row of an answered request.

    Attributes:
        title: Which one it is.
        version: The version that answered it.
        values: Value by feature; None where it was missing.
        outputs: What was answered.
    """

    title: str
    version: str
    values: dict[str, Any]
    outputs: dict[str, Any]


def find_answered(uri: str, text: str, model: str) -> AnsweredRow:
    """Find a row in the request log, the newest hours first.

    Args:
        uri: Folder of the log.
        text: The id of the answer, or `ID:ROW` for another row of its request than the first.
        model: Name of the model; other models may have the same log.

    Raises:
        ConfigError: When no answer or several of one hour have the id, the request has no such row, or features are masked.
        UnavailableError: When the store does not answer.
    """
    wanted = {text: 0}
    base, colon, row = text.rpartition(":")
    if colon and row.isdecimal():
        wanted[base] = int(row)
    needle = json.dumps(base if len(wanted) > 1 else text, ensure_ascii=False)[1:-1].encode()
    now = datetime.now(UTC)
    for hour in reversed(list_closed_hours(uri, now, settle_seconds=-HOUR_SECONDS)):  # that of now, too
        lines = (request for found in list_objects(uri, hour) for request in _requests(found, needle))
        known = [each for each in lines if each.scalars["id"] in wanted and each.scalars["model"] == model]
        if len(known) > 1:
            message = f"{len(known)} answers of one hour have the id {text!r}"
            raise ConfigError(message, where=_WHERE, remedy="give the row itself: --json-row FILE")
        if known:
            return _read(known[0], wanted[str(known[0].scalars["id"])])
    remedy = "look at the id in the answer; rows are logged with serve.request_log, and kept as `keep` says"
    raise ConfigError(f"the request log has no answer with the id {text!r}", where=uri, remedy=remedy)


def _requests(found: LogObject, needle: bytes) -> Iterator[Request]:
    """Yield the requests of an object in whose line a text occurs."""
    try:
        with open_object(found) as stream:
            for block in read_blocks(stream):
                if isinstance(block, int) or needle not in block.data:
                    continue
                for _, line in block.each():
                    if needle in line and (request := _parse(line)):
                        yield request
    except (OSError, ImportError) as error:
        raise unavailable(found.uri, error) from error


def _parse(line: bytes) -> Request | None:
    try:
        return parse_line(line)
    except LineError:  # naru monitor and naru feedback count damaged lines
        return None


def _read(request: Request, row: int) -> AnsweredRow:
    scalars = request.scalars
    name = f"row {row} of request {scalars['id']}"
    if masked := scalars["masked"]:
        remedy = "give the row itself: --json-row FILE"
        raise ConfigError(
            f"the log masks {', '.join(masked)} of it, or has a reference in place of a picture",
            where=name,
            remedy=remedy,
        )
    columns = {feature: values for feature, values in request.inputs.items() if values is not None}
    rows = min((len(values) for values in columns.values()), default=0)
    if row >= rows:
        raise ConfigError(f"there is no row {row} in the request; it has rows 0 to {rows - 1}", where=_WHERE)
    title = f"{name}, answered {scalars['time'].astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    outputs = {output: values[row] for output, values in request.outputs.items() if values is not None}
    return AnsweredRow(title, str(scalars["version"]), {each: values[row] for each, values in columns.items()}, outputs)
