"""Claims of decisions: of several watchers that see the same causes, one starts the run, whatever store they share.

`components/_core/store/claims.py` gives turns: a lock in a folder, the oldest claim by the store's clock elsewhere. The subject of a
turn is the last claimed line: the decider that gets it writes the next one, and all others look again. The line itself is the claim that
counts: if two were written all the same, the later one is void (`History.decisions`).
"""

from __future__ import annotations

from dataclasses import replace

from components._core.store.append_log import AppendLog, make_nonce
from components._core.store.claims import Claims
from components.watch.records import Decision, History, Record, append_record, read_history


def claim_decision(log: AppendLog, known: History, record: Record) -> Decision | None:
    """Append a record `claimed` unless another watcher claimed since; None: it did, or has one of the causes.

    Args:
        log: The log.
        known: The records that the decision is based on.
        record: The decision.
    """
    last = _last_claimed(known)
    with _claims(log, record).turn(last or "first", lambda: _last_claimed(read_history(log)) != last) as is_ours:
        if not is_ours:
            return None
        line = append_record(log, record)
    return _find(read_history(log), line)


def claim_start(log: AppendLog, decision: Decision, record: Record) -> Decision | None:
    """Append a record `started` unless another watcher did, or the run has ended; None: one of the two."""
    attempts = len(decision.started)

    def is_decided() -> bool:
        now = _find(read_history(log), decision.name)
        return now is None or now.ended is not None or len(now.started) > attempts

    with _claims(log, record).turn(f"{decision.name}-{attempts}", is_decided) as is_ours:
        if not is_ours:
            return None
        line = append_record(log, replace(record, decision=decision.name))
    return replace(decision, started=(*decision.started, replace(record, decision=decision.name, line=line)))


def _claims(log: AppendLog, record: Record) -> Claims:
    return Claims(f"{log.folder.rstrip('/')}-claims", make_nonce(), {"decider": record.decider, "run": record.run})


def _last_claimed(history: History) -> str:
    return max((record.line for record in history.of_state("claimed")), key=_order, default="")


def _order(line: str) -> tuple[int, str]:
    number, _, nonce = line.partition("-")
    return int(number), nonce


def _find(history: History, line: str) -> Decision | None:
    return next((decision for decision in history.decisions if decision.name == line), None)
