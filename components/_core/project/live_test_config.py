"""The sections of the project file about live tests: a new version beside the champion, on the requests of users."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StrictInt

from components._core.project.config_types import Real, Section
from components._core.project.durations import Duration
from components._core.suggestions import list_alternatives
from components._core.types.tasks import TASKS
from components._core.types.tasks.row_metrics import list_row_metrics

if TYPE_CHECKING:
    from components._core.project.feedback_config import Feedback

RolloutMode = Literal["canary", "shadow", "ab"]
Significance = Annotated[
    Real,
    Field(ge=0.0001, le=0.5, description="Probability with which a difference is found where there is none."),
]


class ShadowTest(Section):
    """A new version that answers copies of the champion's requests; its answers are compared and never returned (docs/serving.md)."""

    later: ClassVar[frozenset[str]] = frozenset({"min_compared"})

    requests: Annotated[
        StrictInt, Field(ge=1, description="Compared requests after which the test ends and is judged.")
    ] = 1_000
    deadline: Annotated[
        Duration,
        Field(description="Longest time of the test; with fewer than `min_requests` by then it ends `inconclusive`."),
    ] = "7d"
    min_requests: Annotated[
        StrictInt, Field(ge=1, description="Fewest compared requests from which a test is judged at its deadline.")
    ] = 50
    share: Annotated[Real, Field(gt=0, le=1, description="Share of the requests that is copied; the id decides.")] = 1.0
    min_compared: Annotated[
        Real,
        Field(
            ge=0,
            le=1,
            description="Smallest share of the requests to be copied that must have been compared, for the version to be promoted: of others the "
            "copy was dropped, or the shadow was away or failed. Below it the test goes on until its deadline, and ends `inconclusive`.",
        ),
    ] = 0.5
    changed: Annotated[
        Real,
        Field(ge=0, le=1, description="Largest share of rows whose predicted class differs from the champion's."),
    ] = 0.1
    difference: Annotated[
        Real | None,
        Field(
            ge=0,
            description="Largest difference of a score (a probability, or a predicted number) in any row; absent: it is shown and not judged.",
        ),
    ] = None
    error_rate: Annotated[Real, Field(ge=0, lt=1, description="Largest share of copies that fail.")] = 0.01
    slower_percent: Annotated[
        Real,
        Field(
            ge=0,
            description="How much higher the shadow's p95 may be than the champion's; above it and above gates.serving.p95_ms the test "
            "fails, above one of them it warns.",
        ),
    ] = 50.0
    labels: Annotated[
        StrictInt,
        Field(
            ge=0,
            description="Labelled rows that the test waits for as well, to compare both versions on the same rows; 0: it waits for none, "
            "and compares on those that are there.",
        ),
    ] = 0
    metric: Annotated[
        str,
        Field(
            description="Metric of that comparison, a mean over rows: accuracy, log_loss or brier, or mae or mse of a regression; empty: "
            "accuracy or mae."
        ),
    ] = ""
    worse: Annotated[
        Real,
        Field(
            ge=0,
            description="How much worse it may be, in units of the metric; the test fails where it is surely more.",
        ),
    ] = 0.0
    significance: Significance = 0.05


