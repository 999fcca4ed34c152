"""`naru triggers fire|reset|ls`: ask for a run, close the breaker, and show what was decided."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from components._core.credentials import find_credentials
from components._core.errors import ConfigError, UnavailableError
from components._core.files import hash_stream
from components._core.project.project_file import Project, load_project
from components._core.project.trigger_config import Trigger
from components._core.project.value_rules import CREDENTIALS_REMEDY
from components._core.store.append_log import AppendLog, make_nonce
from components._core.store.filesystems import open_filesystem
from components._core.store.ledger import current_champion, who
from components._core.suggestions import suggest
from components.watch.limits import find_breaker
from components.watch.records import (
    Cause,
    History,
    Record,
    append_record,
    format_time,
    make_key,
    open_records,
    read_history,
)
from components.watch.source_outages import find_ends
from components.watch.state import State
from components.watch.watcher import describe
from pipelines.local.workspace import find_workspace

_LARGEST_EVIDENCE = 1 << 30
_SHOWN = 20


def request_run(path: Path, name: str, evidence: str) -> str:
    """Record a request of a trigger; returns what was recorded, in a sentence.

    The same evidence with the same content is one request for a champion, however often it is sent.

    Raises:
        ConfigError: When there is no such trigger, it is switched off, the user may not ask, or there is no such evidence.
        UnavailableError: When the store cannot be reached.
    """
    project = load_project(path)
    trigger = _find_trigger(project, name)
    found = _read_evidence(evidence) if evidence else {"nonce": make_nonce()}
    with find_workspace(path).settings_applied():
        log = _open_log(path, project)
        history = read_history(log)
        champion = current_champion(find_workspace(path).settings().store, project.name)
        version = champion.version if champion else ""
        key = make_key(project.name, name, version, *found.values())
        while ("refused", key, "disabled") in history.said:  # it was switched off then: this is another request
            key = make_key(project.name, name, key)
        what = f"{evidence or 'a run'} by {who()}"
        cause = Cause(key, trigger.kind, name, what, {**found, "by": who()})
        record = Record("requested", _now(), (cause,), champion=version, decider=_decider("fire"))
        _check_user(log, trigger, record)
        for earlier in history.of_state("requested"):
            if earlier.causes[0].key == key:
                return f"the same evidence was reported before: trigger {earlier.number}"
        line = append_record(log, record)
    return f"trigger {line.partition('-')[0]}  requested {name}: {what}"


def reset_breaker(path: Path) -> str:
    """Record that triggered runs may start again, and that sources are away at which nothing looks any more; returns what was recorded."""
    project = load_project(path)
    with find_workspace(path).settings_applied():
        log = _open_log(path, project)
        state = State(project.name, project.task, project.triggers, read_history(log))
        # where a project has no triggers left no watcher would say so
        records = [replace(record, decider=_decider("reset")) for record in find_ends(state, datetime.now(UTC))]
        if find_breaker(state) is not None:
            records.append(Record("reset", _now(), why=f"by {who()}", decider=_decider("reset")))
        lines = [describe(replace(record, line=append_record(log, record))) for record in records]
    return "\n".join(lines) or "the breaker is closed: nothing to reset"


def list_triggers(path: Path, everything: bool) -> tuple[list[list[str]], list[list[str]]]:
    """Return the rows of two tables: the triggers of project.yaml, and the newest decisions.

    Args:
        path: The project's folder or file.
        everything: Whether all records are shown, not only the newest ones.
    """
    project = load_project(path)
    with find_workspace(path).settings_applied():
        history = read_history(_open_log(path, project))
    state = State(project.name, project.task, project.triggers, history)
    triggers = [
        [trigger.name, trigger.kind, _settings_of(trigger), _last_of(history, trigger)] for trigger, _ in state.rules
    ]
    shown = [_row(record, history) for record in history.records if record.state not in ("started", "ended")]
    return triggers, shown if everything else shown[-_SHOWN:]


def _row(record: Record, history: History) -> list[str]:
    decision = next((one for one in history.decisions if one.name == record.line), None)
    names = ", ".join(cause.name or cause.kind for cause in record.causes)
    if record.state != "claimed":
        return [
            record.number,
            _show_time(record.at),
            record.state,
            names,
            record.why or (record.causes[0].what if record.causes else ""),
            "",
        ]
    if decision is None:
        return [
            record.number,
            _show_time(record.at),
            "refused",
            names,
            "another watcher claimed the same cause first",
            "",
        ]
    ended = decision.ended
    if ended is None:
        return [
            record.number,
            _show_time(record.at),
            "started" if decision.started else "claimed",
            names,
            record.why,
            "has not ended",
        ]
    came = f"version {ended.promoted}" if ended.promoted else "nothing promoted"
    return [
        record.number,
        _show_time(record.at),
        "ended",
        names,
        record.why,
        f"{ended.run} {ended.verdict}, {came}".strip(),
    ]


def _settings_of(trigger: Trigger) -> str:
    settings = getattr(trigger, trigger.kind)
    if trigger.kind != "schedule":
        fields = settings.model_dump(exclude_defaults=True)
        settings = ", ".join(f"{name}: {value}" for name, value in fields.items())
    return f"{settings}{'' if trigger.enabled else ' (switched off)'}".strip()


def _last_of(history: History, trigger: Trigger) -> str:
    return next(
        (
            f"trigger {decision.claimed.number}, {_show_time(decision.claimed.at)}"
            for decision in reversed(history.decisions)
            if any(cause.name == trigger.name for cause in decision.claimed.causes)
        ),
        "never",
    )


def _find_trigger(project: Project, name: str) -> Trigger:
    rules = State(project.name, project.task, project.triggers, History([])).rules
    trigger = next((trigger for trigger, _ in rules if trigger.name == name), None)
    if trigger is None:
        names = [one.name for one, _ in rules]
        message = f"there is no trigger {name!r}; {suggest(name, names) if names else 'triggers.on has none'}"
        raise ConfigError(
            message, where="project.yaml", remedy="add it below triggers.on, as in {name: asked, demand: {}}"
        )
    if not trigger.enabled:
        raise ConfigError(f"trigger {name!r} is switched off", where="project.yaml", remedy="set enabled: true")
    return trigger


def _check_user(log: AppendLog, trigger: Trigger, record: Record) -> None:
    allowed = trigger.demand.who if trigger.demand else []
    if allowed and who() not in allowed:
        why = f"{who()} may not ask; allowed: {', '.join(allowed)}"
        append_record(log, replace(record, state="refused", reason="who", why=why))
        raise ConfigError(why, where=f"trigger {trigger.name}", remedy="ask one of them, or add the user to demand.who")


def _read_evidence(uri: str) -> dict[str, str]:
    """Return address and SHA-256 of evidence."""
    if found := find_credentials(uri):
        raise ConfigError(f"holds {found}", where="--evidence", remedy=CREDENTIALS_REMEDY)
    try:
        filesystem, path = open_filesystem(uri)
        info = filesystem.info(path)
        if info["type"] != "file":
            raise ConfigError("is a folder; name a file", where=uri)
        if (info.get("size") or 0) > _LARGEST_EVIDENCE:
            raise ConfigError(f"has {info['size']:,} bytes; {_LARGEST_EVIDENCE:,} are allowed", where=uri)
        with filesystem.open(path, "rb") as stream:
            return {"uri": uri, "sha256": hash_stream(stream)}
    except FileNotFoundError:
        raise ConfigError("there is no such evidence", where=uri, remedy="name a file that exists") from None
    except (OSError, ImportError, ValueError) as error:
        raise UnavailableError(
            f"the evidence cannot be read: {error}", where=uri, remedy="check it, then run again"
        ) from None


def _open_log(path: Path, project: Project) -> AppendLog:
    return open_records(find_workspace(path).settings().store, project.name)


def _decider(command: str) -> str:
    return f"naru triggers {command}, process {os.getpid()} on {platform.node()}"


def _show_time(at: str) -> str:
    return at[:16].replace("T", " ")


def _now() -> str:
    return format_time(datetime.now(UTC))
