"""Judges a canary step: the new version's errors, times and predictions against those of the stable version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from components._core.checks import Check, Status
from components._core.project.gate_config import ServingGates
from components._core.project.serving_config import CanarySteps
from components.deploy.rollout.logged_predictions import by_chance, distance
from components.deploy.server_metrics import Counts

_P95 = 0.95


@dataclass(frozen=True)
class Bake:
    """Observations of both versions during a step.

    Attributes:
        canary: Counts of the new version's servers.
        stable: Counts of the stable version's servers.
        restarts: Restarts of the new version's servers during the step.
        predictions: Logged predictions of the new and of the stable version; None: there is no request log.
        unread: Why the request log could not be read; empty: it could, or there is none.
    """

    canary: Counts
    stable: Counts
    restarts: int = 0
    predictions: tuple[Sequence[Any], Sequence[Any]] | None = field(default=None)
    unread: str = ""


def judge_bake(bake: Bake, wanted: CanarySteps, gates: ServingGates) -> list[Check]:
    """Make the checks of a canary step. Too few requests are reported but pass; none at all fail, unless `when_idle` allows it."""
    enough = min(bake.canary.requests, bake.stable.requests) >= wanted.min_requests
    return [
        *_idle(bake, wanted),
        _restarts(bake),
        _errors(bake, wanted, enough),
        _latency(bake, wanted, gates, enough),
        _predictions(bake, wanted),
    ]


def _idle(bake: Bake, wanted: CanarySteps) -> list[Check]:
    """Fail the step when a version got no request, unless `when_idle` is `promote`."""
    silent = [name for name, one in (("new", bake.canary), ("stable", bake.stable)) if not one.requests]
    if not silent or wanted.when_idle == "promote":
        return []
    message = (
        f"the {' and the '.join(silent)} version got no request, so the step cannot be judged; send requests, or deploy "
        "without a canary (serve.canary.shares: []), or promote without a judgement (serve.canary.when_idle: promote)"
    )
    return [Check("requests", "fail", 0.0, 1.0, n=0, reason=message)]


def _restarts(bake: Bake) -> Check:
    message = f"servers of the new version were restarted {bake.restarts} times"
    return Check("restarts", "fail" if bake.restarts else "pass", float(bake.restarts), 0.0, reason=message)


def _errors(bake: Bake, wanted: CanarySteps, enough: bool) -> Check:
    ours, theirs = (one.failed / one.requests if one.requests else 0.0 for one in (bake.canary, bake.stable))
    count = int(bake.canary.requests)
    message = (
        f"{ours:.2%} of {count} requests failed, {theirs:.2%} of {int(bake.stable.requests)} of the stable version's"
    )
    if not enough:
        return Check("errors", "no_baseline", ours, None, theirs, count, f"{_few(bake, wanted)}: {message}")
    bound = theirs + wanted.error_rate
    return Check("errors", "pass" if ours <= bound else "fail", ours, bound, theirs, count, message)


def _latency(bake: Bake, wanted: CanarySteps, gates: ServingGates, enough: bool) -> Check:
    """Fail when slower than both the stable version and the gate; warn when slower than one of them."""
    ours, theirs = bake.canary.quantile(_P95), bake.stable.quantile(_P95)
    count = int(bake.canary.requests)
    if not enough or ours is None or theirs is None:
        return Check("p95 latency (ms)", "no_baseline", n=count, reason=_few(bake, wanted))
    allowed = theirs * (1 + wanted.slower_percent / 100)
    message = f"95 % within {1e3 * ours:.3g} ms, the stable version's within {1e3 * theirs:.3g} ms"
    late, slower = 1e3 * ours > gates.p95_ms, ours > allowed
    status: Status = "fail" if late and slower else "warn" if late or slower else "pass"
    return Check("p95 latency (ms)", status, 1e3 * ours, 1e3 * allowed, 1e3 * theirs, count, message)


def _predictions(bake: Bake, wanted: CanarySteps) -> Check:
    if bake.predictions is None:
        why = bake.unread or "serve.request_log is not set, so predictions are not compared"
        return Check("predictions", "no_baseline" if bake.unread else "skipped", reason=why)
    ours, theirs = bake.predictions
    if min(len(ours), len(theirs)) < wanted.min_requests:
        message = (
            f"{len(ours)} and {len(theirs)} predictions are in the request log; {wanted.min_requests} each are required"
        )
        return Check("predictions", "no_baseline", n=len(ours), reason=message)
    apart, chance = distance(ours, theirs), by_chance(len(ours), len(theirs))
    bound = max(wanted.drift, chance)
    message = f"distance {apart:.3g} from the stable version's {len(theirs)}; at most {bound:.3g} is allowed"
    return Check("predictions", "pass" if apart <= bound else "fail", apart, bound, n=len(ours), reason=message)


def _few(bake: Bake, wanted: CanarySteps) -> str:
    counts = f"{int(bake.canary.requests)} and {int(bake.stable.requests)}"
    return f"{counts} requests in this step; {wanted.min_requests} to each version are required to judge it"