class AbTest(Section):
    """A new version that answers a share of the requests, and one test, stated beforehand, on the labels of both (docs/serving.md)."""

    metric: Annotated[
        str,
        Field(
            description="Metric of the test, a mean over rows: accuracy, log_loss or brier, or mae or mse of a regression; empty: accuracy "
            "or mae."
        ),
    ] = ""
    direction: Annotated[
        Literal["better", "either"],
        Field(
            description="`better` tests whether the new version is better (one-sided); `either` whether it differs (two-sided), and it is "
            "promoted where it is better."
        ),
    ] = "either"
    effect: Annotated[
        Real,
        Field(gt=0, description="Smallest difference of the metric that is worth finding, in its units, as in 0.02."),
    ]
    significance: Significance = 0.05
    power: Annotated[
        Real, Field(ge=0.5, le=0.9999, description="Probability with which a difference of `effect` is found.")
    ] = 0.8
    share: Annotated[
        Real, Field(ge=0.01, le=0.99, description="Share of the requests that the new version answers.")
    ] = 0.5
    key: Annotated[
        str,
        Field(
            description="Feature whose value in the first row of a request decides who answers, so that the same customer always gets the same "
            "version; empty: the id of the request."
        ),
    ] = ""
    deadline: Annotated[
        Duration, Field(description="Longest time of the test; it is judged then on the labels that are there.")
    ] = "14d"
    spread: Annotated[
        Real | None,
        Field(
            gt=0,
            description="Standard deviation of the metric over rows, for the number of labels that the test needs; absent: that of the "
            "champion's offline metrics, which they say of accuracy and mae.",
        ),
    ] = None
    error_rate: Annotated[
        Real,
        Field(ge=0, lt=1, description="Largest share of the new version's requests that the champion had to answer."),
    ] = 0.01


def metric_of(test: ShadowTest | AbTest, task: str) -> str:
    """Return the metric of a live test: the configured one, or the task's usual mean over rows."""
    rows = list_row_metrics(TASKS[task])
    return test.metric or rows[0]


def check_live_test(
    mode: RolloutMode,
    test: ShadowTest | AbTest | None,
    *,
    task: str,
    no_features: Collection[str],
    feedback: Feedback | None,
    masked: Collection[str] | None,
) -> None:
    """Check what depends on other sections of the project.

    Args:
        mode: `serve.rollout`.
        test: Its section; None: it is absent.
        task: The project's task.
        no_features: The label and the excluded columns.
        feedback: The section about labels; None: it is absent.
        masked: Features that the request log masks; None: the servers keep none.

    Raises:
        ValueError: When something does not fit.
    """
    if mode == "canary":
        return
    if test is None:
        raise ValueError(
            "serve.rollout: ab needs serve.ab with the test that is stated beforehand, at least effect: the smallest "
            "difference of the metric that is worth finding"
        )
    if masked is None:
        raise ValueError(
            f"serve.rollout: {mode} needs serve.request_log: the answers of both versions are kept beside it"
        )
    rows = list_row_metrics(TASKS[task])
    if test.metric and test.metric not in rows:
        unknown = TASKS[task].find_unknown_metric(test.metric)
        why = unknown or f"{test.metric!r} is no mean over rows, so two versions cannot be tested by it"
        raise ValueError(f"serve.{mode}.metric: {why}; allowed here: {list_alternatives(rows)}")
    if isinstance(test, AbTest):
        if feedback is None:
            raise ValueError(
                "serve.rollout: ab is judged by labels, and there is no section feedback; add feedback.labels or feedback.endpoint "
                "(docs/feedback.md), or set serve.rollout: shadow"
            )
        if metric_of(test, task) not in ("accuracy", "mae") and test.spread is None:
            raise ValueError(
                f"serve.ab.metric: {test.metric} needs serve.ab.spread, its standard deviation over rows, for the number of labels that the test "
                "needs; offline metrics say it of accuracy and mae only"
            )
        if test.key in no_features and test.key:
            raise ValueError(
                f"serve.ab.key: {test.key!r} is not a feature: it is the label or a column of data.exclude"
            )
        if test.key in masked:
            raise ValueError(
                f"serve.ab.key: {test.key!r} is in serve.request_log.mask, and a digest of it would be kept with the answers; name another feature, "
                "or leave key out"
            )
    elif test.labels and feedback is None:
        raise ValueError("serve.shadow.labels waits for labels, and there is no section feedback; add it, or set 0")
    by_key = feedback is not None and feedback.labels is not None and bool(feedback.labels.key)
    if by_key and (isinstance(test, AbTest) or test.labels):
        raise ValueError(
            f"serve.rollout: {mode} joins labels with answers by their id, and feedback.labels.key has none; give labels.id"
        )
