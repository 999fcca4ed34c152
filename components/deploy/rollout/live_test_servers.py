"""The servers of a live test on a target that keeps versions in service: begun beside the champion's, and taken away when the test has ended.

What is to be served follows from two records alone, the champion of the deployment ledger and the test that goes on beside it (`find_test_beside`):

    a test goes on      the champion's servers with the options of the test, which get every request of users; servers of the version under test,
                        which only the champion's reach
    none goes on        the champion alone

`LiveTestServers.follow` compares that with what is served and does the steps that are missing, so a process that does it may be killed after any of them: the
next one goes on from there. The way to the version under test is opened before anything else and closed last, so that it shows what was left undone;
where nothing of a live test is served, nothing is touched: a canary may be on its way. From servers that copy requests it is taken first: these still
have the options of the test, which show as much.

1. The way to the version under test is opened, and its servers start beside the champion's.
2. Parity test of these servers, before any request of a user reaches them.
3. The champion's servers get the options of the test, and must answer as ever.
4. Once the test has ended, the champion of then takes over all at once, by a rollout (`state_machine.py`): the version that was promoted, or the one that stays.
5. The way is closed; that of copies before 4, as the servers that take over log every request.

Two who do it at once disturb each other at most: the target refuses a change of what another has changed, and the next look goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components._core.checks import Check
from components._core.errors import ServiceError
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.ledger import Deployment, current_champion
from components._core.store.live_tests import LiveTest, find_open, read_live_tests
from components.deploy.rollout.proof import Prove, prove_servers, raise_failed
from components.deploy.rollout.roll_out import Registered, open_registered, roll_out, version_of_line
from components.deploy.rollout.state_machine import State
from components.deploy.targets.contract import (
    ModelVersion,
    Observation,
    RolloutError,
    RolloutTarget,
    Servers,
    TakenOverError,
)

_WEIGHT = 1
"""Percent of the version under test where a mesh holds it; none does, and a weight of 0 is not allowed."""


def find_test_beside(champion: Deployment | None, tests: Sequence[LiveTest]) -> LiveTest | None:
    """Return the test that goes on beside this champion; None: it is served alone. One beside an earlier champion is over."""
    test = find_open(tests)
    return test if test is not None and champion is not None and champion.identity == test.champion else None


@dataclass(frozen=True)
class _Side:
    """One of the two versions: what is registered, and its servers during the test."""

    registered: Registered
    servers: Servers


def _count_servers(test: LiveTest, champions: int) -> int:
    """Return how many servers a version under test needs beside those of the champion.

    In an A/B test as many as its share of the requests takes: fewer would be refused for what no version could do. Copies are dropped instead.
    """
    return math.ceil(round(champions * float(test.began.settings["share"]), 6)) if test.began.mode == "ab" else 1


class LiveTestServers:
    """The servers of a project's live tests on a target that keeps versions in service.

    Args:
        project: The project.
        settings: Settings with the store.
        target: Where its versions are served.

    Attributes:
        checks: The parity tests of servers that were started.
    """

    def __init__(self, project: Project, settings: Settings, target: RolloutTarget) -> None:
        self._project, self._settings, self._target = project, settings, target
        self.checks: list[Check] = []

    def check(self, champion: Deployment, test: LiveTest) -> None:
        """Refuse a test that the target cannot run, before anything is written or changed.

        Args:
            champion: The champion.
            test: The test, which has not begun.

        Raises:
            ConfigError: With what does not fit.
            ModelError: When what lies in the store is not what was registered.
            ServiceError: When the champion is not in service, or target or store cannot be reached.
        """
        self._target.begin()
        seen = self._target.see()
        self._find_stable(seen, champion)
        self._describe(seen, champion, test)

    def follow(self) -> list[str]:
        """Bring what is served in line with the records; return what was done, in sentences: empty where nothing was missing.

        Raises:
            RolloutError: When servers of the version under test cannot be started, or do not answer as offline.
            TakenOverError: When somebody else, as another look, changes what is served meanwhile.
            ServiceError: When the champion is not in service or could not be brought there, or target or store cannot be reached.
        """
        tests = read_live_tests(self._settings.store, self._project.name)
        champion = current_champion(self._settings.store, self._project.name)
        if not tests or champion is None:
            return []
        test = find_test_beside(champion, tests)
        self._target.begin()
        seen, connected = self._target.see(), self._target.connected()
        if test is None:
            return self._end(seen, champion, tests) if seen.live_test or connected else []
        key = version_of_line(self._deployment(test)).key
        if self._is_served(seen, connected, champion, test):
            return []
        done: list[str] = []
        if seen.live_test not in ("", test.name) or connected not in ("", key):
            done = self._end(seen, champion, tests)
            self._target.begin()
            seen = self._target.see()
        self._start(seen, champion, test)
        return [*done, f"version {test.began.version} is served beside version {champion.version} for its live test"]

    def _is_served(self, seen: Observation, connected: str, champion: Deployment, test: LiveTest) -> bool:
        """Whether all that the test needs was applied. Settings of the servers are no part of it: they are those of when it began."""
        first, second = version_of_line(champion).key, version_of_line(self._deployment(test)).key
        return (
            seen.keys == (first, second)
            and seen.live_test == test.name
            and seen.routed == first
            and connected == second
        )

    def _start(self, seen: Observation, champion: Deployment, test: LiveTest) -> None:
        stable = self._find_stable(seen, champion)
        ours, theirs = self._describe(seen, champion, test)
        self._target.route(stable.key)
        self._target.connect(theirs.servers.key)
        self._target.apply([stable, theirs.servers], _WEIGHT)
        self._prove(theirs.registered.model, theirs.registered.prove)
        self._target.apply([ours.servers, theirs.servers], _WEIGHT)
        try:
            # its rows would be copied, or answered by the other version: one request is enough of servers that were proved before
            self._prove(ours.registered.model, ours.registered.ask)
        except RolloutError:
            # with these options it would count as begun, and the next look would not say again what is wrong
            self._target.apply([stable, theirs.servers], _WEIGHT)
            raise

    def _prove(self, model: ModelVersion, prove: Prove) -> None:
        _, checks = prove_servers(self._target, model, prove, self._project.gates.serving)
        self.checks += checks
        raise_failed(checks)

    def _end(self, seen: Observation, champion: Deployment, tests: Sequence[LiveTest]) -> list[str]:
        """Bring the champion into service alone, all at once, and close the way to the other version."""
        key = version_of_line(champion).key
        name = self._project.name
        test = next((each for each in tests if each.name == seen.live_test), tests[-1])
        ended = f"the live test of version {test.began.version} has ended"
        done = [ended]
        if seen.live_test == test.name and test.began.mode == "shadow":
            # the same servers will log what they answer: a copy would be in the request log as an answer that was returned
            self._target.connect("")
        if seen.exists and not (seen.keys == (key,) and seen.routed == key and not seen.live_test):
            result = roll_out(
                self._project,
                self._settings,
                version_of_line(champion),
                target=self._target,
                why=f"{ended}, and version {champion.version} is the champion",
                shares=(),
                check=self._check_champion(champion),
                registration=champion.registration_sha256,
            )
            if result.state is not State.DONE:
                message = f"{ended}, and version {champion.version}, the champion, was not brought into service: {result.reason}"
                remedy = (
                    "naru live-test tries again, and so does each look; naru rollback goes back to the champion before"
                )
                raise ServiceError(message, where=name, remedy=remedy)
            done += [f"{change.action}: {change.reason}" for change in result.changes]
        self._target.connect("")
        return done

    def _check_champion(self, champion: Deployment) -> Callable[[Deployment | None], None]:
        def check(now: Deployment | None) -> None:
            if now is None or now.identity != champion.identity:
                current = f"version {now.version}" if now else "none"
                message = (
                    f"the champion is {current} by now, and version {champion.version} was being brought into service"
                )
                raise TakenOverError(message, where=self._project.name, remedy="the next look brings that one in")

        return check

    def _find_stable(self, seen: Observation, champion: Deployment) -> Servers:
        """Find the champion's servers.

        Raises:
            ServiceError: When there are none.
        """
        key = version_of_line(champion).key
        found = next((each for each in self._target.adopt(seen) if each.key == key), None) if seen.exists else None
        if found is None:
            message = f"version {champion.version} is the champion by the ledger, and is not in service"
            remedy = f"bring it there: naru rollback --to {champion.version}"
            raise ServiceError(message, where=self._project.name, remedy=remedy)
        return found

    def _describe(self, seen: Observation, champion: Deployment, test: LiveTest) -> tuple[_Side, _Side]:
        """Describe the servers of both versions, and refuse what cannot be served.

        Raises:
            ConfigError: When the target refuses one of them, or cannot run a live test.
        """
        both = [self._open(line) for line in (champion, self._deployment(test))]
        now = seen.replicas.get(both[0].model.key, self._project.serve.replicas)
        servers = self._target.describe_live_test(both[0].model, both[1].model, test, _count_servers(test, now))
        sides = [_Side(registered, each) for registered, each in zip(both, servers, strict=True)]
        for side in sides:
            self._target.check(side.servers, seen, side.registered.missing_files, side.registered.features)
        return sides[0], sides[1]

    def _open(self, line: Deployment) -> Registered:
        return open_registered(self._project, version_of_line(line), self._target, line.registration_sha256)

    def _deployment(self, test: LiveTest) -> Deployment:
        return test.deployment(self._settings.store, self._project.name)
