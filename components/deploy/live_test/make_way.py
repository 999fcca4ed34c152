"""Before another version is brought into service: the live test that goes on ends, and the champion is served alone."""

from __future__ import annotations

from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.ledger import current_champion
from components._core.store.live_tests import STOPPED, LiveTest, find_open, read_live_tests
from components.deploy.live_test.end import end_by_champion, end_live_test, take_turn
from components.deploy.rollout.live_test_servers import LiveTestServers
from components.deploy.targets.contract import RolloutTarget


def make_way(project: Project, settings: Settings, target: RolloutTarget, reason: str) -> list[str]:
    """End the live test that goes on, for a reason, and take its servers away; return what was done, in sentences.

    The end is written first: a process that is killed in between is made up for by the next look.

    Args:
        project: The project.
        settings: Settings with the store.
        target: Where its versions are served.
        reason: Why it ends, in a sentence.

    Raises:
        TakenOverError: When somebody else changes what is served meanwhile.
        ServiceError: When the champion could not be brought into service alone, or target or store cannot be reached.
    """
    stopped = stop_open(project.name, settings.store, reason)
    done = [f"the live test of version {stopped.began.version} was ended"] if stopped else []
    return [*done, *LiveTestServers(project, settings, target).follow()]


def stop_open(project: str, store: str, reason: str) -> LiveTest | None:
    """End the test that goes on, whose version stays out of service; returns it. None: none goes on, or it ended otherwise at this moment.

    Args:
        project: The project's name.
        store: Root of the object store.
        reason: Why it ends, in a sentence.

    Raises:
        ServiceError: When a log of the store is damaged.
        UnavailableError: When the store does not answer.
    """
    test = find_open(read_live_tests(store, project))
    if test is None or end_by_champion(store, project, test, current_champion(store, project)):
        return None
    with take_turn(store, project, test) as is_ours:
        if is_ours:
            end_live_test(store, project, test, verdict=STOPPED, reason=reason)
    return test if is_ours else None
