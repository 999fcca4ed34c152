"""The join of one bucket, in memory: which answers have a label, which keys are ambiguous, and what becomes of the rest.

1. A key is an id and a row. Of several answers with one key and equal inputs the first counts; with different inputs none does: they
   go to the quarantine (`conflicting_id`).
2. Of several labels for one key the latest counts; of equal times the one in the file with the later name; in one file the later row.
3. A label for a key whose row is in a span already corrects it, if it is later and different: its row comes again, with the new label,
   in the next span.
4. An empty label closes its key: there will never be one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.request_log.sampling import is_sampled
from components._feedback.columns import CLOSED, CONFLICTING, EXPIRED, IN_SPAN, NO_TIME, Ints, Mask, numbers
from components._feedback.label_features import fill_masked


@dataclass(frozen=True)
class Moments:
    """Times that decide, in microseconds since 1970.

    Attributes:
        read_until: All answers before this time are in the log that was read, if they were logged.
        expired: Answers before this time are no longer kept.
        share: Smallest share of requests that the log was sampled with.
        by_key: Whether values of features name an answer, so that a label does not tell whether its request was sampled.
        judged_from: Labels known before this time may be for answers older than what was ever read, so none counts as unknown.
        listed_from: Objects of the log that come late are still found for answers after this time.
        posted: By the place of a label's file, whether it holds labels that were posted to a server.
    """

    read_until: int
    expired: int
    share: float
    by_key: bool = False
    judged_from: int = NO_TIME
    listed_from: int = NO_TIME
    posted: Mask = field(default_factory=lambda: np.empty(0, np.bool_), compare=False)


@dataclass
class BucketResult:
    """What became of a bucket's rows.

    Attributes:
        labelled: Answers with their label: columns of the answers, and `label`, `known_at` and `object` of the label.
        open: Answers that wait for a label.
        newly_closed: Answers that an empty label closed.
        expired: Answers without a label that are no longer kept.
        done: Keys that are done since this join; those of `labelled` aside, which get their position when they are written.
        corrected: Done keys whose label was corrected: columns of `done`, with the new label.
        kept: Earlier done keys that stay as they are.
        pending: Labels whose id may be in hours that are not read yet.
        conflicting: Answers set aside.
        unknown: Labels set aside, which no answer has.
        posted_unknown: Those of them that were posted to a server, by any client that reaches it.
        closed: Labels set aside that came for a closed, expired or conflicting key, with `status`.
        counts: Numbers of rows by what became of them.
        waits: Latest time at which a waiting label was there, in microseconds since 1970; `NO_TIME`: none waits.
    """

    labelled: pa.Table
    open: pa.Table
    newly_closed: pa.Table
    expired: pa.Table
    done: pa.Table
    corrected: pa.Table
    kept: pa.Table
    pending: pa.Table
    conflicting: pa.Table
    unknown: pa.Table
    posted_unknown: pa.Table
    closed: pa.Table
    counts: Counter[str] = field(default_factory=Counter)
    waits: int = NO_TIME


def join_bucket(answers: pa.Table, labels: pa.Table, done: pa.Table, moments: Moments) -> BucketResult:
    """Join answers with labels.

    Args:
        answers: New answers and those that wait, see `columns.answers_schema`.
        labels: New labels and those that wait, see `columns.labels_schema`.
        done: Keys that are done, see `columns.done_schema`.
        moments: Times that decide.
    """
    counts: Counter[str] = Counter()
    keys, label_keys, done_keys, size = _encode_keys(answers, labels, done)
    done_at = np.full(size, -1, np.int64)
    done_at[done_keys] = np.arange(len(done_keys))

    first, is_conflicting, newly_conflicting = _first_answers(answers, keys, done, done_at, counts)
    winners = _latest_labels(labels, label_keys, counts)
    label_at = np.full(size, -1, np.int64)
    label_at[label_keys[winners]] = winners

    chosen = label_at[keys[first]]
    values_missing = np.asarray(labels["label"].is_null()) if labels.num_rows else np.empty(0, np.bool_)
    has_label = chosen >= 0
    is_closed = has_label & _at(values_missing, chosen)
    is_labelled = has_label & ~is_closed
    is_expired = ~has_label & (numbers(answers, "time")[first] < moments.expired)
    counts.update(joined=int(is_labelled.sum()), closed=int(is_closed.sum()), expired=int(is_expired.sum()))

    is_current = np.zeros(size, np.bool_)
    is_current[keys[first]] = True
    of_done = winners[(done_at[label_keys[winners]] >= 0) & ~is_current[label_keys[winners]]]
    corrected, changed, refused = _compare_with_done(labels, of_done, done, done_at[label_keys[of_done]], counts)

    is_new_conflict = np.zeros(size, np.bool_)
    is_new_conflict[keys[newly_conflicting]] = True
    lost = winners[(done_at[label_keys[winners]] < 0) & ~is_current[label_keys[winners]]]
    of_conflict = lost[is_new_conflict[label_keys[lost]]]
    unknown, posted_unknown, pending, waits = _sort_unknown(
        labels, lost[~is_new_conflict[label_keys[lost]]], moments, counts
    )
    counts["labels_refused"] += len(refused) + len(of_conflict)

    newly_closed, expired = (answers.take(pa.array(first[mask])) for mask in (is_closed, is_expired))
    ended = [
        _to_done(newly_closed, CLOSED, done.schema),
        _to_done(expired, EXPIRED, done.schema),
        _to_done(answers.take(pa.array(newly_conflicting)), CONFLICTING, done.schema),
    ]
    stays = np.ones(done.num_rows, np.bool_)
    stays[changed] = False
    return BucketResult(
        labelled=_with_labels(answers.take(pa.array(first[is_labelled])), labels.take(pa.array(chosen[is_labelled]))),
        open=answers.take(pa.array(first[~has_label & ~is_expired])),
        newly_closed=newly_closed,
        expired=expired,
        done=pa.concat_tables(ended),
        corrected=corrected,
        kept=done.filter(pa.array(stays)),
        pending=pending,
        conflicting=answers.filter(pa.array(is_conflicting)),
        unknown=unknown,
        posted_unknown=posted_unknown,
        closed=labels.take(pa.array(np.concatenate([refused, of_conflict]))),
        counts=counts,
        waits=waits,
    )


def _encode_keys(answers: pa.Table, labels: pa.Table, done: pa.Table) -> tuple[Ints, Ints, Ints, int]:
    """Return a small number for the key of each row of the three tables, and how many there are."""
    tables = (answers, labels, done)
    ids = pa.concat_arrays([chunk for table in tables for chunk in table["id"].chunks] or [pa.array([], pa.string())])
    codes = ids.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    places, row_codes = np.unique(np.concatenate([numbers(table, "row") for table in tables]), return_inverse=True)
    _, keys = np.unique(codes * max(len(places), 1) + row_codes, return_inverse=True)
    keys = keys.astype(np.int64)
    ends = np.cumsum([table.num_rows for table in tables])
    return keys[: ends[0]], keys[ends[0] : ends[1]], keys[ends[1] :], int(keys.max(initial=-1)) + 1


def _first_answers(
    answers: pa.Table, keys: Ints, done: pa.Table, done_at: Ints, counts: Counter[str]
) -> tuple[Ints, Mask, Ints]:
    """Return the answers that count, which conflict, and the first one of each key that conflicts now."""
    order = np.lexsort([numbers(answers, name) for name in ("place", "rank", "time")] + [keys])
    ordered = keys[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    group = np.cumsum(is_first) - 1
    hashes = _hashes(answers)
    heads = order[is_first]
    earlier = done_at[keys[heads]]
    expected = np.where(earlier >= 0, _at(_hashes(done), earlier), hashes[heads])
    differs = np.zeros(len(order), np.bool_)
    differs[order] = hashes[order] != expected[group]
    conflicts = np.zeros(len(heads), np.bool_)  # by group
    np.logical_or.at(conflicts, group, differs[order])
    conflicts |= (earlier >= 0) & (_at(numbers(done, "status"), earlier) == CONFLICTING)
    is_open = (earlier < 0) & ~conflicts
    is_conflicting = np.zeros(len(order), np.bool_)
    of_done = (earlier >= 0) & (_at(numbers(done, "status"), earlier) != CONFLICTING)
    # of a key whose row is in a span only what differs is set aside, else all
    is_conflicting[order] = conflicts[group] & (~of_done[group] | differs[order])
    counts["conflicting"] += int(is_conflicting.sum())
    counts["repeated"] += len(order) - int(is_conflicting.sum()) - int(is_open.sum())
    return heads[is_open], is_conflicting, heads[conflicts & (earlier < 0)]


def _latest_labels(labels: pa.Table, keys: Ints, counts: Counter[str]) -> Ints:
    """Return the label that counts for each key."""
    order = np.lexsort([numbers(labels, name) for name in ("place", "object", "time")] + [keys])
    ordered = keys[order]
    is_last = np.ones(len(order), np.bool_)
    is_last[:-1] = ordered[1:] != ordered[:-1]
    counts["superseded"] += len(order) - int(is_last.sum())
    counts["contradicted"] += _count_contradicted(labels, order, is_last)
    return np.asarray(order[is_last], np.int64)


def _count_contradicted(labels: pa.Table, order: Ints, is_last: Mask) -> int:
    """Count the labels that are as old as the one that counts for their key, in the same file, and say otherwise."""
    if is_last.all():
        return 0
    group = np.concatenate([[0], np.cumsum(is_last)[:-1]])
    winners = order[is_last][group]
    mine, theirs = (labels["label"].take(pa.array(places)) for places in (order, winners))
    empty = [np.asarray(column.is_null(), np.bool_) for column in (mine, theirs)]
    differs = ~np.asarray(pc.fill_null(pc.equal(mine, theirs), False), np.bool_) & ~(empty[0] & empty[1])
    for name in ("time", "object"):
        values = numbers(labels, name)
        differs &= values[order] == values[winners]
    return int(differs.sum())


def _compare_with_done(
    labels: pa.Table, chosen: Ints, done: pa.Table, places: Ints, counts: Counter[str]
) -> tuple[pa.Table, Ints, Ints]:
    """Return the corrected keys, their places among the done ones, and the labels that are too late for their key.

    Args:
        labels: All labels.
        chosen: Those for keys that are done.
        done: The done keys.
        places: The key of each of `chosen`.
        counts: Numbers of rows by what became of them.
    """
    status = _at(numbers(done, "status"), places)
    new = [numbers(labels, name)[chosen] for name in ("time", "object")]
    old = [_at(numbers(done, name), places) for name in ("time", "object")]
    is_later = (new[0] > old[0]) | ((new[0] == old[0]) & (new[1] >= old[1]))
    values = labels["label"].take(pa.array(chosen)).combine_chunks()
    before = done["label"].take(pa.array(places)).combine_chunks()
    is_empty = np.asarray(values.is_null())
    is_equal = np.asarray(pc.fill_null(pc.equal(values, before), False)) | (is_empty & np.asarray(before.is_null()))
    in_span = status == IN_SPAN
    corrects = in_span & is_later & ~is_equal & ~is_empty
    is_refused = (~in_span & ~is_equal) | (in_span & is_later & is_empty)
    counts["corrected"] += int(corrects.sum())
    counts["superseded"] += len(chosen) - int(corrects.sum()) - int(is_refused.sum())
    rows = done.take(pa.array(places[corrects]))
    winners = labels.take(pa.array(chosen[corrects]))
    for name in ("label", "time", "object"):
        rows = rows.set_column(rows.schema.get_field_index(name), done.schema.field(name), winners[name])
    return rows, places[corrects], chosen[is_refused]


def _sort_unknown(
    labels: pa.Table, chosen: Ints, moments: Moments, counts: Counter[str]
) -> tuple[pa.Table, pa.Table, pa.Table, int]:
    """Return the labels that count as unknown for the first time, apart those that were posted; those to keep, as their answer may still be logged; `waits`."""
    rows = labels.take(pa.array(chosen))
    is_posted = is_posted_label(rows, moments.posted)
    seen, was_judged = numbers(rows, "seen"), np.asarray(rows["is_judged"], np.bool_)
    is_sampled_id = np.ones(len(chosen), np.bool_)
    if moments.share < 1.0 and len(chosen) and not moments.by_key:
        is_sampled_id = np.array([is_sampled(text, moments.share) for text in rows["id"].to_pylist()], np.bool_)
    is_new = (seen <= moments.read_until) & ~was_judged
    is_older = is_new & (seen < moments.judged_from)
    is_unsampled = is_new & ~is_older & ~is_sampled_id
    is_unknown = is_new & ~is_older & is_sampled_id
    is_waiting = ~is_new & ~was_judged
    for name, mask in (
        ("older", is_older),
        ("unsampled", is_unsampled),
        ("unknown", is_unknown & ~is_posted),
        ("waiting", is_waiting),
        ("posted_older", is_older & is_posted),
        ("posted_unsampled", is_unsampled & is_posted),
        ("posted_unknown", is_unknown & is_posted),
        ("posted_waiting", is_waiting & is_posted),
    ):
        counts[name] += int(mask.sum())
    # the share may have been raised since, so an id that the smallest one leaves out may be in an hour that is not read yet
    is_listed = seen >= min(moments.listed_from, moments.read_until)
    # a posted label came after its answer, whose hour is not listed any more then: made-up ids do not stay for feedback.keep
    stays = (seen >= moments.expired) & (is_listed | (is_sampled_id & ~is_posted))
    pending, judged = rows.filter(pa.array(stays)), pa.array((is_new | was_judged)[stays])
    index = pending.schema.get_field_index("is_judged")
    pending = pending.set_column(index, pending.schema.field(index), judged)
    of_files, of_posted = (rows.filter(pa.array(is_unknown & mask)) for mask in (~is_posted, is_posted))
    return of_files, of_posted, pending, int(seen[is_waiting].max(initial=NO_TIME))


def is_posted_label(labels: pa.Table, posted: Mask) -> Mask:
    """Return which labels were posted to a server.

    Args:
        labels: The labels, see `columns.labels_schema`.
        posted: By the place of a label's file, whether it holds posted labels.
    """
    return (
        np.asarray(posted[numbers(labels, "object")], np.bool_) if len(posted) else np.zeros(labels.num_rows, np.bool_)
    )


def _to_done(answers: pa.Table, status: int, schema: pa.Schema) -> pa.Table:
    size = answers.num_rows
    values = {
        "id": answers["id"].combine_chunks() if size else pa.array([], pa.string()),
        "row": answers["row"],
        "hash": answers["hash"],
        "status": np.full(size, status, np.int8),
        "span": np.zeros(size, np.int64),
        "position": np.zeros(size, np.int64),
        "label": pa.nulls(size, schema.field("label").type),
        "time": np.full(size, np.iinfo(np.int64).min, np.int64),
        "object": np.full(size, -1, np.int32),
    }
    return pa.table([values[name] for name in schema.names], schema=schema)


def _with_labels(answers: pa.Table, labels: pa.Table) -> pa.Table:
    answers = fill_masked(answers, labels)
    for name, source in (("label", "label"), ("known_at", "time"), ("object", "object")):
        answers = answers.append_column(name, labels[source])
    return answers


def _hashes(table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.asarray(table["hash"].combine_chunks().to_numpy() if table.num_rows else [], np.uint64)


def _at(values: np.ndarray, places: Ints) -> np.ndarray:  # type: ignore[type-arg]
    """Take values at places; any value where a place is -1."""
    return values[places] if len(values) else np.zeros(len(places), values.dtype)
