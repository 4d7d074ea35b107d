"""Make ticks coarser before they are judged, so that evidence stays small enough for Git."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reconciler.recording import MAX_COUNT, AssignedLine, Line, SiteCounts, TickLine

MOST_BYTES = 2**20
SITE_BYTES = 6.0
"""What a site costs in one line once it is packed; measured in tests/unit/test_merging.py."""


def factor(sites: int, objectives: int, ticks: int) -> int:
    """Say how many adjacent ticks become one: the smallest power of two that fits into 1 MiB.

    A function of what is asked for and not of what is answered, so that everybody who reads the
    same ticks judges the same ones.
    """
    found = 1
    while SITE_BYTES * sites * objectives * -(-ticks // found) > MOST_BYTES and found < ticks:
        found *= 2
    return found


@dataclass
class Merger:
    """Merges ticks as they come; groups end at UTC multiples of factor x step; mutable.

    A group also ends where the assignment changes, and where an arm falls silent or is back: what
    was measured is never merged with what was not.

    Attributes:
        factor: Ticks in a group.
        step: Between ticks.
    """

    factor: int
    step: timedelta
    _group: int = 0
    _open: tuple[TickLine, ...] = ()

    def copy(self) -> "Merger":
        """Give one that goes on alone; the lines are never changed."""
        return replace(self)

    def take(self, told: Sequence[AssignedLine], tick: Sequence[TickLine]) -> Iterator[Line]:
        """Take the lines of one tick, and give those that are complete.

        Args:
            told: Assignments that begin with it.
            tick: One line per objective.
        """
        if self.factor == 1:
            yield from told
            yield from tick
            return
        group = -(int(-tick[0].at.timestamp()) // int(self.factor * self.step.total_seconds()))
        goes_on = group == self._group and not told and _alive(tick) == _alive(self._open)
        if not goes_on:
            yield from self.rest()
        yield from told
        self._group = group
        pairs = zip(self._open, tick, strict=True)
        self._open = tuple(_sum(*pair) for pair in pairs) if self._open else tuple(tick)

    def rest(self) -> tuple[Line, ...]:
        """Give the group that is open, and close it."""
        lines, self._open = self._open, ()
        return lines


def _alive(tick: Iterable[TickLine]) -> tuple[bool, ...]:
    arms = (arm for one in tick for arm in (one.canary, one.stable))
    return tuple(any(events for events, _ in arm.values()) for arm in arms)


def _sum(first: TickLine, second: TickLine) -> TickLine:
    canary, stable = _add(first.canary, second.canary), _add(first.stable, second.stable)
    seen = {*first.seen, *second.seen} - canary.keys() - stable.keys()
    return replace(second, canary=canary, stable=stable, seen=tuple(sorted(seen)))


def _add(first: SiteCounts, second: SiteCounts) -> SiteCounts:
    found = dict(first)
    for site, (events, bad) in second.items():
        before = found.get(site, (0, 0))
        found[site] = min(MAX_COUNT, before[0] + events), min(MAX_COUNT, before[1] + bad)
    return found
