"""Episodes of alarms: an alarm that stays on, or flaps, is one episode and one cause.

The monitor's windows may overlap, as those of seven days that are judged every hour do. Alarms of overlapping windows are
the same evidence, so only windows apart from each other are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.watch.state import Window


@dataclass(frozen=True)
class Sighting:
    """A window in which a check could be judged.

    Attributes:
        window: The window.
        alarms: Whether the check alarms.
    """

    window: Window
    alarms: bool


@dataclass(frozen=True)
class Episode:
    """An episode that has not ended.

    Attributes:
        first: Its first window with an alarm.
        last: Its last window with an alarm.
        alarms: Alarms in the newest windows, counted in windows that do not overlap.
        is_cut: Whether no end of an episode lies before it: it may have begun before the first window given.
    """

    first: Window
    last: Window
    alarms: int
    is_cut: bool


def find_episode(sightings: Sequence[Sighting], needed: int, of: int) -> Episode | None:
    """Find the episode that is on in the newest window.

    With the rule `needed` of `of`, an episode ends after `of - needed + 1` windows in a row that pass, and overlap neither its
    last alarm nor each other.

    Args:
        sightings: By the end of their windows, oldest first.
        needed: Fewest alarms.
        of: Number of the newest windows in which they are counted.
    """
    first: Window | None = None
    last: Window | None = None
    free_from, passes, is_cut = sightings[0].window.since if sightings else None, 0, True
    for sighting in sightings:
        window = sighting.window
        if sighting.alarms:
            first, last = first or window, window
            free_from, passes = window.until, 0
        elif free_from is not None and window.since >= free_from:
            free_from, passes = window.until, passes + 1
            if passes > of - needed:
                first = last = free_from = None
                is_cut = False
    if first is None or last is None:
        return None
    return Episode(first, last, _count_alarms(sightings, of), is_cut)


def _count_alarms(sightings: Sequence[Sighting], of: int) -> int:
    """Count the alarms in the newest windows that do not overlap, from the newest back."""
    begin, windows, alarms = None, 0, 0
    for sighting in reversed(sightings):
        if begin is None or sighting.window.until <= begin:
            begin, windows, alarms = sighting.window.since, windows + 1, alarms + sighting.alarms
            if windows == of:
                break
    return alarms
