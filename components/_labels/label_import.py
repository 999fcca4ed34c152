"""Import labels: held against the schema and the work lists, kept once however often a file is read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components._core.errors import ConfigError, DataError
from components._labels.annotations import Annotation, FoundLabel, FoundLabels, keep_latest, name_some, rename
from components._labels.label_schema import LabelSchema
from components._labels.label_store import LabelStore

_NOTHING = "nothing was imported"


@dataclass
class ImportReport:
    """What an import found.

    Attributes:
        tool: The program that wrote the file.
        new: Annotations that were not there.
        changed: Annotations that replace an earlier one of the same annotator.
        known: Annotations that were there already.
        skipped: Items without a label.
        repeated: Annotations of the same item and annotator in the file, of which the latest counts: place and item.
        unknown: Labels of items that no work list has: place and item.
        unreadable: Place and reason of what is not a label of one item.
        annotators: Annotations by annotator.
    """

    tool: str
    new: int = 0
    changed: int = 0
    known: int = 0
    skipped: int = 0
    repeated: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    annotators: Counter[str] = field(default_factory=Counter)


def import_labels(
    store: LabelStore,
    schema: LabelSchema,
    found: FoundLabels,
    where: str,
    content: bytes,
    annotator: str = "",
    people: Mapping[str, str] | None = None,
) -> ImportReport:
    """Hold the labels of a file against schema and work lists, and keep those that are new.

    Args:
        store: The store.
        schema: The label schema.
        found: What the file has.
        where: The file's name.
        content: The file's content.
        annotator: Who gave the labels of which the file does not say it.
        people: Names of annotators by what the file calls them, where a server says it.

    Raises:
        ConfigError: When labels have no annotator and none is given.
        DataError: When the file is of another project or version, has labels that the schema does not allow, or none of its items is known.
        ServiceError: When the store is damaged.
        UnavailableError: When the store does not answer.
    """
    _check_origin(found.labels, schema, where)
    _check_annotators(found.labels, annotator, where)
    labels = _parse_labels(found.labels, schema, where)
    report = ImportReport(found.tool, skipped=found.skipped, unreadable=[*found.unreadable])
    given = _to_annotations(found, labels, annotator, schema.config.version, store.item_ids(), report)
    if report.unknown and not given:
        names = name_some(item or "without a name" for _, item in report.unknown)
        remedy = f"import what annotators made of a list of naru label export or next; {_NOTHING}"
        raise DataError(f"no work list of this project has its items: {names}", where=where, remedy=remedy)
    earlier = store.read_people()
    new = {number: name for number, name in (people or {}).items() if earlier.get(number) != name}
    facts = {"file": where, "sha256": hashlib.sha256(content).hexdigest(), **({"people": new} if new else {})}
    _keep(store, schema, _settle_repeated(given, report), report, facts, {**earlier, **new})
    return report


def _to_annotations(
    found: FoundLabels,
    labels: Sequence[str],
    annotator: str,
    version: int,
    known: Collection[str],
    report: ImportReport,
) -> list[tuple[str, Annotation]]:
    """Return the annotations of known items, each with its place in the file; others are reported."""
    given = []
    for each, label in zip(found.labels, labels, strict=True):
        if each.item in known:
            made = Annotation(each.item, each.annotator or annotator, label, each.time, found.tool, version)
            given.append((each.where, made))
        else:
            report.unknown.append((each.where, each.item))
    return given


def _settle_repeated(given: Sequence[tuple[str, Annotation]], report: ImportReport) -> list[Annotation]:
    """Return one annotation of each item and annotator: the latest.

    Where a file does not say which of two different labels is later (boxes of several categories in one picture, a line that was copied), none of
    them is a label of the item.
    """
    by_key: dict[tuple[str, str], list[tuple[str, Annotation]]] = {}
    for place, each in given:
        by_key.setdefault(each.key, []).append((place, each))
    kept = []
    for (item, _), found in by_key.items():
        last = max(each.time for _, each in found)
        newest = [each for _, each in found if each.time in (last, "")]
        labels = sorted({each.label for each in newest})
        if len(labels) > 1:
            shown = " and ".join(map(repr, labels[:2]))
            report.unreadable.append((found[-1][0], f"item {item} has the labels {shown} of one annotator at one time"))
            continue
        report.repeated += [(place, item) for place, _ in found[1:]]
        kept.append(newest[-1])
    return kept


def _check_origin(labels: Sequence[FoundLabel], schema: LabelSchema, where: str) -> None:
    if other := [each.project for each in labels if each.project and each.project != schema.project]:
        message = f"is an export of the project {name_some(other)}; this one is {schema.project!r}"
        raise DataError(message, where=where, remedy=f"import it there; {_NOTHING}")
    version = schema.config.version
    if others := {each.schema for each in labels if each.schema is not None and each.schema != version}:
        named = ", ".join(map(str, sorted(others)))
        message = f"was exported with version {named} of the label schema; the project has version {version}"
        remedy = f"set labels.version back to import it, or export the rows again; {_NOTHING}"
        raise DataError(message, where=where, remedy=remedy)


def _check_annotators(labels: Sequence[FoundLabel], annotator: str, where: str) -> None:
    nameless = [each.where for each in labels if not each.annotator]
    if nameless and not annotator:
        message = f"labels without an annotator: {len(nameless):,}, the first in {nameless[0]}"
        raise ConfigError(message, where=where, remedy=f"name who gave them with --annotator; {_NOTHING}")


def _parse_labels(labels: Sequence[FoundLabel], schema: LabelSchema, where: str) -> list[str]:
    parsed, wrong = [], []
    for each in labels:
        try:
            parsed.append(schema.parse_label(each.label))
        except ValueError as error:
            wrong.append((each, str(error)))
    if wrong:
        first, reason = wrong[0]
        names = name_some(each.label for each, _ in wrong)
        message = f"{len(wrong):,} of {len(labels):,} labels are not in the schema: {names}; {first.where}: {reason}"
        remedy = f"correct them, or add the class to labels.classes; {_NOTHING}"
        raise DataError(message, where=where, remedy=remedy)
    return parsed


def _keep(
    store: LabelStore,
    schema: LabelSchema,
    given: Sequence[Annotation],
    report: ImportReport,
    facts: Mapping[str, Any],
    names: Mapping[str, str],
) -> None:
    """Keep the annotations that are not in the store as they are; a file that brings none leaves no trace.

    They are kept with what the file calls the annotator, so that a name that becomes known later holds for them, too.
    """
    known = store.read_annotations(schema.config.version).values()
    before = keep_latest(rename(each, names) for each in known)
    brought = []
    for each in given:
        named = rename(each, names)
        report.annotators[named.annotator] += 1
        earlier = before.get(named.key)
        if earlier is not None and keep_latest([earlier, named])[named.key].label == earlier.label:
            report.known += 1
            continue
        report.changed += earlier is not None
        report.new += earlier is None
        brought.append(each)
    aside = [{"where": place, "reason": "unknown item", "item": item} for place, item in report.unknown]
    aside += [{"where": place, "reason": reason} for place, reason in report.unreadable]
    if brought or "people" in facts:
        store.add_annotations(brought, aside, {**facts, "tool": report.tool, "skipped": report.skipped})
