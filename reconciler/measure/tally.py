"""Sum the increments of one objective to events and bad events per site and tick."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reconciler.measure.assignment import Roster, Window
from reconciler.measure.counters import MAX_COUNT, Counters, increments
from reconciler.measure.table import Floats

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Tally:
    """One objective over N sites x T fetched ticks.

    Attributes:
        objective: Its name.
        has_data: Whether events and bad events are both known, in the arm the site is in.
        events: Events; whatever where there is no data.
        bad: Bad events, at most the events.
        fresh: Whether the site showed any counter of all events, of either release.
        notes: What was refused.
    """

    objective: str
    has_data: Bools
    events: Floats
    bad: Floats
    fresh: Bools
    notes: tuple[str, ...] = ()


def tally(
    objective: str,
    total: Counters,
    part: Counters,
    roster: Roster,
    window: Window,
    *,
    part_is_good: bool,
) -> Tally:
    """Combine two queries.

    Args:
        objective: Its name.
        total: Counters of all events.
        part: Counters of the bad events, or of the good ones.
        roster: Sites and arms.
        window: Ticks.
        part_is_good: Bad = total - part, counter by counter.
    """
    fresh = _count(total, ~np.isnan(total.values), roster) > 0
    if part_is_good:
        total, part = _bad_from_good(total, part)
    total, part = _together(total, part, roster)
    events, has_events = _sums(total, roster, window)
    bad, has_bad = _sums(part, roster, window)
    has_both = has_events & has_bad
    wrong = has_both & ((bad > events) | (events > MAX_COUNT))
    notes = tuple(
        f"{objective}: more bad events than events at site {roster.names[row]}"
        for row in np.flatnonzero(wrong.any(axis=1))
    )
    return Tally(objective, has_both & ~wrong, events, bad, fresh, notes)


def _bad_from_good(total: Counters, good: Counters) -> tuple[Counters, Counters]:
    """Subtract before differences are taken, so that a lost point cannot look like bad events."""
    row_of = {(names, texts, None): row for row, (names, texts, _) in enumerate(good.keys)}
    pairs = [(row, row_of[key]) for row, key in enumerate(total.keys) if key in row_of]
    mine, its = np.array(pairs, np.intp).reshape(-1, 2).T
    bad = total.values[mine] - good.values[its]
    bad = np.where(bad < 0, np.nan, bad)
    kept = Counters(
        keys=[total.keys[row] for row in mine],
        sites=total.sites[mine],
        arms=total.arms[mine],
        values=np.where(np.isnan(bad), np.nan, total.values[mine]),
        started=total.started[mine],
    )
    return kept, replace(kept, values=bad)


def _together(total: Counters, part: Counters, roster: Roster) -> tuple[Counters, Counters]:
    """Look only at ticks at which a site showed both, so that both span the same time."""
    seen = [_count(one, ~np.isnan(one.values), roster, arms=2) > 0 for one in (total, part)]
    both = seen[0] & seen[1]
    total, part = (
        replace(one, values=np.where(both[2 * one.sites + one.arms], one.values, np.nan))
        for one in (total, part)
    )
    return total, part


def _sums(counters: Counters, roster: Roster, window: Window) -> tuple[Floats, Bools]:
    grown = increments(counters, roster, window)
    in_arm = roster.is_canary[counters.sites] == counters.arms[:, np.newaxis].astype(np.bool_)
    known = in_arm & ~np.isnan(grown)
    return _count(counters, known, roster, grown), _count(counters, known, roster) > 0


def _count(
    counters: Counters,
    which: Bools,
    roster: Roster,
    weights: Floats | None = None,
    *,
    arms: int = 1,
) -> Floats:
    """Add chosen cells up per site (and arm) and tick; each cell counts 1 or its weight."""
    width = which.shape[1]
    rows = counters.sites if arms == 1 else 2 * counters.sites + counters.arms
    cells = (rows[:, np.newaxis] * width + np.arange(width))[which]
    chosen = None if weights is None else weights[which]
    height = arms * len(roster.names)
    return np.bincount(cells, chosen, height * width).reshape(height, width).astype(np.float64)
