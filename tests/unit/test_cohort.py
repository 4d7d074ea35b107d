"""The draw: exact, nested, stratified, frozen; departures and joiners change nothing else."""

import hashlib
from dataclasses import replace
from fractions import Fraction
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.cohort import canary_sites, draw, select, smallest_percent, stratum_of
from generator.model.cohort import Excluded
from generator.model.percent import FULL, WHOLE, ZERO, Percent
from generator.model.rollout import Phase, Rollout
from generator.model.site import Site

STRATA = ("region", "hardware")
ROLLOUT = "edge-k3s-defect-detector-v13-3f9a1c2b-1"


def fleet(total: int, regions: int = 5, hardware: int = 3) -> tuple[Site, ...]:
    # Strata of very different sizes: of ten sites five are in the first region.
    return tuple(
        Site(f"plant-{n:04d}", f"k3s-{n}", f"r{n % 10 % regions}", f"h{n % hardware}")
        for n in range(total)
    )


FLEET = fleet(500)
COHORT = draw(ROLLOUT, FLEET, STRATA)
CLIMBING = Rollout(
    "defect-detector",
    "edge-k3s",
    stable="v12-9be07d11",
    canary="v13-3f9a1c2b",
    id=ROLLOUT,
    phase=Phase.PROGRESSING,
)

fleets = st.builds(fleet, st.integers(1, 60), st.integers(1, 7), st.integers(1, 4))
percents = st.integers(0, WHOLE).map(Percent)


def at(percent: Percent, holdback: Percent = ZERO) -> Rollout:
    return replace(CLIMBING, percent=percent, holdback=holdback)


def ids(sites: tuple[Site, ...]) -> set[str]:
    return {site.id for site in sites}


def oracle(rollout: str, sites: tuple[Site, ...]) -> list[str]:
    """The order as the design words it, written without looking at the product."""

    def rank(site: Site) -> str:
        return hashlib.sha256(f"{rollout}/{site.id}".encode()).hexdigest()

    placed = []
    by_stratum = sorted(sites, key=lambda site: (site.region, site.hardware))
    for _, group in groupby(by_stratum, key=lambda site: (site.region, site.hardware)):
        members = sorted(group, key=rank)
        for place, site in enumerate(members):
            placed.append((Fraction(2 * place + 1, 2 * len(members)), rank(site), site.id))
    return [site for _, _, site in sorted(placed)]


@given(fleets, st.sampled_from([ROLLOUT, "x", ""]))
def test_the_order_is_the_one_of_the_design(sites: tuple[Site, ...], rollout: str) -> None:
    assert [member.id for member in draw(rollout, sites, STRATA).members] == oracle(rollout, sites)


@given(st.permutations(fleet(30)))
def test_the_order_of_the_site_file_does_not_matter(sites: list[Site]) -> None:
    assert draw(ROLLOUT, sites, STRATA) == draw(ROLLOUT, fleet(30), STRATA)


@given(fleets, percents, percents)
def test_a_larger_percentage_contains_the_smaller_one(
    sites: tuple[Site, ...], one: Percent, other: Percent
) -> None:
    cohort = draw(ROLLOUT, sites, STRATA)
    small, large = sorted((one, other))
    assert select(cohort, large)[: small.count_of(cohort.n)] == select(cohort, small)
    there = ids(sites)
    assert canary_sites(at(small), cohort, there) <= canary_sites(at(large), cohort, there)


