"""The end of a live test: who may write it, and what it says where another version became the champion meanwhile."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from components._core.store.append_log import make_nonce
from components._core.store.claims import Claims
from components._core.store.ledger import Deployment, now, who
from components._core.store.live_tests import (
    STOPPED,
    LiveTest,
    LiveTestRecord,
    append_live_test,
    open_live_tests,
    read_live_tests,
)


def claims_folder(store: str, project: str) -> str:
    """Return the folder of the claims to begin or to end a live test."""
    return f"{store.rstrip('/')}/{project}/claims/live-tests"


def describe_end(test: LiveTest) -> str:
    """Describe what came of a test."""
    ended = test.ended
    return f"{ended.verdict} on {ended.at[:16].replace('T', ' ')} UTC: {ended.reason}" if ended else ""


def end_live_test(store: str, project: str, test: LiveTest, **ending: Any) -> LiveTestRecord:
    """Write what came of a test.

    Args:
        store: Root of the object store.
        project: The project's name.
        test: The test.
        ending: Verdict, reason, checks and figures of the line.

    Raises:
        UnavailableError: When the store cannot be reached or written.
    """
    record = LiveTestRecord("ended", now(), test.began.version, test=test.name, by=who(), **ending)
    return append_live_test(open_live_tests(store, project), record)


def end_by_champion(store: str, project: str, test: LiveTest, champion: Deployment | None) -> bool:
    """End a test whose champion is another one by now; returns False when it is the same.

    Args:
        store: Root of the object store.
        project: The project's name.
        test: The test.
        champion: The champion of now; None: there is none.

    Raises:
        UnavailableError: When the store cannot be reached or written.
    """
    if champion is not None and champion.identity == test.champion:
        return False
    # it was promoted, and the process that did so was killed before it could write the end
    is_promoted = champion is not None and champion.identity == test.identity
    now_is = f"version {champion.version} is the champion" if champion else "there is no champion"
    reason = f"{now_is} by now" + ("" if is_promoted else f", and the test was beside version {test.champion[0]}")
    with take_turn(store, project, test) as is_ours:
        if is_ours:
            end_live_test(store, project, test, verdict="promoted" if is_promoted else STOPPED, reason=reason)
    return True


def take_turn(store: str, project: str, test: LiveTest) -> AbstractContextManager[bool]:
    """Wait for the turn to end a test, for a `with` block; True when it came, False when the test has ended meanwhile.

    Args:
        store: Root of the object store.
        project: The project's name.
        test: The test.
    """
    claims = Claims(claims_folder(store, project), f"end {test.name} {make_nonce()}", {"test": test.name, "by": who()})
    return claims.turn(f"judge-{test.name}", partial(_has_ended, store, project, test))


def _has_ended(store: str, project: str, test: LiveTest) -> bool:
    return any(each.name == test.name and each.ended for each in read_live_tests(store, project))
