"""The log of a project's triggers as gauges: what was decided, for which trigger, how often and when.

naru_trigger_records{trigger,kind,state,reason}               records of the last seven days
naru_trigger_record_age_seconds{trigger,kind,state,reason}    since the newest of them, however old
naru_trigger_runs_in_flight                                   runs whose end is not recorded
naru_trigger_breaker_open                                     1: runs that promoted nothing stopped the loop
naru_trigger_source_unreadable{trigger}                       1: its source cannot be read, as the newest record about it says; 0: it can again
naru_trigger_read_failures_total                              records, or lists of them, that could not be read

`state` is what the record says (docs/triggers.md): `claimed` starts a run, `held` and `refused` do not, `ended` has in `reason` what came
of the run: `promoted`, or its status. `trigger` is empty for what is about none, such as broken data. Records are never changed, so each
is read once; the newest `MOST_RECORDS` are looked at.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from components._core.store.line_digests import order_of
from components._core.store.object_store import list_names, read_bytes
from components.serve.polled_collector import EVERY_SECONDS, PolledCollector, label_text

MOST_RECORDS = 500
"""Newest records that are looked at. One is some hundred bytes; a cause that stays has one for each reason."""
MOST_SERIES = 200
"""Label sets of a metric, the ones with the newest records first."""

_WEEK = 7 * 86_400.0
_LARGEST = 1 << 20
"""Bytes of a record that are read; a larger one is none."""
_SHOWN = frozenset({"requested", "held", "refused", "notice", "claimed", "ended", "reset"})
_LABELS = ("trigger", "kind", "state", "reason")
_BREAKER = "breaker"
_UNREADABLE, _READABLE = "source", frozenset({"readable", "unwatched"})
"""Reasons with which a record `held` begins an outage of a source, and one `seen` ends it."""


class Labels(NamedTuple):
    """The labels of a record."""

    trigger: str
    kind: str
    state: str
    reason: str


@dataclass(frozen=True)
class Line:
    """What is kept of a record.

    Attributes:
        at: Its time, in seconds since 1970.
        state: What it says.
        reason: Why, in a word; of an end what came of the run.
        causes: Trigger and kind of each cause; of an end none.
        decision: Of an end: name of the line that claimed the causes.
    """

    at: float
    state: str
    reason: str
    causes: tuple[tuple[str, str], ...]
    decision: str


class TriggerGauges(PolledCollector):
    """Reads the log of triggers, and exports what it says.

    Args:
        uri: URI of the log's folder, see `store_addresses.triggers_folder`.
        every: Seconds between two looks at the store.
    """

    def __init__(self, uri: str, every: float = EVERY_SECONDS) -> None:
        super().__init__("the log of triggers", every)
        self._uri = uri.rstrip("/")
        self._read: dict[str, Line | None] = {}
        self._lines: dict[str, Line] = {}

    def read_newest(self) -> None:
        """Read the records that are new; a damaged one is counted once and left out."""
        names = [name.removesuffix(".json") for name in list_names(self._uri) if name.endswith(".json")]
        newest = sorted((name for name in names if order_of(f"{name}.json")[0]), key=_order)[-MOST_RECORDS:]
        damaged = self._fetch_all(newest)
        earlier = {line.decision for name in newest if (line := self._read[name]) and line.decision} - {*newest}
        damaged = self._fetch_all(sorted(earlier)) or damaged
        self._read = {name: self._read[name] for name in (*newest, *earlier)}
        self._lines = {name: line for name, line in self._read.items() if line is not None}
        if damaged is not None:
            raise damaged

    def _fetch_all(self, names: Sequence[str]) -> Exception | None:
        """Read the records that are not known; returns the last error of a damaged one, which is not read again."""
        damaged: Exception | None = None
        for name in names:
            if name not in self._read:
                try:
                    self._read[name] = self._fetch(name)
                except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
                    self._read[name], damaged = None, error
        return damaged

    def _fetch(self, name: str) -> Line:
        content = read_bytes(f"{self._uri}/{name}.json", _LARGEST + 1)
        if content is None or len(content) > _LARGEST:
            raise ValueError(f"{name}.json is missing or larger than {_LARGEST:,} bytes")
        return parse_line(content)

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; called at each scrape, and never reads the store."""
        lines, now = self._lines, time.time()
        newest: dict[Labels, float] = {}
        counts: Counter[Labels] = Counter()
        names = sorted(lines, key=_order)
        in_order = [lines[name] for name in names]
        for name in names:
            for labels in _labels_of(lines[name], lines):
                newest[labels] = max(lines[name].at, newest.get(labels, lines[name].at))
                counts[labels] += abs(now - lines[name].at) < _WEEK
        shown = sorted(newest, key=lambda labels: (-newest[labels], labels))[:MOST_SERIES]
        records = GaugeMetricFamily("naru_trigger_records", "Records of triggers, of seven days", labels=_LABELS)
        ages = GaugeMetricFamily("naru_trigger_record_age_seconds", "Time since the newest record", labels=_LABELS)
        for labels in shown:
            records.add_metric(list(labels), float(counts[labels]))
            ages.add_metric(list(labels), max(now - newest[labels], 0.0))
        yield records
        yield ages
        ended = {line.decision for line in lines.values() if line.state == "ended"}
        in_flight = sum(line.state == "claimed" and name not in ended for name, line in lines.items())
        yield GaugeMetricFamily("naru_trigger_runs_in_flight", "Runs whose end is not recorded", in_flight)
        is_open = is_breaker_open(in_order)
        yield GaugeMetricFamily("naru_trigger_breaker_open", "Whether no triggered run may start", float(is_open))
        sources = GaugeMetricFamily(
            "naru_trigger_source_unreadable", "Whether the source of a trigger cannot be read", labels=("trigger",)
        )
        for trigger, is_away in find_sources(in_order)[:MOST_SERIES]:
            sources.add_metric([trigger], float(is_away))
        yield sources
        yield CounterMetricFamily("naru_trigger_read_failures", "Records that could not be read", self.failures)


