"""The cohort of one rollout, site by site: who got the canary, when, and what became of it."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from generator.cohort import stratum_of
from generator.model.cohort import Cohort
from generator.model.percent import FULL, ZERO, Percent
from generator.model.site import Site
from tidegate.pages.story import End, Square, State, Step

Fleet = Mapping[str, str]


def fleet_of(sites: Sequence[Site], strata: Sequence[str]) -> Fleet:
    """Give the stratum of every present site."""
    return {site.id: stratum_of(site, strata) for site in sites}


def all_in(fleet: Fleet, state: State) -> tuple[Square, ...]:
    """Give every site the same state."""
    return tuple(Square(site, stratum, state) for site, stratum in fleet.items())


def squares(
    cohort: Cohort,
    steps: Sequence[Step],
    end: End,
    holdback: Percent = ZERO,
    fleet: Fleet | None = None,
) -> tuple[Square, ...]:
    """Say what a rollout did to each site, in draw order.

    Args:
        cohort: The frozen draw.
        steps: The rungs in the order of time.
        end: How the rollout ended.
        holdback: Share that keeps the stable release until the end.
        fleet: The sites that are present, with their strata; None where only the draw counts.
    """
    found = list(_drawn(cohort, steps, end, Percent(FULL.basis_points - holdback.basis_points)))
    found += _left_out(cohort, steps, end, fleet or {})
    if fleet is None:
        return tuple(found)
    known = {one.id for one in found}
    here = [
        one if one.id in fleet else Square(one.id, one.stratum, State.GONE, one.joined)
        for one in found
    ]
    late = [(site, stratum) for site, stratum in fleet.items() if site not in known]
    state, joined = _at_the_end(steps, end, State.STABLE)
    return (*here, *(Square(site, stratum, state, joined) for site, stratum in late))


def with_late(found: Sequence[Square], late: Container[str]) -> tuple[Square, ...]:
    """Tell the sites that got the canary from those of which nothing was heard."""
    return tuple(
        replace(one, state=State.LATE) if one.state is State.CANARY and one.id in late else one
        for one in found
    )


def _drawn(cohort: Cohort, steps: Sequence[Step], end: End, ceiling: Percent) -> Iterator[Square]:
    counts = [(step.percent, min(step.percent, ceiling).count_of(cohort.n)) for step in steps]
    now = counts[-1][1] if counts else 0
    for rank, member in enumerate(cohort.members):
        joined = next((percent for percent, count in counts if rank < count), None)
        if end is End.COMPLETED:
            yield Square(member.id, member.stratum, State.CANARY, joined or FULL)
        elif joined is None:
            yield Square(member.id, member.stratum, State.STABLE)
        else:
            runs = rank < now and end in (End.CLIMBING, End.PAUSED)
            state = State.CANARY if runs else State.RETURNED
            yield Square(member.id, member.stratum, state, joined)


def _left_out(cohort: Cohort, steps: Sequence[Step], end: End, fleet: Fleet) -> Iterator[Square]:
    state, joined = _at_the_end(steps, end, State.EXCLUDED)
    for one in cohort.excluded:
        yield Square(one.id, fleet.get(one.id, ""), state, joined)


def _at_the_end(steps: Sequence[Step], end: End, before: State) -> tuple[State, Percent | None]:
    """Say what became of a site that takes part in the last step only."""
    if end is End.COMPLETED:
        return State.CANARY, FULL
    if not steps or all(step.percent < FULL for step in steps):
        return before, None
    climbs = end in (End.CLIMBING, End.PAUSED) and steps[-1].percent == FULL
    return State.CANARY if climbs else State.RETURNED, FULL
