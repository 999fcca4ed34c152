"""Find the causes for a run: what each kind of trigger takes as evidence, and what makes two looks at the same evidence equal.

| kind | evidence | its key also has |
| --- | --- | --- |
| `demand` | a request, with a nonce or the address of its evidence | |
| `schedule` | the last time that the cron names, in UTC | |
| `new_data` | the fingerprint of the source's spans | the champion |
| `performance`, `distribution` | the first window of an episode of alarms | the champion, the alarm |

A key never has the time of the decision. With the champion in it a key expires when that changes: what an earlier champion was
retrained for does not count against the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from components._core.project.cron import previous_tick
from components._core.project.durations import to_timedelta
from components._core.project.trigger_config import Trigger, parse_windows
from components.watch.episodes import Episode, Sighting, find_episode
from components.watch.records import Cause, Record, format_time, make_key
from components.watch.state import ALARMS, INVARIANT, UNSEEN, MonitorCheck, Span, State, Window

_IMPORTANT = 0.1
"""Share of the greatest importance from which a feature counts as important."""
_SHOWN = 5


@dataclass(frozen=True)
class Found:
    """What a trigger found.

    Attributes:
        trigger: The trigger.
        cause: The evidence.
        reason: Why it is not enough yet, or never, in one word; empty: it is a cause for a run.
        why: The same in a sentence.
        is_final: Whether it is refused rather than held.
    """

    trigger: Trigger
    cause: Cause
    reason: str = ""
    why: str = ""
    is_final: bool = False


def find_causes(state: State, now: datetime) -> list[Found]:
    """Find what every enabled trigger has evidence for, in the order of project.yaml; requests come first."""
    found = list(_find_requested(state))
    for trigger, zone in state.rules:
        if trigger.enabled:
            if trigger.schedule is not None:
                found += _find_tick(state, trigger, zone, now)
            elif trigger.new_data is not None:
                found += _find_new_data(state, trigger, now)
            elif trigger.performance is not None or trigger.distribution is not None:
                found += _find_alarms(state, trigger, now)
    return found


def find_first_looks(state: State, now: datetime) -> list[Record]:
    """Make a record for each trigger at its first look: what exists by then is not a cause.

    A schedule counts from then on, and again from then on after it was switched off. Of new data the spans of the champion are known, with their state from then on; all that there are
    where its own are not known.
    """
    seen = []
    for trigger, zone in state.rules:
        if not trigger.enabled:
            if trigger.schedule is not None and _first_look(state, trigger, zone, now) is not None:
                seen.append(_switched_off(state, trigger, zone, now))
            continue
        if trigger.schedule is not None and _first_look(state, trigger, zone, now) is None:
            evidence = {"schedule": trigger.schedule, "timezone": zone}
            what = f"schedule {trigger.schedule} ({zone}) counts from now on"
            seen.append(_seen(state, trigger, _schedule_key(state, trigger, zone), what, evidence, now))
        spans = state.sources.get(trigger.name)
        if trigger.new_data is not None and spans is not None and not spans.error and not _knows_data(state, trigger):
            own = state.champion_spans
            known = {span.label: span.state for span in spans.spans if own is None or span.label in own}
            what = f"{len(known)} of {len(spans.spans)} spans are the champion's"
            key = make_key(state.project, trigger.name, "seen", spans.fingerprint)
            seen.append(_seen(state, trigger, key, what, {"states": known}, now))
    return seen


def find_new_spans(state: State, trigger: Trigger) -> list[Span]:
    """Find the spans that are neither the champion's nor those of an earlier run of the trigger, or have changed since."""
    spans = state.sources.get(trigger.name)
    if state.champion_spans is None and not _knows_data(state, trigger):
        return []
    known: dict[str, str] = dict.fromkeys(state.champion_spans or (), "")
    for cause in _known_data(state, trigger):
        known.update(cause.evidence.get("states", {}))
    return [
        span
        for span in (spans.spans if spans else ())
        if span.label not in known or (known[span.label] and span.state and span.state != known[span.label])
    ]


def find_broken(state: State) -> list[Cause]:
    """Find the invariants that are broken in the newest window, a cause of a notice for each episode."""
    windows = _windows(state)
    causes = []
    newest = windows[-1].violations if windows else []
    for name in sorted({check.name for check in newest if check.status == "fail"}):
        sightings = [Sighting(window, bool(_failing(window, name))) for window in windows]
        episode = find_episode(sightings, 1, 1)
        if episode is not None:
            check = _failing(windows[-1], name)[0]
            first = _known_episode(state, INVARIANT, name, episode) or format_time(episode.first.since)
            key = make_key(state.project, INVARIANT, state.champion, name, first)
            what = f"{name}: {check.reason}" if check.reason else name
            evidence = {**_describe_episode(name, episode, check), "alarm": name, "episode": first}
            causes.append(Cause(key, INVARIANT, "", what, evidence))
    return causes


