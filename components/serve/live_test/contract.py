"""What a mode of live tests does in the champion's server, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from prometheus_client.registry import Collector

from components._predictor.feature_values import Columns
from components.serve.label_log import LabelLog
from components.serve.live_test.challenger_client import ChallengerClient
from components.serve.request_log import AnsweredRequest

Outputs = dict[str, np.ndarray[Any, Any]]


class Answer(NamedTuple):
    """An answer, and who gave it.

    Attributes:
        outputs: The model's outputs by name.
        version: Version that answered; None: that of the server.
    """

    outputs: Outputs
    version: str | None = None


@dataclass(frozen=True)
class LiveTestSettings:
    """A live test, as the command line of the champion's server has it.

    Attributes:
        test: Its name.
        champion: The champion's version.
        challenger: The version under test.
        share: Share of the requests that are copied to it, or that it answers.
        key: Feature by whose value requests are assigned; empty: their id.
    """

    test: str
    champion: str
    challenger: str
    share: float
    key: str = ""


class LiveTest(Collector, ABC):
    """A live test in the champion's server; safe to use from several threads.

    Attributes:
        threads: Where the calls of `ask` run, for a server with an event loop.
    """

    threads: Executor | None = None

    @abstractmethod
    def add(self, answered: AnsweredRequest, *, is_open: bool = True) -> None:
        """Take note of what the champion answered; never waits.

        Args:
            answered: The request and its answer.
            is_open: Whether the version under test might have answered it.
        """

    def routes(self, request_id: str, columns: Columns) -> bool:
        """Return whether the version under test answers a request."""
        return False

    def ask(self, request_id: str, columns: Columns) -> Answer | None:
        """Let the version under test answer a request that `routes` assigned to it; None when it does not, and the champion must."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Write what waits, for some seconds at most, then stop."""


OpenLiveTest = Callable[[LiveTestSettings, ChallengerClient, LabelLog, Callable[[], bool]], LiveTest]
"""Opens a mode: the test, a client of the version under test, where lines go, and whether the server is under load."""
