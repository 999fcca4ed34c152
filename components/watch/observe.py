"""Observe what a decision looks at: the ledger, the source's spans, the monitor's results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

from components._core.errors import DataError, NaruError, first_line
from components._core.files import fingerprint_of
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.project.trigger_config import Trigger
from components._core.store.ledger import Deployment, current_champion, read_deployments
from components._core.types.span_units import NUMBER
from components._data.joins.source_state import fingerprint_state
from components._data.sources.registry import open_source, span_unit
from components.watch.causes import find_new_spans
from components.watch.monitor_results import MonitorResults
from components.watch.records import History
from components.watch.state import Span, SpanSet, State, zone_names

_STATE_DIGITS = 8


class Observer:
    """What a watcher sees of a project; it remembers what cannot change.

    Args:
        store: Root of the object store.
        project: The project's name.
    """

    def __init__(self, store: str, project: str) -> None:
        self.store = store
        self.results = MonitorResults(store, project)
        self._rows: dict[str, int] = {}

    def observe(self, project: Project, history: History, data_of: Callable[[Trigger], Data]) -> State:
        """Observe the project.

        Args:
            project: The project.
            history: The records of its triggers.
            data_of: Returns the section `data` of a run that a trigger starts, with locations that can be read from here.

        Raises:
            ServiceError: When the ledger is damaged.
            UnavailableError: When the store does not answer.
        """
        champion = current_champion(self.store, project.name)
        triggers = [trigger for trigger in project.triggers.on if trigger.enabled and trigger.new_data is not None]
        sources = {trigger.name: self._read_spans(trigger, data_of) for trigger in triggers}
        state = State(
            project=project.name,
            task=project.task,
            triggers=project.triggers,
            history=history,
            metric=project.gates.model.metric,
            champion=champion.version if champion else "",
            champion_spans=_spans_of(champion) if champion and sources else frozenset(),
            sources=sources,
            windows=self.results.read() if champion else (),
            zones={name: ZoneInfo(name) for name in zone_names(project.triggers)},
            policy=fingerprint_of([project.triggers.model_dump_json()]),
            promoting_runs=self._read_promoting_runs(project),
        )
        counted = [trigger for trigger in triggers if trigger.new_data and trigger.new_data.rows]
        rows = {}
        for trigger in counted:
            if sources[trigger.name].error:
                continue
            try:
                rows[trigger.name] = self._count_rows(project, state, trigger, data_of(trigger))
            except (NaruError, OSError) as error:  # of this trigger alone: the others, and the notices, go on
                sources[trigger.name] = SpanSet(error=first_line(error))
        return replace(state, rows=rows)

    def _read_promoting_runs(self, project: Project) -> frozenset[str]:
        """Read which runs' versions were deployed, where that may come after the run has ended."""
        if project.serve.approve is None and not any(trigger.approve for trigger in project.triggers.on):
            return frozenset()
        return frozenset(line.run for line in read_deployments(self.store, project.name))

    def _read_spans(self, trigger: Trigger, data_of: Callable[[Trigger], Data]) -> SpanSet:
        try:
            return read_spans(data_of(trigger))
        except NaruError as error:
            return SpanSet(error=first_line(error))

    def _count_rows(self, project: Project, state: State, trigger: Trigger, data: Data) -> int:
        """Count the rows in the new spans, each state of the source once."""
        new = {span.label for span in find_new_spans(state, trigger)}
        if not new:
            return 0
        key = fingerprint_of([state.sources[trigger.name].fingerprint, *sorted(new)])
        if key not in self._rows:
            self._rows[key] = _count_rows(project, data, new)
        return self._rows[key]


def read_spans(data: Data) -> SpanSet:
    """Read the spans of a source that a run would read, and the state of each; an error is part of the result."""
    try:
        fingerprint = fingerprint_state(data)
        source, unit = open_source(data.source, data.missing_spans, data.sql), span_unit(data) or NUMBER
        states: dict[str, list[str]] = {}
        for file in source.list_files(data.spans):
            states.setdefault(unit.label(file.span), []).extend([file.name, source.state(file)])
    except NaruError as error:
        return SpanSet(error=error.message)
    spans = [
        Span(label, fingerprint_of(parts)[:_STATE_DIGITS] if all(parts) else "") for label, parts in states.items()
    ]
    if len(spans) == 1 and not spans[0].state:
        spans = [replace(spans[0], state=fingerprint[:_STATE_DIGITS])]
    return SpanSet(fingerprint, tuple(spans))


def _spans_of(champion: Deployment) -> frozenset[str] | None:
    """Return the labels of the spans that the champion was trained on; None when its manifest is not there."""
    from components._core.examples.registered_manifest import fetch_manifest  # brings Arrow

    manifest = fetch_manifest(champion)
    return None if manifest is None else frozenset(map(manifest.unit.label, manifest.spans))


def _count_rows(project: Project, data: Data, labels: set[str]) -> int:
    from components._data.formats.registry import open_format  # brings Arrow
    from components._data.formats.rows import FileTally

    unit = span_unit(data) or NUMBER
    files = open_source(data.source, data.missing_spans, data.sql).list_files(data.spans)
    files = [file for file in files if unit.label(file.span) in labels]
    if not files:
        raise DataError("its new files are gone since they were listed", where=data.source)
    table = open_format(data, files[0])
    schema = table.infer_schema(files, project.label)
    return sum(
        rows.examples.num_rows
        for file in files
        for rows in table.read_rows(file, schema, project.label, lambda _: None, (), FileTally())
    )