def _seen(state: State, trigger: Trigger, key: str, what: str, evidence: dict[str, Any], now: datetime) -> Record:
    cause = Cause(key, trigger.kind, trigger.name, what, evidence)
    return Record("seen", format_time(now), (cause,), "first look", what, state.champion)


def _switched_off(state: State, trigger: Trigger, zone: str, now: datetime) -> Record:
    what = "switched off: its times count again from the first look after it is switched on"
    cause = Cause(_schedule_key(state, trigger, zone), "schedule", trigger.name, what)
    return Record("held", format_time(now), (cause,), "disabled", what, state.champion)


def _find_requested(state: State) -> Iterator[Found]:
    by_name = {trigger.name: trigger for trigger, _ in state.rules}
    for record in state.history.of_state("requested"):
        for cause in record.causes:
            if ("refused", cause.key, "disabled") in state.history.said:  # for good, also when it is switched on again
                continue
            trigger = by_name.get(cause.name)
            if trigger is not None and trigger.enabled:
                yield Found(trigger, cause)
            else:
                gone = trigger or Trigger.model_construct(name=cause.name)
                why = f"trigger {cause.name!r} is {'switched off' if trigger else 'no longer in project.yaml'}"
                yield Found(gone, cause, "disabled", why, is_final=True)


def _schedule_key(state: State, trigger: Trigger, zone: str) -> str:
    return make_key(state.project, trigger.name, "seen", str(trigger.schedule), zone)


def _first_look(state: State, trigger: Trigger, zone: str, now: datetime) -> datetime | None:
    """Return when the schedule was first looked at since it was last switched off.

    A look from after now was made by a clock that was wrong.
    """
    key = _schedule_key(state, trigger, zone)
    looks: list[datetime] = []
    for record in state.history.records:
        if record.state == "held" and record.reason == "disabled" and record.causes[0].key == key:
            looks = []
        elif record.state == "seen" and record.causes[0].key == key:
            looks.append(record.time)
    return min((look for look in looks if look <= now), default=None)


def _find_tick(state: State, trigger: Trigger, zone: str, now: datetime) -> Iterator[Found]:
    look = _first_look(state, trigger, zone, now)
    tick = previous_tick(str(trigger.schedule), state.zone(zone), now)
    if look is not None and tick is not None and tick > look:
        at = format_time(tick)
        evidence = {"tick": at, "schedule": trigger.schedule, "timezone": zone}
        yield Found(trigger, Cause(make_key(state.project, trigger.name, at), "schedule", trigger.name, at, evidence))


def _known_data(state: State, trigger: Trigger) -> Iterator[Cause]:
    """Return what a trigger saw first or has a run for, oldest first; a void claim has none."""
    valid = {decision.name for decision in state.history.decisions}
    for record in state.history.records:
        if record.state == "seen" or (record.state == "claimed" and record.line in valid):
            yield from (cause for cause in record.causes if cause.name == trigger.name and "states" in cause.evidence)


def _knows_data(state: State, trigger: Trigger) -> bool:
    return any(True for _ in _known_data(state, trigger))


def _find_new_data(state: State, trigger: Trigger, now: datetime) -> Iterator[Found]:
    settings, spans = trigger.new_data, state.sources.get(trigger.name)
    if settings is None or spans is None:
        return
    if spans.error:
        key = make_key(state.project, trigger.name, state.champion, "unreadable", spans.error)
        cause = Cause(key, "new_data", trigger.name, "the source cannot be read")
        yield Found(trigger, cause, "source", f"the source cannot be read: {spans.error}")
        return
    new = find_new_spans(state, trigger)
    if not new:
        return
    key = make_key(state.project, trigger.name, state.champion, spans.fingerprint)
    rows = state.rows.get(trigger.name)
    evidence: dict[str, Any] = {"fingerprint": spans.fingerprint, "states": {span.label: span.state for span in new}}
    if rows is not None:
        evidence["rows"] = rows
    cause = Cause(key, "new_data", trigger.name, f"new or changed: {_list_labels(new)}", evidence)
    reason, why = "", ""
    if len(new) < settings.spans:
        reason, why = "spans", f"{len(new)} new or changed spans; {settings.spans} are needed"
    elif settings.rows and (rows or 0) < settings.rows:
        reason, why = "rows", f"{rows or 0:,} rows in new or changed spans; {settings.rows:,} are needed"
    elif until := _settles_until(state, key, to_timedelta(settings.settle), now):
        reason, why = "settle", f"the source may still be written: settles until {format_time(until)}"
    yield Found(trigger, cause, reason, why)


