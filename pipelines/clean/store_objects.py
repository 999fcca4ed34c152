"""What grows in the store: results and count files of the monitor, the request log and the lines of live tests, abandoned work, marks of notices, claims.

Nothing here is a version, a span, or a line of a ledger or of a log of records. Objects are removed one by one; what a killed clean-up left
is as old as before, so the next one removes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from components._core.project.durations import to_timedelta
from components._core.project.keep_config import KeepRule, parse_keep
from components._core.project.monitor_config import parse_hours
from components._core.project.project_file import Project
from components._core.request_log.layout import HOUR_SECONDS
from components._core.request_log.live_test_lines import LIVE_TESTS
from components._core.store.live_tests import read_live_tests
from components._core.store.object_store import StoredObject, list_objects_below, remove
from components._feedback.span_store import LONGEST, SpanStore, feedback_home
from components._notices.outbox import BEGIN
from components.watch.monitor_results import MOST_RESULTS
from components.watch.records import History
from components.watch.trigger_notices import LATEST
from pipelines.clean.plan import Item, KindPlan, make_plan

_LISTED_AGAIN = timedelta(days=7)
"""Time for which late objects of an hour of the log are looked for."""
_MONITOR_HISTORY = timedelta(days=60)
"""How far before its window the monitor compares, at most, but for multiples of the window."""
_WINDOWS = 4
_WORK = 2 * LONGEST
"""Age from which an object of the feedback that no manifest names is left over: the join that wrote it cannot commit any more."""
_CLAIM = timedelta(days=1)
"""Age from which a claim is void; it counts for two minutes."""
_LEAST_NOTICES = LATEST + timedelta(days=7)
"""A mark that is gone while its notice may still be sent would send it twice."""
_HOUR = re.compile(r"dt=(\d{4}-\d{2}-\d{2})/hour=(\d{2})")
_MANIFEST = re.compile(r"spans/([0-9]{6,})/manifest\.json")
_CLAIM_FOLDERS = ("claims", "triggers-claims", "approvals-claims", "feedback/claims", "labels/claims")


@dataclass(frozen=True)
class StoreState:
    """What a plan for the store looks at.

    Attributes:
        project: The project.
        root: Folder of the project in the store.
        now: The time.
        history: The records of triggers.
        is_local: Whether the store is a folder of this machine, whose claims are a lock that stays.
    """

    project: Project
    root: str
    now: datetime
    history: History
    is_local: bool


def plan_store(state: StoreState, rules: Callable[[str], KeepRule]) -> Iterator[KindPlan]:
    """Plan what is removed in the store.

    Args:
        state: What the plan looks at.
        rules: Returns what is kept of a kind, by its name in the section `keep`.

    Raises:
        ServiceError: When a manifest, or a line of the log of live tests, is damaged.
        UnavailableError: When the store does not answer.
    """
    yield _plan_results(state, rules("results"))
    yield _plan_requests(state, rules("requests"))  # before the counts, which say what was read of it
    yield _plan_live_tests(state, rules("requests"))
    yield _plan_counts(state, rules("counts"))
    yield _plan_predictions(state, rules("predictions"))
    yield _plan_feedback(state)
    yield _plan_notices(state, rules("notices"))
    if not state.is_local:
        yield _plan_claims(state)


def _plan_results(state: StoreState, rule: KeepRule) -> KindPlan:
    items = _folders(list_objects_below(f"{state.root}/monitoring/runs"), depth=1)
    items.sort(key=lambda item: item.name)  # as the watcher reads them
    text = json.dumps([asdict(cause) for record in state.history.records for cause in record.causes])
    protected = {item.name for item in items[-MOST_RESULTS:]} | {item.name for item in items if item.name in text}
    reason = f"among the newest {MOST_RESULTS}, which triggers read, or named by their records"
    return make_plan("results of the monitor", items, rule, state.now, protected=protected, reason=reason)


def _plan_counts(state: StoreState, rule: KeepRule) -> KindPlan:
    """Plan the count files of hours that no window is compared with any more."""
    items = _hours(list_objects_below(f"{state.root}/monitoring/counts"))
    least = compared_for(state.project)
    protected = {item.name for item in items if state.now - item.changed <= least}
    reason = f"younger than {least.days} days, which the monitor compares with"
    return make_plan("hours of count files", items, rule, state.now, protected=protected, reason=reason)


def compared_for(project: Project) -> timedelta:
    """Return how old an hour may be that the monitor counts for a window (`first_hours` of components/monitor/monitor.py), and more."""
    wait = to_timedelta(project.feedback.wait) if project.feedback else timedelta()
    return _MONITOR_HISTORY + _WINDOWS * parse_hours(project.monitor.window) + wait


def _plan_requests(state: StoreState, rule: KeepRule) -> KindPlan:
    """Plan the hours of the request log that were read by all that read it."""
    kind = "hours of the request log"
    if _is_log_elsewhere(state):
        return KindPlan(
            kind, why="the log is in a folder of its own (serve.request_log.uri), which others may use: not touched"
        )
    objects = list_objects_below(f"{state.root}/requests")
    items = _hours(objects)
    if rule == KeepRule():
        return KindPlan(kind, kept=len(items), why="keeps all (keep.requests)")
    counted = _counted_objects(state, items, rule)
    counts = parse_keep(state.project.keep.counts)  # of an older hour no count file says any more that it was counted
    forgotten = max(counts.age, compared_for(state.project)) if counts.age else None
    young = {item.name for item in items if forgotten is None or state.now - item.changed <= forgotten}
    uncounted = {_hour_of(each.name) for each in objects if counted is not None and each.name not in counted} & young
    protected = {item.name for item in items if state.now - item.changed <= _LISTED_AGAIN} | uncounted
    read_until = _feedback_read_until(state)
    if read_until is not None:
        protected |= {item.name for item in items if item.changed > read_until - _LISTED_AGAIN}
    return make_plan(
        kind,
        items,
        rule,
        state.now,
        protected=protected,
        reason="the monitor or the feedback has not read them, or may again",
    )


def _plan_live_tests(state: StoreState, rule: KeepRule) -> KindPlan:
    """Plan the lines of the live tests that have ended, which nobody reads any more; they lie beside the log, and are kept as long."""
    if _is_log_elsewhere(state):
        return KindPlan("hours of live tests")
    by_test: dict[str, list[StoredObject]] = {}
    for each in list_objects_below(f"{state.root}/requests/{LIVE_TESTS}"):
        test, _, name = each.name.partition("/")
        by_test.setdefault(test, []).append(replace(each, name=name))
    items = [
        replace(item, name=f"{test}/{item.name}") for test, found in sorted(by_test.items()) for item in _hours(found)
    ]
    tests = read_live_tests(state.root.rpartition("/")[0], state.project.name)
    ended = {test.name for test in tests if test.ended is not None}
    protected = {item.name for item in items if item.name.partition("/")[0] not in ended}
    reason = "of a test that goes on, or of whose end there is no line"
    return make_plan("hours of live tests", items, rule, state.now, protected=protected, reason=reason)


def _is_log_elsewhere(state: StoreState) -> bool:
    log = state.project.serve.request_log
    return log is not None and bool(log.uri)


def _counted_objects(state: StoreState, items: Sequence[Item], rule: KeepRule) -> set[str] | None:
    """Return the names of the objects that the monitor has counted, of hours that the rule would remove; None where no monitor counts."""
    from components.monitor.count_files import read_files  # brings NumPy and PyArrow

    folder = f"{state.root}/monitoring/counts"
    if not list_objects_below(folder):
        return None
    old = make_plan("", items, rule, state.now).removed
    return {name for item in old for file in read_files(f"{folder}/{item.name}") for name in file.objects}


def _feedback_read_until(state: StoreState) -> datetime | None:
    """Return until when the feedback has read the log, the beginning of time when it never has; None where the project has no labels."""
    if state.project.feedback is None:
        return None
    last = SpanStore(feedback_home(state.root.rpartition("/")[0], state.project.name), "").last()
    return datetime.fromisoformat(last["log"]["until"]) if last else datetime.min.replace(tzinfo=UTC) + _LISTED_AGAIN


def _plan_predictions(state: StoreState, rule: KeepRule) -> KindPlan:
    """Plan the work of batches that nobody went on with."""
    items = _folders(list_objects_below(f"{state.root}/predictions"), depth=2)
    return make_plan("unfinished batches of naru predict", items, rule, state.now)


def _plan_feedback(state: StoreState) -> KindPlan:
    """Plan the files of joins that were killed before their manifest: no manifest names them. A damaged manifest is an error."""
    home = feedback_home(state.root.rpartition("/")[0], state.project.name)
    found, spans = list_objects_below(home), SpanStore(home, "")
    numbers = [int(match[1]) for each in found if (match := _MANIFEST.fullmatch(each.name))]
    named = "\n".join(json.dumps(spans.manifest(number), ensure_ascii=False) for number in numbers)
    objects = [each for each in found if each.name.startswith("objects/")]
    items = [_item(each.name.removeprefix("objects/"), [each]) for each in objects]
    removed = tuple(item for item in items if item.name not in named and state.now - item.changed > _WORK)
    return KindPlan(
        "work files of labels", removed, len(items) - len(removed), "keeps those that a span's manifest names"
    )


def _plan_notices(state: StoreState, rule: KeepRule) -> KindPlan:
    items = [_item(each.name, [each]) for each in list_objects_below(f"{state.root}/notices")]
    items.sort(key=lambda item: item.changed)
    protected = {item.name for item in items if state.now - item.changed <= _LEAST_NOTICES} | {BEGIN}
    return make_plan("marks of notices", items, rule, state.now, protected=protected, reason="whose notice may be due")


def _plan_claims(state: StoreState) -> KindPlan:
    found = [each for folder in _CLAIM_FOLDERS for each in list_objects_below(f"{state.root}/{folder}")]
    items = [_item(each.name, [each]) for each in found if each.name.endswith(".json")]
    return make_plan("claims", items, KeepRule(age=_CLAIM), state.now)


def _hours(objects: Iterable[StoredObject]) -> list[Item]:
    """Return an item for each hour, whose date is the end of the hour."""
    by_hour: dict[str, list[StoredObject]] = {}
    for each in objects:
        if hour := _hour_of(each.name):
            by_hour.setdefault(hour, []).append(each)
    return [_item(hour, found, _end_of(hour)) for hour, found in sorted(by_hour.items())]


def _hour_of(name: str) -> str:
    match = _HOUR.match(name)
    return match[0] if match else ""


def _end_of(hour: str) -> datetime:
    day, number = _HOUR.fullmatch(hour).groups()  # type: ignore[union-attr]
    return datetime.fromisoformat(f"{day}T{number}:00:00+00:00") + timedelta(seconds=HOUR_SECONDS)


def _folders(objects: Iterable[StoredObject], depth: int) -> list[Item]:
    """Return an item for each folder at a depth, the one with the oldest last write first."""
    by_folder: dict[str, list[StoredObject]] = {}
    for each in objects:
        parts = each.name.split("/")
        if len(parts) > depth:
            by_folder.setdefault("/".join(parts[:depth]), []).append(each)
    return sorted((_item(name, found) for name, found in by_folder.items()), key=lambda item: item.changed)


def _item(name: str, objects: Sequence[StoredObject], changed: datetime | None = None) -> Item:
    newest = max(each.changed for each in objects)

    def remove_objects() -> None:
        for each in objects:
            remove(each.uri)

    at = changed or datetime.fromtimestamp(newest, UTC)
    return Item(name, at, len(objects), sum(each.size for each in objects), remove_objects)
