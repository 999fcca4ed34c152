"""The plan of a clean-up: what is removed, kind by kind, and what stays and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from components._core.project.keep_config import KeepRule


@dataclass(frozen=True)
class Item:
    """Something that can be removed as a whole.

    Attributes:
        name: Its name, for a person.
        changed: When it was last written, with a zone.
        files: Number of its files or objects.
        size: Their bytes.
        remove: Removes it; what is gone already is skipped, and after half of it the next clean-up removes the rest.
    """

    name: str
    changed: datetime
    files: int
    size: int
    remove: Callable[[], None] = field(repr=False, compare=False)


@dataclass(frozen=True)
class KindPlan:
    """The plan for one kind.

    Attributes:
        kind: What it is, in the plural.
        removed: What is removed.
        kept: Number of those that stay.
        why: Why those stay that the rule alone would remove, and what the rule is.
    """

    kind: str
    removed: tuple[Item, ...] = ()
    kept: int = 0
    why: str = ""

    @property
    def files(self) -> int:
        """Files and objects that are removed."""
        return sum(item.files for item in self.removed)

    @property
    def size(self) -> int:
        """Bytes that are removed."""
        return sum(item.size for item in self.removed)


def make_plan(
    kind: str,
    items: Sequence[Item],
    rule: KeepRule,
    now: datetime,
    *,
    protected: Collection[str] = frozenset(),
    reason: str = "",
) -> KindPlan:
    """Apply a rule to the items of a kind.

    Args:
        kind: What they are, in the plural.
        items: The items, oldest first.
        rule: What is kept of them.
        now: The time.
        protected: Names of those that stay whatever the rule says.
        reason: What protects them, in a few words.
    """
    chosen = _choose(items, rule, now)
    removed = tuple(item for item in chosen if item.name not in protected)
    spared = len(chosen) - len(removed)
    why = f"keeps {rule}" + (f"; {spared:,} older stay: {reason}" if spared else "")
    return KindPlan(kind, removed, len(items) - len(removed), why)


def _choose(items: Sequence[Item], rule: KeepRule, now: datetime) -> list[Item]:
    if rule.newest is not None:
        return list(items[: -rule.newest])
    if rule.age is not None:
        return [item for item in items if now - item.changed > rule.age]
    return []
