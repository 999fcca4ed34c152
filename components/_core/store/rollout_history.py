"""The rollout history: every change of the traffic shares, append-only, one small JSON object per change in the object store.

    <store>/<project>/rollouts/000001-0199c3a1b2c4d5e6f7a8b9c0.json      (`append_log.py` says what the name holds)

The deployment ledger says who the champion is; this one records which versions were tried, which shares of the requests
they got, and why a version was taken back.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Literal

from components._core.errors import ServiceError
from components._core.store.ledger import open_log, open_rollouts
from components._core.store.record_fields import check_fields

Action = Literal["start", "prove", "share", "promote", "roll back", "refuse", "stop", "outage"]


@dataclass(frozen=True)
class Change:
    """One line of the rollout history.

    Attributes:
        rollout: Identifier of the rollout, shared by all its lines.
        action: `start` (nothing was served before, or the new version's servers are started beside the current ones),
            `prove` (parity test before it gets traffic), `share` (it gets a share), `promote` (it gets all), `roll
            back`, `refuse` (nothing was changed), `stop` (somebody else took over), `outage` (somebody else deleted the
            served version, and requests failed).
        version: The version in question.
        shares: Percent of the requests by version, from this moment on.
        at: Time, as ISO 8601 with the zone.
        by: Person or program that made the change.
        why: The cause of the rollout, in a sentence.
        verdict: `ok`, or `failed`.
        reason: Observations, in a sentence or some lines.
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
    """Read all lines of a project, oldest first.

    Raises:
        ServiceError: When a line is damaged.
        UnavailableError: When the ledger cannot be reached.
    """
    return [_read(name, content) for name, content in open_rollouts(store, project).read()]


def find_takeover(store: str, project: str, rollout: str) -> Change | None:
    """Find the last line of another rollout since this one began; None when there is none.

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
        check_fields(raw, Change)
        return Change(**{field.name: raw[field.name] for field in fields(Change)})
    except (ValueError, TypeError, KeyError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else error
        message = f"damaged line of the rollout history: {what}"
        raise ServiceError(message, where=name, remedy="restore the file, or move it away") from None
