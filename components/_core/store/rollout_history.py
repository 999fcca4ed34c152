"""The ledger of shares: every change of who answers whom, append-only, one small JSON object per change in the object store.

    <store>/<project>/rollouts/000001-0199c3a1b2c4d5e6f7a8b9c0.json      (`append_log.py` says what the name holds)

The deployment ledger says who the champion is; this one says what was tried on the way, which requests went where
meanwhile, and why a version that was tried is not there any more.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Literal

from components._core.errors import ServiceError
from components._core.store.ledger import open_log, open_rollouts

Action = Literal["start", "prove", "share", "promote", "roll back", "refuse", "stop", "outage"]


@dataclass(frozen=True)
class Change:
    """One line.

    Attributes:
        rollout: The rollout that it belongs to; lines of one are told together.
        action: `start` (nothing was served before, or the new version's servers are started beside those in service), `prove`
            (held against the offline answers, before it is asked by anybody), `share` (it gets so much), `promote` (it gets
            all), `roll back`, `refuse` (nothing was touched), `stop` (somebody else took over), `outage` (what is served was deleted by another
            hand, and requests failed).
        version: The version that it is about.
        shares: Percent of the requests by version, from this moment on.
        at: When, as ISO 8601 with the zone.
        by: Who or what did it.
        why: The cause of the rollout, in a sentence.
        verdict: `ok`, or `failed`.
        reason: What was seen, in a sentence or some lines.
    """

    rollout: str
    action: Action
    version: str
    shares: dict[str, float] = field(default_factory=dict)
    at: str = ""
    by: str = ""
    why: str = ""
    verdict: str = "ok"
    reason: str = ""


def append_change(store: str, project: str, change: Change) -> str:
    """Add a line; returns its URI.

    Raises:
        UnavailableError: When the ledger cannot be reached or written.
    """
    return open_rollouts(store, project).append(asdict(change), beside=[open_log(store, project)])


def read_changes(store: str, project: str) -> list[Change]:
    """All lines of a project, oldest first.

    Raises:
        ServiceError: When a line is damaged.
        UnavailableError: When the ledger cannot be reached.
    """
    return [_read(name, content) for name, content in open_rollouts(store, project).read()]


def find_takeover(store: str, project: str, rollout: str) -> Change | None:
    """The last line of another rollout since this one began; None: no other did anything.

    Raises:
        ServiceError: When a line is damaged.
        UnavailableError: When the ledger cannot be reached.
    """
    changes = read_changes(store, project)
    began = next((number for number, change in enumerate(changes) if change.rollout == rollout), len(changes))
    others = [change for change in changes[began:] if change.rollout != rollout]
    return others[-1] if others else None


def _read(name: str, content: bytes) -> Change:
    try:
        raw = json.loads(content)
        return Change(**{field.name: raw[field.name] for field in fields(Change)})
    except (ValueError, TypeError, KeyError) as error:
        message = f"the ledger of shares is damaged here: {type(error).__name__}: {error}"
        raise ServiceError(message, where=name, remedy="restore the file, or move it away") from None