def _settles_until(state: State, key: str, settle: timedelta, now: datetime) -> datetime | None:
    """Return when the source has settled; None: it has. The time counts from the first look at this state of it."""
    looks = [
        record.time
        for record in state.history.of_state("held")
        if record.reason == "settle" and record.causes[0].key == key and record.time <= now
    ]
    until = min(looks, default=now) + settle
    return until if until > now else None


def needs_new_look(state: State, found: Found, now: datetime) -> bool:
    """Return whether a source settles by no look before now: the clock of the earlier ones was ahead."""
    return found.reason == "settle" and not any(
        record.reason == "settle" and record.causes[0].key == found.cause.key and record.time <= now
        for record in state.history.of_state("held")
    )


def _list_labels(spans: Sequence[Span]) -> str:
    labels = [span.label for span in spans]
    return ", ".join(labels[:_SHOWN]) + (f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else "")


def _windows(state: State) -> list[Window]:
    """Return the champion's windows by their end; of one window the result that was read last."""
    return _order(state, [window for window in state.windows if not window.is_labelled])


def _labelled_windows(state: State) -> list[Window]:
    """Return the champion's windows of answers with labels, each with the invariants that were broken in it.

    Those are found by the run that judged the requests of that time, so of the window that has most of it in common.
    """
    whole = _windows(state)
    found = []
    for window in _order(state, [each for each in state.windows if any(c.kind == "performance" for c in each.checks)]):
        near = max(whole, key=lambda other: (_overlap(window, other), other.until), default=None)
        if window.is_labelled and near is not None and 2 * _overlap(window, near) >= window.until - window.since:
            found.append(replace(window, checks=(*window.checks, *near.broken)))
        else:
            found.append(window)
    return found


def _overlap(one: Window, other: Window) -> timedelta:
    return max(min(one.until, other.until) - max(one.since, other.since), timedelta())


def _order(state: State, windows: Sequence[Window]) -> list[Window]:
    own = {(window.until, window.since): window for window in windows if window.version == state.champion}
    return [own[order] for order in sorted(own)] if state.champion else []


def _failing(window: Window, name: str) -> list[MonitorCheck]:
    return [check for check in window.violations if check.name == name and check.status == "fail"]


def _find_alarms(state: State, trigger: Trigger, now: datetime) -> Iterator[Found]:
    for found in _find_episodes(state, trigger):
        key = _key_of_repetition(state, trigger, found.cause.key, now)
        yield replace(found, cause=replace(found.cause, key=key))


def _find_episodes(state: State, trigger: Trigger) -> Iterator[Found]:
    if trigger.performance is not None:
        metric, labelled = state.metric_of(trigger.performance.metric).name, _labelled_windows(state)
        yield from _find_alarm(state, trigger, labelled, metric, _judge_performance(state, trigger, metric))
        return
    windows = _windows(state)
    for feature in sorted({feature for window in windows for feature in window.shifts}):
        yield from _find_alarm(state, trigger, windows, feature, _judge_distribution(trigger, feature))


def _key_of_repetition(state: State, trigger: Trigger, key: str, now: datetime) -> str:
    """Return the key of an alarm: another one for each run that promoted nothing and ended `again` ago."""
    settings = trigger.performance or trigger.distribution
    again = settings.again if settings else None
    while again and (earlier := state.history.by_key.get(key)):
        ended = earlier.ended
        if ended is None or ended.promoted or ended.run in state.promoting_runs:
            break
        if now - ended.time < to_timedelta(again):
            break
        key = make_key(state.project, trigger.name, key, earlier.name)
    return key


Judge = Callable[[Window], tuple[bool | None, MonitorCheck | None]]
"""Returns whether a window alarms (None: it could not be judged), and the check that says so."""


def _judge_performance(state: State, trigger: Trigger, name: str) -> Judge:
    drop, metric = trigger.performance.drop if trigger.performance else None, state.metric_of(name)

    def judge(window: Window) -> tuple[bool | None, MonitorCheck | None]:
        checks = [
            check
            for check in window.checks
            if check.kind == "performance" and check.name.rpartition(":")[2].strip() == name
        ]
        if not checks or checks[0].status in ("skipped", "no_baseline"):
            return None, None
        check = checks[0]
        if drop is None:
            return check.status == "fail", check
        if check.measured is None or check.baseline is None:
            return None, None
        return metric.gain(check.measured, check.baseline) <= -drop, check

    return judge


def _judge_distribution(trigger: Trigger, feature: str) -> Judge:
    settings = trigger.distribution
    statuses = ("fail",) if settings is None or settings.severity == "fail" else ALARMS

    def judge(window: Window) -> tuple[bool | None, MonitorCheck | None]:
        judged = [check for check in window.shifts.get(feature, ()) if check.status not in ("skipped", "no_baseline")]
        if not judged:
            return None, None
        alarms = [check for check in judged if check.status in statuses and _counts(settings, check, window)]
        return bool(alarms), (alarms or judged)[0]

    return judge


