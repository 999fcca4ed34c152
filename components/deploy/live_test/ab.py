"""A/B: each version answered its share of the requests; one test on the labels, stated beforehand, decides at a fixed horizon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check
from components._core.errors import ConfigError
from components._core.project.live_test_config import AbTest, metric_of
from components._core.project.project_file import Project
from components._core.types.tasks.row_metrics import find_spread
from components.deploy.live_test.contract import Evidence, Judgement, Mode, Progress, TestedVersion, stated_rules
from components.deploy.live_test.key_values import describe_few_values
from components.deploy.live_test.significance import LEAST_UNITS, Difference, Values, compare_arms, sample_size
from components.deploy.live_test.tested_rows import Labels, count_labelled, metric_values, scores_of

_LEAST_P = 1e-6


@dataclass(frozen=True)
class _Arm:
    """The labelled rows of one version.

    Attributes:
        gains: Value of the metric of each, larger is better.
        units: Digest of the key by which each was assigned.
    """

    gains: Values
    units: NDArray[Any]


class Ab(Mode):
    """A share of the requests."""

    name = "ab"
    title = "A/B"
    counted = "labelled rows"

    def count_needed(self, project: Project, metrics: Mapping[str, float]) -> tuple[int, str]:
        """Compute the number of labelled rows from effect, significance, power and share."""
        test = project.serve.ab
        if test is None:
            raise ConfigError("serve.rollout: ab needs serve.ab", where=project.name)
        metric = metric_of(test, project.task)
        spread = test.spread or find_spread(metric, metrics)
        if spread is None:
            message = f"the champion's offline metrics do not say how much {metric} varies over rows"
            remedy = "set serve.ab.spread to the standard deviation of the metric over rows, or test by accuracy or mae"
            raise ConfigError(message, where=project.name, remedy=remedy)
        two_sided = test.direction == "either"
        needed = sample_size(test.effect, spread, test.significance, test.power, test.share, two_sided=two_sided)
        sentence = (
            f"{metric}, {'two-sided' if two_sided else 'one-sided'}: a difference of {test.effect:g} is found with a power of {test.power:.0%} "
            f"at a significance of {test.significance:g}, with {needed:,} labelled rows in all and a share of {test.share:.0%} (standard deviation "
            f"{spread:.3g}); judged once, then or after {test.deadline}"
        )
        return needed, sentence

    def measure(self, evidence: Evidence) -> Progress:
        """Count the labelled rows of both; their labels are not looked at."""
        requests, labels = evidence.lines.requests, Labels.of(evidence.labels)
        champion = [each for each in requests if each.champion and not each.failed]
        challenger = [each for each in requests if each.challenger]
        failed = sum(bool(each.failed) for each in requests)
        counts = count_labelled(champion, labels), count_labelled(challenger, labels)
        facts = {
            "requests of the champion": f"{len(champion):,}, {counts[0]:,} labelled rows",
            "requests of the challenger": f"{len(challenger):,}, {counts[1]:,} labelled rows",
            "answered by the champion instead": f"{failed:,}",
        }
        if key := stated_rules(AbTest, evidence.began).key:
            facts[f"values of {key!r}"] = _describe_values(evidence)
        done = sum(counts)
        return Progress(done, evidence.began.needed, done >= evidence.began.needed, facts)

    def judge(self, evidence: Evidence) -> Judgement:
        """Make the one test."""
        test = stated_rules(AbTest, evidence.began)
        metric, labels = evidence.began.metric, Labels.of(evidence.labels)
        new = _arm(evidence, evidence.challenger, evidence.champion, labels, metric)
        old = _arm(evidence, evidence.champion, evidence.challenger, labels, metric)
        fallbacks = _check_fallbacks(evidence, test)
        figures: dict[str, Any] = {"labelled": {"challenger": len(new.gains), "champion": len(old.gains)}}
        two_sided = test.direction == "either"
        found = compare_arms(new.gains, old.gains, (new.units, old.units), test.significance, two_sided=two_sided)
        if fallbacks.status == "fail":
            return Judgement("refuse", fallbacks.reason, [fallbacks], figures)
        if found is None:
            units = "requests" if not test.key else f"values of {test.key}"
            reason = (
                f"{len(new.gains):,} labelled rows of the new version and {len(old.gains):,} of the champion cannot be compared: each needs labels of at "
                f"least {LEAST_UNITS} {units}"
            )
            return Judgement(
                "inconclusive", reason, [fallbacks, Check(metric, "no_baseline", n=0, reason=reason)], figures
            )
        figures |= {
            "gain": found.value,
            "standard_error": found.error,
            "p": found.p,
            "low": found.low,
            "high": found.high,
        }
        reason = _describe(found, metric, test, evidence.began.needed)
        is_found = found.p < test.significance
        status = "fail" if is_found and found.value < 0 else "pass" if is_found else "no_baseline"
        checks = [fallbacks, Check(metric, status, found.value, 0.0, n=found.n, reason=reason)]  # type: ignore[arg-type]
        verdicts = {"fail": "refuse", "pass": "promote", "no_baseline": "inconclusive"}
        return Judgement(verdicts[status], reason, checks, figures)  # type: ignore[arg-type]


def _describe_values(evidence: Evidence) -> str:
    """Say how many values of the key each version has answered, and where there are too few of them."""
    requests, test = evidence.lines.requests, stated_rules(AbTest, evidence.began)
    old = {each.unit for each in requests if each.champion and not each.failed}
    new = {each.unit for each in requests if each.challenger}
    few = describe_few_values(Counter(each.unit for each in requests), test, "requests")
    found = f"{len(old):,} of the champion, {len(new):,} of the challenger; labels of {LEAST_UNITS} of each are needed"
    return f"{found}; {few}" if few else found


def _arm(evidence: Evidence, version: TestedVersion, other: TestedVersion, labels: Labels, metric: str) -> _Arm:
    """Collect the labelled rows of a version; those that it answered in place of the other are in neither arm."""
    keys, units, parts = [], [], []
    for request in evidence.lines.requests:
        answer = request.challenger if version is evidence.challenger else None if request.failed else request.champion
        scores = scores_of(answer, version) if answer else None
        if scores is None:
            continue
        keys += [(request.id, row) for row in range(len(scores))]
        units += [request.unit] * len(scores)
        parts.append(scores)
    values, rows = labels.find(keys, version, other)
    if not len(rows):
        return _Arm(np.empty(0), np.empty(0, object))
    return _Arm(metric_values(version, metric, values, np.concatenate(parts)[rows]), np.array(units, object)[rows])


def _check_fallbacks(evidence: Evidence, test: AbTest) -> Check:
    failed = sum(bool(each.failed) for each in evidence.lines.requests)
    assigned = failed + sum(each.challenger is not None for each in evidence.lines.requests)
    share = failed / assigned if assigned else 0.0
    reason = f"{share:.2%} of the new version's {assigned:,} requests had to be answered by the champion; at most {test.error_rate:.2%} may"
    status = "no_baseline" if not assigned else "fail" if share > test.error_rate else "pass"
    return Check("failed requests", status, share, test.error_rate, n=assigned, reason=reason)  # type: ignore[arg-type]


def _describe_p(p: float) -> str:
    return f"p = {p:.3g}" if p >= _LEAST_P else f"p < {_LEAST_P:g}"


def _describe(found: Difference, metric: str, test: AbTest, needed: int) -> str:
    how = "better" if found.value > 0 else "worse" if found.value < 0 else "equal"
    short = f", of {needed:,} that the test needs" if found.n < needed else ""
    outcome = "significant" if found.p < test.significance else "not significant"
    return (
        f"{metric} is {how} by {abs(found.value):.4g} (gain {found.low:+.4g} to {found.high:+.4g}, {_describe_p(found.p)}, {outcome} at "
        f"{test.significance:g}) on {found.n:,} labelled rows{short}"
    )
