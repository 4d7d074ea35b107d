"""Which site belongs to which arm from when on, and the ticks that are looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

EVER = -np.inf


@dataclass(frozen=True, slots=True)
class Cut:
    """From the commit at `since` on, exactly these sites are in the canary arm."""

    since: datetime
    canary: frozenset[str]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who should serve what.

    Attributes:
        rollout: Id, as it stands in the recording.
        stable: Proven release.
        canary: Release that climbs, or "".
        sites: Site id to stratum; other sites are not looked at.
        cuts: In time order; before the first one every site is in the stable arm.
        is_split: Traffic is: every site serves both releases at once, and a cut begins a step.
    """

    rollout: str
    stable: str
    canary: str
    sites: Mapping[str, str]
    cuts: tuple[Cut, ...] = ()
    is_split: bool = False

    def __post_init__(self) -> None:
        """Refuse cuts out of order and arms that cannot be told apart."""
        times = [cut.since for cut in self.cuts]
        if times != sorted(times):
            raise ValueError("cuts must be in time order")
        if self.stable == self.canary:
            raise ValueError("stable and canary are the same release")
        if self.cuts and not self.canary:
            raise ValueError("a cut needs a canary release")


@dataclass(frozen=True)
class Window:
    """The ticks t with start < t <= end, and how far back the answers reach.

    Attributes:
        start: The last tick that was judged before; aware, a multiple of `step`.
        end: The newest tick.
        step: Spacing of the ticks, whole seconds.
        look_back: The answers begin this much before `start`; a counter that was silent for
            longer loses what it counted meanwhile.
    """

    start: datetime
    end: datetime
    step: timedelta
    look_back: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        """Refuse ticks that do not lie at multiples of the step."""
        if self.step < timedelta(seconds=1) or self.step % timedelta(seconds=1):
            raise ValueError("the step is a whole number of seconds")
        for at in (self.start, self.end, self.fetched_from):
            if at.timestamp() % self.step.total_seconds():
                raise ValueError(f"{at.isoformat()} is not a multiple of the step {self.step}")
        if self.end < self.start or self.look_back < timedelta(0):
            raise ValueError("a window ends at or after its start")

    @property
    def fetched_from(self) -> datetime:
        """Give the first tick that the answers hold."""
        return self.start - self.look_back

    @property
    def ticks(self) -> range:
        """Give every fetched tick in seconds since the epoch."""
        first, last = int(self.fetched_from.timestamp()), int(self.end.timestamp())
        return range(first, last + 1, int(self.step.total_seconds()))

    @cached_property
    def seconds(self) -> NDArray[np.int64]:
        """Give `ticks` as an array."""
        return np.array(self.ticks, dtype=np.int64)

    @property
    def judged(self) -> slice:
        """Select the ticks after `start` from `seconds`."""
        return slice(self.look_back // self.step + 1, None)

    def at(self, column: int) -> datetime:
        """Give the time of one of `seconds`."""
        return datetime.fromtimestamp(int(self.seconds[column]), UTC)


@dataclass(frozen=True)
class Roster:
    """The assignment over the ticks of a window, as N sites x T ticks.

    Attributes:
        names: Site ids, sorted; the rows.
        rows: Row of a site.
        is_canary: Whether the site is in the canary arm at that tick.
        flipped: Since when it is in that arm, in seconds since the epoch, or -inf.
        arm_of: Release to arm: 1 for the canary, 0 for stable.
    """

    names: tuple[str, ...]
    rows: Mapping[str, int]
    is_canary: NDArray[np.bool_]
    flipped: NDArray[np.float64]
    arm_of: Mapping[str, int]


def roster(assignment: Assignment, window: Window) -> Roster:
    """Spread the cuts over the ticks; a cut holds from the first tick at or after it."""
    names = tuple(sorted(assignment.sites))
    rows = {name: row for row, name in enumerate(names)}
    ticks = window.seconds
    is_canary = np.zeros((len(names), len(ticks)), dtype=np.bool_)
    flipped = np.full((len(names), len(ticks)), EVER)
    before: frozenset[str] = frozenset()
    for cut in assignment.cuts:
        since = cut.since.timestamp()
        first = int(np.searchsorted(ticks, since))
        changed = [rows[site] for site in sorted(before ^ cut.canary) if site in rows]
        joined = [rows[site] for site in sorted(cut.canary - before) if site in rows]
        flipped[changed, first:] = since
        is_canary[changed, first:] = False
        is_canary[joined, first:] = True
        before = cut.canary
    arms = {assignment.stable: 0} | ({assignment.canary: 1} if assignment.canary else {})
    return Roster(names, rows, is_canary, flipped, arms)
