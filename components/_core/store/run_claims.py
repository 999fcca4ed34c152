"""Which run has the causes of a decision: of all runs that were started for one decision, one trains.

    <store>/<project>/triggers-runs/000042-0199c3a1b2c4d5e6f7a8b9c0.json      {"run": ID}

A KFP server has no unique names, and a request that is repeated starts a second run. So the first stage of a run that a watcher started
takes the decision under the run's own id, which the server gave it: the object is created once, and a run that finds another one's id ends
without doing anything. A stage that is tried again finds its own.

On a store that ignores the condition of a write (`conditional_writes.py` warns) two that take it in the same instant may both have it.
"""

from __future__ import annotations

import json
import re

from components._core.errors import ConfigError, RepeatedRunError, ServiceError
from components._core.project.placeholders import CLAIM, PER_RUN
from components._core.settings import Settings
from components._core.store.object_store import create, read_bytes

_CLAIM = re.compile(r"(?P<decision>\d{6,}-[0-9a-z]+)/(?P<run>[0-9a-f-]{8,})")


def format_claim(decision: str, run: str = PER_RUN) -> str:
    """Format the parameter of a run that has it take a decision.

    Args:
        decision: Name of the line `claimed` in the log of triggers.
        run: Id of the run; the server fills in the placeholder.
    """
    return f"{decision}/{run}"


def check_claim(project: str, claim: str) -> None:
    """Take the decision that a run was started for, in the store that the environment names; a run that no watcher started has none.

    Args:
        project: The project's name.
        claim: Output of `format_claim`, with the run's id; empty: no watcher started the run.

    Raises:
        ConfigError: When it is malformed, or the server did not fill in the run's id.
        RepeatedRunError: When another run has the decision.
        UnavailableError: When the store does not answer.
    """
    if not claim:
        return
    match = _CLAIM.fullmatch(claim)
    if match is None:
        message = f"found {claim[:100]!r}; allowed: DECISION/RUN, as a watcher sets it"
        raise ConfigError(message, where=f"parameter {CLAIM}", remedy="leave it empty: only `naru watch` sets it")
    holder = take_decision(Settings.from_environment().store, project, match["decision"], match["run"])
    if holder != match["run"]:
        message = f"the cause of this run is taken by {holder}: this one ends without doing anything"
        raise RepeatedRunError(message, where=f"trigger {match['decision'].partition('-')[0]}")


def take_decision(store: str, project: str, decision: str, run: str) -> str:
    """Take a decision for a run, unless it is taken; returns the run that has it.

    Raises:
        ServiceError: When the object is damaged.
        UnavailableError: When the store does not answer.
    """
    create(json.dumps({"run": run}).encode(), _uri(store, project, decision))
    return read_holder(store, project, decision)


def read_holder(store: str, project: str, decision: str) -> str:
    """Return the run that has a decision; empty when none has it yet. Errors as in `take_decision`."""
    uri = _uri(store, project, decision)
    content = read_bytes(uri)
    if content is None:
        return ""
    try:
        return str(json.loads(content)["run"])
    except (ValueError, TypeError, KeyError):
        remedy = "remove it if no run of the decision is at work"
        raise ServiceError("damaged: it names no run", where=uri, remedy=remedy) from None


def _uri(store: str, project: str, decision: str) -> str:
    return f"{store.rstrip('/')}/{project}/triggers-runs/{decision}.json"