def _counts(settings: Any, check: MonitorCheck, window: Window) -> bool:
    """Return whether the alarms of a feature count; one whose importance is not known does."""
    if settings is None or settings.features == "all":
        return True
    if settings.features != "important":
        return check.feature in settings.features
    return check.importance is None or check.importance >= _IMPORTANT * window.greatest_importance


def _find_alarm(state: State, trigger: Trigger, windows: Sequence[Window], alarm: str, judge: Judge) -> Iterator[Found]:
    """Find an alarm that is on. Windows with a broken invariant do not count; an alarm in those alone is refused."""
    settings = trigger.performance or trigger.distribution
    needed, of = parse_windows(settings.windows if settings else "1 of 1")
    judged = [(window, *judge(window)) for window in windows]
    every = [Sighting(window, alarms) for window, alarms, _ in judged if alarms is not None]
    clean = [sighting for sighting in every if not _broken_names(sighting.window, alarm)]
    episode = find_episode(clean, needed, of)
    if episode is not None and episode.alarms >= needed:
        check = next(check for window, _, check in judged if window == episode.last)
        yield Found(trigger, _alarm_cause(state, trigger, alarm, episode, check, f"{needed} of {of}"))
        return
    raw = find_episode(every, needed, of)
    if raw is None:
        return
    check = next(check for window, _, check in judged if window == raw.last)
    cause = _alarm_cause(state, trigger, alarm, raw, check, f"{needed} of {of}")
    if raw.alarms >= needed:
        own = [sighting.window for sighting in every if sighting.window.until > raw.first.since]
        broken = sorted({name for window in own for name in _broken_names(window, alarm)})
        why = f"broken data must not be trained on: {', '.join(broken[:_SHOWN])}; correct the data"
        yield Found(trigger, cause, INVARIANT, why, is_final=True)
    elif raw.alarms:
        why = f"{alarm} alarms in {raw.alarms} of the last {of} windows; {needed} are needed"
        yield Found(trigger, cause, "windows", why)


def _broken_names(window: Window, feature: str) -> list[str]:
    """Return the invariants that keep a window from starting a run: failing ones, and any alarm about the same feature.

    Values never seen in training, such as those of a new airport, are news rather than damage: of other features they keep nothing back, for
    they go on until a run has learned them.
    """
    return [
        check.name
        for check in window.broken
        if check.feature == feature or (check.status == "fail" and not check.name.startswith(UNSEEN))
    ]


def _alarm_cause(
    state: State, trigger: Trigger, alarm: str, episode: Episode, check: MonitorCheck | None, rule: str
) -> Cause:
    first = _known_episode(state, trigger.name, alarm, episode) or format_time(episode.first.since)
    key = make_key(state.project, trigger.name, state.champion, alarm, first)
    name = check.name if check else alarm
    evidence = {**_describe_episode(name, episode, check), "alarm": alarm, "episode": first, "windows": rule}
    numbers = "" if check is None or check.measured is None else f" {check.measured:.4g}"
    against = "" if check is None or check.baseline is None else f" against {check.baseline:.4g}"
    what = f"{name}{numbers}{against} in {episode.alarms} windows since {first}"
    return Cause(key, trigger.kind, trigger.name, what, evidence)


def _known_episode(state: State, name: str, alarm: str, episode: Episode) -> str:
    """Return the first window of an episode as an earlier record has it; empty: there is none.

    A late result has moved its beginning since, or the results of its beginning are no longer among those that are read.

    Args:
        state: What is known.
        name: The trigger's name, or the kind of a notice.
        alarm: The alarm.
        episode: The episode as the windows have it.
    """
    for record in reversed(state.history.records):
        for cause in record.causes if record.champion == state.champion else ():
            evidence = cause.evidence
            if (cause.name or cause.kind, evidence.get("alarm")) != (name, alarm):
                continue
            overlaps = (
                datetime.fromisoformat(evidence["first"]) <= episode.last.until
                and datetime.fromisoformat(evidence["last"]) >= episode.first.since
            )
            is_older = datetime.fromisoformat(evidence["first"]) <= episode.first.since
            if overlaps or (episode.is_cut and is_older):
                return str(evidence["episode"])
    return ""


def _describe_episode(name: str, episode: Episode, check: MonitorCheck | None) -> dict[str, Any]:
    found = {
        "check": name,
        "first": format_time(episode.first.since),
        "last": format_time(episode.last.until),
        "measured": check.measured if check else None,
        "baseline": check.baseline if check else None,
        "threshold": check.threshold if check else None,
        "report": episode.last.uri,
        "sha256": episode.last.sha256,
    }
    return {key: value for key, value in found.items() if value not in (None, "")}