def parse_line(content: bytes) -> Line:
    """Parse what is needed of a record.

    Raises:
        AttributeError, LookupError, OverflowError, TypeError, ValueError: When it is none.
    """
    raw = json.loads(content)
    causes = tuple((label_text(cause["name"]), label_text(cause["kind"])) for cause in raw.get("causes") or ())
    came = "promoted" if raw.get("promoted") else raw.get("verdict")
    reason = came if raw["state"] == "ended" else raw.get("reason")
    at = datetime.fromisoformat(raw["at"]).timestamp()
    return Line(at, label_text(raw["state"]), label_text(reason), causes, str(raw.get("decision") or ""))


def is_breaker_open(lines: Sequence[Line]) -> bool:
    """Return whether the breaker was open at the last look.

    Args:
        lines: The records, oldest first.
    """
    is_open = False
    for line in lines:
        if line.state in ("notice", "refused") and line.reason == _BREAKER:
            is_open = True
        # a promotion by an approval, which is no record here, shows in the next run that starts by itself
        elif line.state == "reset" or line.reason == "promoted" or _starts_by_itself(line):
            is_open = False
    return is_open


def find_sources(lines: Sequence[Line]) -> list[tuple[str, bool]]:
    """Return whether the source of each trigger is away, for those of which it ever was; those that are away come first.

    Args:
        lines: The records, oldest first.
    """
    away: dict[str, bool] = {}
    for line in lines:
        for trigger, kind in line.causes:
            if kind == "new_data" and line.state == "held" and line.reason == _UNREADABLE:
                away[trigger] = True
            elif trigger in away and (line.state == "claimed" or line.reason in _READABLE):
                away[trigger] = False
    return sorted(away.items(), key=lambda found: (not found[1], found[0]))


def _starts_by_itself(line: Line) -> bool:
    return line.state == "claimed" and any(kind != "demand" for _, kind in line.causes)


def _labels_of(line: Line, lines: dict[str, Line]) -> Iterator[Labels]:
    """Yield the labels of a record: one for each trigger among its causes; the end of a run has those of its claim."""
    if line.state not in _SHOWN:
        return
    claimed = lines.get(line.decision) if line.decision else None
    causes = claimed.causes if claimed else line.causes
    for trigger, kind in dict.fromkeys(causes or (("", ""),)):
        yield Labels(trigger, kind, line.state, line.reason)


def _order(name: str) -> tuple[int, str]:
    return order_of(f"{name}.json")
