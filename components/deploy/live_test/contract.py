"""What a mode of live tests says: how much it needs, how far it is, and, once, what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import pyarrow as pa

from components._core.checks import Check
from components._core.project.live_test_config import AbTest, ShadowTest
from components._core.project.project_file import Project
from components._core.request_log.live_test_lines import LiveLines
from components._core.store.live_tests import LiveTestRecord
from components._core.types.signature import Signature
from components._core.types.tasks.contract import Task

_Rules = TypeVar("_Rules", ShadowTest, AbTest)


@dataclass(frozen=True)
class TestedVersion:
    """One of the two versions.

    Attributes:
        version: The version.
        signature: What it takes and gives.
        task: The task, with the version's threshold.
    """

    version: str
    signature: Signature
    task: Task


@dataclass(frozen=True)
class Evidence:
    """What there is to judge a test by.

    Attributes:
        project: The project.
        began: The test, as it was stated.
        champion: The champion.
        challenger: The version under test.
        lines: What both answered.
        labels: `id`, `row` and `label`; None: the project has no labels.
    """

    project: Project
    began: LiveTestRecord
    champion: TestedVersion
    challenger: TestedVersion
    lines: LiveLines
    labels: pa.Table | None


@dataclass(frozen=True)
class Progress:
    """How far a test is; without the figures of its metric, on which nobody may look before the end.

    Attributes:
        done: Compared requests, or labelled rows.
        needed: How many there must be.
        is_complete: Whether everything is there that the test waits for.
        facts: More numbers for a person, by name.
    """

    done: int
    needed: int
    is_complete: bool
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """What came of a test.

    Attributes:
        verdict: `promote`, `refuse`, or `inconclusive`, after which the champion stays.
        reason: Why, in a sentence.
        checks: The checks behind it.
        figures: The numbers behind it, by name.
    """

    verdict: Literal["promote", "refuse", "inconclusive"]
    reason: str
    checks: Sequence[Check]
    figures: Mapping[str, Any] = field(default_factory=dict)


class Mode(ABC):
    """A mode of live tests.

    Attributes:
        name: Its name in `serve.rollout`.
        title: What a person calls it.
        counted: What it needs a number of, in words.
    """

    name: str
    title: str
    counted: str

    @abstractmethod
    def count_needed(self, project: Project, metrics: Mapping[str, float]) -> tuple[int, str]:
        """Return how many compared requests or labelled rows a test needs, and a sentence that states the test.

        Args:
            project: The project.
            metrics: The champion's offline metrics.

        Raises:
            ConfigError: When they do not say how far values spread, and the project does not either.
        """

    @abstractmethod
    def measure(self, evidence: Evidence) -> Progress:
        """Return how far a test is."""

    @abstractmethod
    def judge(self, evidence: Evidence) -> Judgement:
        """Judge a test that is complete or has reached its deadline."""


def stated_rules(section: type[_Rules], began: LiveTestRecord) -> _Rules:
    """Return the section as it was when the test began: later changes of the project do not move its bounds."""
    return section.model_validate(
        {name: value for name, value in began.settings.items() if name in section.model_fields}
    )