@given(fleets, percents)
def test_a_percentage_selects_exactly_its_share_rounded_up(
    sites: tuple[Site, ...], percent: Percent
) -> None:
    cohort = draw(ROLLOUT, sites, STRATA)
    count = -(-percent.basis_points * len(sites) // WHOLE)
    assert len(canary_sites(at(percent), cohort, ids(sites))) == count


@pytest.mark.parametrize(("percent", "count"), [(5, 25), (10, 50), (25, 125), (50, 250)])
def test_the_steps_of_the_reference_case(percent: int, count: int) -> None:
    assert len(set(select(COHORT, Percent.of(percent)))) == count


@given(fleets)
def test_every_prefix_holds_each_stratum_in_its_share(sites: tuple[Site, ...]) -> None:
    members = draw(ROLLOUT, sites, STRATA).members
    sizes = {name: sum(m.stratum == name for m in members) for name in {m.stratum for m in members}}
    taken = dict.fromkeys(sizes, 0)
    for member in members:
        share = Fraction(2 * taken[member.stratum] + 1, 2 * sizes[member.stratum])
        taken[member.stratum] += 1
        # Half a site is the most that rounding can be off, in any stratum, at any moment.
        assert all(
            abs(taken[name] - share * size) <= Fraction(1, 2) for name, size in sizes.items()
        )


def test_a_new_rollout_draws_new_guinea_pigs() -> None:
    first = {
        frozenset(select(draw(f"{ROLLOUT}{n}", FLEET, STRATA), Percent.of(5))) for n in range(20)
    }
    assert len(first) == 20
    assert len(frozenset().union(*first)) > 250


def test_a_site_that_appears_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'plant-0001' appears twice"):
        draw(ROLLOUT, [*fleet(3), FLEET[1]], STRATA)


def test_excluded_sites_are_not_drawn_and_not_counted() -> None:
    left_out = [Excluded("plant-0002", "trial line"), Excluded("plant-0001", "closed")]
    cohort = draw(ROLLOUT, fleet(10), STRATA, left_out)
    assert cohort.n == 8
    assert [one.id for one in cohort.excluded] == ["plant-0001", "plant-0002"]
    assert {"plant-0001", "plant-0002"}.isdisjoint(member.id for member in cohort.members)


def test_a_site_without_a_column_has_a_stratum_too() -> None:
    assert stratum_of(Site("a", "a"), STRATA) == "-/-"
    assert stratum_of(Site("a", "a", "eu", "gpu", {"line": "b"}), ("line", "region")) == "b/eu"


@given(st.sets(st.sampled_from(sorted(ids(FLEET))), max_size=200), percents)
def test_a_departure_never_adds_a_canary_site(gone: set[str], percent: Percent) -> None:
    before = canary_sites(at(percent), COHORT, ids(FLEET))
    assert canary_sites(at(percent), COHORT, ids(FLEET) - gone) == before - gone


@given(st.integers(0, WHOLE - 1).map(Percent))
def test_a_joiner_waits_for_the_last_step(percent: Percent) -> None:
    joined = ids(FLEET) | {"plant-new"}
    assert canary_sites(at(percent), COHORT, joined) == canary_sites(
        at(percent), COHORT, ids(FLEET)
    )
    assert canary_sites(at(FULL), COHORT, joined) == joined


def test_an_excluded_site_waits_for_the_last_step() -> None:
    sites = fleet(10)
    cohort = draw(ROLLOUT, sites, STRATA, [Excluded("plant-0001", "trial line")])
    assert "plant-0001" not in canary_sites(at(Percent(9999)), cohort, ids(sites))
    assert canary_sites(at(FULL), cohort, ids(sites)) == ids(sites)


@pytest.mark.parametrize(("percent", "count"), [(50, 250), (90, 450), (99, 450), (100, 450)])
def test_a_holdback_stays_on_stable_until_the_last_soak(percent: int, count: int) -> None:
    rollout = at(Percent.of(percent), Percent.of(10))
    assert len(canary_sites(rollout, COHORT, ids(FLEET))) == count


@pytest.mark.parametrize(
    "rollout", [at(ZERO), replace(at(FULL), canary=""), at(ZERO, Percent.of(10))]
)
def test_without_a_canary_or_at_zero_every_site_is_stable(rollout: Rollout) -> None:
    assert canary_sites(rollout, COHORT, ids(FLEET)) == frozenset()


@given(st.integers(1, 3000), st.integers(1, 40))
def test_the_smallest_percent_is_enough_and_one_less_is_not(total: int, sites: int) -> None:
    least = smallest_percent(total, sites)
    if least is None:
        assert total < sites
        return
    assert least.count_of(total) >= sites
    assert Percent(least.basis_points - 100).count_of(total) < sites
