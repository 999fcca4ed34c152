"""Shadow: both versions answered the same requests; the answers, their times and, where there are labels, their quality are compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check
from components._core.project.live_test_config import ShadowTest
from components._core.project.project_file import Project
from components._core.request_log.live_test_lines import LiveRequest
from components._core.types.tasks import TASKS
from components.deploy.live_test.contract import Evidence, Judgement, Mode, Progress, TestedVersion, stated_rules
from components.deploy.live_test.significance import LEAST_UNITS, compare_pairs, sign_test
from components.deploy.live_test.tested_rows import Labels, count_labelled, metric_values, scores_of

_P95 = 95


@dataclass
class _Pairs:
    """The rows that both versions answered.

    Attributes:
        requests: Their number of requests.
        keys: Id and row of each.
        champion: The champion's scores, in parts of a request.
        challenger: Those of the version under test.
        times: Milliseconds of both, of each request.
        misshapen: Requests whose answers have no scores in the shape of their version.
    """

    requests: int = 0
    keys: list[tuple[str, int]] = field(default_factory=list)
    champion: list[NDArray[np.float64]] = field(default_factory=list)
    challenger: list[NDArray[np.float64]] = field(default_factory=list)
    times: list[tuple[float, float]] = field(default_factory=list)
    misshapen: int = 0


class Shadow(Mode):
    """Copies of requests."""

    name = "shadow"
    title = "shadow"
    counted = "compared requests"

    def count_needed(self, project: Project, metrics: Mapping[str, float]) -> tuple[int, str]:
        """Return the configured number of requests."""
        test = project.serve.shadow
        labelled = f" and {test.labels:,} labelled rows" if test.labels else ""
        bounds = [
            f"changed classes at most {test.changed:.1%}" if TASKS[project.task].has_classes else "",
            "" if test.difference is None else f"a score apart by at most {test.difference:g}",
            f"failed copies at most {test.error_rate:.1%}",
            f"at least {test.min_compared:.0%} of the requests to be copied compared",
        ]
        return test.requests, f"judged once, after {test.requests:,} compared requests{labelled}: " + ", ".join(
            filter(None, bounds)
        )

    def measure(self, evidence: Evidence) -> Progress:
        """Count the compared requests."""
        test = stated_rules(ShadowTest, evidence.began)
        compared = [each for each in evidence.lines.requests if each.champion and each.challenger]
        labelled = count_labelled(compared, Labels.of(evidence.labels))
        failed = sum(bool(each.failed) for each in evidence.lines.requests)
        share = _check_compared(len(compared), failed, evidence, test)
        facts = {
            "compared": share.reason,
            "failed copies": f"{failed:,}",
            "not copied": _count_lost(evidence),
            "labelled rows": f"{labelled:,}",
        }
        needed = evidence.began.needed
        # what was missed says nothing of the figures, so waiting for more of it is no second look
        is_complete = len(compared) >= needed and labelled >= test.labels and share.status == "pass"
        return Progress(len(compared), needed, is_complete, facts)

    def judge(self, evidence: Evidence) -> Judgement:
        """Hold the pairs against the bounds of the test."""
        test, pairs = stated_rules(ShadowTest, evidence.began), _pair(evidence)
        failed = sum(bool(each.failed) for each in evidence.lines.requests)
        compared = _check_compared(pairs.requests, failed, evidence, test)
        checks = [
            compared,
            _check_failures(failed, pairs.requests, test),
            *_check_scores(evidence, pairs, test),
            *_check_times(evidence, pairs, test),
            _check_labels(evidence, pairs, test),
        ]
        figures = {
            "compared": pairs.requests,
            "rows": len(pairs.keys),
            "failed": failed,
            "lost": dict(evidence.lines.lost),
            "compared_share": compared.measured,
        }
        broken = [check for check in checks if check.status == "fail"]
        # a broken bound on few requests is no evidence either, but for a shadow that fails nearly all of them
        enough = pairs.requests + failed >= test.min_requests
        if broken and enough:
            return Judgement("refuse", "; ".join(check.reason for check in broken), checks, figures)
        if not enough or pairs.requests < test.min_requests:
            reason = f"{pairs.requests:,} requests were compared, {test.min_requests:,} are the fewest to judge by"
            return Judgement("inconclusive", reason, checks, figures)
        if compared.status != "pass":
            return Judgement("inconclusive", compared.reason, checks, figures)
        labelled = checks[-1].n or 0
        if labelled < test.labels:
            reason = f"{labelled:,} of {test.labels:,} labelled rows came until the deadline"
            return Judgement("inconclusive", reason, checks, figures)
        return Judgement("promote", f"{pairs.requests:,} requests were answered within the bounds", checks, figures)


def _count_lost(evidence: Evidence) -> str:
    lost = evidence.lines.lost
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(lost.items())) or "0"


def _pair(evidence: Evidence) -> _Pairs:
    pairs = _Pairs()
    for request in evidence.lines.requests:
        if request.champion is None or request.challenger is None:
            continue
        pairs.requests += 1
        pairs.times.append((request.champion.milliseconds, request.challenger.milliseconds))
        scores = _scores_of_both(request, evidence)
        if scores is None:
            pairs.misshapen += 1
            continue
        pairs.keys += [(request.id, row) for row in range(len(scores[0]))]
        pairs.champion.append(scores[0])
        pairs.challenger.append(scores[1])
    return pairs


def _scores_of_both(request: LiveRequest, evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if request.champion is None or request.challenger is None:
        return None
    own, other = scores_of(request.champion, evidence.champion), scores_of(request.challenger, evidence.challenger)
    return None if own is None or other is None or len(own) != len(other) else (own, other)


def _check_compared(compared: int, failed: int, evidence: Evidence, test: ShadowTest) -> Check:
    """Check the share of the requests of the test's sample that both versions answered: those that were missed are not like the others.

    Copies are dropped first where the champion is busy, and a shadow that is away misses whole nights.
    """
    answered = compared + failed + evidence.lines.lost.total()
    share = compared / answered if answered else 0.0
    reason = f"{share:.2%} of {answered:,} requests that were to be copied were compared; at least {test.min_compared:.2%} must be"
    status = "pass" if answered and share >= test.min_compared else "no_baseline"
    return Check("compared requests", status, share, test.min_compared, n=answered, reason=reason)  # type: ignore[arg-type]


def _check_failures(failed: int, compared: int, test: ShadowTest) -> Check:
    copies = failed + compared
    share = failed / copies if copies else 0.0
    reason = f"{share:.2%} of {copies:,} copies failed; at most {test.error_rate:.2%} may"
    status = "no_baseline" if not copies else "fail" if share > test.error_rate else "pass"
    return Check("failed copies", status, share, test.error_rate, n=copies, reason=reason)  # type: ignore[arg-type]


def _check_scores(evidence: Evidence, pairs: _Pairs, test: ShadowTest) -> list[Check]:
    """Check changed classes, the largest difference, and answers of another shape."""
    checks = []
    if pairs.misshapen:
        reason = (
            f"{pairs.misshapen:,} of {pairs.requests:,} answers do not have the scores of their version's signature"
        )
        checks.append(Check("shape of answers", "fail", float(pairs.misshapen), 0.0, n=pairs.requests, reason=reason))
    if not pairs.keys:
        return checks
    own, other = np.concatenate(pairs.champion), np.concatenate(pairs.challenger)
    rows = len(pairs.keys)
    classes = _classes(own, evidence.champion), _classes(other, evidence.challenger)
    if classes[0] is not None and classes[1] is not None:
        share = float(np.mean(classes[0] != classes[1]))
        reason = f"{share:.2%} of {rows:,} rows get another class; at most {test.changed:.2%} may"
        status = "fail" if share > test.changed else "pass"
        checks.append(Check("changed classes", status, share, test.changed, n=rows, reason=reason))  # type: ignore[arg-type]
    if own.shape == other.shape and evidence.champion.signature.classes == evidence.challenger.signature.classes:
        apart = np.abs(own - other).reshape(rows, -1).max(axis=1)
        at = int(apart.argmax())
        bound = test.difference
        request, row = pairs.keys[at]
        allowed = "" if bound is None else f"; at most {bound:g} is allowed"
        reason = (
            f"scores of {rows:,} rows differ by {apart.max():.4g} at most (row {row} of request {request[:60]}), by {np.median(apart):.4g} in "
            f"the median{allowed}"
        )
        status = "pass" if bound is None or apart.max() <= bound else "fail"
        checks.append(Check("largest difference", status, float(apart.max()), bound, n=rows, reason=reason))  # type: ignore[arg-type]
    return checks


def _classes(scores: NDArray[np.float64], version: TestedVersion) -> NDArray[Any] | None:
    """Return the predicted classes by name, as two versions may order them differently; None for a task without classes."""
    indices = version.task.predicted_classes(scores)
    return None if indices is None else np.array(version.signature.classes, object)[np.asarray(indices, np.int64)]


def _check_times(evidence: Evidence, pairs: _Pairs, test: ShadowTest) -> list[Check]:
    """Fail when slower than both the champion allows and the gate; warn when slower than one of them."""
    if not pairs.times:
        return []
    theirs, ours = (float(each) for each in np.percentile(np.array(pairs.times), _P95, axis=0))
    bound, gate = theirs * (1 + test.slower_percent / 100), evidence.project.gates.serving.p95_ms
    above = [ours > bound, gate is not None and ours > gate]
    status = "fail" if all(above) else "warn" if any(above) else "pass"
    reason = f"p95 {ours:.3g} ms with the way to the shadow, the champion's {theirs:.3g} ms; " + (
        f"the gate is {gate:g} ms" if gate is not None else "there is no gate (gates.serving.p95_ms)"
    )
    return [Check("p95 latency (ms)", status, ours, bound, theirs, len(pairs.times), reason)]  # type: ignore[arg-type]


def _check_labels(evidence: Evidence, pairs: _Pairs, test: ShadowTest) -> Check:
    """Compare both versions on the rows that have a label, in pairs."""
    metric = evidence.began.metric
    title = f"{metric} on labels"
    if evidence.labels is None or not pairs.keys:
        return Check(
            title,
            "skipped",
            n=0,
            reason="the project joins no labels" if evidence.labels is None else "no row was compared",
        )
    labels = Labels.of(evidence.labels)
    scores = np.concatenate(pairs.champion), np.concatenate(pairs.challenger)
    gains = []
    versions = evidence.champion, evidence.challenger
    for version, other, own in zip(versions, versions[::-1], scores, strict=True):
        values, rows = labels.find(pairs.keys, version, other)
        gain = np.full(len(pairs.keys), np.nan)
        if len(rows):
            gain[rows] = metric_values(version, metric, values, own[rows])
        gains.append(gain)
    both = gains[1] - gains[0]
    has_label = ~np.isnan(both)
    both, units = both[has_label], np.array([request for request, _ in pairs.keys], object)[has_label]
    found = compare_pairs(both, units, test.significance)
    if found is None:
        reason = (
            f"{len(both):,} labelled rows: too few to compare, which takes labels of at least {LEAST_UNITS} requests"
        )
        return Check(title, "no_baseline", n=len(both), reason=reason)
    is_exact = metric == "accuracy" and not test.worse and len(set(units)) == len(units)
    worse = _is_surely_worse(both, test) if is_exact else found.high < -test.worse
    interval = f"{found.low:+.4g} to {found.high:+.4g}"
    reason = (
        f"{metric} is {'better' if found.value > 0 else 'worse' if found.value < 0 else 'equal'} by {abs(found.value):.4g} on {found.n:,} labelled "
        f"rows (gain {interval} with {1 - test.significance:.0%})"
        + (f"; it may be worse by {test.worse:g}" if worse else "")
    )
    return Check(title, "fail" if worse else "pass", found.value, -test.worse, n=found.n, reason=reason)


def _is_surely_worse(gains: NDArray[np.float64], test: ShadowTest) -> bool:
    """Return whether there are more losses than gains with significance, by the exact test: for hits of one row for each request."""
    return sign_test(int((gains > 0).sum()), int((gains < 0).sum())) < test.significance / 2
