"""Percent to sites: exact, nested, stratified, frozen per rollout."""

import hashlib
from collections.abc import Iterable, Sequence
from math import lcm

from generator.model.cohort import Cohort, Excluded, Member
from generator.model.percent import FULL, ZERO, Percent
from generator.model.rollout import Rollout
from generator.model.site import Site


def stratum_of(site: Site, strata: Sequence[str]) -> str:
    """Join the site's values of the strata columns."""
    return "/".join(site.column(name) or "-" for name in strata)


def draw(
    rollout: str,
    sites: Iterable[Site],
    strata: Sequence[str],
    excluded: Iterable[Excluded] = (),
) -> Cohort:
    """Draw the order in which sites get the canary.

    Within a stratum sites are ordered by sha256(rollout "/" site); strata are merged by
    (rank + 1/2) / stratum size, ties by the hash, so that every prefix holds each stratum in
    its share, rounded, and a new rollout draws new sites.

    Args:
        rollout: Rollout id, the seed of the draw.
        sites: All N sites, unique.
        strata: Columns to balance over.
        excluded: Sites that are left out of the draw.

    Raises:
        ValueError: A site appears twice.
    """
    left_out = tuple(sorted(excluded, key=lambda one: one.id))
    skipped = {one.id for one in left_out}
    groups: dict[str, list[tuple[str, str]]] = {}
    seen: set[str] = set()
    for site in sites:
        if site.id in seen:
            raise ValueError(f"site {site.id!r} appears twice")
        seen.add(site.id)
        if site.id not in skipped:
            member = (_rank(rollout, site.id), site.id)
            groups.setdefault(stratum_of(site, strata), []).append(member)
    return Cohort(rollout, tuple(_merge(groups)), left_out)


def _rank(rollout: str, site: str) -> str:
    return hashlib.sha256(f"{rollout}/{site}".encode()).hexdigest()


def _merge(groups: dict[str, list[tuple[str, str]]]) -> list[Member]:
    # (rank + 1/2) / size as whole numbers: over one denominator, which all sizes divide.
    whole = lcm(*map(len, groups.values()))
    keyed = [
        (((2 * place + 1) * (whole // len(group)), rank), Member(site, stratum))
        for stratum, group in groups.items()
        for place, (rank, site) in enumerate(sorted(group))
    ]
    return [member for _, member in sorted(keyed, key=lambda pair: pair[0])]


def select(cohort: Cohort, percent: Percent) -> tuple[str, ...]:
    """Pick the sites that run the canary, in draw order.

    A larger percentage always contains the smaller one.

    Returns:
        The first ceil(percent * N / 100) site ids, whether or not they are still there.
    """
    return tuple(member.id for member in cohort.members[: percent.count_of(cohort.n)])


def canary_sites(rollout: Rollout, cohort: Cohort | None, present: Iterable[str]) -> frozenset[str]:
    """Say which of the present sites run the canary now.

    A departure never adds a site. Sites that joined after the draw, and excluded ones, enter
    with the last step.

    Args:
        rollout: What Git says.
        cohort: Its draw; None where no rollout was ever drawn.
        present: Ids of the sites of the environment now.
    """
    if not rollout.canary or rollout.percent == ZERO or cohort is None:
        return frozenset()
    here = frozenset(present)
    ceiling = Percent(FULL.basis_points - rollout.holdback.basis_points)
    chosen = here & frozenset(select(cohort, min(rollout.percent, ceiling)))
    if rollout.percent < FULL:
        return chosen
    return chosen | (here - {member.id for member in cohort.members})


def smallest_percent(n: int, sites: int) -> Percent | None:
    """Give the smallest whole percent that selects at least `sites` of N, if there is one."""
    whole = (Percent.of(p) for p in range(1, 101))
    return next((p for p in whole if p.count_of(n) >= sites), None)
